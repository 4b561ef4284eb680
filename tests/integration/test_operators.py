"""What operators ask for, on books that delivery itself has written, on both databases."""

from typing import Any

import pytest
import structlog
from fakes.dispatcher import RecordingDispatcher

from scim_bridge.domain.people import Step
from scim_bridge.errors import UsageError
from scim_bridge.operators import failed, replay, status, timeline
from scim_bridge.settings.models import LimitSettings
from scim_bridge.store import lanes
from workers.delivery import gate
from workers.targets import port

Bench = Any


def lane_of(bench: Bench) -> dict[str, Any]:
    report = status.report(bench.store, bench.settings)
    assert [each["target"] for each in report["lanes"]] == ["lms"]
    return dict(report["lanes"][0])


def note(bench: Bench, **values: object) -> None:
    with bench.store.begin("acme") as tx:
        lane = lanes.by_target(tx, "lms")
        assert lane is not None
        lanes.note(tx, lane.id, **values)


def refuse(bench: Bench, *who: str) -> None:
    for each in who:
        bench.target.refuses[f"{each}@example.com"] = "refused"


def test_status_counts_people_not_operations(bench: Bench) -> None:
    bench.push("ann")
    bench.push("ann", title="Chief")
    bench.push("bob")
    bench.clock.advance(ms=7_000)
    figures = lane_of(bench)
    assert {name: figures[name] for name in ("tenant", "pending", "held", "dead", "oldest_s", "state")} == {
        "tenant": "acme",
        "pending": 2,
        "held": 0,
        "dead": 0,
        "oldest_s": 7,
        "state": "idle",
    }


def test_an_idle_lane_needs_nothing(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    figures = lane_of(bench)
    assert (figures["pending"], figures["calls"], figures["eta_s"], figures["oldest_s"]) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({"patience_until": 2_000_000_000_000}, "quota"),
        ({"patience_until": 2_000_000_000_000, "failures": 1}, "unreachable"),
        ({"patience_until": 1, "failures": 1}, "idle"),
        ({"patience_until": 2_000_000_000_000, "failures": 5, "breaker_until": 1}, "breaker"),
        ({"patience_until": 2_000_000_000_000, "breaker_until": 1}, "breaker"),
        ({"breaker_until": 1, "quarantined_at": 1}, "quarantined"),
        ({"quarantined_at": 1, "paused_at": 1}, "paused"),
    ],
)
def test_what_stops_a_lane_is_named_by_precedence(bench: Bench, values: dict[str, object], state: str) -> None:
    note(bench, **values)
    assert lane_of(bench)["state"] == state


def test_a_lane_that_stands_still_has_no_time_of_arrival(bench: Bench) -> None:
    bench.push("ann")
    note(bench, paused_at=1)
    figures = lane_of(bench)
    assert (figures["calls"], figures["eta_s"]) == (1, None)


def test_a_target_that_is_down_has_no_time_of_arrival_but_a_next_try(bench: Bench) -> None:
    bench.push("ann")
    note(bench, patience_until=1_700_000_004_000, failures=3)
    figures = lane_of(bench)
    assert {name: figures[name] for name in ("state", "eta_s", "why", "next_try_at")} == {
        "state": "unreachable",
        "eta_s": None,
        "why": "last call failed",
        "next_try_at": "2023-11-14T22:13:24.000Z",
    }


@pytest.mark.parametrize(
    ("values", "next_try_at"),
    [
        ({"failures": 0}, None),
        ({"paused_at": 1, "breaker_until": 1_700_000_004_000}, None),
        ({"quarantined_at": 1, "quarantine_check_at": 1_700_000_004_000}, "2023-11-14T22:13:24.000Z"),
        ({"breaker_until": 1_700_000_004_000}, "2023-11-14T22:13:24.000Z"),
        ({"breaker_until": 1}, "2023-11-14T22:13:20.000Z"),
        ({"wake_at": 1_700_000_004_000}, "2023-11-14T22:13:24.000Z"),
    ],
)
def test_the_next_try_is_when_the_gate_opens(bench: Bench, values: dict[str, object], next_try_at: str | None) -> None:
    bench.push("ann")
    note(bench, **values)
    assert lane_of(bench)["next_try_at"] == next_try_at


