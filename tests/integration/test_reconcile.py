"""Directory against target: what differs is named, and owed when asked."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.target import SIZES, FakeTarget

from scim_bridge.domain.people import Priority, Step
from scim_bridge.domain.replies import Answer
from scim_bridge.store import lanes, tables
from scim_bridge.store.engine import Store
from workers import commands, reconcile
from workers.delivery import round as delivery_round

Bench = Any


def counts(report: reconcile.Report) -> dict[str, Any]:
    return {key: value for key, value in report.to_json().items() if key != "differences" and value}


def test_a_new_target_is_loaded_by_one_listing_and_full_batches(make_bench: Callable[..., Bench], store: Store) -> None:
    """250 people are in the directory before the lane is; 3 of them have accounts there already."""
    bench = make_bench()
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [])
    for number in range(250):
        bench.push(f"p{number}")
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms")])
    for number in range(3):
        bench.target.seed(f"p{number}@example.com", firstName=f"P{number}", lastName="Person")
    bench.work()
    assert bench.target.calls == [], "a new target sends nothing by itself"
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    assert counts(report) == {"equal": 3, "missing": 247, "adopted": 3, "owed": 247}
    bench.work()
    assert len(bench.target.calls_of(Step.LOOK_UP)) == 1
    assert [len(call.items) for call in bench.target.calls_of(Step.CREATE)] == [200, 47]
    assert len(bench.target.accounts) == 250
    assert bench.states() == {"delivered": 247}


def before_its_lane(make_bench: Callable[..., Bench], store: Store, **options: Any) -> Bench:
    """Return a bench whose one person was in the directory before the lane was, and has an account of other values."""
    bench = make_bench(**options)
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [])
    bench.push("ann")
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms")])
    bench.target.seed("ann@example.com", firstName="Old", lastName="Old")
    return bench


def test_a_repair_links_what_is_to_be_skipped_once_for_all(make_bench: Callable[..., Bench], store: Store) -> None:
    bench = before_its_lane(make_bench, store, on_conflict="skip")
    reports = []
    for _ in range(2):
        reports.append(counts(reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)))
        bench.work(shifts=2)
    assert reports == [{"equal": 1, "adopted": 1}, {"equal": 1}]
    assert bench.target.held("ann@example.com").attributes["firstName"] == "Old"
    assert [(row.state, row.reason) for row in bench.operations()] == [("skipped", "conflict_skipped")]
    assert bench.states() == {"skipped": 1}


def test_who_leaves_is_closed_though_their_account_was_skipped(make_bench: Callable[..., Bench], store: Store) -> None:
    bench = before_its_lane(make_bench, store, on_conflict="skip")
    reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    bench.push("ann", active=False)
    bench.work(shifts=2)
    assert bench.target.held("ann@example.com").active is False


def test_a_leaver_is_not_skipped_by_a_repair(make_bench: Callable[..., Bench], store: Store) -> None:
    bench = before_its_lane(make_bench, store, on_conflict="skip")
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [])
    bench.push("ann", active=False)
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms")])
    reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    bench.work(shifts=2)
    assert bench.target.held("ann@example.com").active is False


def test_a_report_changes_nothing(bench: Bench) -> None:
    for name in ("ann", "bob", "cyd"):
        bench.push(name)
    bench.work()
    bench.target.held("ann@example.com").attributes["title"] = "Changed by hand"
    bench.target.held("bob@example.com").active = False
    bench.target.seed("stranger@example.com")
    del bench.target.accounts[bench.target.held("cyd@example.com").account_id]
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=False)
    assert counts(report) == {"missing": 1, "differing": 2, "extra": 1}
    assert {each.parts for each in report.differences} == {("title",), ("status",), ()}
    assert bench.states() == {"delivered": 3}


def test_repair_brings_missing_and_differing_back_and_leaves_strangers_alone(bench: Bench) -> None:
    for name in ("ann", "bob", "cyd"):
        bench.push(name)
    bench.work()
    bench.target.held("ann@example.com").attributes["title"] = "Changed by hand"
    del bench.target.accounts[bench.target.held("cyd@example.com").account_id]
    bench.target.seed("stranger@example.com")
    reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    bench.work(shifts=2)
    assert "title" not in bench.target.held("ann@example.com").attributes
    assert bench.target.held("cyd@example.com") is not None
    assert bench.target.held("stranger@example.com").active is True
    assert counts(reconcile.reconcile(bench.runtime, "acme", "lms", repair=False)) == {"equal": 3, "extra": 1}


def test_a_leaver_who_is_still_active_in_the_target_is_found_and_closed(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    bench.push("ann", active=False)
    bench.work()
    bench.target.held("ann@example.com").active = True
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    assert [each.parts for each in report.differences] == [("status",)]
    assert bench.operations()[-1].priority == Priority.LEAVER
    bench.work()
    assert bench.target.held("ann@example.com").active is False


def test_a_lane_that_is_at_work_is_not_disturbed(bench: Bench, store: Store) -> None:
    with store.begin("acme") as tx:
        lanes.take_lease(tx, lanes.by_target(tx, "lms").id, owner="somebody", lease_ms=10**9)
    with pytest.raises(reconcile.CannotReconcile, match="at work"):
        reconcile.reconcile(bench.runtime, "acme", "lms", repair=False)


def test_a_target_that_does_not_answer_is_said_so_and_nothing_is_judged(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    bench.target.fail_next()
    with pytest.raises(reconcile.CannotReconcile, match="did not show"):
        reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    assert bench.states() == {"delivered": 1}


def test_the_command_names_wrong_tenants_and_targets(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.reconcile(bench.runtime, tenant="acme", target="nope", repair=False, as_json=False) == 2
    assert "--target" in capsys.readouterr().err


def test_the_command_exits_1_on_drift_and_prints_json(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.push("ann")
    bench.work()
    bench.target.accounts.clear()
    assert commands.reconcile(bench.runtime, tenant="acme", target="lms", repair=False, as_json=True) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["missing"] == 1


def test_targets_whose_look_up_takes_few_people_are_asked_in_parts(make_bench: Callable[..., Bench]) -> None:
    target = FakeTarget(sizes={Step.LOOK_UP: 100, Step.CREATE: 200, Step.UPDATE: 1, Step.DEACTIVATE: 1})
    bench = make_bench(target=target)
    for number in range(250):
        bench.push(f"p{number}")
    bench.work()
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=False)
    assert counts(report) == {"equal": 250}
    assert len(target.calls_of(Step.LOOK_UP)) == 3


def test_one_account_that_two_people_match_is_given_to_one_and_holds_nobody_up(bench: Bench, store: Store) -> None:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [])
    shared = [{"value": "desk@example.com", "primary": True}]
    bench.push("ann", emails=shared)
    bench.push("bob", emails=shared)
    bench.push("cyd")
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms")])
    bench.target.seed("desk@example.com", firstName="Ann", lastName="Person")
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    assert counts(report) == {"differing": 1, "missing": 1, "unclear": 1, "adopted": 1, "owed": 2}
    unclear = next(each for each in report.differences if each.drift is reconcile.Drift.UNCLEAR)
    assert (unclear.scim_id, unclear.parts) == (bench.ids["bob"], ("account of another person",))
    bench.work(shifts=2)
    assert bench.target.held("cyd@example.com").active is True


def test_who_holds_an_account_keeps_it_though_another_comes_first(bench: Bench, store: Store) -> None:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [])
    bench.push("ann", emails=[{"value": "bob@example.com", "primary": True}])
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms")])
    bench.push("bob")
    bench.work(shifts=3)
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    assert [(each.scim_id, each.parts) for each in report.differences] == [
        (bench.ids["ann"], ("account of another person",))
    ]


def test_somebody_deleted_whose_account_another_has_taken_over_is_not_looked_at(bench: Bench) -> None:
    bench.push("ann")
    bench.work(shifts=2)
    bench.delete("ann")
    bench.work(shifts=2)
    del bench.ids["ann"]
    bench.push("ann")
    bench.work(shifts=3)
    assert bench.target.held("ann@example.com").active is True
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=False)
    assert counts(report) == {"equal": 1}


def test_somebody_deleted_never_closes_the_account_of_somebody_living(bench: Bench) -> None:
    """The account id is not known, so that both look like its owner by their email."""
    bench.push("ann")
    bench.work(shifts=2)
    bench.delete("ann")
    bench.work(shifts=2)
    del bench.ids["ann"]
    bench.target.held("ann@example.com").active = True
    bench.push("anna", emails=[{"value": "ann@example.com", "primary": True}])
    bench.work(shifts=3)
    with bench.store.begin("acme") as tx:
        tx.connection.execute(sa.update(tables.link).values(account_id=None, active=1))
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    assert not [each for each in report.differences if "status" in each.parts]
    bench.work(shifts=2)
    assert [each.active for each in bench.target.accounts.values()] == [True]


def test_who_is_out_of_scope_and_kept_is_no_drift(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(scope='title eq "Seller"', on_unscope="keep")
    bench.push("ann", title="Seller")
    bench.push("bob", title="Seller")
    bench.work()
    bench.push("ann", title="Buyer")
    bench.push("bob", title="Buyer", active=False)
    bench.work(shifts=2)
    bench.target.held("bob@example.com").active = True
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=False)
    assert [(each.scim_id, each.parts) for each in report.differences] == [(bench.ids["bob"], ("status",))]
    assert report.equal == 1


def take_the_lane(store: Store) -> None:
    """Let a successor have the lane, as if its worker had stood still for too long."""
    with store.begin("acme") as tx:
        lane = lanes.by_target(tx, "lms")
        lanes.release_lease(tx, lane.id, epoch=lane.epoch, wake_at=None)
        lanes.take_lease(tx, lane.id, owner="successor", lease_ms=5_000)


class Watched(FakeTarget):
    """Calls `on_matching` before it says what recognises somebody: for the listing, then for the comparison."""

    def __init__(self) -> None:
        super().__init__()
        self.on_matching: Callable[[], object] = lambda: None

    def matching(self, person: Any) -> Any:
        self.on_matching()
        return super().matching(person)


def test_a_lane_that_goes_to_a_successor_is_left_as_it_is(
    make_bench: Callable[..., Bench], store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """The lease goes after the listing, amid the comparison."""
    target = Watched()
    bench = make_bench(target=target)
    for name in ("ann", "bob", "cyd"):
        bench.push(name)
    bench.work()
    bench.target.accounts.popitem()
    bench.target.held("ann@example.com").attributes["title"] = "Changed by hand"

    def listed(_: Any) -> None:
        target.on_matching = lambda: take_the_lane(store)

    bench.target.on_call = listed
    assert commands.reconcile(bench.runtime, tenant="acme", target="lms", repair=True, as_json=False) == 1
    assert "nother worker" in capsys.readouterr().err
    assert bench.states() == {"delivered": 3}
    assert bench.lane().owner == "successor"
    with store.begin("acme") as tx:
        known = tx.connection.execute(sa.select(tables.link.c.attributes, tables.link.c.account_id)).all()
    assert all(row.account_id is None and "by hand" not in row.attributes for row in known)


@pytest.mark.parametrize("size", [1, 1_000])
def test_who_leaves_while_the_target_is_listed_does_not_wait(make_bench: Callable[..., Bench], size: int) -> None:
    """A listing may take minutes: its answer is older than what was delivered meanwhile, and does not count for it."""
    bench = make_bench(target=FakeTarget(sizes={**SIZES, Step.LOOK_UP: size}))
    for name in ("ann", "bob", "cyd"):
        bench.push(name)
    bench.work()
    reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)

    def leave(_: Any) -> Answer:
        bench.target.on_call = lambda _: None
        old = tuple(bench.target._account(each) for each in bench.target.accounts.values())
        bench.clock.advance(ms=1)
        bench.push("ann", active=False)
        bench.push("dan")
        delivery_round.work_lane(bench.runtime, "acme", "lms")
        return Answer(replies={}, accounts=old)

    bench.target.on_call = leave
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    assert bench.target.held("ann@example.com").active is False
    assert bench.target.held("dan@example.com").active is True
    assert counts(report) == {"equal": 2, "on_their_way": 2, "adopted": 2}
    assert counts(reconcile.reconcile(bench.runtime, "acme", "lms", repair=False)) == {"equal": 4}
