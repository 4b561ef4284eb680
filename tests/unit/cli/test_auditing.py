"""The audit by the command line: decisions made by commands are listed, proved, and found when somebody alters them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.cli.conftest import Run

from scim_bridge.operators.replay import operator_name
from scim_bridge.store import audit_chain
from scim_bridge.store.engine import Store
from scim_bridge.wiring import now_ms


@pytest.fixture
def config(sqlite_url: str, tmp_path: Path) -> str:
    file = tmp_path / "bridge.toml"
    file.write_text(
        f'data_dir = "data"\n[store]\nurl = "{sqlite_url}"\n[[tenants]]\nid = "acme"\n[[tenants]]\nid = "beta"\n'
    )
    return str(file)


@pytest.fixture
def books(sqlite_url: str) -> Iterator[Store]:
    store = Store.open(sqlite_url, clock=now_ms)
    yield store
    store.close()


@pytest.fixture
def decided(config: str, run: Run, books: Store) -> list[str]:
    """Two tokens are made and one is ended again, by commands, and a relay has seen it; gives the tokens' ids."""
    create = ("token", "create", "--config", config, "--scope", "scim", "--json")
    made = [json.loads(run(*create, "--tenant", tenant).stdout)["id"] for tenant in ("acme", "beta")]
    assert run("token", "revoke", "--config", config, "--tenant", "beta", made[1]).exit_code == 0
    with books.across_tenants("test", write=True) as tx:
        assert audit_chain.give_places(tx) == 3
    return made


def test_decisions_are_listed_for_machines(config: str, run: Run, decided: list[str]) -> None:
    told = json.loads(run("audit", "list", "--config", config, "--json").stdout)
    assert told["next"] is None
    assert [(each["number"], each["tenant"], each["what"]) for each in told["items"]] == [
        (3, "beta", "token revoke"),
        (2, "beta", "token create"),
        (1, "acme", "token create"),
    ]
    assert {each["who"] for each in told["items"]} == {operator_name()}
    assert told["items"][0]["before"]["token_id"] == decided[1]


@pytest.mark.usefixtures("decided")
def test_decisions_are_listed_for_people(config: str, run: Run) -> None:
    lines = run("audit", "list", "--config", config, "--limit", "2").stdout.splitlines()
    assert lines[0].startswith("entry 3  at 20")
    assert f"tenant beta  who {operator_name()}  what token revoke" in lines[0]
    assert lines[-1] == "2 entries; older ones with --after 2"
    rest = run("audit", "list", "--config", config, "--after", "2").stdout.splitlines()
    assert (rest[0].split()[1], rest[-1]) == ("1", "1 entry")
    assert run("audit", "list", "--config", config, "--who", "nobody").stdout == "0 entries\n"


@pytest.mark.usefixtures("decided")
def test_an_audit_that_nobody_touched_is_proved(config: str, run: Run) -> None:
    result = run("audit", "verify", "--config", config)
    lines = result.stdout.splitlines()
    assert (result.exit_code, lines[0], lines[-1]) == (0, "3 entries recomputed", "the audit is as it was written")
    head = lines[1].removeprefix("head ")
    told = run("audit", "verify", "--config", config, "--expect", head, "--json")
    assert told.exit_code == 0
    assert json.loads(told.stdout) == {
        "verified": True,
        "entries": 3,
        "head": head,
        "cut": None,
        "expected": head,
        "waiting": 0,
        "waiting_since": None,
        "faults": [],
    }


@pytest.mark.usefixtures("decided")
def test_an_altered_entry_is_named(config: str, run: Run, books: Store) -> None:
    with books.across_tenants("test", write=True) as tx:
        tx.connection.exec_driver_sql("UPDATE audit SET who = 'somebody@else' WHERE number = 2")
    result = run("audit", "verify", "--config", config)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].strip().startswith("entry 2 (id 2) does not fit its link: altered")
    assert result.stdout.splitlines()[-1] == "the audit is NOT as it was written"
    assert run("audit", "verify", "--config", config, "--json").exit_code == 1


@pytest.mark.usefixtures("decided")
def test_a_text_that_is_none_is_no_crash(config: str, run: Run, books: Store) -> None:
    with books.across_tenants("test", write=True) as tx:
        tx.connection.exec_driver_sql("UPDATE audit SET who = CAST(X'FF' AS TEXT) WHERE number = 2")
    result = run("audit", "verify", "--config", config)
    assert (result.exit_code, result.stderr) == (1, "")
    assert "the database cannot read a text of the audit: altered" in result.stdout


BAD: list[tuple[tuple[str, ...], str]] = [
    (("verify", "--expect", "41"), "the expected head must be NUMBER:LINK"),
    (("verify", "--expect", ""), "the expected head must be NUMBER:LINK"),
    (("list", "--tenant", "acmee"), "there is no tenant acmee (there: acme, beta)"),
    (
        ("list", "--since", "2026-02-01", "--until", "2026-01-01"),
        "nothing is since 2026-02-01T00:00:00.000Z but before",
    ),
    (("list", "--since", "soon"), "soon is no time"),
    (("list", "--limit", "501"), "501 is not in the range"),
    (("list", "--after", "x"), "'x' is not a valid integer"),
]


@pytest.mark.parametrize(("arguments", "told"), BAD)
def test_bad_input_is_told_in_one_line(config: str, run: Run, arguments: tuple[str, ...], told: str) -> None:
    result = run("audit", *arguments, "--config", config)
    assert result.exit_code == 2
    assert told in result.stderr.splitlines()[-1]
