"""Whatever senders, targets, crashes and operators do: in the end every target equals the directory, the books agree.

Failure modes 1, 2, 3, 5, 6, 8, 10, 11, 12, 13, 14, 15, 16 and 19 meet each other here, in any order.
"""

import itertools
import sys
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import hypothesis
import pytest
import sqlalchemy as sa
from fakes.stores import shared_url
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from model.moods import MOODS
from model.options import Histories
from model.world import BY_HAND, CHIEFS, HELD_BACK, LANES, Policy, World

from scim_bridge.store.engine import Store

NAMES = ("ann", "bob", "cyd", "dee")
WHO = st.sampled_from(NAMES)
ANYBODY = st.integers(0, len(NAMES) - 1)
GROUP_NAMES = st.sampled_from(["Sales", "Support"])
TITLES = st.sampled_from(["Chief", "Clerk"])
LANE = st.sampled_from(LANES)
BREAKS = st.sampled_from(
    ["killed_before", *["killed_after"] * 3, "cut_before", "cut_after", "stalled_after"]  # a call left open is worst
)
DOUBTS = st.sampled_from(["lost_before", "lost_after", "slow_lost", "entries_missing", "half", "crash_after"])
"""Moods after which the bridge cannot know what became of people."""
STEPS = st.integers(1, 6)
MOMENTS_MS = st.sampled_from([300, 2_500, 6_000, 20_000, 70_000])

POLICIES = st.builds(
    Policy,
    on_conflict=st.sampled_from(["update", "update", "skip", "hold"]),
    guard_max=st.sampled_from([None, None, 0, 1]),
    is_limited=st.booleans(),
)

NAMED = frozenset({"conflict_held", "conflict_skipped", "protected"})
"""Reasons that may stand against somebody once every fault is over and everything was replayed."""


