"""[[notices]]: who is told, from the files; and what is refused, without a word of the secret."""

from pathlib import Path
from typing import Any

import pytest

from scim_bridge.domain.notices import Kind
from scim_bridge.settings import loading
from scim_bridge.settings.models import Settings
from scim_bridge.settings.problems import SettingsRefused

SECRET = "whsec_c2l4dGVlbi1ieXRlcy1hbmQtbW9yZS1vZi1pdA=="
PAGER = {"name": "pager", "url": "https://pager.example.com/hook", "secret": "env:PAGER_SECRET"}


def table(**changes: Any) -> str:
    """Return a [[notices]] table; None takes a key out."""
    given = {**PAGER, **changes}
    lines = [f"{key} = {_toml(value)}" for key, value in given.items() if value is not None]
    return "\n".join(["[[notices]]", *lines, ""])


def _toml(value: Any) -> str:
    return repr(value).replace("'", '"') if isinstance(value, (str, list)) else str(value)


def load(folder: Path, text: str, *, role: str = "relay", secret: str = SECRET) -> Settings:
    file = folder / "bridge.toml"
    file.write_text(f'{text}\n[[tenants]]\nid = "acme"\n')
    return loading.load(file, role=role, environ={"PAGER_SECRET": secret} if secret else {})


def problems(folder: Path, text: str, **more: Any) -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        load(folder, text, **more)
    assert SECRET not in str(refused.value)
    return [f"{problem.key}: {problem.text}" for problem in refused.value.problems]


def test_a_receiver_wants_every_kind_of_every_tenant(tmp_path: Path) -> None:
    [receiver] = load(tmp_path, table()).notices
    assert (receiver.name, receiver.kinds, receiver.tenants, receiver.link) == ("pager", list(Kind), [], None)
    assert receiver.secret is not None
    assert receiver.secret.get_secret_value() == SECRET
    assert SECRET not in repr(receiver)


def test_a_receiver_may_choose(tmp_path: Path) -> None:
    link = "https://grafana.example.com/d/scim?tenant={tenant}&kind={kind}"
    [receiver] = load(tmp_path, table(kinds=["hold"], tenants=["acme"], link=link)).notices
    assert (receiver.kinds, receiver.tenants, receiver.link) == ([Kind.HOLD], ["acme"], link)


@pytest.mark.parametrize("role", ["web", "worker", "operator"])
def test_who_sends_no_notices_is_not_given_the_secret(tmp_path: Path, role: str) -> None:
    assert load(tmp_path, table(), role=role, secret="").notices[0].secret is None


@pytest.mark.parametrize("role", ["relay", "all"])
def test_a_secret_that_is_not_there_stops_the_start(tmp_path: Path, role: str) -> None:
    told = problems(tmp_path, table(), role=role, secret="")
    assert told == ["notices[0].secret: the environment variable PAGER_SECRET is not set"]


def test_a_receiver_on_this_machine_may_have_its_secret_in_the_file(tmp_path: Path) -> None:
    [receiver] = load(tmp_path, table(url="http://127.0.0.1:9000/notices", secret="x" * 24)).notices
    assert receiver.url == "http://127.0.0.1:9000/notices"


BAD = [
    (table(secret=None), "notices[0].secret: is missing; without it nobody could tell that a notice is ours"),
    (table(secret=""), "notices[0].secret: is missing; without it nobody could tell that a notice is ours"),
    (table(secret="x" * 30), "notices[0].secret: is a secret: give it as env:NAME or file:PATH"),
    (table(secret=5), "notices[0].secret: is a secret: give it as env:NAME or file:PATH"),
    (table(url=None), "notices[0].url: field required"),
    (table(url="http://pager.example.com/"), "notices[0].url: must use https unless it is on this machine"),
    (table(url="pager"), "notices[0].url: must be an address like https://host/path"),
    (
        table(url="https://me:pw@pager.example.com/"),
        "notices[0].url: must hold no user name or password; credentials are options of their own",
    ),
    (table(name=None), "notices[0].name: field required"),
    (table(name="my pager"), "notices[0].name: must be letters, digits, - or _"),
    (table() + table(), "notices: pager is there twice"),
    (table(tenants=["acmee"]), "notices[0].tenants: there is no tenant acmee"),
    (table(tenants="acme"), "notices[0].tenants: must be a valid list"),
    (table(kinds=[]), "notices[0].kinds: list should have at least 1 item after validation, not 0"),
    (table(link="see {who}"), "notices[0].link: must be an address; it may hold {tenant}, {target} and {kind}"),
    (
        table(link="https://x.example/{"),
        "notices[0].link: must be an address; it may hold {tenant}, {target} and {kind}",
    ),
    (table(urls="https://x"), "notices[0].urls: unknown key; did you mean url?"),
    ("notices = 1", "notices: must be [[notices]] tables"),
    ("notices = [1]", "notices: must be [[notices]] tables"),
]


@pytest.mark.parametrize(("text", "told"), BAD)
def test_what_is_wrong_is_told_with_its_key(tmp_path: Path, text: str, told: str) -> None:
    assert problems(tmp_path, text) == [told]


def test_a_kind_that_there_is_not_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    [told] = problems(tmp_path, table(kinds=["holds"]))
    assert told.startswith("notices[0].kinds[0]: must be 'hold', 'hold_expired'")


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("x" * 23, "must stand for 24 to 64 bytes"),
        ("x" * 65, "must stand for 24 to 64 bytes"),
        ("whsec_no*base64", "must be base64 behind whsec_"),
        ("whsec_" + "x" * 24, "must stand for 24 to 64 bytes"),
    ],
)
def test_a_secret_that_is_none_is_refused(tmp_path: Path, secret: str, told: str) -> None:
    assert problems(tmp_path, table(), secret=secret) == [f"notices[0].secret: {told}"]


def test_receivers_cannot_be_given_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "bridge.toml").write_text("")
    with pytest.raises(SettingsRefused, match="SCIM_BRIDGE__NOTICES: unknown key"):
        loading.load(tmp_path / "bridge.toml", environ={"SCIM_BRIDGE__NOTICES": "[]"})
