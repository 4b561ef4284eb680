"""Tokens by the command line, against a real store."""

import json
from pathlib import Path

import pytest
from unit.cli.conftest import Run

from scim_bridge import wiring
from scim_bridge.domain import networks
from scim_bridge.domain.instants import Millis
from scim_bridge.errors import UsageError
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store


@pytest.fixture
def config(sqlite_url: str, tmp_path: Path) -> str:
    file = tmp_path / "bridge.toml"
    file.write_text(
        f'data_dir = "data"\n[store]\nurl = "{sqlite_url}"\n'
        '[[tenants]]\nid = "acme"\n[[tenants.sources]]\nname = "okta"\n[[tenants.sources]]\nname = "hr"\n'
    )
    return str(file)


def principal(sqlite_url: str, value: str) -> tokens.Principal | None:
    store = Store.open(sqlite_url, clock=wiring.now_ms)
    try:
        found = tokens.authenticate(store, value.strip())
    finally:
        store.close()
    return found if isinstance(found, tokens.Principal) else None


def test_create_prints_a_token_that_opens_the_door_alone_on_its_line(config: str, sqlite_url: str, run: Run) -> None:
    result = run("token", "create", "--config", config, "--tenant", "acme", "--scope", "scim")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1
    opened = principal(sqlite_url, result.stdout)
    assert opened is not None
    assert (opened.tenant, opened.source, opened.scopes) == ("acme", "okta", {"scim"})


def test_create_takes_source_name_and_several_scopes(config: str, sqlite_url: str, run: Run) -> None:
    scopes = ["--scope", "hr", "--scope", "ops:viewer"]
    result = run(
        *("token", "create", "--config", config, "--tenant", "acme", *scopes),
        *("--source", "hr", "--name", "nightly import", "--json"),
    )
    opened = principal(sqlite_url, json.loads(result.stdout)["token"])
    assert opened is not None
    assert (opened.source, opened.name, opened.scopes) == ("hr", "nightly import", {"hr", "ops:viewer"})


def test_list_never_shows_a_token(config: str, run: Run) -> None:
    value = run("token", "create", "--config", config, "--tenant", "acme", "--scope", "scim").stdout.strip()
    for flags in ([], ["--json"]):
        result = run("token", "list", "--config", config, *flags)
        assert result.exit_code == 0
        assert value not in result.stdout
        assert value.rsplit("_", 1)[1] not in result.stdout
    [row] = json.loads(result.stdout)["tokens"]
    assert (row["tenant"], row["state"], row["scopes"]) == ("acme", "good", ["scim"])


def test_rotate_replaces_a_token(config: str, sqlite_url: str, run: Run) -> None:
    old = run("token", "create", "--config", config, "--tenant", "acme", "--scope", "scim").stdout
    token_id = str(tokens.token_id_of(old.strip()))
    new = run("token", "rotate", "--config", config, "--tenant", "acme", token_id).stdout
    assert principal(sqlite_url, old) is None
    assert principal(sqlite_url, new) is not None


def test_rotate_leaves_the_old_one_good_beside_the_new_one(config: str, sqlite_url: str, run: Run) -> None:
    old = run("token", "create", "--config", config, "--tenant", "acme", "--scope", "scim").stdout
    token_id = str(tokens.token_id_of(old.strip()))
    rotate = ("token", "rotate", "--config", config, "--tenant", "acme", token_id, "--overlap", "1h")
    new = run(*rotate, "--expires", "10d").stdout
    assert principal(sqlite_url, old) is not None
    assert principal(sqlite_url, new) is not None
    listed = json.loads(run("token", "list", "--config", config, "--json").stdout)["tokens"]
    assert sorted(row["state"] for row in listed) == ["expires soon", "replaced"]
    again = run(*rotate)
    assert (again.exit_code, again.stdout) == (1, "")
    assert f"no token {token_id}, or it is revoked or replaced already" in again.stderr


def test_a_token_is_bound_to_networks(config: str, sqlite_url: str, run: Run) -> None:
    create = ("token", "create", "--config", config, "--tenant", "acme", "--scope", "scim")
    value = run(*create, "--network", "10.0.0.0/8", "--network", "2001:db8::/32").stdout
    opened = principal(sqlite_url, value)
    assert opened is not None
    assert opened.may_come_from(networks.parse_address("10.1.2.3"))
    assert not opened.may_come_from(networks.parse_address("192.0.2.7"))
    [row] = json.loads(run("token", "list", "--config", config, "--json").stdout)["tokens"]
    assert row["networks"] == ["10.0.0.0/8", "2001:db8::/32"]
    assert "10.0.0.0/8 2001:db8::/32" in " ".join(run("token", "list", "--config", config).stdout.split())


