"""Where operations stand, as a sender may be told, on both databases."""

import re
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.books import add_person, edit, send

from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import State
from scim_bridge.recording import repairs
from scim_bridge.store import due, lanes, replays, settlement, standing, tables
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.prepared import Prepared
from scim_bridge.store.standing import Standing

START = 1_700_000_000_000


@dataclass
class Lanes:
    """Two configured lanes of one tenant, and one that the configuration does not name any more."""

    one: int
    two: int


@pytest.fixture
def known(store: Store) -> Lanes:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "gone"), ("acme", "one"), ("acme", "two"), ("other", "one")])
        lanes.sync(tx, [("acme", "one"), ("acme", "two"), ("other", "one")])
    with store.begin("acme", write=False) as tx:
        found = {lane.target: lane.id for lane in lanes.configured(tx)}
    return Lanes(found["one"], found["two"])


def of(store: Store, *resource_ids: int) -> dict[int, list[tuple[str, str, str | None]]]:
    with store.begin("acme", write=False) as tx:
        found = standing.of_resources(tx, resource_ids)
    return {number: [(each.target, str(each.state), each.code) for each in of_it] for number, of_it in found.items()}


def newest_change(tx: Transaction) -> int:
    return int(tx.connection.execute(sa.select(sa.func.max(tables.change.c.number))).scalar_one())


def fates(store: Store, number: int) -> list[tuple[str, str, str | None, int]]:
    with store.begin("acme", write=False) as tx:
        found = standing.of_change(tx, number)
    return sorted((each.target, str(each.state), each.code, each.operations) for each in found)


@pytest.mark.usefixtures("known")
def test_what_was_just_recorded_waits_in_each_lane_since_then(store: Store) -> None:
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
    with store.begin("acme", write=False) as tx:
        found = standing.of_resources(tx, [ann])
    assert found == {
        ann: [Standing(target=name, state=State.WAITING, code=None, at=START) for name in ("one", "two")],
    }


@pytest.mark.parametrize("state", [State.DELIVERED, State.UNCHANGED, State.SKIPPED, State.HELD, State.DEAD])
def test_an_end_is_told_with_its_code_and_its_instant(store: Store, known: Lanes, clock: Any, state: State) -> None:
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
    clock.advance(ms=700)
    with store.begin("acme") as tx:
        send(tx, known.one, [ann], [state])
    with store.begin("acme", write=False) as tx:
        assert standing.of_resources(tx, [ann])[ann][0] == Standing(
            target="one", state=state, code="ok", at=START + 700
        )


def test_only_the_newest_operation_of_a_lane_counts(store: Store, known: Lanes) -> None:
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
        send(tx, known.one, [ann], [State.DELIVERED])
        edit(tx, ann, owed_to=[known.one])
    assert of(store, ann)[ann] == [("one", "waiting", None), ("two", "waiting", None)]


@pytest.mark.usefixtures("known")
def test_a_resource_that_nothing_is_owed_for_is_absent(store: Store) -> None:
    with store.begin("acme") as tx:
        ann, bob = add_person(tx, "ann"), add_person(tx, "bob")
        tx.connection.execute(sa.delete(tables.operation).where(tables.operation.c.resource_id == bob))
    assert of(store, ann, bob).keys() == {ann}
    assert of(store) == {}


@pytest.mark.usefixtures("known")
def test_a_lane_that_is_not_configured_any_more_is_not_told(store: Store) -> None:
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "two"), ("other", "one")])
    assert of(store, ann)[ann] == [("two", "waiting", None)]


@pytest.mark.usefixtures("known")
def test_another_tenants_operations_are_not_told(store: Store) -> None:
    with store.begin("other") as tx:
        ann = add_person(tx, "ann")
        number = newest_change(tx)
    assert of(store, ann) == {}
    assert fates(store, number) == []


