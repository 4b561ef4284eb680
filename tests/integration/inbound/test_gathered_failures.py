"""What fails while requests wait for one group: whom it concerns is told, and nobody is left waiting."""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import psycopg
import pytest
from fakes.stores import shared_url
from flask import Flask
from running.crowds import await_waiting, changes_of, held, together, transactions
from running.door import Sender, Ticking
from werkzeug.test import TestResponse

from scim_bridge.intake.scim.gathering import MOST_RESTS, REST_S, Gathered, Gathering
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.joint import Asked
from scim_bridge.recording.origins import Origin
from scim_bridge.store import engine, locking, trips
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

PATIENCE_S = 1.0
PEOPLE = 10
ROUNDS = 5
ORIGIN = Origin(source="idp", correlation_id="c")

Edit = Callable[[], Gathered | None]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store that waits for a database that is busy for a second only."""
    with shared_url(request) as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "BUSY_TIMEOUT_S", PATIENCE_S)
        patch.setattr(locking, "PATIENCE_S", PATIENCE_S)
        store = Store.open(url, clock=Ticking())
        yield store
        store.close()


@pytest.fixture
def people(sender: Sender) -> list[str]:
    return [sender.user(f"u{number}")["id"] for number in range(PEOPLE)]


@pytest.fixture
def group(sender: Sender) -> str:
    return str(sender.group()["id"])


def joining(app: Flask, sender: Sender, group: str, scim_id: str) -> Callable[[], TestResponse]:
    """Return a request over a connection of its own, for somebody to join a group."""
    speaker = Sender(app.test_client(), sender.token, sender.tenant)
    operation = {"op": "add", "path": "members", "value": [{"value": scim_id}]}
    return lambda: speaker.patch(f"/Groups/{group}", operation)


def asked(scim_id: str, *, correlation_id: Any = "c") -> Asked:
    return Asked(
        edits=[MemberEdit(Membership.ADD, (scim_id,))], origin=Origin(source="idp", correlation_id=correlation_id)
    )


@contextmanager
def unwritable(store: Store, tenant: str, group: str) -> Iterator[None]:
    """Let somebody else write who does not come to an end."""
    if store.engine.dialect.name == "postgresql":
        with held(store, tenant, group):
            yield
        return
    # A program of its own that knows nothing of the lock file in front.
    other = sqlite3.connect(str(store.engine.url.database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.execute("ROLLBACK")
    other.close()


def is_busy(answer: TestResponse) -> bool:
    """Tell whether an answer says to come again in a whole number of seconds."""
    return answer.status_code == 503 and answer.headers["Retry-After"].isdigit()


def test_a_database_locked_for_too_long_refuses_all_after_one_wait(
    app: Flask, sender: Any, group: str, people: list[str], shared_store: Store
) -> None:
    jobs = [joining(app, sender, group, each) for each in people]
    began = time.monotonic()
    with unwritable(shared_store, sender.tenant, group):
        answers = together(jobs, nullcontext(), wait_for=0)
    took_s = time.monotonic() - began
    assert all(is_busy(each) for each in answers), Counter(each.status_code for each in answers)
    assert took_s < PATIENCE_S * PEOPLE / 2
    assert changes_of(shared_store, sender.tenant, group) == []
    assert {each().status_code for each in jobs} == {204}
    assert sender.member_ids(group) == set(people)
    assert verify_ledger(shared_store)["balanced"]


@pytest.mark.postgres
@pytest.mark.parametrize("shared_store", ["postgresql"], indirect=True)
def test_a_connection_that_is_lost_refuses_all_who_wait(
    app: Flask, sender: Any, group: str, people: list[str], shared_store: Store, postgres_server: str
) -> None:
    jobs = [joining(app, sender, group, each) for each in people]

    def end_the_connection(_held: Any) -> None:
        with psycopg.connect(postgres_server, autocommit=True) as connection:
            waiting = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND wait_event_type = 'Lock'"
            name = shared_store.engine.url.database
            ended = connection.execute(f"SELECT pg_terminate_backend(pid) FROM ({waiting}) AS found", [name])
            assert ended.fetchall() == [(True,)]

    answers = together(jobs, held(shared_store, sender.tenant, group), then=end_the_connection)
    assert all(is_busy(each) for each in answers), Counter(each.status_code for each in answers)
    assert changes_of(shared_store, sender.tenant, group) == []
    assert {each().status_code for each in jobs} == {204}
    assert sender.member_ids(group) == set(people)


@pytest.mark.parametrize("unusable", [None, object()], ids=["the database refuses it", "it cannot be written"])
def test_a_defect_in_one_request_hits_nobody_else(
    sender: Any, group: str, people: list[str], shared_store: Store, unusable: Any
) -> None:
    gathering = Gathering(shared_store)
    every = [asked(each) for each in people]
    every[3] = asked(people[3], correlation_id=unusable)
    results = together(editing(gathering, sender, group, every), held(shared_store, sender.tenant, group))
    assert isinstance(results.pop(3), Exception)
    assert len({each.outcome.change for each in results}) == PEOPLE - 1
    assert sender.member_ids(group) == {*people[:3], *people[4:]}
    changes = changes_of(shared_store, sender.tenant, group)
    assert {each.number for each in changes} == {each.outcome.change for each in results}
    assert verify_ledger(shared_store)["balanced"]
    # Whoever comes next is served as if nothing had been.
    after = gathering.edit(sender.tenant, group, asked(people[3]), scopes={})
    assert after is not None
    assert after.outcome.change is not None


def test_a_defect_of_a_lone_request_is_told_to_it(
    sender: Any, group: str, people: list[str], shared_store: Store
) -> None:
    gathering = Gathering(shared_store)
    with pytest.raises(TypeError):
        gathering.edit(sender.tenant, group, asked(people[0], correlation_id=object()), scopes={})
    assert gathering.edit(sender.tenant, group, asked(people[0]), scopes={}) is not None
    assert sender.member_ids(group) == {people[0]}


@pytest.mark.postgres
@pytest.mark.parametrize("shared_store", ["postgresql"], indirect=True)
def test_only_who_had_company_waits_for_more(sender: Any, group: str, people: list[str], shared_store: Store) -> None:
    rests: list[float] = []
    gathering = Gathering(shared_store, rest=rests.append, monotonic_s=lambda: 0.0)
    for each in people:
        gathering.edit(sender.tenant, group, asked(each), scopes={})
    assert rests == []
    leaving = [Asked(edits=[MemberEdit(Membership.REMOVE, (each,))], origin=ORIGIN) for each in people]

    def come_and_go(number: int) -> Edit:
        def edit() -> Gathered | None:
            for _ in range(ROUNDS):
                gathering.edit(sender.tenant, group, leaving[number], scopes={})
                gathering.edit(sender.tenant, group, asked(people[number]), scopes={})
            return None

        return edit

    # They begin as a crowd: on their own, those who are quick might be done before the others come.
    together([come_and_go(number) for number in range(PEOPLE)], held(shared_store, sender.tenant, group))
    assert set(rests) == {REST_S}
    everybody = [lambda one=each: gathering.edit(sender.tenant, group, asked(one), scopes={}) for each in people]
    together(everybody, held(shared_store, sender.tenant, group))
    for expected in (MOST_RESTS, 0):
        # Nobody comes along any more: the crowd is waited for once, and not for long.
        rests.clear()
        gathering.edit(sender.tenant, group, asked(people[0]), scopes={})
        assert len(rests) == expected
    assert sender.member_ids(group) == set(people)
    assert verify_ledger(shared_store)["balanced"]


class _Ending:
    """A clock that ends the thread that asks it first, once others wait for that thread."""

    def __init__(self, count: int) -> None:
        self._count, self._lock, self._is_first = count, threading.Lock(), True
        self._ticking = Ticking()

    def __call__(self) -> int:
        with self._lock:
            ends, self._is_first = self._is_first, False
        if ends:
            await_waiting(self._count)
            raise SystemExit
        return self._ticking()


def test_a_thread_that_is_ended_before_it_records_leaves_nobody_waiting(
    sender: Any, group: str, people: list[str], shared_store: Store
) -> None:
    # Whoever asks for the time before a trip waits for nothing yet.
    store = Store(
        shared_store.engine,
        clock=_Ending(PEOPLE - trips.are_made(shared_store)),
        trip_engine=shared_store.trip_engine,
    )
    jobs = editing(Gathering(store), sender, group, [asked(each) for each in people])
    results = together(jobs, nullcontext(), wait_for=0)
    ended = [number for number, each in enumerate(results) if isinstance(each, SystemExit)]
    assert len(ended) == 1
    assert sender.member_ids(group) == {each for number, each in enumerate(people) if number not in ended}
    assert transactions(changes_of(shared_store, sender.tenant, group)) == 1


@pytest.mark.parametrize(
    "scim_id", ["%00", "a%00b", "%ED%A0%80", "x" * 3000], ids=["NUL", "NUL inside", "surrogate", "long"]
)
def test_a_group_whose_id_nothing_can_have_is_not_found(sender: Any, people: list[str], scim_id: str) -> None:
    operation = {"op": "add", "path": "members", "value": [{"value": people[0]}]}
    assert sender.patch(f"/Groups/{scim_id}", operation).status_code == 404


def editing(gathering: Gathering, sender: Sender, group: str, every: list[Asked]) -> list[Edit]:
    return [lambda each=each: gathering.edit(sender.tenant, group, each, scopes={}) for each in every]