def test_quarantine_and_release_are_one_warning_each(bench: Bench) -> None:
    with structlog.testing.capture_logs() as logged:
        for _ in range(2):
            with bench.store.begin("acme") as tx:
                gate.note_failure(tx, lanes.by_target(tx, "lms"), port.CredentialRefused("no", status=401))
        assert lane_of(bench)["why"] == "CredentialRefused (HTTP 401): no"
        for _ in range(2):
            with bench.store.begin("acme") as tx:
                gate.note_success(tx, lanes.by_target(tx, "lms"))
    assert logged == [
        {"event": "lane_quarantined", "log_level": "warning", "tenant": "acme", "target": "lms", "http_status": 401},
        {"event": "lane_released", "log_level": "warning", "tenant": "acme", "target": "lms"},
    ]


def test_the_time_of_arrival_follows_the_limits(bench: Bench) -> None:
    lane = bench.settings.tenants[0].targets[0]
    slow = lane.model_copy(update={"limits": [LimitSettings(requests=2, per_s=10)]})
    tenant = bench.settings.tenants[0].model_copy(update={"targets": [slow]})
    settings = bench.settings.model_copy(update={"tenants": [tenant]})
    for number in range(5):
        bench.push(f"p{number}")
    figures = status.report(bench.store, settings)["lanes"][0]
    # The kind of the fake is unknown, so one person goes in a call: two at once, two after 10 s, one after 20 s.
    assert (figures["calls"], figures["eta_s"]) == (5, 20)


def test_the_dead_are_listed_with_code_and_advice(bench: Bench) -> None:
    refuse(bench, "ann")
    bench.push("ann")
    bench.push("bob")
    bench.work()
    [row] = failed.list_failed(bench.store)
    assert (row["user"], row["target"], row["class"], row["owner"]) == ("ann@example.com", "lms", "data", "source")
    assert row["advice"]
    assert lane_of(bench)["dead"] == 1


# One book for all rows: filling it on PostgreSQL is what takes time.
CHOICES: list[tuple[dict[str, Any], int]] = [
    ({}, 2),
    ({"tenant": "acme", "target": "lms", "klass": "data"}, 2),
    ({"tenant": "other"}, 0),
    ({"target": "other"}, 0),
    ({"klass": "config"}, 0),
    ({"code": "too_long"}, 0),
    ({"user": "ann@example.com"}, 1),
    ({"user": "nobody"}, 0),
    # The clock of the bench starts at this instant; its work is a moment later.
    ({"since": 1_700_000_000_000}, 2),
    ({"since": 1_800_000_000_000}, 0),
    ({"until": 1_700_000_000_000}, 0),
]


def test_the_dead_can_be_chosen(bench: Bench) -> None:
    refuse(bench, "ann", "bob")
    bench.push("ann")
    bench.push("bob")
    bench.work()
    assert [len(failed.list_failed(bench.store, **choice)) for choice, _ in CHOICES] == [n for _, n in CHOICES]


def test_a_code_that_does_not_exist_is_no_empty_list(bench: Bench) -> None:
    for choice in ({"code": "too_lon"}, {"klass": "datum"}):
        with pytest.raises(UsageError, match="there is no"):
            failed.list_failed(bench.store, **choice)


def run_replay(bench: Bench, **choice: Any) -> tuple[dict[str, Any], RecordingDispatcher]:
    dispatcher = RecordingDispatcher()
    return replay.run(bench.store, dispatcher, who="op@desk", **choice), dispatcher


def test_a_replay_delivers_once_the_cause_is_mended(bench: Bench) -> None:
    refuse(bench, "ann", "bob")
    bench.push("ann")
    bench.push("bob")
    bench.work()
    bench.target.refuses.clear()
    result, dispatcher = run_replay(bench, user="ann@example.com")
    assert (result["operations"], result["waiting"], result["superseded"]) == (1, 1, 0)
    assert dispatcher.wakes == [("acme", "lms", False)]
    bench.work()
    assert bench.target.held("ann@example.com") is not None
    assert bench.states() == {"delivered": 1, "dead": 1}


