"""The commands about replay plans, over books with one person who was refused by the target."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.cli.conftest import Run

from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.resources import USER
from scim_bridge.domain.states import State
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store import directory, due, lanes, settlement
from scim_bridge.store.engine import Store
from scim_bridge.wiring import now_ms

ANN = {"userName": "ann@example.com", "externalId": "ann", "active": True}


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
    store = Store.open(sqlite_url, clock=now_ms)
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar")])
    with store.begin("acme") as tx:
        Recorder(tx, scopes={}, origin=Origin(source="okta", correlation_id="c")).create(USER, ANN)
        lane = lanes.by_target(tx, "trakstar")
        assert lane is not None
        (person,) = due.people_due(tx, lane.id, limit=9)
        end = Outcome(
            operation_id=person.operation_id, resource_id=person.resource_id, state=State.DEAD, code="too_long"
        )
        settlement.settle(tx, lane_id=lane.id, outcomes=[end], before=State.WAITING, batch_id=None)
    yield store
    store.close()


def change_ann(store: Store) -> None:
    """Let the directory say something new of her."""
    with store.begin("acme") as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="okta", correlation_id="c"))
        (ann,) = due.people_of(tx, [1])
        stored = directory.fetch(tx, USER, ann.scim_id)
        assert stored is not None
        recorder.update(stored, {**ANN, "title": "Chief"})


@pytest.mark.usefixtures("books")
def test_a_replay_is_planned_approved_watched_as_its_commands_say(config: str, run: Run) -> None:
    planned = run("replay", "plan", "--config", config, "--code", "too_long")
    assert planned.exit_code == 0, planned.output
    assert "people 1  operations 1  calls 1" in planned.stdout
    assert "scim-bridge replay approve 1" in planned.stdout
    approved = run("replay", "approve", "1", "--config", config)
    assert (approved.exit_code, approved.stdout[:14]) == (0, "replay 1 runs;")
    watched = json.loads(run("replay", "status", "1", "--config", config, "--json").stdout)
    assert (watched["status"], watched["progress"]["planned"]) == ("running", 1)
    assert "operations: 1 planned" in run("replay", "status", "1", "--config", config).stdout
    cancelled = run("replay", "cancel", "1", "--config", config)
    assert (cancelled.exit_code, cancelled.stdout) == (0, "replay 1 is cancelled; it had put back 0\n")
    assert "status cancelled" in run("replay", "status", "--config", config).stdout


@pytest.mark.usefixtures("books")
def test_a_plan_is_shown_person_by_person(config: str, run: Run) -> None:
    run("replay", "plan", "--config", config)
    (ann,) = json.loads(run("replay", "preview", "1", "--config", config, "--json").stdout)["items"]
    assert (ann["user"], ann["code"]) == ("ann@example.com", "too_long")
    told = run("replay", "preview", "1", "--config", config).stdout
    assert "user ann@example.com" in told
    assert told.endswith("that is everybody\n")


@pytest.mark.parametrize("as_json", [False, True])
def test_a_stale_plan_is_refused_with_who_has_changed(config: str, run: Run, books: Store, *, as_json: bool) -> None:
    run("replay", "plan", "--config", config)
    change_ann(books)
    refused = run("replay", "approve", "1", "--config", config, *(["--json"] if as_json else []))
    assert refused.exit_code == 1
    if as_json:
        assert [each["why"] for each in json.loads(refused.stdout)["difference"]["people"]] == ["changed"]
    else:
        assert "ann@example.com: changed" in refused.stderr
    told = run("replay", "status", "1", "--config", config).stdout
    assert "replay 1 is stale: 0 of its operations are no longer dead, and of 1 the person has changed" in told


@pytest.mark.usefixtures("books")
def test_nothing_to_replay_is_no_failure(config: str, run: Run) -> None:
    done = run("replay", "plan", "--config", config, "--operation", "99")
    assert (done.exit_code, done.stdout.splitlines()[0]) == (0, "1 not there")
    assert json.loads(run("replay", "plan", "--config", config, "--operation", "99", "--json").stdout)["replay"] is None
    assert run("replay", "status", "--config", config).stdout == "no replay yet\n"


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(
    ("arguments", "exit_code", "sentence"),
    [
        (("approve", "7"), 1, "there is no replay 7"),
        (("cancel", "7"), 1, "there is no replay 7"),
        (("status", "7"), 1, "there is no replay 7"),
        (("preview", "7"), 1, "there is no replay 7"),
        (("approve", "0"), 2, "0 is not in the range"),
        (("approve", "x"), 2, "'x' is not a valid integer"),
        (("approve",), 2, "Missing argument"),
        (("status", str(2**63)), 2, "is not in the range"),
        (("preview", "1", "--limit", "501"), 2, "501 is not in the range"),
        (("plan", "--policy", "merge"), 2, "'merge' is not one of"),
        (("plan", "--operation", "0"), 2, "0 is not in the range"),
        (("plan", "--code", "too_lon"), 2, "there is no code too_lon"),
        (("plan", "--since", "soon"), 2, "soon is no time"),
        (("plan", "--tenant", "acne"), 2, "there is no tenant acne"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_sentence(
    config: str, run: Run, arguments: tuple[str, ...], exit_code: int, sentence: str
) -> None:
    done = run("replay", arguments[0], "--config", config, *arguments[1:])
    assert (done.exit_code, sentence in done.stderr, done.stdout) == (exit_code, True, "")


@pytest.mark.usefixtures("books")
def test_of_several_customers_one_must_be_named(config: str, run: Run) -> None:
    with Path(config).open("a") as file:
        file.write('[[tenants]]\nid = "globex"\n')
    for command in ("plan", "status"):
        done = run("replay", command, "--config", config)
        assert (done.exit_code, "--tenant (there: acme, globex)" in done.stderr) == (2, True)
    assert run("replay", "plan", "--config", config, "--tenant", "acme").exit_code == 0