def test_a_replay_beside_a_call_that_is_out_leaves_the_newer_operation_to_be_followed(
    store: Store, known: Lanes
) -> None:
    """Ann's first operation is dead; her second is in a call while the first is replayed, and the call fails."""
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
        send(tx, known.one, [ann], [State.DEAD])
        edit(tx, ann, owed_to=[known.one])
        second = newest_change(tx)
        person = due.people_due(tx, known.one, limit=1)[0]
        tx.connection.execute(
            sa.update(tables.operation).where(tables.operation.c.id == person.operation_id).values(state="sending")
        )
        replays.put_back(tx, [(known.one, ann)], who="operator")
        outcome = Outcome(
            operation_id=person.operation_id, resource_id=ann, state=State.WAITING, code="unavailable", due_at=tx.now
        )
        settlement.settle(tx, lane_id=known.one, outcomes=[outcome], before=State.SENDING, batch_id=None)
    assert of(store, ann)[ann][0] == ("one", "waiting", "unavailable")
    with store.begin("acme") as tx:
        send(tx, known.one, [ann], [State.DELIVERED])
    assert of(store, ann)[ann][0] == ("one", "delivered", "ok")
    assert fates(store, second) == [("one", "delivered", "ok", 1)]


@pytest.mark.usefixtures("known")
def test_a_change_without_operations_has_no_fate(store: Store) -> None:
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
        number = edit(tx, ann, owed_to=[])
    assert fates(store, number) == []


def test_operations_of_a_change_that_stand_alike_are_told_together(store: Store, known: Lanes) -> None:
    with store.begin("acme") as tx:
        people = [add_person(tx, name) for name in ("ann", "bob", "cyd")]
        repairs.owe(tx, known.two, people[:1], kind="repair", source="operator", priority=5)
        number = newest_change(tx)
        tx.connection.execute(
            sa.update(tables.operation).where(tables.operation.c.lane_id == known.one).values(change_number=number)
        )
        send(tx, known.one, people, [State.DELIVERED, State.DEAD, State.DELIVERED])
    assert fates(store, number) == [
        ("one", "dead", "ok", 1),
        ("one", "delivered", "ok", 2),
        ("two", "waiting", None, 1),
    ]


def test_a_superseded_operation_shares_the_fate_of_whatever_took_its_place(store: Store, known: Lanes) -> None:
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
        first = newest_change(tx)
        for _ in range(5):
            edit(tx, ann, owed_to=[known.one])
    assert fates(store, first) == [("one", "waiting", None, 1), ("two", "waiting", None, 1)]
    with store.begin("acme") as tx:
        send(tx, known.one, [ann], [State.DEAD])
    assert fates(store, first) == [("one", "dead", "ok", 1), ("two", "waiting", None, 1)]


def test_a_page_takes_one_statement(sqlite_url: str, clock: Any) -> None:
    store = Store.open(sqlite_url, clock=clock)
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "one"), ("acme", "two")])
    with store.begin("acme") as tx:
        people = [add_person(tx, f"p{number}") for number in range(30)]
    statements: list[str] = []
    with store.begin("acme", write=False) as tx:
        driver: Any = tx.connection.connection.dbapi_connection
        driver.set_trace_callback(statements.append)
        found = standing.of_resources(tx, people)
        driver.set_trace_callback(None)
    store.close()
    assert [len(each) for each in found.values()] == [2] * 30
    assert len(statements) == 1


def test_nothing_reads_the_whole_books(sqlite_url: str, clock: Any) -> None:
    """On SQLite, whose plans do not change with what it knows of the rows."""
    store = Store.open(sqlite_url, clock=clock)
    with store.begin("acme", write=False) as tx:
        plans = [
            plan_of(tx, standing._NEWEST, tenant="acme", resources="[1,2]"),
            plan_of(tx, standing._OF_CHANGE, tenant="acme", change=7),
            plan_of(tx, standing._SUPERSEDED_OF_CHANGE, tenant="acme", change=7),
            plan_of(tx, standing._FOLLOWED, operations="[1,2]"),
        ]
    store.close()
    assert not [line for plan in plans for line in plan if re.match(r"SCAN (operation|entry|each)\b", line)]


def plan_of(tx: Transaction, statement: Prepared, **values: Any) -> list[str]:
    """Return the lines of SQLite's plan for a statement."""
    ready = statement._ready.get(tx.dialect) or statement._made_ready(tx)
    cursor = tx.connection.connection.cursor()
    cursor.execute(f"EXPLAIN QUERY PLAN {ready.text}", ready.arguments(values))
    return [str(row[-1]) for row in cursor.fetchall()]
