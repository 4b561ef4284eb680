"""The table of the demo's scenarios: complete, documented, and what the command makes of a name."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from scim_bridge.cli import main
from scim_bridge.sandbox import configuration
from scim_bridge.sandbox.stories import scenarios, stage
from scim_bridge.sandbox.targets.limits import parse_windows
from scim_bridge.sandbox.targets.mindtickle import MindTickleOptions
from scim_bridge.sandbox.targets.scim import ScimOptions
from scim_bridge.sandbox.targets.trakstar import TrakstarOptions
from scim_bridge.settings import loading

URLS = {
    "trakstar": ("base_url",),
    "mindtickle": ("scim_base_url", "rest_base_url"),
    "scim": ("base_url",),
}
OPTIONS = {"trakstar": TrakstarOptions, "mindtickle": MindTickleOptions, "scim": ScimOptions}

README = Path(scenarios.__file__).parents[1] / "README.md"
NAMES = list(scenarios.SCENARIOS)

ASKED_FOR = (
    *("default", "poison", "lost-answers", "partial", "rate-limit", "outage", "dead-key", "conflicts", "read-lag"),
    *("mass-leave", "leavers-first", "hung", "seats", "protected", "vendor-contradictions"),
)


def documented() -> Iterator[tuple[str, str]]:
    for line in README.read_text("utf-8").partition("## Scenarios")[2].partition("\n## ")[0].splitlines():
        row = re.fullmatch(r"\| `([a-z-]+)` \| (.+) \|", line)
        if row is not None:
            yield row[1], row[2]


def test_the_failure_modes_that_a_user_may_want_to_try_are_there() -> None:
    assert set(ASKED_FOR) <= set(NAMES)


def test_the_documents_have_a_line_for_each_scenario() -> None:
    assert list(documented()) == [(each.name, each.shows) for each in scenarios.SCENARIOS.values()]


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_says_in_one_line_what_it_shows(name: str) -> None:
    scenario = scenarios.SCENARIOS[name]
    assert scenario.shows.isprintable()
    assert len(f"{name}  {scenario.shows}") <= 120


@pytest.mark.parametrize("name", NAMES)
def test_a_scenarios_targets_are_named_apart(name: str) -> None:
    targets = scenarios.SCENARIOS[name].setting.targets
    assert targets
    assert len({each.name for each in targets}) == len(targets)


@pytest.mark.parametrize("name", NAMES)
def test_a_scenarios_configuration_starts_a_bridge(name: str, tmp_path: Path) -> None:
    setting = scenarios.SCENARIOS[name].setting
    urls = {each.name: dict.fromkeys(URLS[each.kind], "http://127.0.0.1:1/x") for each in setting.targets}
    config = tmp_path / "bridge.toml"
    config.write_text(stage.bridge_toml(setting, urls, port=0), encoding="utf-8")
    secrets = [f"{name}.secret" for name in setting.secrets]
    for secret in (*(f"{each.name}.key" for each in setting.targets), "company", *secrets):
        (tmp_path / secret).write_text("made up\n", encoding="utf-8")
    [tenant] = loading.load(config, environ={}).tenants
    assert [target.name for target in tenant.targets] == [each.name for each in setting.targets]


@pytest.mark.parametrize("name", NAMES)
def test_a_scenarios_simulators_have_its_switches(name: str) -> None:
    for each in scenarios.SCENARIOS[name].setting.targets:
        assert OPTIONS[each.kind](**each.options)


@pytest.mark.parametrize("words", [("--list-scenarios",), ("--scenario", "help")])
def test_the_scenarios_are_listed_with_what_they_show(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(main, ["demo", *words])
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == NAMES


def test_an_unknown_scenario_is_refused_with_those_that_there_are() -> None:
    done = CliRunner().invoke(main, ["demo", "--once", "--scenario", "opera"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "'opera'" in done.stderr
    assert all(name in done.stderr for name in NAMES)


def test_the_configuration_says_what_it_was_given() -> None:
    text = configuration.opening(
        store_url='sqlite:///a "b".db', bind="127.0.0.1:1", admin_bind="127.0.0.1:2", tenant="t", sources=["a", "b"]
    ) + configuration.target(
        name="x",
        kind="scim",
        values={"base_url": "http://127.0.0.1:3"},
        limits=parse_windows("60/60,30/60:user_write"),
        groups=["Sales"],
        more='timeout_s = 3\n[tenants.targets.fields.email]\non_too_long = "shorten"\n',
    )
    told = tomllib.loads(text)
    [tenant] = told["tenants"]
    [target] = tenant["targets"]
    assert told["store"]["url"] == 'sqlite:///a "b".db'
    assert [source["name"] for source in tenant["sources"]] == ["a", "b"]
    assert target["limits"] == [{"requests": 60, "per_s": 60}, {"requests": 30, "per_s": 60, "class": "user_write"}]
    assert (target["timeout_s"], target["fields"]["email"]["on_too_long"]) == (3, "shorten")
    assert target["groups"] == {"Sales": {"group": "Sales"}}
