"""`mode = "dry-run"`: what would be sent is in the books, and nothing is ever called."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.target import SIZES, FakeTarget

from scim_bridge.domain.people import Doubt, Step
from scim_bridge.operators import status
from scim_bridge.settings.models import FieldSettings, GroupSettings, GuardSettings
from scim_bridge.store import lanes, links, tables
from workers import reconcile

Bench = Any


@pytest.fixture
def dry(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench(mode="dry-run")


def batches(bench: Bench) -> list[tuple[str, int]]:
    """Return step and number of operations of each call in the books; all of them planned only."""
    with bench.store.across_tenants("test") as tx:
        rows = tx.connection.execute(sa.select(tables.batch).order_by(tables.batch.c.number)).all()
        assert tx.connection.execute(sa.select(tables.slot)).all() == []
    assert {row.status for row in rows} <= {"dry_run"}
    assert (bench.target.calls, bench.target.probes) == ([], 0)
    return [(row.step, len(json.loads(row.items))) for row in rows]


def go_live(bench: Bench, **changed: Any) -> None:
    [tenant] = bench.settings.tenants
    [lane] = tenant.targets
    live = tenant.model_copy(update={"targets": [lane.model_copy(update={"mode": "live", **changed})]})
    bench.runtime.settings = bench.settings.model_copy(update={"tenants": [live]})


def go_dry(bench: Bench, **changed: Any) -> None:
    go_live(bench, mode="dry-run", **changed)
    bench.target.calls.clear()
    with bench.store.across_tenants("test", write=True) as tx:
        for table in (tables.slot, tables.departure):
            tx.connection.execute(sa.delete(table))


def test_calls_are_recorded_with_their_people_and_none_is_made(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(mode="dry-run", target=FakeTarget(sizes={**SIZES, Step.CREATE: 3}))
    for number in range(5):
        bench.push(f"p{number}")
    bench.work(shifts=2)
    assert batches(bench) == [("create", 3), ("create", 2)]
    assert bench.states() == {"skipped": 5}
    assert {row.reason for row in bench.operations()} == {"dry_run"}


def test_each_step_that_would_follow_is_recorded(make_bench: Callable[..., Bench]) -> None:
    groups = {"Sales": GroupSettings(group="Sellers", courses=["101"])}
    target = FakeTarget(groups=groups, creates_carry_groups=False)
    bench = make_bench(mode="dry-run", groups=groups, target=target)
    bench.push("ann")
    bench.group("Sales", ("ann",))
    bench.work(shifts=2)
    assert sorted(batches(bench)) == [("create", 1), ("create_group", 1), ("enrol", 1), ("join", 1)]
    assert set(bench.states()) <= {"skipped", "superseded"}


def test_what_a_look_up_would_tell_is_left_open(dry: Bench) -> None:
    dry.push("ann")
    with dry.store.begin("acme") as tx:
        [operation] = dry.operations()
        links.raise_doubt(tx, operation.lane_id, [operation.resource_id], Doubt.AMBIGUOUS)
    dry.work()
    assert batches(dry) == [("look_up", 1)]
    assert dry.states() == {"skipped": 1}


def test_who_would_leave_is_recorded_and_the_guard_holds_nobody(make_bench: Callable[..., Bench]) -> None:
    guard = GuardSettings(max=0, min=0)
    bench = make_bench(guard=guard)
    bench.push("ann")
    bench.work(shifts=2)
    go_dry(bench, guard=guard)
    bench.push("ann", active=False)
    bench.work()
    with bench.store.across_tenants("test") as tx:
        rows = tx.connection.execute(sa.select(tables.batch.c.step).where(tables.batch.c.status == "dry_run"))
        assert rows.scalars().all()[-1] in ("deactivate", "look_up")
        assert tx.connection.execute(sa.select(tables.hold)).all() == []
    assert bench.target.calls == []
    assert bench.target.held("ann@example.com").active is True
    assert bench.states() == {"delivered": 1, "skipped": 1}


def test_who_needs_nothing_is_unchanged(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bench.push("ann")
    bench.work()
    go_dry(bench)
    bench.push("ann", nickName="Annie")
    bench.work()
    assert bench.target.calls == []
    assert bench.states() == {"delivered": 1, "unchanged": 1}


def test_what_cannot_be_mapped_is_dead_in_a_dry_run_too(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(mode="dry-run", target=FakeTarget(fields={"title": FieldSettings(required=True)}))
    bench.push("ann")
    bench.work()
    assert batches(bench) == []
    assert bench.states() == {"dead": 1}


def test_nothing_is_asked_of_a_target_whose_abilities_are_unknown(make_bench: Callable[..., Bench]) -> None:
    class Unlearned(FakeTarget):
        def needs_probe(self) -> bool:
            return True

    bench = make_bench(mode="dry-run", target=Unlearned())
    bench.push("ann")
    bench.work()
    assert batches(bench) == [("create", 1)]


def test_a_lane_that_stood_still_for_its_calls_is_not_probed(dry: Bench) -> None:
    with dry.store.begin("acme") as tx:
        lanes.note(tx, dry.lane().id, failures=5, breaker_until=tx.now, quarantined_at=tx.now)
    dry.push("ann")
    dry.work()
    assert batches(dry) == [("create", 1)]


def test_a_paused_lane_records_nothing(dry: Bench) -> None:
    with dry.store.begin("acme") as tx:
        lanes.note(tx, dry.lane().id, paused_at=tx.now, paused_by="operator")
    dry.push("ann")
    dry.work()
    assert batches(dry) == []
    assert dry.states() == {"waiting": 1}


def test_what_was_skipped_is_computed_and_owed_once_the_lane_is_live(dry: Bench) -> None:
    dry.push("ann")
    dry.push("bob")
    dry.work()
    dry.push("bob", active=False)
    dry.work()
    go_live(dry)
    report = reconcile.reconcile(dry.runtime, "acme", "lms", repair=True)
    assert (report.owed, report.equal) == (1, 1)
    dry.work(shifts=2)
    assert [account.attributes["userName"] for account in dry.target.accounts.values()] == ["ann@example.com"]


def test_who_left_while_nothing_was_sent_is_closed_once_the_lane_is_live(dry: Bench) -> None:
    dry.target.seed("ann@example.com", firstName="Ann", lastName="Person")
    dry.push("ann")
    dry.work()
    dry.delete("ann")
    dry.work()
    go_live(dry)
    reconcile.reconcile(dry.runtime, "acme", "lms", repair=True)
    dry.work(shifts=2)
    assert dry.target.held("ann@example.com").active is False
    again = reconcile.reconcile(dry.runtime, "acme", "lms", repair=True)
    assert (again.owed, again.differences) == (0, [])


def test_who_left_while_nothing_was_sent_is_held_by_the_guard_once_the_lane_is_live(dry: Bench) -> None:
    dry.target.seed("ann@example.com", firstName="Ann", lastName="Person")
    dry.push("ann")
    dry.delete("ann")
    dry.work()
    go_live(dry, guard=GuardSettings(max=0, min=0))
    reconcile.reconcile(dry.runtime, "acme", "lms", repair=True)
    dry.work(shifts=2)
    assert dry.target.held("ann@example.com").active is True
    with dry.store.across_tenants("test") as tx:
        assert len(tx.connection.execute(sa.select(tables.hold)).all()) == 1


@pytest.mark.parametrize("changed", [{}, {"userName": "ann.new@example.com"}])
def test_who_left_while_nothing_was_sent_never_closes_the_account_of_who_came_back(
    dry: Bench, changed: dict[str, Any]
) -> None:
    dry.target.seed("ann@example.com", firstName="Ann", lastName="Person")
    dry.push("ann")
    dry.work()
    dry.delete("ann")
    dry.work()
    dry.return_after_deletion("ann", **changed)
    dry.work()
    go_live(dry)
    for _ in range(2):
        reconcile.reconcile(dry.runtime, "acme", "lms", repair=True)
        dry.work(shifts=2)
    assert [account.active for account in dry.target.accounts.values()] == [True]


def test_a_repair_in_a_dry_run_shows_what_going_live_would_send(dry: Bench) -> None:
    dry.push("ann")
    dry.push("bob")
    dry.work()
    dry.target.seed("ann@example.com", firstName="Anna", lastName="Person")
    reconcile.reconcile(dry.runtime, "acme", "lms", repair=True)
    dry.work()
    with dry.store.across_tenants("test") as tx:
        rows = tx.connection.execute(sa.select(tables.batch.c.step, tables.batch.c.status)).all()
    assert sorted((row.step, row.status) for row in rows) == [
        ("create", "dry_run"),
        ("create", "dry_run"),
        ("look_up", "finished"),
        ("update", "dry_run"),
    ]
    assert dry.target.held("ann@example.com").attributes["firstName"] == "Anna"


def test_status_shows_the_lane_as_dry_run(dry: Bench) -> None:
    [lane] = status.report(dry.store, dry.settings)["lanes"]
    assert lane["state"] == "dry-run"
    with dry.store.begin("acme") as tx:
        lanes.note(tx, dry.lane().id, paused_at=tx.now, paused_by="operator")
    [lane] = status.report(dry.store, dry.settings)["lanes"]
    assert lane["state"] == "paused"