class AnyHistory(RuleBasedStateMachine):
    """One tenant's life."""

    make_world: ClassVar[Callable[..., World]]

    lived: ClassVar[int] = 0
    world: World

    def __init__(self) -> None:
        super().__init__()
        type(self).lived += 1

    def _who(self, number: int) -> str:
        present = sorted(self.world.people)
        return present[number % len(present)]

    @initialize(policy=POLICIES, present=st.sets(WHO), worked=st.booleans())
    def begin(self, policy: Policy, present: set[str], *, worked: bool) -> None:
        self.world = type(self).make_world(policy=policy)
        for who in sorted(present):
            self.world.push(who, title="Clerk")
        if worked:
            for lane in LANES:
                self.world.work(lane)

    @rule(who=WHO, title=TITLES)
    def push(self, who: str, title: str) -> None:
        self.world.push(who, title=title)

    @precondition(lambda self: self.world.people)
    @rule(anybody=ANYBODY)
    def deactivate(self, anybody: int) -> None:
        who = self._who(anybody)
        self.world.change(who, active=False)

    @precondition(lambda self: self.world.people)
    @rule(anybody=ANYBODY)
    def reactivate(self, anybody: int) -> None:
        who = self._who(anybody)
        self.world.change(who, active=True)

    @precondition(lambda self: self.world.people)
    @rule(anybody=ANYBODY)
    def delete(self, anybody: int) -> None:
        who = self._who(anybody)
        self.world.delete(who)

    @precondition(lambda self: self.world.people)
    @rule(anybody=ANYBODY, number=st.integers(0, 2))
    def rename(self, anybody: int, number: int) -> None:
        who = self._who(anybody)
        self.world.change(who, user_name=f"{who}{number or ''}@example.com")

    @rule(name=GROUP_NAMES, members=st.sets(WHO))
    def set_group(self, name: str, members: set[str]) -> None:
        present = members & self.world.people.keys()
        if name in self.world.groups:
            self.world.edit_group(name, members=present)
        else:
            self.world.make_group(name, present)

    @precondition(lambda self: self.world.groups)
    @rule(name=GROUP_NAMES)
    def rename_group(self, name: str) -> None:
        team = self.world.groups.get(name)
        if team is not None:
            self.world.edit_group(name, name=f"{name} EMEA" if team.name == name else name)

    @precondition(lambda self: self.world.groups)
    @rule(name=GROUP_NAMES)
    def delete_group(self, name: str) -> None:
        if name in self.world.groups:
            self.world.delete_group(name)

    @rule(lane=LANE, moods=st.lists(st.sampled_from(MOODS), min_size=1, max_size=6))
    def let_calls_fail(self, lane: str, moods: list[str]) -> None:
        self.world.targets[lane].moods.extend(moods)

    @rule(lane=LANE, lag_ms=st.sampled_from([0, 3_000, 9_000]))
    def show_late(self, lane: str, lag_ms: int) -> None:
        self.world.targets[lane].lag_ms = lag_ms

    @rule(lane=LANE, who=WHO, is_alone=st.booleans())
    def refuse(self, lane: str, who: str, *, is_alone: bool) -> None:
        target = self.world.targets[lane]
        if is_alone:
            target.refuses[f"{who}@example.com"] = "no such department"
        else:
            target.poison.add(f"{who}@example.com")

    @rule(lane=LANE, who=WHO, active=st.booleans(), protected=st.booleans())
    def let_a_stranger_be_there(self, lane: str, who: str, *, active: bool, protected: bool) -> None:
        target = self.world.targets[lane]
        if target.held(f"{who}@example.com") is None and who not in self.world.people:
            is_owner = active and protected
            target.seed(f"{who}@example.com", active=active, groups=(BY_HAND,), title="Before", protected=is_owner)

    @precondition(lambda self: self.world.people)
    @rule(
        lane=LANE,
        anybody=ANYBODY,
        what=st.sampled_from(["deactivate", "reactivate", "retitle", "remove"]),
        is_told=st.booleans(),
    )
    def meddle(self, lane: str, anybody: int, what: str, *, is_told: bool) -> None:
        self.world.meddle(lane, self._who(anybody), what, is_told=is_told)

    @rule(lane=LANE)
    def work(self, lane: str) -> None:
        self.world.work(lane)

    @rule(lane=LANE, several=st.sets(WHO, min_size=2), title=TITLES, moods=st.lists(st.sampled_from(MOODS), max_size=3))
    def push_into_trouble(self, lane: str, several: set[str], title: str, moods: list[str]) -> None:
        for who in sorted(several):
            self.world.push(who, title=title)
        self.world.targets[lane].moods.extend(moods)
        self.world.work(lane)

    @rule(lane=LANE, several=st.sets(WHO, min_size=2), title=TITLES, mood=DOUBTS)
    def push_into_doubt(self, lane: str, several: set[str], title: str, mood: str) -> None:
        self.push_into_trouble(lane, several, title, [mood])

    @precondition(lambda self: self.world.people)
    @rule(lane=LANE, anybody=ANYBODY, title=TITLES, leaves=st.booleans())
    def overtake(self, lane: str, anybody: int, title: str, *, leaves: bool) -> None:
        who = self._who(anybody)
        self.world.change(who, title="Clerk" if title == "Chief" else "Chief")
        values: dict[str, Any] = {"active": False} if leaves else {"title": title}
        self.world.work_overtaken(lane, lambda: self.world.change(who, **values))

    @rule(
        lane=LANE,
        several=st.sets(WHO),
        at_step=STEPS,
        how=BREAKS,
        seen=st.booleans(),
        stands_ms=MOMENTS_MS,
        leaver=ANYBODY,
    )
    def break_off(
        self, lane: str, several: set[str], at_step: int, how: str, stands_ms: int, leaver: int, *, seen: bool
    ) -> None:
        for who in sorted(several):
            self.world.push(who, title="Clerk")

        def meanwhile() -> None:
            if self.world.people:
                self.world.change(self._who(leaver), active=False)
            self.world.clock.advance(ms=stands_ms)
            self.world.work(lane)

        self.world.work_until_broken_off(lane, at_step=at_step, how=how, meanwhile=meanwhile, seen=seen)

    @rule(ms=MOMENTS_MS)
    def wait(self, ms: int) -> None:
        self.world.clock.advance(ms=ms)

    @rule()
    def replay(self) -> None:
        self.world.replay()

    @rule(lane=LANE)
    def repair(self, lane: str) -> None:
        self.world.reconcile(lane, repair=True)

    @rule(lane=LANE, paused=st.booleans())
    def pause(self, lane: str, *, paused: bool) -> None:
        self.world.pause(lane, paused=paused)

    @rule(lane=LANE, scope=st.sampled_from([None, CHIEFS]))
    def set_scope(self, lane: str, scope: str | None) -> None:
        self.world.set_scope(lane, scope)

    @precondition(lambda self: self.world.policy.guard_max is not None)
    @rule(lane=LANE, rejected=st.booleans())
    def release(self, lane: str, *, rejected: bool) -> None:
        self.world.release(lane, rejected=rejected)

    @precondition(lambda self: self.world.policy.guard_max is not None and self.world.people)
    @rule(lane=LANE, anybody=ANYBODY)
    def release_one(self, lane: str, anybody: int) -> None:
        self.world.release(lane, user=self.world.people[self._who(anybody)].user_name)

    @precondition(lambda self: self.world.policy.guard_max is not None)
    @rule(lane=LANE)
    def reject(self, lane: str) -> None:
        self.world.reject(lane)

    @precondition(lambda self: self.world.policy.guard_max is not None)
    @rule(lane=LANE, count=st.integers(1, 2), for_ms=MOMENTS_MS)
    def allow(self, lane: str, count: int, for_ms: int) -> None:
        self.world.allow(lane, count=count, for_ms=for_ms)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        assert world.must_not_have_happened() == []
        world.calm_down()
        world.settle()
        world.replay()
        world.settle()
        report = world.books()
        assert report["balanced"], report
        if world.needs_repair:
            self._repair()
        assert world.faults(excused=NAMED | HELD_BACK) == []
        world.let_everybody_go()
        assert world.faults(excused=NAMED) == []
        self._repair()
        world.let_everybody_go()
        is_told = world.policy.on_conflict == "update"
        assert world.faults(excused=NAMED - {"conflict_held", "conflict_skipped"} if is_told else NAMED) == []
        if is_told:
            for lane in LANES:
                told = world.reconcile(lane, repair=False)
                assert told is not None
                assert (told["missing"], told["differing"], told["unclear"]) == (0, 0, 0), told
        assert world.must_not_have_happened() == []
        assert world.books()["balanced"]

    def _repair(self) -> None:
        for lane in LANES:
            assert self.world.reconcile(lane, repair=True) is not None
        self.world.settle()


