"""[tenants.sources.fetch]: who is given its secret, and faults that are told at once."""

from pathlib import Path
from typing import Any

import pytest

from scim_bridge.settings import loading
from scim_bridge.settings.problems import SettingsRefused
from scim_bridge.settings.sources import FetchSettings

HEAD = '[[tenants]]\nid = "a"\n[[tenants.sources]]\nname = "hr"\nsecret = "env:KEY"\nkind = "{kind}"\n'
TABLE = {
    "bamboohr": '[tenants.sources.fetch]\nbase_url = "https://acme.bamboohr.com/api/v1"\nsecret = "env:API_KEY"\n',
    "hibob": '[tenants.sources.fetch]\nbase_url = "https://api.hibob.com/v1"\nuser = "S-1"\nsecret = "env:API_KEY"\n',
}
ENVIRON = {"KEY": "s3cret", "API_KEY": "k3y-91c7", "ODD": "k3y\n-91c7"}


def loaded(folder: Path, text: str, *, kind: str = "bamboohr", role: str = "relay") -> FetchSettings | None:
    file = folder / "bridge.toml"
    file.write_text(HEAD.format(kind=kind) + text)
    return loading.load(file, role=role, environ=ENVIRON).tenants[0].sources[0].fetch


def problems(folder: Path, text: str, *, kind: str = "bamboohr", role: str = "relay") -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        loaded(folder, text, kind=kind, role=role)
    told = [str(problem) for problem in refused.value.problems]
    assert not [each for each in told if "91c7" in each]
    return [each.rpartition("sources[0].")[2] for each in told]


def test_without_the_table_nobody_is_looked_up(tmp_path: Path) -> None:
    assert loaded(tmp_path, "") is None


@pytest.mark.parametrize("kind", sorted(TABLE))
@pytest.mark.parametrize(("role", "is_given"), [("relay", True), ("all", True), ("web", False), ("operator", False)])
def test_the_secret_is_given_to_whoever_looks_people_up(
    tmp_path: Path, kind: str, role: str, *, is_given: bool
) -> None:
    fetch = loaded(tmp_path, TABLE[kind], kind=kind, role=role)
    assert fetch is not None
    assert (fetch.secret is not None and fetch.secret.get_secret_value() == "k3y-91c7") is is_given
    assert "91c7" not in repr(fetch)


def test_a_literal_secret_will_do_for_a_simulator_on_this_machine(tmp_path: Path) -> None:
    fetch = loaded(tmp_path, '[tenants.sources.fetch]\nbase_url = "http://127.0.0.1:8701/api/v1"\nsecret = "key"\n')
    assert fetch is not None
    assert fetch.secret is not None


WRONG: list[tuple[str, str, str]] = [
    # kind, the table's lines, what is told
    ("bamboohr", 'secret = "env:API_KEY"', "fetch.base_url: field required"),
    (
        "bamboohr",
        'base_url = "https://x.example/v1"',
        "fetch.secret: is missing; without it the HR system tells nothing",
    ),
    (
        "bamboohr",
        'base_url = "http://x.example/v1"\nsecret = "env:API_KEY"',
        "fetch.base_url: must use https unless it is on this machine",
    ),
    (
        "bamboohr",
        'base_url = "https://u:p@x.example/v1"\nsecret = "env:API_KEY"',
        "fetch.base_url: must hold no user name or password; credentials are options of their own",
    ),
    (
        "bamboohr",
        'base_url = "https://x.example/v1"\nsecret = "plain-91c7"',
        "fetch.secret: is a secret: give it as env:NAME or file:PATH",
    ),
    (
        "bamboohr",
        'base_url = "https://x.example/v1"\nsecret = "env:NOWHERE"',
        "fetch.secret: the environment variable NOWHERE is not set",
    ),
    (
        "bamboohr",
        'base_url = "https://x.example/v1"\nsecret = "env:ODD"',
        "fetch.secret: must be printable ASCII; is there a line break in it?",
    ),
    (
        "hibob",
        'base_url = "https://x.example/v1"\nsecret = "env:API_KEY"',
        "fetch.user: is missing; it is the id of the service user",
    ),
    (
        "hibob",
        'base_url = "https://x.example/v1"\nsecret = "env:API_KEY"\nuser = "a:b"',
        "fetch.user: must be printable ASCII without a colon",
    ),
    (
        "gusto",
        'base_url = "https://x.example/v1"\nsecret = "env:API_KEY"',
        "fetch: a source of kind gusto cannot be asked; take [fetch] out, or send files",
    ),
    (
        "bamboohr",
        'base_url = "https://x.example/v1"\nsecret = "env:API_KEY"\nrequests = 0',
        "fetch.requests: must be greater than or equal to 1",
    ),
    (
        "bamboohr",
        'base_url = "https://x.example/v1"\nsecret = "env:API_KEY"\nper_s = inf',
        "fetch.per_s: must be a finite number",
    ),
    (
        "bamboohr",
        'base_url = "https://x.example/v1"\nsecret = "env:API_KEY"\nrequest = 5',
        "fetch.request: unknown key; did you mean requests?",
    ),
]


@pytest.mark.parametrize(("kind", "lines", "problem"), WRONG)
def test_a_fault_is_told(tmp_path: Path, kind: str, lines: str, problem: str) -> None:
    assert problems(tmp_path, f"[tenants.sources.fetch]\n{lines}\n", kind=kind) == [problem]


@pytest.mark.parametrize("value", ['"yes"', "1", "[]", "true"])
def test_something_else_than_a_table_is_told(tmp_path: Path, value: Any) -> None:
    assert problems(tmp_path, f"fetch = {value}\n") == ["fetch: must be a table"]


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    told = problems(tmp_path, '[tenants.sources.fetch]\nbase_url = "ftp://x"\nper_s = 0\n', kind="hibob")
    assert len(told) == 4