def test_a_replay_starts_attempts_and_age_anew(bench: Bench) -> None:
    refuse(bench, "ann")
    bench.push("ann")
    bench.work()
    bench.target.refuses.clear()
    bench.clock.advance(ms=60 * 86_400_000)
    run_replay(bench)
    bench.work()
    assert bench.states() == {"delivered": 1}


def test_a_dry_run_changes_nothing(bench: Bench) -> None:
    refuse(bench, "ann")
    bench.push("ann")
    bench.work()
    result, dispatcher = run_replay(bench, dry_run=True)
    assert (result["operations"], result["waiting"]) == (1, 0)
    assert dispatcher.wakes == []
    assert bench.states() == {"dead": 1}


def test_a_dead_operation_yields_to_a_newer_one_that_waits(bench: Bench) -> None:
    refuse(bench, "ann")
    bench.push("ann")
    bench.work()
    bench.push("ann", title="Chief")
    result, _ = run_replay(bench)
    assert (result["waiting"], result["superseded"]) == (0, 1)
    assert bench.states() == {"superseded": 1, "waiting": 1}


def test_of_several_dead_operations_of_a_person_the_newest_is_put_back(bench: Bench) -> None:
    refuse(bench, "ann")
    bench.push("ann")
    bench.work()
    bench.push("ann", title="Chief")
    bench.work()
    assert bench.states() == {"dead": 2}
    result, _ = run_replay(bench)
    assert (result["operations"], result["waiting"], result["superseded"]) == (2, 1, 1)
    assert bench.states() == {"superseded": 1, "waiting": 1}


def test_a_replay_run_twice_changes_nothing_the_second_time(bench: Bench) -> None:
    refuse(bench, "ann")
    bench.push("ann")
    bench.work()
    run_replay(bench)
    result, _ = run_replay(bench)
    assert result["operations"] == 0
    assert bench.states() == {"waiting": 1}


def test_the_timeline_tells_the_whole_way_of_a_change(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    [person] = timeline.show(bench.store, "ANN@example.com")["people"]
    [change] = person["changes"]
    [operation] = change["operations"]
    assert (change["kind"], operation["target"], operation["state"], operation["fate"]) == (
        "create",
        "lms",
        "delivered",
        "delivered",
    )
    assert [entry["outcome"] for entry in operation["entries"]] == ["sending", "delivered"]
    assert [batch["step"] for batch in person["batches"]] == [str(Step.CREATE)]


def test_a_superseded_operation_shows_the_fate_of_the_one_that_carries_it(bench: Bench) -> None:
    bench.push("ann")
    bench.push("ann", title="Chief")
    bench.work()
    [person] = timeline.show(bench.store, "ann@example.com")["people"]
    first, second = (change["operations"][0] for change in person["changes"])
    assert (first["state"], first["fate"]) == ("superseded", "delivered")
    assert first["carried_by"] == second["operation"]


def test_a_person_is_found_by_every_name_that_an_operator_may_have(bench: Bench) -> None:
    bench.push("ann", externalId="E-1", emails=[{"value": "Ann.Person@example.org"}])
    bench.work()
    bench.push("ann", externalId="E-1", emails=[{"value": "Ann.Person@example.org"}], title="Chief")
    bench.work(shifts=2)
    [person] = timeline.show(bench.store, "ann@example.com")["people"]
    account = person["links"][0]["account"]
    assert account is not None
    for name in ("E-1", "ann.person@EXAMPLE.org", person["id"], account):
        assert [each["id"] for each in timeline.show(bench.store, name)["people"]] == [person["id"]], name


def test_a_deleted_person_is_still_found(bench: Bench) -> None:
    bench.push("ann")
    bench.delete("ann")
    [person] = timeline.show(bench.store, "ann@example.com")["people"]
    assert person["deleted_at"] is not None
    assert [change["kind"] for change in person["changes"]] == ["create", "delete"]


def test_people_of_other_tenants_are_not_shown(bench: Bench) -> None:
    bench.push("ann")
    assert timeline.show(bench.store, "ann@example.com", "other") == {"people": []}
    assert len(timeline.show(bench.store, "ann@example.com", "acme")["people"]) == 1
