"""The commands that look and put back, over books with one person delivered and one dead."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import psycopg
import pytest
from unit.cli.conftest import Run

from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.resources import USER
from scim_bridge.domain.states import State
from scim_bridge.errors import UsageError
from scim_bridge.operators import alive, moments
from scim_bridge.operators.replay import operator_name
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store import due, lanes, settlement
from scim_bridge.store.engine import Store
from scim_bridge.wiring import now_ms

NOW = 1_700_000_000_000


@pytest.fixture
def config(sqlite_url: str, tmp_path: Path) -> str:
    file = tmp_path / "bridge.toml"
    file.write_text(
        f'data_dir = "data"\n[store]\nurl = "{sqlite_url}"\n[queue]\nurl = "redis://127.0.0.1:1/0"\n'
        '[[tenants]]\nid = "acme"\n'
        '[[tenants.targets]]\nname = "trakstar"\nkind = "trakstar"\napi_key = "env:TRAKSTAR_API_KEY"\n'
    )
    return str(file)


@pytest.fixture
def books(sqlite_url: str) -> Iterator[Store]:
    """Ann was refused; bob had nothing to be told."""
    store = Store.open(sqlite_url, clock=now_ms)
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar")])
    with store.begin("acme") as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="okta", correlation_id="c"))
        for name in ("ann", "bob"):
            recorder.create(USER, {"userName": f"{name}@example.com", "externalId": name, "active": True})
        lane = lanes.by_target(tx, "trakstar")
        assert lane is not None
        ends = [(State.DEAD, "too_long"), (State.UNCHANGED, "already_so")]
        for person, (state, code) in zip(due.people_due(tx, lane.id, limit=9), ends, strict=True):
            outcome = Outcome(
                operation_id=person.operation_id, resource_id=person.resource_id, state=state, code=code, detail="title"
            )
            settlement.settle(tx, lane_id=lane.id, outcomes=[outcome], before=State.WAITING, batch_id=None)
    yield store
    store.close()


@pytest.mark.usefixtures("books")
def test_status_gives_every_lane_with_the_promised_keys(config: str, run: Run) -> None:
    result = run("status", "--config", config, "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "lanes": [
            {
                "tenant": "acme",
                "target": "trakstar",
                "pending": 0,
                "held": 0,
                "dead": 1,
                "oldest_s": 0,
                "calls": 0,
                "eta_s": 0,
                "state": "idle",
                "why": None,
                "next_try_at": None,
            }
        ],
        "processes": {"queue": "does not answer", "worker_heard_s": None, "relay_heard_s": None},
    }


@pytest.mark.usefixtures("books")
def test_status_says_that_nobody_knows_who_works_while_the_queue_does_not_answer(config: str, run: Run) -> None:
    result = run("status", "--config", config)
    assert result.exit_code == 0
    assert result.stderr.startswith("the queue does not answer, ")


@pytest.mark.parametrize(
    ("worker_s", "relay_s", "missed"),
    [
        (0, 0, []),
        (alive.QUIET_S, alive.QUIET_S, []),
        (alive.QUIET_S + 1, 3, ["no worker has been heard of for 121 s"]),
        (None, 3, ["no worker has been heard of for a day"]),
        (3, None, ["no relay has been heard of for a day"]),
        (None, 300, ["no worker has been heard of for a day", "no relay has been heard of for 300 s"]),
    ],
)
def test_status_says_which_process_is_missed(worker_s: int | None, relay_s: int | None, missed: list[str]) -> None:
    told = alive.warnings({"queue": "answers", "worker_heard_s": worker_s, "relay_heard_s": relay_s})
    assert [each.partition(":")[0] for each in told] == missed


@pytest.mark.usefixtures("books")
def test_status_in_a_pipe_is_a_line_a_lane(config: str, run: Run) -> None:
    result = run("status", "--config", config)
    assert result.exit_code == 0
    assert result.stdout.startswith("tenant acme  target trakstar  state idle  pending 0  held 0  dead 1  ")
    assert len(result.stdout.splitlines()) == 1


@pytest.mark.usefixtures("books")
def test_status_can_be_of_one_target(config: str, run: Run) -> None:
    shown = run("status", "--config", config, "--tenant", "acme", "--target", "trakstar", "--json")
    assert [lane["target"] for lane in json.loads(shown.stdout)["lanes"]] == ["trakstar"]


def test_why_a_lane_is_quarantined_is_told_whole(config: str, run: Run, books: Store) -> None:
    reason = "CredentialRefused (HTTP 401): [/x] " + "because " * 15
    with books.begin("acme") as tx:
        lane = lanes.by_target(tx, "trakstar")
        assert lane is not None
        lanes.note(tx, lane.id, quarantined_at=1, quarantine_reason=reason)
    assert f"  why: {reason}\n" in run("status", "--config", config).stdout


@pytest.mark.usefixtures("books")
def test_user_show_tells_state_and_advice(config: str, run: Run) -> None:
    shown = json.loads(run("user", "show", "ann", "--config", config, "--json").stdout)
    [operation] = shown["people"][0]["changes"][0]["operations"]
    assert (operation["state"], operation["code"]) == ("dead", "too_long")
    assert "Shorten it" in operation["advice"]
    told = run("user", "show", "ANN@example.com", "--config", config)
    assert "trakstar: dead (too_long)" in told.stdout
    assert "Shorten it" in told.stdout


@pytest.mark.usefixtures("books")
def test_user_show_of_nobody_fails_in_a_sentence(config: str, run: Run) -> None:
    result = run("user", "show", "nobody", "--config", config)
    assert (result.exit_code, result.stderr) == (1, "nobody is known by that name, address or id\n")


@pytest.mark.usefixtures("books")
def test_a_tenant_that_does_not_exist_is_a_usage_error(config: str, run: Run) -> None:
    result = run("user", "show", "ann", "--tenant", "acne", "--config", config)
    assert (result.exit_code, "acme" in result.stderr) == (2, True)


@pytest.mark.usefixtures("books")
def test_failed_list_tells_who_and_what_to_do(config: str, run: Run) -> None:
    [row] = json.loads(run("failed", "list", "--config", config, "--json").stdout)["failed"]
    assert (row["user"], row["code"], row["class"], row["detail"]) == ("ann@example.com", "too_long", "data", "title")
    assert "1 dead" in run("failed", "list", "--config", config, "--since", "1h").stdout
    assert json.loads(run("failed", "list", "--config", config, "--until", "1h", "--json").stdout) == {"failed": []}


def test_replay_puts_back_even_while_the_queue_is_down(config: str, run: Run, books: Store) -> None:
    result = run("replay", "run", "--config", config, "--class", "data")
    assert (result.exit_code, result.stdout) == (0, "1 operation waits again\n")
    with books.begin("acme", write=False) as tx:
        lane = lanes.by_target(tx, "trakstar")
        assert lane is not None
        assert len(due.people_due(tx, lane.id, limit=9)) == 1
    assert run("ledger", "verify", "--config", config).exit_code == 0


@pytest.mark.usefixtures("books")
def test_a_dry_run_of_replay_only_counts(config: str, run: Run) -> None:
    result = run("replay", "run", "--config", config, "--all", "--dry-run")
    assert result.stdout == "1 dead operation would be put back\n"
    assert len(json.loads(run("failed", "list", "--config", config, "--json").stdout)["failed"]) == 1


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("flags", [(), ("--dry-run",), ("--all", "--target", "trakstar")])
def test_replay_wants_either_filters_or_all(config: str, run: Run, flags: tuple[str, ...]) -> None:
    result = run("replay", "run", "--config", config, *flags)
    assert (result.exit_code, "--all" in result.stderr, result.stdout) == (2, True, "")
    assert len(json.loads(run("failed", "list", "--config", config, "--json").stdout)["failed"]) == 1


@pytest.mark.usefixtures("books")
def test_replay_of_nothing_says_so(config: str, run: Run) -> None:
    result = run("replay", "run", "--config", config, "--code", "refused")
    assert (result.exit_code, result.stdout) == (0, "nothing matched\n")


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("command", ["status", "failed list", "replay run", "ledger verify"])
def test_a_name_that_nobody_bears_is_a_usage_error(config: str, run: Run, command: str) -> None:
    result = run(*command.split(), "--config", config, "--tenant", "acne")
    assert (result.exit_code, result.stderr) == (2, "scim-bridge: there is no tenant acne (there: acme)\n")
    if command != "ledger verify":
        result = run(*command.split(), "--config", config, "--target", "lms")
        assert (result.exit_code, result.stderr) == (2, "scim-bridge: there is no target lms (there: trakstar)\n")


def test_what_has_left_the_configuration_may_still_be_asked_about(config: str, run: Run, books: Store) -> None:
    with books.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar"), ("former", "old")])
    assert run("failed", "list", "--config", config, "--tenant", "former", "--target", "old").stdout == "0 dead\n"
    wrong = run("failed", "list", "--config", config, "--tenant", "former", "--target", "trakstar")
    assert (wrong.exit_code, "(there: old)" in wrong.stderr) == (2, True)


def test_ledger_verify_fails_when_a_row_was_altered(config: str, run: Run, books: Store) -> None:
    with books.begin("acme") as tx:
        tx.connection.exec_driver_sql("UPDATE operation SET state = 'delivered' WHERE state = 'dead'")
    result = run("ledger", "verify", "--config", config, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert report["balanced"] is False
    assert report["tenants"][0]["faults"]


def test_a_configuration_that_cannot_be_used_is_no_traceback(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text("[stor]\n[[tenants]]\nid = 7\n")
    result = run("status", "--config", str(file))
    assert result.exit_code == 2
    assert "stor: unknown key; did you mean store?" in result.stderr
    assert "tenants[0].id" in result.stderr


def test_a_database_without_tables_is_no_traceback(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text('[[tenants]]\nid = "acme"\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "bridge.db").touch()
    result = run("status", "--config", str(file))
    assert result.exit_code == 1
    assert "run `scim-bridge migrate` or `scim-bridge up` first" in result.stderr


@pytest.mark.parametrize("command", ["status", "failed list", "ledger verify", "token list", "user show ann"])
def test_a_command_that_only_looks_makes_no_database(tmp_path: Path, run: Run, command: str) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text(f'[store]\nurl = "sqlite:///{tmp_path}/absent.db"\n[[tenants]]\nid = "acme"\n')
    result = run(*command.split(), "--config", str(file))
    assert result.exit_code == 1
    assert f"there is no database file {tmp_path}/absent.db" in result.stderr
    assert not (tmp_path / "absent.db").exists()


@pytest.mark.postgres
def test_an_unmigrated_postgresql_is_no_fault_of_ours(postgres_server: str, tmp_path: Path, run: Run) -> None:
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE unmigrated")
        has_role = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'scim_bridge_app'").fetchone()
    url = postgres_server.replace("/postgres?", "/unmigrated?").replace("postgresql:", "postgresql+psycopg:", 1)
    file = tmp_path / "bridge.toml"
    file.write_text(f'[store]\nurl = "{url}"\n[[tenants]]\nid = "acme"\n')
    for _ in range(2):
        # At first the role may be missing, then only the tables are.
        result = run("status", "--config", str(file))
        assert result.exit_code == 1
        assert (
            "its tables are not there yet. Is it reachable? When it is new, run `scim-bridge migrate`" in result.stderr
        )
        if not has_role:
            with psycopg.connect(postgres_server, autocommit=True) as connection:
                connection.execute("CREATE ROLE scim_bridge_app")
            has_role = (1,)


@pytest.mark.parametrize("is_empty", [True, False], ids=["unmigrated", "absent"])
def test_reconcile_without_books_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_empty: bool
) -> None:
    monkeypatch.setenv("TRAKSTAR_API_KEY", "s3cret")
    database = tmp_path / "absent.db"
    if is_empty:
        database.touch()
    file = tmp_path / "bridge.toml"
    file.write_text(
        f'data_dir = "{tmp_path}/data"\n[store]\nurl = "sqlite:///{database}"\n'
        '[queue]\nurl = "redis://127.0.0.1:1/0"\n[[tenants]]\nid = "acme"\n'
        '[[tenants.targets]]\nname = "trakstar"\nkind = "trakstar"\napi_key = "env:TRAKSTAR_API_KEY"\n'
    )
    arguments = ["reconcile", "--config", str(file), "--tenant", "acme", "--target", "trakstar"]
    done = subprocess.run([sys.executable, "-m", "workers", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "run `scim-bridge migrate` or `scim-bridge up` first" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert database.exists() == is_empty


def test_reconcile_hands_over_to_the_delivering_side(config: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(os, "execvpe", lambda *arguments: started.append(arguments))
    monkeypatch.setenv("TRAKSTAR_API_KEY", "s3cret")
    run("reconcile", "--config", config, "--tenant", "acme", "--target", "trakstar", "--repair", "--json")
    [(_, command, environment)] = started
    assert command[1:] == [
        *("-P", "-m", "workers", "reconcile", "--tenant", "acme", "--target", "trakstar", "--repair", "--json"),
        *("--who", operator_name()),
    ]
    assert environment["SCIM_BRIDGE_CONFIG"] == config


def test_reconcile_without_the_targets_secret_names_it(config: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAKSTAR_API_KEY", raising=False)
    result = run("reconcile", "--config", config, "--tenant", "acme", "--target", "trakstar")
    assert (result.exit_code, "TRAKSTAR_API_KEY" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("30m", NOW - 1_800_000),
        ("2h", NOW - 7_200_000),
        ("7d", NOW - 604_800_000),
        ("2023-11-14", 1_699_920_000_000),
        ("2023-11-14T01:00+01:00", 1_699_920_000_000),
        ("2023-11-14T00:00Z", 1_699_920_000_000),
    ],
)
def test_a_moment_is_a_span_back_or_a_date(text: str, instant: int) -> None:
    assert moments.parse_moment(text, NOW) == instant


NO_TIMES = [
    *("", "7", "7w", "-1h", "yesterday", "999999d", "\u0667d", "\uff12\uff10\uff12\uff13-11-14"),
    *("0001-01-01T00:00+14:00", "1969-12-31", "9999-01-01", "9999-12-31T23:59-14:00"),
]


@pytest.mark.parametrize("text", NO_TIMES)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no time"):
        moments.parse_moment(text, NOW)


def test_every_command_takes_config_except_those_that_make_a_world_of_their_own() -> None:
    from scim_bridge.cli import main  # noqa: PLC0415 - only this test looks at all commands

    def leaves(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
        if isinstance(command, click.Group):
            ctx = click.Context(command)
            for name in command.list_commands(ctx):
                yield from leaves(command.get_command(ctx, name), f"{path} {name}".strip())
        else:
            yield path, command

    without = [path for path, each in leaves(main) if not any(p.name == "config" for p in each.params)]
    assert sorted(without) == [
        "bench delivery",
        "bench directory",
        "bench events",
        "bench group",
        "bench inbox",
        "bench rows",
        "chaos",
        "completion",
        "demo",
        "runbook",
    ]
