"""What a worker has seen of a target's groups outlasts its shift, and is given up where it may be wrong."""

import contextlib
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fakes.target import FakeTarget

from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Answer
from scim_bridge.domain.resources import GROUP
from scim_bridge.planning.calls import Call
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.recorder import Recorder
from scim_bridge.settings.models import GroupSettings, LimitSettings
from scim_bridge.store import batches, directory, lanes, links
from scim_bridge.store.engine import Store, StoreUnavailable
from workers.targets import port

Bench = Any

EACH_GROUP = {"*": GroupSettings(group="{displayName}")}
ONE_IN_HALF_A_MINUTE = [LimitSettings(requests=1, per_s=30.0)]


def steps(bench: Bench) -> list[str]:
    """Return the calls by their steps; a look-up without people lists groups."""
    return ["list" if call.step is Step.LOOK_UP and not call.items else str(call.step) for call in bench.target.calls]


def work_for(bench: Bench, *, minutes: float, each_s: int = 5) -> None:
    """Let time go on, with a shift now and then if the lane wants one."""
    end = bench.clock.now + round(minutes * 60_000)
    while bench.clock.now < end:
        bench.work()
        bench.clock.advance(ms=each_s * 1000)


@pytest.fixture
def slow(make_bench: Callable[..., Bench]) -> Bench:
    """A lane of one call in half a minute, with a group that the target does not have."""
    bench = make_bench(groups=EACH_GROUP, limits=ONE_IN_HALF_A_MINUTE)
    bench.push("ann")
    bench.group("Sales", ("ann",))
    return bench


def test_a_lane_slower_than_a_shift_lists_groups_once(slow: Bench) -> None:
    work_for(slow, minutes=3)
    assert steps(slow) == ["list", "create_group", "create"]
    assert slow.target.held("ann@example.com").groups == {"Sales"}


def test_no_worker_is_held_while_a_lane_that_has_listed_groups_waits(slow: Bench) -> None:
    paused: list[float] = []

    def pause(seconds: float) -> None:
        paused.append(seconds)
        slow.clock.advance(ms=round(seconds * 1000))

    slow.runtime.pause = pause
    slow.work()
    assert steps(slow) == ["list"]
    assert sum(paused) <= 1.0


def made_by_another(store: Store, *, answered: bool | None) -> None:
    """Let another worker begin to make a group; `answered` False: it was not told how it ended, None: it is dead."""
    with store.begin("acme") as tx:
        lane = lanes.by_target(tx, "lms")
        epoch = lanes.take_lease(tx, lane.id, owner="another", lease_ms=1)
        opened = batches.open_batch(
            tx,
            lane_id=lane.id,
            epoch=epoch,
            step="create_group",
            operation_ids=[],
            method="POST",
            path="/group",
            request={},
            quota_name="q",
            klass="user_write",
            deadline_ms=10_000,
        )
        if answered is not None:
            told = {"failure": "AnswerLost: cut"}
            batches.close_batch(tx, opened.id, status="failed", answer=told, http_status=None, answered_at=None)
            lanes.release_lease(tx, lane.id, epoch=epoch, wake_at=None)


def test_a_group_that_another_worker_may_have_made_is_listed_again(slow: Bench, store: Store) -> None:
    slow.work()
    made_by_another(store, answered=False)
    slow.target.groups["Sales"] = "77"
    work_for(slow, minutes=3)
    assert steps(slow) == ["list", "list", "create"]


def test_a_group_that_a_dead_worker_was_making_waits_for_the_end_of_that_call(
    make_bench: Callable[..., Bench], store: Store
) -> None:
    bench = make_bench(groups=EACH_GROUP)
    made_by_another(store, answered=None)
    bench.clock.advance(ms=10)
    bench.push("ann")
    bench.group("Sales", ("ann",))
    bench.push("bob")
    bench.work()
    assert steps(bench) == ["create"], "bob is in no group, and waits for none"
    bench.target.groups["Sales"] = "77"
    work_for(bench, minutes=1)
    assert steps(bench) == ["create", "list", "create"]


