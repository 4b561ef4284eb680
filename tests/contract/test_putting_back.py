"""Putting dead and held operations back beside what else stands of the same person, on both databases."""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.books import add_person, edit, send
from fakes.dispatcher import RecordingDispatcher

from scim_bridge.domain.people import Priority
from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import State
from scim_bridge.operators import replay
from scim_bridge.store import batches, due, lanes, replays, settlement, tables, versions
from scim_bridge.store.batches import OpenBatch
from scim_bridge.store.engine import Contended, Store, Transaction
from scim_bridge.store.verify import verify_ledger


@dataclass
class Ann:
    """One person of acme and one lane, whose first operation is stuck."""

    store: Store
    lane: int
    number: int = 0
    out: list[OpenBatch] = field(default_factory=list)

    def is_corrected(self, *, priority: int = Priority.NORMAL) -> None:
        with self.store.begin("acme") as tx:
            edit(tx, self.number, owed_to=[self.lane], priority=priority)

    def is_sent(self) -> None:
        """Begin a call for what waits."""
        with self.store.begin("acme") as tx:
            opened = batches.open_batch(
                tx,
                lane_id=self.lane,
                epoch=1,
                step="create",
                operation_ids=[each.operation_id for each in due.people_due(tx, self.lane, limit=10)],
                method="POST",
                path="/user",
                request={},
                quota_name="q",
                klass="user_write",
                deadline_ms=1000,
            )
        self.out.append(opened)

    def is_answered(self, state: State) -> None:
        """End the call that is out."""
        opened = self.out.pop()
        with self.store.begin("acme") as tx:
            batches.close_batch(tx, opened.id, status="finished", answer={}, http_status=200, answered_at=tx.now)
            outcomes = [
                Outcome(operation_id=each, resource_id=self.number, state=state, code="next_step")
                for each in opened.operation_ids
            ]
            settlement.settle(tx, lane_id=self.lane, outcomes=outcomes, before=State.SENDING, batch_id=opened.id)

    def is_put_back(self, stuck: State) -> replays.Replayed:
        with self.store.begin("acme") as tx:
            return replays.put_back(tx, [(self.lane, self.number)], who="op", stuck=stuck)

    def states(self) -> list[str]:
        """Return where the person's operations stand, the oldest first."""
        with self.store.begin("acme", write=False) as tx:
            query = sa.select(tables.operation.c.state).order_by(tables.operation.c.id)
            return list(tx.connection.execute(query).scalars())

    def faults(self) -> Any:
        return [each["faults"] for each in verify_ledger(self.store)["tenants"] if each["faults"]]


@pytest.fixture
def ann(store: Store) -> Ann:
    return ann_of(store)


def ann_of(store: Store) -> Ann:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "one")])
    with store.begin("acme") as tx:
        person = Ann(store, lanes.configured(tx)[0].id)
        person.number = add_person(tx, "ann")
    return person


def stop(ann: Ann, state: State) -> None:
    with ann.store.begin("acme") as tx:
        send(tx, ann.lane, [ann.number], [state])


@pytest.mark.parametrize(("end", "states"), [(State.WAITING, ["dead", "waiting"]), (State.DEAD, ["dead", "dead"])])
def test_what_is_older_than_a_call_that_is_out_stays_dead(ann: Ann, end: State, states: list[str]) -> None:
    stop(ann, State.DEAD)
    ann.is_corrected()
    ann.is_sent()
    assert ann.is_put_back(State.DEAD) == replays.Replayed()
    assert ann.states() == ["dead", "sending"]
    ann.is_answered(end)
    assert ann.states() == states
    assert ann.faults() == []


