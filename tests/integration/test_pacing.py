"""How the calls of a backlog follow each other: a long one goes evenly, a short one in bursts."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from fakes.target import SIZES, FakeTarget

from scim_bridge.domain.people import Step
from scim_bridge.sandbox.benches import crowd
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.settings.models import GroupSettings, LimitSettings
from scim_bridge.store import batches

TENANT = "acme"
PEOPLE_A_CALL = 25
CALLS_A_WINDOW = 2
STEP_MS = 500
LOOKED_AT = 4
LONG = 20 * CALLS_A_WINDOW * PEOPLE_A_CALL


@pytest.mark.parametrize(
    ("people", "is_paced"),
    [
        # More than are looked at to plan the next calls, and more than 20 windows of them.
        pytest.param(LONG + 3 * PEOPLE_A_CALL, True, id="long"),
        pytest.param(LONG - PEOPLE_A_CALL, False, id="short"),
    ],
)
def test_the_calls_of_a_long_backlog_go_evenly(
    make_bench: Callable[..., Any],
    people: int,
    is_paced: bool,  # noqa: FBT001 - a row of the table
) -> None:
    target = FakeTarget(sizes={**SIZES, Step.CREATE: PEOPLE_A_CALL})
    bench = make_bench(target=target, limits=[LimitSettings(requests=CALLS_A_WINDOW, per_s=1.0)])
    lane_id = bench.lane().id
    crowd.build_owed(bench.store, TENANT, Crowd(1), range(people), source="idp", lane_ids=[lane_id])
    # The first calls tell.
    target.on_call = lambda _: bench.runtime.stopping.set() if len(target.calls) >= LOOKED_AT else None
    bench.work()
    with bench.store.begin(TENANT, write=False) as tx:
        began = [call.opened_at for call in batches.sent(tx, lane_id)]
    steps = [later - sooner for sooner, later in itertools.pairwise(began[:LOOKED_AT])]
    assert (min(steps) >= STEP_MS) is is_paced


def test_many_calls_of_one_person_each_are_a_long_backlog(make_bench: Callable[..., Any]) -> None:
    bench = make_bench(
        target=FakeTarget(sizes={**SIZES, Step.CREATE: 1}), limits=[LimitSettings(requests=1, per_s=0.1)]
    )
    lane_id = bench.lane().id
    crowd.build_owed(bench.store, TENANT, Crowd(1), range(25), source="idp", lane_ids=[lane_id])
    bench.work()
    with bench.store.begin(TENANT, write=False) as tx:
        began = [call.opened_at for call in batches.sent(tx, lane_id)]
    assert min(later - sooner for sooner, later in itertools.pairwise(began)) >= 100
    assert bench.states() == {"delivered": 25}


def test_a_leaver_who_overtakes_is_not_kept_waiting_by_the_planning_of_others(make_bench: Callable[..., Any]) -> None:
    looked_at: list[str] = []

    class Watched(FakeTarget):
        """A target that tells whom it was asked about since somebody left."""

        def desired(self, person: Any) -> Any:
            looked_at.append(str(person.document["userName"]))
            return super().desired(person)

        def describe(self, call: Any) -> Any:
            if meanwhile:
                meanwhile.pop()()
                looked_at.clear()
            return super().describe(call)

    meanwhile: list[Callable[[], None]] = []
    bench = make_bench(target=Watched())
    bench.push("ann")
    bench.work()
    for number in range(5):
        bench.push(f"p{number}")
    meanwhile.append(lambda: bench.push("ann", active=False))
    bench.target.on_call = lambda call: looked_at.append(str(call.step)) or None
    bench.work()
    assert looked_at[:2] == ["ann@example.com", "look_up"]


def test_a_slow_lane_lists_groups_once_for_the_group_that_it_makes(make_bench: Callable[..., Any]) -> None:
    groups = {"*": GroupSettings(group="{displayName}")}
    bench = make_bench(groups=groups, limits=[LimitSettings(requests=1, per_s=3.0)])
    bench.push("ann")
    bench.group("Sales", ("ann",))
    bench.work(shifts=12)
    steps = [call.step for call in bench.target.calls]
    assert steps.count(Step.CREATE_GROUP) == 1
    assert bench.target.held("ann@example.com").groups == {"Sales"}
    assert len(steps) <= 5