def test_a_group_whose_making_was_not_answered_is_not_made_again_while_a_listing_may_lag(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(groups=EACH_GROUP)
    bench.target.fail_next(port.AnswerLost("cut"), after=True, step=Step.CREATE_GROUP)
    made_at: list[int] = []

    def lag(call: Call) -> Answer | None:
        if call.step is Step.CREATE_GROUP:
            made_at.append(bench.clock.now)
        is_listing = call.step is Step.LOOK_UP and not call.items
        if is_listing and made_at and bench.clock.now < made_at[0] + 8_000:
            return Answer(replies={}, group_ids={})
        return None

    bench.target.on_call = lag
    bench.push("ann")
    bench.group("Sales", ("ann",))
    work_for(bench, minutes=1)
    assert steps(bench) == ["list", "create_group", "list", "create"]


def test_who_leaves_a_group_that_the_target_has_lost_has_left_it(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(groups=EACH_GROUP)
    bench.push("ann")
    bench.group("Sales", ("ann",))
    bench.work(shifts=2)
    bench.target.groups.clear()
    bench.target.calls.clear()
    bench.clock.advance(ms=60_000)
    leaving = MemberEdit(Membership.REMOVE, (bench.ids["ann"],))

    def leave(recorder: Recorder, tx: Any) -> None:
        group = directory.fetch(tx, GROUP, bench.ids["Sales"])
        recorder.update(group, group.document, member_edits=[leaving])

    bench.record(leave)
    work_for(bench, minutes=1)
    assert steps(bench) == ["look_up", "leave", "list"], "nobody needs a group only to leave it"
    bench.target.calls.clear()
    bench.push("ann", title="Head")
    work_for(bench, minutes=1)
    assert steps(bench) == ["update"], "what is known of ann has no lost group any more"


def test_a_refused_person_of_a_group_is_told_from_a_lost_group_within_a_few_calls(slow: Bench) -> None:
    work_for(slow, minutes=3)
    slow.target.calls.clear()

    def refuse(call: Call) -> Answer | None:
        if call.step is Step.CREATE:
            raise port.BatchRefused("no", status=400)
        return None

    slow.target.on_call = refuse
    slow.push("bob")
    slow.join("Sales", "bob")
    slow.clock.advance(ms=60_000)
    work_for(slow, minutes=5)
    assert steps(slow) == ["create", "list", "create"]
    assert "dead" in slow.states()


def test_a_group_that_is_refused_is_tried_less_and_less(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(groups=EACH_GROUP)
    refusals = itertools.count()

    def refuse(call: Call) -> Answer | None:
        if call.step is Step.CREATE_GROUP:
            next(refusals)
            raise port.BatchRefused("no", status=400)
        return None

    bench.target.on_call = refuse
    bench.push("ann")
    bench.group("Sales", ("ann",))
    work_for(bench, minutes=60, each_s=20)
    assert next(refusals) <= 16
    assert steps(bench).count("list") <= 16
    assert [each.reason for each in bench.operations() if each.state == "dead"] == ["group_refused"]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_leaving", [False, True])
def test_a_group_whose_id_another_worker_gave_up_is_listed_again(
    make_bench: Callable[..., Bench],
    is_leaving: bool,  # noqa: FBT001 - a table's column
) -> None:
    """That it was listed as missing before it was made says nothing of today."""
    bench = make_bench(groups=EACH_GROUP)
    bench.push("ann")
    bench.push("bob")
    bench.group("Sales", ("ann",))
    bench.work(shifts=3)
    with bench.store.begin("acme") as tx:
        links.forget_groups(tx, bench.lane().id, ["Sales"])
    bench.target.calls.clear()
    edit = MemberEdit(Membership.REMOVE, (bench.ids["ann"],)) if is_leaving else None

    def leave(recorder: Recorder, tx: Any) -> None:
        group = directory.fetch(tx, GROUP, bench.ids["Sales"])
        recorder.update(group, group.document, member_edits=[edit])

    if is_leaving:
        bench.record(leave)
    else:
        bench.join("Sales", "bob")
    work_for(bench, minutes=0.5)
    assert [step for step in steps(bench) if step != "look_up"] == ["list", "leave" if is_leaving else "join"]
    members = {who for who in ("ann", "bob") if bench.target.held(f"{who}@example.com").groups == {"Sales"}}
    assert members == (set() if is_leaving else {"ann", "bob"})


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_group_is_listed_again_when_its_making_could_not_be_written_down(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(groups=EACH_GROUP)
    bench.push("ann")
    bench.group("Sales", ("ann",))
    begin = bench.store.begin
    is_down = False

    def begin_or_fail(*args: Any, **options: Any) -> Any:
        if is_down:
            raise StoreUnavailable("down")
        return begin(*args, **options)

    def go_down(call: Call) -> None:
        nonlocal is_down
        is_down = call.step is Step.CREATE_GROUP

    bench.store.begin = begin_or_fail
    bench.target.on_call = go_down
    bench.work()
    is_down, bench.target.on_call = False, lambda _: None
    work_for(bench, minutes=2)
    assert steps(bench) == ["list", "create_group", "list", "create"]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_refused_group_is_left_alone_when_the_word_of_the_commit_is_lost(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(groups=EACH_GROUP)
    bench.push("ann")
    bench.group("Sales", ("ann",))
    begin, is_refused = bench.store.begin, False

    @contextlib.contextmanager
    def begin_and_lose(*args: Any, **options: Any) -> Iterator[Any]:
        nonlocal is_refused
        with begin(*args, **options) as tx:
            yield tx
        if is_refused and threading.current_thread() is threading.main_thread():
            is_refused = False
            raise StoreUnavailable("committed, and the word is lost")

    def refuse(call: Call) -> None:
        nonlocal is_refused
        if call.step is Step.CREATE_GROUP:
            is_refused = True
            raise port.BatchRefused("no", status=400)

    bench.store.begin = begin_and_lose
    bench.target.on_call = refuse
    work_for(bench, minutes=0.5)
    assert steps(bench) == ["list", "create_group"]


def test_a_target_without_the_group_of_a_refused_call_gets_it_again(slow: Bench) -> None:
    """The group went long after it was listed: nobody dies of it."""
    work_for(slow, minutes=3)
    slow.target.groups.clear()
    slow.target.calls.clear()
    slow.push("bob")
    slow.join("Sales", "bob")
    work_for(slow, minutes=4)
    assert steps(slow) == ["create", "list", "create_group", "create"]
    assert isinstance(slow.target, FakeTarget)
    assert slow.target.held("bob@example.com").groups == {"Sales"}