def test_what_was_held_yields_to_a_newer_call_that_is_out(ann: Ann) -> None:
    ann.is_corrected(priority=Priority.LEAVER)
    stop(ann, State.HELD)
    ann.is_corrected()
    ann.is_sent()
    assert len(ann.is_put_back(State.HELD).superseded) == 1
    ann.is_answered(State.WAITING)
    assert ann.states() == ["superseded", "superseded", "waiting"]
    with ann.store.begin("acme", write=False) as tx:
        query = sa.select(tables.operation.c.priority).order_by(tables.operation.c.id.desc()).limit(1)
        assert tx.connection.execute(query).scalar_one() == Priority.LEAVER
    assert ann.faults() == []


def test_what_waits_again_stands_for_what_is_dead_though_a_call_between_them_is_out(ann: Ann) -> None:
    stop(ann, State.DEAD)
    ann.is_corrected()
    ann.is_sent()
    ann.is_corrected()
    assert len(ann.is_put_back(State.DEAD).superseded) == 1
    assert ann.states() == ["superseded", "sending", "waiting"]
    ann.is_answered(State.WAITING)
    assert ann.states() == ["superseded", "superseded", "waiting"]
    assert ann.faults() == []


def test_an_older_one_that_waits_gives_way_to_a_newer_one_that_is_to_be_sent_again(ann: Ann) -> None:
    stop(ann, State.DEAD)
    ann.is_corrected()
    ann.is_sent()
    with ann.store.begin("acme") as tx:
        oldest = tx.connection.execute(sa.select(sa.func.min(tables.operation.c.id))).scalar_one()
        settlement.settle(
            tx,
            lane_id=ann.lane,
            outcomes=[
                Outcome(operation_id=oldest, resource_id=ann.number, state=State.WAITING, code="replayed"),
            ],
            before=State.DEAD,
            batch_id=None,
        )
    assert ann.states() == ["waiting", "sending"]
    ann.is_answered(State.WAITING)
    assert ann.states() == ["superseded", "waiting"]
    assert ann.faults() == []


@pytest.fixture
def ann_in_postgres(postgres_url: str, clock: Any) -> Iterator[Ann]:
    opened = Store.open(postgres_url, clock=clock, use_database_clock=False)
    yield ann_of(opened)
    opened.close()


@pytest.mark.postgres
def test_a_lane_that_is_at_work_is_waited_for_with_none_of_its_people_locked(ann_in_postgres: Ann) -> None:
    ann = ann_in_postgres
    stop(ann, State.DEAD)
    with ThreadPoolExecutor(1) as pool:
        with ann.store.begin("acme") as tx:
            assert lanes.has_epoch(tx, ann.lane, epoch=0)
            putting_back = pool.submit(ann.is_put_back, State.DEAD)
            while not waiters(tx) and not putting_back.done():
                time.sleep(0.01)
            versions.of(tx, [ann.number])
        assert len(putting_back.result().waiting) == 1


def waiters(tx: Transaction) -> int:
    query = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return int(tx.connection.execute(query).scalar_one())


def test_a_run_that_was_in_somebodys_way_goes_on_with_its_count(ann: Ann) -> None:
    stop(ann, State.DEAD)
    with in_the_way(ann.store, times=2):
        told = replay.run(ann.store, RecordingDispatcher(), who="op")
    assert (told["operations"], told["waiting"], told["superseded"]) == (1, 1, 0)
    assert ann.faults() == []


def test_a_run_that_is_in_the_way_again_and_again_gives_up(ann: Ann) -> None:
    stop(ann, State.DEAD)
    with in_the_way(ann.store, times=1_000), pytest.raises(Contended):
        replay.run(ann.store, RecordingDispatcher(), who="op")
    assert ann.states() == ["dead"]


@contextlib.contextmanager
def in_the_way(store: Store, *, times: int) -> Iterator[None]:
    """Have the database undo so many of those transactions that put something back."""
    left = iter(range(times))

    def refuse(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT resource.id, resource.version") and next(left, None) is not None:
            raise sa.exc.OperationalError(statement, None, Exception("deadlock detected"))

    sa.event.listen(store.engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", refuse)