def live(make_world: Callable[..., World], *, histories: int, seed: int, steps: int = 25, shrink: bool = True) -> None:
    print(
        f"{histories} histories, seed {seed}: repeat with --histories {histories} --history-seed {seed}",
        file=sys.__stderr__,
    )
    AnyHistory.make_world = make_world
    AnyHistory.lived = 0
    phases = [hypothesis.Phase.generate, *([hypothesis.Phase.shrink] if shrink else [])]
    run_state_machine_as_test(
        hypothesis.seed(seed)(AnyHistory),
        settings=hypothesis.settings(
            max_examples=histories,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=list(hypothesis.HealthCheck),
            print_blob=False,
        ),
    )


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with shared_url(request) as made:
        yield made


@pytest.fixture
def make_world(url: str, clock: Any) -> Iterator[Callable[..., World]]:
    """Make one tenant after the other on one database: tenants never meet."""
    store = Store.open(url, clock=clock, use_database_clock=False)
    if url.startswith("sqlite"):
        # Nothing here outlives the run, so nothing need be safe from a power cut.
        sa.event.listen(store.engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    numbers = itertools.count(1)
    yield lambda **how: World(store, clock, tenant=f"t{next(numbers)}", **how)
    store.close()


def test_any_history_ends_with_targets_and_books_in_order(
    make_world: Callable[..., World], histories: Histories, request: pytest.FixtureRequest
) -> None:
    is_postgresql = "postgresql" in request.node.name
    number = max(5, histories.number // 6) if is_postgresql else histories.number
    live(make_world, histories=number, seed=histories.seed)
