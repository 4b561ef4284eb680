"""A lane neither spins nor stops: whatever a target or the database says again and again, calls stay few and paced."""

import dataclasses
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.target import SIZES, FakeAccount, FakeTarget

from scim_bridge.domain.people import Account, Person, Problem, Record, Step
from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.planning.calls import Call
from scim_bridge.settings.models import GroupSettings
from scim_bridge.store import batches, due, lanes
from scim_bridge.store.engine import Store, StoreUnavailable
from workers.delivery import gate
from workers.delivery import round as delivery_round
from workers.targets import port

Bench = Any

EARLY_MS = 20
"""So much earlier than it is due the relay wakes a lane."""


@pytest.fixture
def short_shift(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bound what a lane that spins would cost; one that does not never comes to its shift's end."""
    monkeypatch.setattr(delivery_round, "SHIFT_S", 0.5)


@pytest.fixture
def statements(store: Store) -> Iterator[list[str]]:
    """All statements that the store runs."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    sa.event.listen(store.engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(store.engine, "before_cursor_execute", note)


def test_one_whom_no_look_up_can_name_holds_up_nobody_else(bench: Bench) -> None:
    names = [f"p{number}" for number in range(5)]
    for name in names:
        bench.push(name)
    bench.work()

    def refuse(call: Call) -> None:
        if call.step is Step.LOOK_UP and bench.ids["p3"] in {item.person.scim_id for item in call.items}:
            raise port.BatchRefused("bad filter", status=400)

    bench.target.on_call = refuse
    for name in names:
        bench.push(name, active=False)
    for _ in range(12):
        bench.work()
        bench.clock.advance(ms=1_000_000)
    # The listing that the others were given shows the one's account too, so in the end everybody is out.
    assert [name for name in names if bench.target.held(f"{name}@example.com").active] == []
    assert bench.states() == {"delivered": 10}
    assert len(bench.target.calls) <= 25


@pytest.mark.usefixtures("short_shift")
def test_a_target_that_never_accounts_for_a_create_is_asked_less_and_less(bench: Bench) -> None:
    bench.target.on_call = lambda call: Answer(replies={}) if call.step is Step.CREATE else None
    bench.push("ann")
    bench.work(shifts=5)
    assert len(bench.target.calls_of(Step.CREATE)) <= 2
    assert len(bench.target.calls) < 10


@pytest.mark.usefixtures("short_shift")
def test_an_update_that_is_never_accounted_for_is_tried_less_and_less(make_bench: Callable[..., Bench]) -> None:
    """The listing does not show the attribute either, so that nothing ever tells whether the update was applied."""

    class Vague(FakeTarget):
        def submit(self, call: Any, **how: Any) -> Answer:
            answer = super().submit(call, **how)
            if call.step is not Step.UPDATE:
                return answer
            return Answer(replies=dict.fromkeys(call.operation_ids, Reply(verdict=Verdict.UNKNOWN)))

        def _account(self, account: FakeAccount) -> Account:
            shown = super()._account(account)
            attributes = {name: value for name, value in shown.known.attributes.items() if name != "title"}
            return dataclasses.replace(shown, known=dataclasses.replace(shown.known, attributes=attributes))

    bench = make_bench(target=Vague())
    bench.push("ann")
    bench.work()
    bench.push("ann", title="New")
    bench.work()
    assert len(bench.target.calls) < 10


@pytest.mark.usefixtures("short_shift")
def test_a_listing_that_is_never_whole_is_asked_for_once_a_while(bench: Bench) -> None:
    bench.target.on_call = lambda _: Answer(replies={}, complete=False)
    bench.push("ann")
    bench.push("ann", active=False)
    bench.clock.advance(ms=600_000)
    bench.work()
    assert len(bench.target.calls) <= 2
    assert bench.states() == {"superseded": 1, "waiting": 1}


@pytest.mark.usefixtures("short_shift")
def test_a_refused_listing_of_groups_is_not_asked_for_again_at_once(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(groups={"*": GroupSettings(group="{displayName}")})

    def refuse(call: Call) -> None:
        if call.step is Step.LOOK_UP and not call.items:
            raise port.BatchRefused("no such path", status=404)

    bench.target.on_call = refuse
    bench.push("ann")
    bench.group("Sales", ("ann",))
    bench.work()
    assert len(bench.target.calls) < 5


@pytest.mark.usefixtures("short_shift")
def test_a_probe_that_is_answered_with_429_waits_as_long_as_it_was_told(bench: Bench, store: Store) -> None:
    bench.push("ann")
    with store.begin("acme") as tx:
        lanes.note(tx, bench.lane().id, failures=5, breaker_until=tx.now)
    bench.target.probe_failure = port.RateLimited("slow", retry_after_s=600)
    bench.work(shifts=3)
    assert bench.target.probes == 1
    assert bench.target.calls == []


@pytest.mark.usefixtures("short_shift")
def test_a_probe_that_is_refused_is_not_repeated_at_once(make_bench: Callable[..., Bench]) -> None:
    class Unlearned(FakeTarget):
        def needs_probe(self) -> bool:
            return True

    bench = make_bench(target=Unlearned())
    bench.target.probe_failure = port.BatchRefused("bad request", status=400)
    bench.push("ann")
    bench.work()
    assert 1 <= bench.target.probes < 5


def test_a_shorter_patience_does_not_cut_a_longer_one_short(bench: Bench, store: Store) -> None:
    bench.push("ann")
    for failure in (port.RateLimited("slow down", retry_after_s=60), port.RateLimited("slow down")):
        with store.begin("acme") as tx:
            gate.note_failure(tx, bench.lane(), failure)
    assert bench.lane().patience_until - bench.clock() >= 60_000


def test_a_lane_whose_breaker_opens_while_a_call_is_out_waits_for_it_without_spinning(
    bench: Bench, store: Store, statements: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_round, "LONGEST_WAIT_MS", 100)

    def open_breaker_meanwhile(_: Call) -> None:
        with store.begin("acme") as tx:
            lanes.note(tx, bench.lane().id, failures=5, breaker_until=tx.now)
        statements.clear()
        threading.Event().wait(0.25)

    bench.target.on_call = open_breaker_meanwhile
    bench.push("ann")
    bench.work()
    assert bench.states() == {"delivered": 1}
    assert len(statements) < 60, "a round runs some ten of them, and one that waits takes a tenth of a second"


def test_a_change_that_comes_while_a_dead_workers_call_is_left_wakes_the_lane_at_once(
    bench: Bench, store: Store
) -> None:
    bench.push("old")
    bench.push("ann")
    with store.begin("acme") as tx:
        lane_id = bench.lane().id
        epoch = lanes.take_lease(tx, lane_id, owner="dead", lease_ms=1)
        assert epoch is not None
        batches.open_batch(
            tx,
            lane_id=lane_id,
            epoch=epoch,
            step="create",
            operation_ids=[bench.operations()[0].id],
            method="POST",
            path="/user",
            request={},
            quota_name="q",
            klass="user_write",
            deadline_ms=60_000,
        )
    bench.clock.advance(ms=100)
    bench.work()
    assert [row.state for row in bench.operations()] == ["sending", "delivered"]
    with store.across_tenants("relay") as tx:
        lanes_wanting, next_at = due.lanes_to_wake(tx, early_ms=EARLY_MS)
    assert lanes_wanting == []
    assert next_at is not None, "the call that is left is looked at when its deadline has passed"
    bench.push("bob")
    with store.across_tenants("relay") as tx:
        assert due.lanes_to_wake(tx, early_ms=EARLY_MS)[0] == [("acme", "lms", False)]


def test_one_person_for_whom_our_own_code_fails_stops_nobody_else(make_bench: Callable[..., Bench]) -> None:
    class Odd(FakeTarget):
        def desired(self, person: Person) -> Record | Problem:
            if str(person.document["userName"]).startswith("odd"):
                raise RuntimeError
            return super().desired(person)

    bench = make_bench(target=Odd())
    bench.push("odd")
    bench.push("ann")
    bench.work(shifts=2)
    assert bench.target.held("ann@example.com") is not None
    assert bench.states() == {"delivered": 1, "dead": 1}


@pytest.mark.parametrize("error", ["deadlock detected", "the server closed the connection"])
def test_the_answers_of_calls_that_are_out_outlive_an_error_of_the_database(
    make_bench: Callable[..., Bench], store: Store, error: str
) -> None:
    """The database fails while the worker plans: the second call is still on its way then."""
    bench = make_bench(target=FakeTarget(sizes={**SIZES, Step.CREATE: 2}))
    broken = threading.Event()

    def fail_the_next_plan(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        is_planning = "FROM group_link" in statement
        if is_planning and len(bench.target.calls) == 2 and not broken.is_set():
            broken.set()
            raise sa.exc.OperationalError(statement, {}, Exception(error))

    def take_time(call: Call) -> None:
        threading.Event().wait(0.05 if len(call.items) == 2 else 0.25)

    bench.target.on_call = take_time
    for number in range(3):
        bench.push(f"p{number}")
    sa.event.listen(store.engine, "before_cursor_execute", fail_the_next_plan)
    bench.work()
    sa.event.remove(store.engine, "before_cursor_execute", fail_the_next_plan)
    assert broken.is_set()
    assert bench.states() == {"delivered": 3}


def test_a_commit_that_fails_is_called_what_it_is(store: Store) -> None:
    def fail(_connection: Any) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("disk I/O error"))

    with pytest.raises(StoreUnavailable), store.across_tenants("test", write=True) as tx:
        sa.event.listen(tx.connection, "commit", fail)
