"""Defects that a review found, each with what it must never do again."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.target import FakeTarget

from scim_bridge.domain.people import Person, Problem, Record
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.settings.models import LimitSettings
from scim_bridge.store import quota, tables
from workers.relay import housekeeping

HOUR_MS = 3_600_000


def test_calls_are_counted_for_as_long_as_the_longest_limit_looks_back(make_bench: Callable[..., Any]) -> None:
    bench = make_bench(limits=[LimitSettings(requests=1, per_s=86_400)])
    with bench.store.across_tenants("test", write=True) as tx:
        quota.take(tx, quota="q", klass="read", deadline_at=bench.clock() + 1_000)
    bench.clock.advance(ms=23 * HOUR_MS)
    housekeeping.run_once(bench.runtime, bench.clock())
    window = quota.Window(requests=1, width_ms=24 * HOUR_MS)
    with bench.store.across_tenants("test", write=True) as tx:
        assert quota.room(tx, quota="q", klass="read", windows=[window], margin_ms=0).free == 0
    bench.clock.advance(ms=3 * HOUR_MS)
    housekeeping.run_once(bench.runtime, bench.clock())
    with bench.store.across_tenants("test", write=True) as tx:
        assert quota.used(tx, quota="q", since=0) == 0


class Failing(FakeTarget):
    """A target whose mapping has a fault, about people with a title."""

    def desired(self, person: Person) -> Record | Problem:
        if person.document.get("title"):
            raise TypeError(person.operation_id)
        return super().desired(person)


def staffed(make_bench: Callable[..., Any]) -> Any:
    bench = make_bench(target=Failing(tells_ids=True), scope='userType eq "Employee"')
    bench.push("ann", userType="Employee")
    bench.work()
    return bench


def forget_matching(bench: Any) -> None:
    with bench.store.across_tenants("test", write=True) as tx:
        tx.connection.execute(sa.update(tables.link).values(matching=None))


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "left",
    [
        {"userType": "Employee", "active": False},
        {"userType": "Guest"},  # out of scope
    ],
)
@pytest.mark.parametrize("is_recognised", [True, False])
def test_a_leaver_whose_mapping_has_a_fault_is_out(
    make_bench: Callable[..., Any],
    left: dict[str, Any],
    is_recognised: bool,  # noqa: FBT001 - a table's column
) -> None:
    bench = staffed(make_bench)
    if not is_recognised:
        forget_matching(bench)
    bench.push("ann", title="Seller", **left)
    bench.work()
    assert not bench.target.held("ann@example.com").active
    assert bench.states() == {"delivered": 2}


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_leaver_who_cannot_be_recognised_is_not_looked_up_by_nothing(make_bench: Callable[..., Any]) -> None:
    bench = staffed(make_bench)
    forget_matching(bench)
    with bench.store.across_tenants("test", write=True) as tx:
        tx.connection.execute(sa.update(tables.link).values(account_id=None))
    bench.target.calls.clear()
    bench.push("ann", userType="Guest", title="Seller")
    bench.work()
    assert (bench.target.calls, bench.operations()[-1].reason) == ([], "bug")


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_scope_that_cannot_be_told_of_one_person_stops_nobody_else(make_bench: Callable[..., Any]) -> None:
    class Faulty:
        def takes(self, document: Mapping[str, Any]) -> bool:
            if document.get("title"):
                raise TypeError
            return True

    bench = staffed(make_bench)
    bench.runtime.scopes["acme", "lms"] = TargetScope(target="lms", users=Faulty())
    bench.push("ann", userType="Employee", title="Seller")
    bench.push("bob", userType="Employee")
    bench.work()
    assert bench.target.held("bob@example.com").active
    assert [each.reason for each in bench.operations() if each.state == "dead"] == ["bug"]
