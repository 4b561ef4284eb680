"""Requests that wait for what becomes of their change, on both databases; time and sleep are the test's."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Semaphore

import pytest
from fakes.books import add_person, send
from fakes.sleeps import Sleeps

from scim_bridge.domain.states import State
from scim_bridge.intake.scim.acknowledging import WaitingRoom
from scim_bridge.store import lanes
from scim_bridge.store.engine import Store, StoreUnavailable


@dataclass
class Waiters(Sleeps):
    """A waiting room in which somebody works at the lanes while a request sleeps."""

    store: Store = None  # type: ignore[assignment]

    def room(self, places: int = 1) -> WaitingRoom:
        return WaitingRoom(self.store, places=places, monotonic_s=self.monotonic_s, sleep=self.sleep)


@dataclass
class Change:
    """Ann's change and the two lanes that it is owed to."""

    number: int
    person: int
    lanes: list[int]
    store: Store

    def settle(self, *states: State) -> None:
        with self.store.begin("acme") as tx:
            for lane_id, state in zip(self.lanes, states, strict=False):
                send(tx, lane_id, [self.person], [state])


@pytest.fixture
def waiters(store: Store) -> Waiters:
    return Waiters(store=store)


@pytest.fixture
def change(store: Store) -> Change:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "one"), ("acme", "two")])
    with store.begin("acme") as tx:
        person = add_person(tx, "ann")
        return Change(1, person, [lane.id for lane in lanes.configured(tx)], store)


def test_what_is_settled_meanwhile_is_confirmed(waiters: Waiters, change: Change) -> None:
    waiters.in_sleep(3, lambda: change.settle(State.DELIVERED, State.UNCHANGED))
    assert waiters.room().await_end("acme", change.number, within_s=5).header == "confirmed"
    assert len(waiters.slept) == 3


def test_looks_become_rarer_until_the_time_is_over(waiters: Waiters, change: Change) -> None:
    assert waiters.room().await_end("acme", change.number, within_s=2).header == "accepted; reason=time"
    assert waiters.slept[0] == 0.05
    assert max(waiters.slept) == 0.25
    assert waiters.slept[:-1] == sorted(waiters.slept[:-1])
    assert sum(waiters.slept) == pytest.approx(2)


def test_what_is_settled_in_the_last_moment_counts(waiters: Waiters, change: Change) -> None:
    waiters.work = lambda: change.settle(State.DELIVERED, State.DELIVERED) if waiters.now_s >= 101 else None
    assert waiters.room().await_end("acme", change.number, within_s=1).header == "confirmed"


def test_one_refusal_ends_the_wait(waiters: Waiters, change: Change) -> None:
    waiters.in_sleep(1, lambda: change.settle(State.DELIVERED, State.DEAD))
    told = waiters.room().await_end("acme", change.number, within_s=5)
    assert told.refusal is not None
    assert "two has not taken this (ok)" in told.refusal.detail
    assert len(waiters.slept) == 1


def test_a_change_that_is_settled_already_is_not_waited_for(waiters: Waiters, change: Change) -> None:
    change.settle(State.DELIVERED, State.SKIPPED)
    assert waiters.room().await_end("acme", change.number, within_s=5).header == "confirmed"
    assert waiters.slept == []


def test_whoever_finds_the_room_full_does_not_wait(waiters: Waiters, change: Change) -> None:
    asleep, leave = Semaphore(0), Event()

    def sleep(_: float) -> None:
        asleep.release()
        leave.wait(20)
        waiters.now_s = 200.0

    waiters.sleep = sleep
    room = waiters.room(places=2)
    with ThreadPoolExecutor(2) as pool:
        inside = [pool.submit(room.await_end, "acme", change.number, within_s=5) for _ in range(2)]
        assert [asleep.acquire(timeout=20) for _ in inside] == [True, True]
        assert room.await_end("acme", change.number, within_s=5).header == "accepted; reason=busy"
        leave.set()
        assert [each.result(20).header for each in inside] == ["accepted; reason=time"] * 2
    assert room.await_end("acme", change.number, within_s=0).header == "accepted; reason=time", "places are given back"


def test_no_transaction_is_open_while_a_request_sleeps(waiters: Waiters, change: Change) -> None:
    waiters.work = lambda: used.append(pool_use(change.store))
    used: list[int] = []
    waiters.room().await_end("acme", change.number, within_s=1)
    assert set(used) == {0}


def test_an_outage_while_waiting_is_no_failure(waiters: Waiters, change: Change) -> None:
    def fail() -> None:
        raise StoreUnavailable("gone")

    waiters.in_sleep(2, fail)
    room = waiters.room()
    assert room.await_end("acme", change.number, within_s=5).header == "accepted; reason=unavailable"
    assert room.await_end("acme", change.number, within_s=0).header == "accepted; reason=time", "places are given back"


def pool_use(store: Store) -> int:
    return int(store.engine.pool.checkedout())  # type: ignore[attr-defined]