def test_list_tells_when_tokens_end(config: str, run: Run) -> None:
    create = ("token", "create", "--config", config, "--tenant", "acme", "--scope", "scim")
    for expires in ((), ("--expires", "29d"), ("--expires", "31d")):
        run(*create, *expires)
    listed = json.loads(run("token", "list", "--config", config, "--json").stdout)["tokens"]
    assert [row["state"] for row in listed] == ["good", "expires soon", "good"]
    assert [row["expires_at"] is None for row in listed] == [True, False, False]
    assert listed[1]["expires_at"][:10] in run("token", "list", "--config", config).stdout


def test_revoke_ends_a_token(config: str, sqlite_url: str, run: Run) -> None:
    value = run("token", "create", "--config", config, "--tenant", "acme", "--scope", "scim").stdout
    token_id = str(tokens.token_id_of(value.strip()))
    assert run("token", "revoke", "--config", config, "--tenant", "acme", token_id).exit_code == 0
    assert principal(sqlite_url, value) is None
    again = run("token", "revoke", "--config", config, "--tenant", "acme", token_id)
    assert (again.exit_code, again.stdout) == (0, f"the token {token_id} is already revoked\n")
    told = run("token", "revoke", "--config", config, "--tenant", "acme", token_id, "--json")
    assert json.loads(told.stdout) == {"id": token_id, "state": "revoked", "already_revoked": True}


def test_revoking_what_never_was_fails(config: str, run: Run) -> None:
    result = run("token", "revoke", "--config", config, "--tenant", "acme", "0123456789abcdef")
    assert (result.exit_code, result.stderr) == (1, "scim-bridge: the tenant acme has no token 0123456789abcdef\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--tenant", "none", "--scope", "scim"], "there is no tenant none in the configuration (there: acme)"),
        (["--tenant", "acme", "--scope", "scim", "--source", "x"], "the tenant acme has no source x (there: okta, hr)"),
        (["--tenant", "acme", "--scope", "scim", "--expires", "soon"], "soon is no span of time"),
        (["--tenant", "acme", "--scope", "scim", "--expires", "0d"], "--expires 0d: such a token would never be good"),
        (["--tenant", "acme", "--scope", "scim", "--expires", "-1d"], "-1d is no span of time; give minutes, hours or"),
        (
            ["--tenant", "acme", "--scope", "scim", "--network", "10.1.2.3/8"],
            "--network 10.1.2.3/8 has bits set beyond its prefix; write 10.0.0.0/8",
        ),
        (
            ["--tenant", "acme", "--scope", "scim", "--network", "office", "--network", "10.0.0.0/33"],
            "--network office is no network; write one like 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32; --network",
        ),
        (["--tenant", "acme", "--scope", "scim", "--network", ""], "is no network"),
        (["--tenant", "acme", "--scope", "everything"], "Invalid value for '--scope'"),
        (["--tenant", "acme"], "Missing option '--scope'"),
    ],
)
def test_a_wrong_command_is_answered_by_a_sentence(config: str, run: Run, arguments: list[str], sentence: str) -> None:
    result = run("token", "create", "--config", config, *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr


def test_a_store_without_tables_is_answered_by_a_sentence(tmp_path: Path, run: Run) -> None:
    (tmp_path / "bridge.toml").write_text('[[tenants]]\nid = "acme"\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bridge.db").touch()
    arguments = ("--config", str(tmp_path / "bridge.toml"), "--tenant", "acme", "--scope", "scim")
    result = run("token", "create", *arguments)
    assert result.exit_code == 1
    assert "scim-bridge migrate" in result.stderr


def test_migrate_makes_the_store_ready(tmp_path: Path, run: Run) -> None:
    (tmp_path / "bridge.toml").write_text('[[tenants]]\nid = "acme"\n')
    arguments = ("--config", str(tmp_path / "bridge.toml"))
    assert run("migrate", *arguments).exit_code == 0
    assert run("token", "create", *arguments, "--tenant", "acme", "--scope", "scim").exit_code == 0


def test_all_faults_of_the_configuration_are_told(tmp_path: Path, run: Run) -> None:
    (tmp_path / "bridge.toml").write_text("[stor]\n[web]\nbnd = 1\n")
    result = run("token", "list", "--config", str(tmp_path / "bridge.toml"))
    assert result.exit_code == 2
    assert result.stderr.splitlines()[0] == "scim-bridge: the configuration has 2 problems:"


@pytest.mark.parametrize(("text", "milliseconds"), [("30m", 1_800_000), ("12h", 43_200_000), ("90d", 7_776_000_000)])
def test_a_span_is_minutes_hours_or_days(text: str, milliseconds: Millis) -> None:
    from scim_bridge.cli.tokens import parse_span  # noqa: PLC0415 - `tokens` is the store's here

    assert parse_span(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "5y", "-1d", "1.5h", "1234567d"])
def test_nothing_else_is_a_span(text: str) -> None:
    from scim_bridge.cli.tokens import parse_span  # noqa: PLC0415 - as above

    with pytest.raises(UsageError):
        parse_span(text)
