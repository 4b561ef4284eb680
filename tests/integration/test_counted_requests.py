"""Every request of a call has a slot of its quota before it is sent, also of a call that takes several."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.shipped import shipped_settings

from scim_bridge.domain.people import Step
from scim_bridge.operators import status
from scim_bridge.sandbox.targets.scim import ScimOptions, simulate_scim
from scim_bridge.sandbox.targets.seeds import SeedUser
from scim_bridge.settings.models import GroupSettings, LimitSettings
from scim_bridge.store import tables
from workers import reconcile
from workers.targets import port
from workers.targets.scim.client import scim_target

Bench = Any


def slots(bench: Bench) -> list[Any]:
    with bench.store.across_tenants("test") as tx:
        return list(tx.connection.execute(sa.select(tables.slot).order_by(tables.slot.c.id)))


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        ({"patch": False, "bulk": False}, {}),
        ({"patch": False, "bulk": False, "filters": "eq"}, {"filter": "single"}),
        ({"patch": False, "bulk": False, "filters": "none", "max_results": 2}, {}),
        ({}, {}),
    ],
    ids=["a read before a put", "one comparison after another", "a listing", "one request a call"],
)
def test_a_service_receives_as_many_requests_as_were_counted(
    make_bench: Callable[..., Bench], options: dict[str, Any], changes: dict[str, Any]
) -> None:
    with simulate_scim(api_key="key", limits=(), options=ScimOptions(**options)) as service:
        bench = make_bench()
        settings = shipped_settings("scim", {"token": "key"}, **{**service.urls, "limits": [], **changes})
        target = scim_target(settings, clock=bench.clock)
        bench.runtime.targets["acme", "lms"] = target
        try:
            for name in ("ann", "bob", "cyd", "dan", "eve"):
                bench.push(name)
            bench.work()
            bench.push("ann", title="Boss")
            bench.push("bob", active=False)
            bench.work(shifts=2)
            reconcile.reconcile(bench.runtime, "acme", "lms", repair=False)
        finally:
            target.close()
        assert not service.state.find("bob@example.com").active
        assert len(slots(bench)) == len(service.log.calls())


def test_a_comparison_lists_all_accounts_within_its_budget(make_bench: Callable[..., Bench]) -> None:
    """Two accounts a page: three pages are known to be needed for five people, five show all that there are."""
    options = ScimOptions(patch=False, bulk=False, max_results=2)
    with simulate_scim(api_key="key", limits=(), options=options) as service:
        seeds = [SeedUser(first_name="O", last_name="H", email=f"old{n}@example.com") for n in range(5)]
        service.vendor.seed(seeds, groups=[], courses=[])
        bench = make_bench()
        target = scim_target(
            shipped_settings("scim", {"token": "key"}, **{**service.urls, "limits": []}), clock=bench.clock
        )
        bench.runtime.targets["acme", "lms"] = target
        try:
            for name in ("ann", "bob", "cyd", "dan", "eve"):
                bench.push(name)
            bench.work()
            service.log.clear()
            for most, sentence in ((2, "takes 3 calls, and 2 were allowed"), (4, "more requests than were allowed")):
                with pytest.raises(reconcile.CannotReconcile, match=sentence):
                    reconcile.reconcile(bench.runtime, "acme", "lms", repair=False, max_calls=most)
            assert len(service.log.calls()) == 4
            report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=False, max_calls=5)
        finally:
            target.close()
        assert (report.equal, report.counts()["extra"], len(service.log.calls())) == (5, 5, 9)


def limited(make_bench: Callable[..., Bench], requests: int, per_s: float = 10.0) -> Bench:
    return make_bench(limits=[LimitSettings(requests=requests, per_s=per_s)], concurrency=1)


def updates(bench: Bench, *, reads: int, further: int) -> None:
    """Change two people, by calls of several requests each."""
    for name in ("ann", "bob"):
        bench.push(name)
    bench.work()
    bench.target.reads[Step.UPDATE] = reads
    bench.target.further_requests[Step.UPDATE] = further
    bench.clock.advance(ms=60_000)
    for name in ("ann", "bob"):
        bench.push(name, title="Boss")
    bench.work()


def test_the_requests_of_a_call_are_counted_together_before_it_begins(make_bench: Callable[..., Bench]) -> None:
    """After one look-up and a call of two requests, a limit of four has no room for both requests of the next."""
    bench = limited(make_bench, requests=4)
    updates(bench, reads=1, further=1)
    assert len(bench.target.calls_of(Step.UPDATE)) == 1
    bench.work(shifts=6)
    sent = [slot.sent_at for slot in slots(bench)]
    assert max(sum(1 for each in sent if 0 <= each - first < 10_000) for first in sent) <= 4
    assert bench.states() == {"delivered": 4}


def test_what_was_booked_for_nothing_is_given_back(make_bench: Callable[..., Bench]) -> None:
    bench = limited(make_bench, requests=30)
    before = len(slots(bench))
    updates(bench, reads=3, further=0)
    assert len(slots(bench)) - before == len(bench.target.calls)


def test_a_request_that_nobody_foresaw_waits_for_room(make_bench: Callable[..., Bench]) -> None:
    bench = limited(make_bench, requests=1, per_s=2.0)
    updates(bench, reads=1, further=1)
    bench.work(shifts=8)
    sent = [slot.sent_at for slot in slots(bench)]
    assert min(later - earlier for earlier, later in itertools.pairwise(sent)) >= 2_000
    assert bench.states() == {"delivered": 4}


def test_without_room_before_the_deadline_nobody_is_blamed(make_bench: Callable[..., Bench]) -> None:
    bench = limited(make_bench, requests=1, per_s=600.0)
    bench.push("ann")
    bench.target.further_requests[Step.CREATE] = 1
    bench.work()
    [operation] = bench.operations()
    assert (operation.state, operation.attempts, bench.lane().failures) == ("waiting", 0, 0)
    assert bench.target.accounts == {}


def test_nothing_more_is_sent_for_a_lane_that_has_a_successor(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bench.push("ann")
    refused: list[port.CallFailed] = []

    def succeed(_: Any) -> None:
        with bench.store.across_tenants("test", write=True) as tx:
            tx.connection.execute(sa.update(tables.lane).values(epoch=tables.lane.c.epoch + 1))

    def counted(call: Any, **how: Any) -> Any:
        succeed(call)
        try:
            how["count"]()
        except port.Unreachable as error:
            refused.append(error)
            raise
        return type(bench.target).submit(bench.target, call, **how)

    bench.target.submit = counted
    bench.work()
    assert len(refused) == 1
    assert bench.target.accounts == {}


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        # 25 new people; then 5 of them changed.
        ({}, (1, 1)),
        ({"max_operations": 10}, (3, 1)),
        ({"bulk": False}, (25, 5)),
        ({"bulk": False, "patch": False}, (25, 10)),
    ],
)
def test_status_reckons_with_what_the_service_said_that_it_can_do(
    make_bench: Callable[..., Bench], options: dict[str, Any], calls: tuple[int, int]
) -> None:
    with simulate_scim(api_key="key", limits=(), options=ScimOptions(**options)) as service:
        bench = make_bench()
        target = scim_target(shipped_settings("scim", {"token": "key"}, **service.urls), clock=bench.clock)
        bench.runtime.targets["acme", "lms"] = target
        try:
            bench.push("first")
            bench.work()
            for number in range(25):
                bench.push(f"p{number}")
            asked = [figures(bench)["calls"]]
            bench.work(shifts=3)
            for number in range(5):
                bench.push(f"p{number}", title="Boss")
            asked.append(figures(bench)["calls"])
        finally:
            target.close()
        assert tuple(asked) == calls


def figures(bench: Bench) -> dict[str, Any]:
    [tenant] = bench.settings.tenants
    of_kind = [target.model_copy(update={"kind": "scim"}) for target in tenant.targets]
    settings = bench.settings.model_copy(update={"tenants": [tenant.model_copy(update={"targets": of_kind})]})
    [lane] = status.report(bench.store, settings)["lanes"]
    return dict(lane)


@pytest.mark.parametrize("references", [True, False])
def test_new_people_and_their_memberships_cost_one_call_for_all(
    make_bench: Callable[..., Bench],
    references: bool,  # noqa: FBT001 - a table's column
) -> None:
    with simulate_scim(api_key="key", limits=(), options=ScimOptions(bulk_references=references)) as service:
        groups = {"*": GroupSettings(group="{displayName}")}
        bench = make_bench(groups=groups)
        settings = shipped_settings("scim", {"token": "key"}, **service.urls, groups=groups)
        target = scim_target(settings, clock=bench.clock)
        bench.runtime.targets["acme", "lms"] = target
        try:
            bench.group("Sales")
            bench.work(shifts=2)
            service.log.clear()
            names = [f"p{number}" for number in range(30)]
            for name in names:
                bench.push(name)
            bench.join("Sales", *names)
            bench.work(shifts=3)
        finally:
            target.close()
        assert service.log.count("POST", ".*/Bulk") == (1 if references else 2)
        assert [(name, count) for _, name, count in service.state.groups] == [("Sales", 30)]
        assert set(bench.states()) <= {"delivered", "unchanged", "superseded"}
