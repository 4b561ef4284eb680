"""The commands by which an operator decides: what they refuse in one line, and what they print."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.cli.conftest import Run

from scim_bridge.cli import spans
from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.resources import USER
from scim_bridge.domain.states import State
from scim_bridge.errors import UsageError
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store import due, holds, lanes, settlement
from scim_bridge.store.engine import Store
from scim_bridge.wiring import now_ms


@pytest.fixture
def config(sqlite_url: str, tmp_path: Path) -> str:
    file = tmp_path / "bridge.toml"
    file.write_text(
        f'data_dir = "data"\n[store]\nurl = "{sqlite_url}"\n[queue]\nurl = "redis://127.0.0.1:1/0"\n'
        '[[tenants]]\nid = "acme"\n'
        '[[tenants.targets]]\nname = "trakstar"\nkind = "trakstar"\napi_key = "env:TRAKSTAR_API_KEY"\n'
    )
    return str(file)


@pytest.fixture(autouse=True)
def books(sqlite_url: str) -> Iterator[Store]:
    """Ann and bob are held."""
    store = Store.open(sqlite_url, clock=now_ms)
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar")])
    with store.begin("acme") as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="okta", correlation_id="c"))
        for name in ("ann", "bob"):
            recorder.create(USER, {"userName": f"{name}@example.com", "active": False})
        lane = lanes.by_target(tx, "trakstar")
        assert lane is not None
        people = due.people_due(tx, lane.id, limit=9)
        outcomes = [
            Outcome(operation_id=each.operation_id, resource_id=each.resource_id, state=State.HELD, code=holds.HELD)
            for each in people
        ]
        settlement.settle(tx, lane_id=lane.id, outcomes=outcomes, before=State.WAITING, batch_id=None)
        holds.open_for(tx, lane.id, {each.resource_id: each.operation_id for each in people}, reason="too many")
    yield store
    store.close()


LANE = ("--tenant", "acme", "--target", "trakstar")
WHY = ("--reason", "checked with HR")

BAD: list[tuple[tuple[str, ...], str]] = [
    (("hold", "list", "--tenant", "acmee"), "there is no tenant acmee (there: acme)"),
    (("hold", "list", "--target", "x"), "there is no target x (there: trakstar)"),
    (("hold", "release", "--tenant", "acme", *WHY), "say whom you mean: --user WHO for one person, or else --all"),
    (("hold", "release", "--tenant", "acme", "--all", "--user", "ann", *WHY), "say whom you mean"),
    (("hold", "release", "--tenant", "no", "--all", *WHY), "there is no tenant no"),
    (("hold", "release", *LANE, "--all"), "Missing option '--reason'"),
    (("hold", "release", *LANE, "--all", "--reason", " "), "say why with --reason"),
    (("hold", "release", *LANE, "--all", "--reason", "a\nb"), "say why with --reason: one line of text"),
    (("hold", "reject", *LANE, "--all", "--reason", "x" * 501), "500 characters at the most"),
    (("hold", "reject", "--all", *WHY), "Missing option '--tenant'"),
    (("hold", "reject", "--tenant", "acme", *WHY), "say whom you mean"),
    (("hold", "allow", *LANE, "--count", "0", "--for", "1d", *WHY), "0 is not in the range"),
    (("hold", "allow", *LANE, "--count", "1.5", "--for", "1d", *WHY), "'1.5' is not a valid integer"),
    (("hold", "allow", *LANE, "--count", "9", "--for", "tomorrow", *WHY), "tomorrow is no length of time"),
    (("hold", "allow", *LANE, "--count", "9", "--for", "0d", *WHY), "0d is no length of time"),
    (("hold", "allow", *LANE, "--count", "9", *WHY), "Missing option '--for'"),
    (("hold", "allow", *LANE, "--count", "9", "--for", "1d"), "Missing option '--reason'"),
    (("hold", "allow", "--tenant", "acme", "--count", "9", "--for", "1d", *WHY), "Missing option '--target'"),
    (("hold", "allow", "--tenant", "acme", "--target", "x", "--count", "9", "--for", "1d", *WHY), "has no target x"),
    (("lane", "pause", *LANE), "Missing option '--reason'"),
    (("lane", "pause", "--tenant", "acme", "--target", "x", *WHY), "the tenant acme has no target x"),
    (("lane", "pause", *LANE, "--reason", ""), "say why with --reason"),
    (("lane", "resume", *LANE), "acme/trakstar is neither paused nor quarantined"),
    (("lane", "resume", *LANE, "--reason", "\x1b[2J"), "say why with --reason"),
    (("lane", "status", "--tenant", "no"), "there is no tenant no"),
]


@pytest.mark.parametrize(("arguments", "told"), BAD)
def test_bad_input_is_told_in_one_line(config: str, run: Run, arguments: tuple[str, ...], told: str) -> None:
    result = run(*arguments, "--config", config)
    assert result.exit_code == 2
    assert told in result.stderr.splitlines()[-1]


def test_the_held_are_listed_for_machines(config: str, run: Run) -> None:
    listed = json.loads(run("hold", "list", *LANE, "--config", config, "--json").stdout)["holds"]
    assert [(each["user"], each["status"], each["target"]) for each in listed] == [
        ("ann@example.com", "open", "trakstar"),
        ("bob@example.com", "open", "trakstar"),
    ]


def test_the_held_are_listed_for_people(config: str, run: Run) -> None:
    lines = run("hold", "list", "--config", config).stdout.splitlines()
    assert "user ann@example.com  status open" in lines[0]
    assert (lines[1], lines[-1]) == ("  why: too many", "2 held; decide with hold release or hold reject")


def test_one_is_released_while_the_other_is_rejected(config: str, run: Run) -> None:
    released = run("hold", "release", *LANE, "--user", "ann@example.com", *WHY, "--config", config)
    assert (released.exit_code, released.stdout) == (0, "1 person released\n")
    rejected = run("hold", "reject", *LANE, "--all", *WHY, "--config", config, "--json")
    assert json.loads(rejected.stdout) == {"people": 1}
    assert run("hold", "list", "--config", config).stdout == "0 held\n"
    assert "bob@example.com" in run("hold", "list", "--rejected", "--config", config).stdout
    again = run("hold", "release", *LANE, "--all", "--rejected", *WHY, "--config", config)
    assert again.stdout == "1 person released\n"
    lane = json.loads(run("status", "--config", config, "--json").stdout)["lanes"][0]
    assert (lane["pending"], lane["held"]) == (2, 0)


@pytest.mark.parametrize("decision", ["release", "reject"])
def test_a_decision_about_somebody_who_is_not_held_is_no_success(config: str, run: Run, decision: str) -> None:
    result = run("hold", decision, *LANE, "--user", "nobody", *WHY, "--config", config)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1].endswith("nobody is held by this name; scim-bridge hold list shows who is")
    for_machines = run("hold", decision, *LANE, "--user", "nobody", *WHY, "--config", config, "--json")
    assert (for_machines.exit_code, json.loads(for_machines.stdout)) == (1, {"people": 0})


def test_where_nobody_is_held_all_are_none(config: str, run: Run) -> None:
    decide = ("hold", "release", *LANE, "--all", *WHY, "--config", config)
    assert run(*decide).stdout == "2 people released\n"
    result = run(*decide)
    assert (result.exit_code, result.stdout) == (0, "0 people released\n")


def test_an_allowance_says_until_when_it_is_good(config: str, run: Run) -> None:
    arguments = ("hold", "allow", *LANE, "--count", "200", "--for", "1d", *WHY, "--config", config)
    told = json.loads(run(*arguments, "--json").stdout)
    assert (told["tenant"], told["target"], told["count"]) == ("acme", "trakstar", 200)
    assert (told["released"], told["still_held"]) == (0, 2)
    lines = run(*arguments).stdout.splitlines()
    assert lines[0].startswith("200 more may be deactivated in acme/trakstar until 20")
    assert lines[1] == (
        "2 people are held already, and stay so: scim-bridge hold release --tenant acme --target trakstar --all "
        "--reason TEXT lets them go"
    )


def test_an_allowance_for_now_says_whom_it_released(config: str, run: Run) -> None:
    arguments = ("hold", "allow", *LANE, "--count", "5", "--for", "1d", "--now", *WHY, "--config", config)
    lines = run(*arguments).stdout.splitlines()
    assert lines[0] == "2 people released, which counts"
    assert (lines[1].startswith("3 more may be deactivated"), len(lines)) == (True, 2)


def test_a_lane_is_paused_then_resumed(config: str, run: Run) -> None:
    assert run("lane", "pause", *LANE, *WHY, "--config", config).exit_code == 0
    [row] = json.loads(run("lane", "status", "--config", config, "--json").stdout)["lanes"]
    assert (row["state"], row["why"]) == ("paused", "checked with HR")
    assert "state paused" in run("lane", "status", "--config", config).stdout
    resumed = run("lane", "resume", *LANE, "--config", config)
    assert resumed.stdout == "acme/trakstar: no longer paused; what waits is sent from now on\n"


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        ({"quarantined_at": 1}, "its credential is tried now; what waits follows once the target takes it"),
        ({"breaker_until": 1, "paused_at": 1}, "no longer paused; its calls failed, so one is tried before"),
    ],
)
def test_a_lane_that_is_resumed_is_not_called_well_before_it_was_asked(
    config: str, run: Run, books: Store, trouble: dict[str, int], told: str
) -> None:
    with books.begin("acme") as tx:
        lane = lanes.by_target(tx, "trakstar")
        assert lane is not None
        lanes.note(tx, lane.id, **trouble)
    assert run("lane", "resume", *LANE, "--config", config).stdout.startswith(f"acme/trakstar: {told}")


@pytest.fixture
def takeover(books: Store) -> None:
    """Cyd is held because the account was there."""
    with books.begin("acme") as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="okta", correlation_id="c"))
        recorder.create(USER, {"userName": "cyd@example.com"})
        lane = lanes.by_target(tx, "trakstar")
        assert lane is not None
        [cyd] = due.people_due(tx, lane.id, limit=9)
        outcome = Outcome(
            operation_id=cyd.operation_id, resource_id=cyd.resource_id, state=State.HELD, code="protected"
        )
        settlement.settle(tx, lane_id=lane.id, outcomes=[outcome], before=State.WAITING, batch_id=None)


@pytest.mark.usefixtures("takeover")
def test_everybody_who_leaves_is_released_without_giving_anybody_an_account(config: str, run: Run) -> None:
    listed = run("hold", "list", "--config", config).stdout.splitlines()
    assert listed[-1] == "3 held; decide with hold release or hold reject (of a takeover, with --kind takeover)"
    assert run("hold", "release", *LANE, "--all", *WHY, "--config", config).stdout == "2 people released\n"
    [left] = json.loads(run("hold", "list", "--config", config, "--json").stdout)["holds"]
    assert (left["user"], left["kind"]) == ("cyd@example.com", "takeover")
    released = run("hold", "release", *LANE, "--all", "--kind", "takeover", *WHY, "--config", config)
    assert released.stdout == (
        "1 person released: the account becomes theirs, and the directory's values overwrite what it holds\n"
    )


@pytest.mark.usefixtures("takeover")
@pytest.mark.parametrize("decision", ["release", "reject"])
def test_who_is_held_from_something_else_is_told_so(config: str, run: Run, decision: str) -> None:
    result = run("hold", decision, *LANE, "--user", "cyd@example.com", *WHY, "--config", config)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "held, but from something else" in result.stderr


@pytest.mark.parametrize(("text", "length_ms"), [("30m", 1_800_000), ("12h", 43_200_000), ("1d", 86_400_000)])
def test_a_length_of_time_is_read(text: str, length_ms: int) -> None:
    assert spans.parse_span(text) == length_ms


@pytest.mark.parametrize("text", ["", "0m", "366d", "1w", "-1d", "1 d", "\u0661d", "1d\n", "9999999d"])
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is no length of time"):
        spans.parse_span(text)
