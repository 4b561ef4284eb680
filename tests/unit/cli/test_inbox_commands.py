"""The commands that work through the dead, tell a person's story, and look after the queue."""

import csv
import io
import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.cli.conftest import Run

from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.resources import USER
from scim_bridge.domain.states import State
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store import batches, due, lanes, settlement
from scim_bridge.store.engine import Store
from scim_bridge.wiring import now_ms

SCRIPT = "<script>alert(1)</script>"


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
def dead(sqlite_url: str) -> Iterator[list[int]]:
    """The operations of two people who died in one call; the name of the second is a script."""
    store = Store.open(sqlite_url, clock=now_ms)
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar")])
    with store.begin("acme") as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="okta", correlation_id="c"))
        for name in ("ann@example.com", SCRIPT):
            recorder.create(USER, {"userName": name, "active": True})
        lane = lanes.by_target(tx, "trakstar")
        assert lane is not None
        people = due.people_due(tx, lane.id, limit=9)
        opened = batches.open_batch(
            tx,
            lane_id=lane.id,
            epoch=1,
            step="create",
            operation_ids=[person.operation_id for person in people],
            method="POST",
            path="/user",
            request={"users": 2, "fields": ["email"]},
            quota_name="q",
            klass="user_write",
            deadline_ms=1000,
        )
        ends = [
            Outcome(
                operation_id=person.operation_id,
                resource_id=person.resource_id,
                state=State.DEAD,
                code="too_long",
                detail="title\x1b[2J",
            )
            for person in people
        ]
        batches.close_batch(
            tx, opened.id, status="finished", answer={"verdicts": {"refused": 2}}, http_status=200, answered_at=tx.now
        )
        settlement.settle(tx, lane_id=lane.id, outcomes=ends, before=State.SENDING, batch_id=opened.id)
    yield [person.operation_id for person in people]
    store.close()


@pytest.mark.usefixtures("dead")
def test_the_dead_are_shown_in_groups(config: str, run: Run) -> None:
    told = run("failed", "groups", "--config", config, "--target", "trakstar")
    assert told.exit_code == 0
    assert "code too_long  class data  owner source  people 2  operations 2" in told.stdout
    assert told.stdout.endswith("2 dead\n")
    [group] = json.loads(run("failed", "groups", "--config", config, "--json").stdout)["groups"]
    assert (group["people"], group["target"]) == (2, "trakstar")
    assert run("failed", "groups", "--config", config, "--target", "nowhere").exit_code == 2
    assert run("failed", "groups", "--config", config, "--code", "too_lon").exit_code == 2


def test_a_note_is_told_in_the_timeline(config: str, run: Run, dead: list[int]) -> None:
    noted = run("failed", "note", str(dead[0]), "--config", config, "--text", f"{SCRIPT} \nask 張さん")
    assert (noted.exit_code, noted.stdout) == (0, "noted at 1 operation\n")
    shown = run("user", "show", "ann@example.com", "--config", config).stdout
    assert f": {SCRIPT}  ask 張さん\n" in shown
    assert "POST /user, 1 of 2: " in shown
    assert 'finished HTTP 200: {"verdicts": {"refused": 2}}' in shown
    assert "for trakstar: refused by the mapping" in shown or "for trakstar: active" in shown
    assert "\x1b" not in shown
    long = run("failed", "note", str(dead[0]), "--config", config, "--text", "x" * 10_000)
    assert (long.exit_code, long.stderr) == (
        2,
        "scim-bridge: a note of 10000 characters is too long; 2000 is the most\n",
    )
    assert run("failed", "note", "999", "--config", config, "--text", "x").exit_code == 1
    assert run("failed", "note", "--config", config, "--text", "x").exit_code == 2


def test_a_call_is_told_with_everybody_in_it(config: str, run: Run, dead: list[int]) -> None:
    [row, _] = json.loads(run("failed", "list", "--config", config, "--json").stdout)["failed"]
    told = json.loads(run("batch", "show", str(row["batch"]), "--config", config, "--json").stdout)
    assert [each["operation"] for each in told["people"]] == dead
    shown = run("batch", "show", str(row["batch"]), "--config", config).stdout
    assert 'sent: {"users": 2, "fields": ["email"]}' in shown
    assert f"user {SCRIPT}" in shown
    assert "\x1b" not in shown
    assert run("batch", "show", "999", "--config", config).exit_code == 1
    assert run("batch", "show", "ann", "--config", config).exit_code == 2


def test_the_dead_are_given_up_by_number_or_by_filter(config: str, run: Run, dead: list[int]) -> None:
    reason = ("--reason", "they left")
    tried = run("failed", "discard", "--config", config, "--all", "--dry-run", *reason)
    assert tried.stdout == "2 operations would be given up\n"
    assert run("failed", "discard", str(dead[0]), "--config", config, *reason).stdout == "1 operation given up\n"
    again = run("failed", "discard", str(dead[0]), "--config", config, *reason)
    assert (again.exit_code, again.stdout) == (
        0,
        f"operation {dead[0]} is discarded, not dead: there is nothing to discard\n0 operations given up\n",
    )
    done = run("failed", "discard", "--config", config, "--code", "too_long", *reason, "--json")
    assert json.loads(done.stdout)["discarded"] == 1
    assert run("failed", "list", "--config", config).stdout == "0 dead\n"


@pytest.mark.usefixtures("dead")
@pytest.mark.parametrize(
    "options", [(), ("--all", "--target", "trakstar"), ("1", "--all"), ("1", "--code", "too_long"), ("0",)]
)
def test_it_must_be_said_what_is_given_up(config: str, run: Run, options: tuple[str, ...]) -> None:
    assert run("failed", "discard", *options, "--config", config, "--reason", "x").exit_code == 2


@pytest.mark.usefixtures("dead")
def test_the_dead_are_written_to_a_file_that_nobody_else_reads(config: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "dead.csv"
    assert run("failed", "export", str(file), "--config", config).exit_code == 0
    with file.open(newline="") as opened:
        assert [row["user"] for row in csv.DictReader(opened)] == ["ann@example.com", SCRIPT]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    printed = run("failed", "export", "-", "--config", config, "--user", "ann@example.com").stdout
    assert [row["user"] for row in csv.DictReader(io.StringIO(printed))] == ["ann@example.com"]
    assert run("failed", "export", str(tmp_path / "none" / "x.csv"), "--config", config).exit_code == 2


def test_a_queue_that_does_not_answer_is_no_crash_of_the_command(config: str, run: Run, dead: list[int]) -> None:
    assert dead
    for command in (("crashed",), ("retry", "--all"), ("rebuild",)):
        told = run("queue", *command, "--config", config)
        assert (told.exit_code, told.stderr.startswith("scim-bridge: the queue does not answer")) == (1, True), command
    assert run("queue", "retry", "--config", config).exit_code == 2
    assert run("queue", "retry", "x", "--all", "--config", config).exit_code == 2
