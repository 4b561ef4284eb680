"""The books prove themselves: every row removed, doubled or altered by hand is named."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from fakes.books import add_person, edit, send

from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import TRANSITIONS, State
from scim_bridge.recording import repairs
from scim_bridge.store import batches, due, lanes, retention, settlement, tables
from scim_bridge.store.engine import Store, make_engine
from scim_bridge.store.verify import verify_ledger

DAY_MS = 86_400_000


@pytest.fixture
def books(store: Store, clock: Callable[[], int]) -> Iterator[Store]:
    """A store whose books hold every kind of row: delivered, dead, superseded, waiting, retried, closed."""
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "one"), ("acme", "two"), ("other", "one")])
    with store.begin("acme") as tx:
        old = add_person(tx, "old")
        first, second = (lane.id for lane in lanes.configured(tx))
        send(tx, first, [old], [State.DELIVERED])
        send(tx, second, [old], [State.DELIVERED])
    clock.advance(ms=400 * DAY_MS)  # type: ignore[attr-defined]
    with store.across_tenants("test", write=True) as tx:
        assert retention.close_operations(tx, before=tx.now - 365 * DAY_MS) == 1
        assert retention.close_batches(tx, before=tx.now - 365 * DAY_MS) == 2
    with store.begin("acme") as tx:
        people = [add_person(tx, name) for name in ("ann", "bob", "cyd")]
        send(tx, first, people, [State.DELIVERED, State.DEAD, State.WAITING])
        send(tx, first, people[2:], [State.DELIVERED])
        edit(tx, people[1], owed_to=[first])
        edit(tx, people[1], owed_to=[first])
        edit(tx, people[0], owed_to=[])
        edit(tx, people[0], owed_to=[])
    with store.begin("other") as tx:
        add_person(tx, "ann")
    yield store
    while _shells:
        _shells.popitem()[1].dispose()


def test_untouched_books_balance(books: Store) -> None:
    report = verify_ledger(books)
    assert report["balanced"], report
    assert [tenant["tenant"] for tenant in report["tenants"]] == ["acme", "other"]
    assert report["tenants"][0]["operations"]["delivered"] == 2
    assert report["tenants"][0]["operations"]["dead"] == 1
    assert report["tenants"][0]["operations"]["superseded"] == 1


_shells: dict[sa.URL, sa.Engine] = {}

TABLES = ["change", "operation", "entry", "batch", "closed"]


def by_hand(store: Store, statement: str, **values: object) -> None:
    """Do what somebody with a database shell would do, past every rule of ours."""
    engine = _shells.setdefault(
        store.engine.url, make_engine(store.engine.url.render_as_string(hide_password=False), as_owner=True)
    )
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.execute(sa.text(statement), values)
        connection.commit()


def keys_of(store: Store, name: str) -> list[int]:
    table = tables.metadata.tables[name]
    with store.begin("acme", write=False) as tx:
        return [
            row[0]
            for row in tx.connection.execute(sa.select(*table.primary_key.columns).where(table.c.tenant == "acme"))
        ]


def named(store: Store) -> str:
    report = verify_ledger(store, "acme")
    assert report["balanced"] is False
    return "\n".join(report["tenants"][0]["faults"])


@pytest.mark.parametrize("name", TABLES)
def test_each_removed_row_is_noticed(books: Store, name: str) -> None:
    table = tables.metadata.tables[name]
    key = next(iter(table.primary_key.columns)).name
    rows = keys_of(books, name)
    assert rows
    for value in rows:
        by_hand(books, f'CREATE TABLE kept AS SELECT * FROM "{name}" WHERE {key} = :k', k=value)
        by_hand(books, f'DELETE FROM "{name}" WHERE {key} = :k', k=value)
        faults = named(books)
        if name != "closed":
            assert f"{name} {value}" in faults
        by_hand(books, f'INSERT INTO "{name}" SELECT * FROM kept')
        by_hand(books, "DROP TABLE kept")
    assert verify_ledger(books)["balanced"]


@pytest.mark.parametrize("name", TABLES)
def test_each_doubled_row_is_noticed(books: Store, name: str) -> None:
    table = tables.metadata.tables[name]
    key = next(iter(table.primary_key.columns)).name
    others = ", ".join(f'"{c.name}"' for c in table.columns if c.name != key)
    for value in keys_of(books, name):
        try:
            by_hand(
                books,
                f'INSERT INTO "{name}" ({key}, {others}) SELECT 99999, {others} FROM "{name}" WHERE {key} = :k',
                k=value,
            )
        except sa.exc.IntegrityError:
            continue  # the schema itself refuses the copy
        assert named(books)
        by_hand(books, f'DELETE FROM "{name}" WHERE {key} = 99999')
    assert verify_ledger(books)["balanced"]


@pytest.mark.parametrize("name", TABLES)
def test_each_altered_column_is_noticed(books: Store, name: str) -> None:
    table = tables.metadata.tables[name]
    key = next(iter(table.primary_key.columns)).name
    for value in keys_of(books, name):
        for column in table.columns:
            if column.name in (key, "tenant"):
                continue
            by_hand(books, f'CREATE TABLE kept AS SELECT * FROM "{name}" WHERE {key} = :k', k=value)
            is_text = isinstance(column.type, sa.Text)
            new = f"coalesce(\"{column.name}\", '') || 'x'" if is_text else f'coalesce("{column.name}", 0) + 7'
            try:
                by_hand(books, f'UPDATE "{name}" SET "{column.name}" = {new} WHERE {key} = :k', k=value)
            except sa.exc.IntegrityError:
                by_hand(books, "DROP TABLE kept")
                continue
            assert f"{name} {value}" in named(books), column.name
            by_hand(books, f'DELETE FROM "{name}" WHERE {key} = :k', k=value)
            by_hand(books, f'INSERT INTO "{name}" SELECT * FROM kept')
            by_hand(books, "DROP TABLE kept")
    assert verify_ledger(books)["balanced"]


def test_a_newer_operation_supersedes_the_one_that_waits_and_keeps_its_urgency(store: Store) -> None:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "one")])
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
        lane = lanes.configured(tx)[0].id
        edit(tx, ann, owed_to=[lane], priority=0)
        edit(tx, ann, owed_to=[lane], priority=5)
    with store.begin("acme", write=False) as tx:
        people = due.people_due(tx, lane, limit=10)
    assert [person.priority for person in people] == [0]
    report = verify_ledger(store, "acme")
    assert report["balanced"], report
    assert report["tenants"][0]["operations"]["superseded"] == 2


def test_a_failed_call_behind_a_newer_change_ends_as_superseded(store: Store) -> None:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "one")])
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
        lane = lanes.configured(tx)[0].id
        person = due.people_due(tx, lane, limit=1)[0]
        opened = batches.open_batch(
            tx,
            lane_id=lane,
            epoch=1,
            step="create",
            operation_ids=[person.operation_id],
            method="POST",
            path="/user",
            request={},
            quota_name="q",
            klass="user_write",
            deadline_ms=1000,
        )
        edit(tx, ann, owed_to=[lane])
        assert due.people_due(tx, lane, limit=10) == [], "nobody is in two calls at once"
        batches.close_batch(tx, opened.id, status="failed", answer={}, http_status=None, answered_at=None)
        outcome = Outcome(operation_id=person.operation_id, resource_id=ann, state=State.WAITING, code="ambiguous")
        settlement.settle(tx, lane_id=lane, outcomes=[outcome], before=State.SENDING, batch_id=opened.id)
        assert len(due.people_due(tx, lane, limit=10)) == 1
    assert verify_ledger(store, "acme")["balanced"]


def test_delivery_closes_older_dead_operations_of_the_same_person(store: Store) -> None:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "one")])
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
        lane = lanes.configured(tx)[0].id
        send(tx, lane, [ann], [State.DEAD])
        edit(tx, ann, owed_to=[lane])
        send(tx, lane, [ann], [State.DELIVERED])
    report = verify_ledger(store, "acme")
    assert report["balanced"], report
    assert (report["tenants"][0]["operations"]["dead"], report["tenants"][0]["operations"]["superseded"]) == (0, 1)


def test_a_repair_is_in_the_books_like_any_change(store: Store) -> None:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "one")])
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
        lane = lanes.configured(tx)[0].id
        assert repairs.owe(tx, lane, [ann], kind="repair", source="operator", priority=5) == 1
    assert verify_ledger(store, "acme")["balanced"]


def test_every_state_is_in_the_table_of_transitions() -> None:
    assert set(TRANSITIONS) == set(State)


def test_books_that_are_written_meanwhile_are_proved_at_one_instant(store: Store) -> None:
    """Changes come while verify reads table after table; it must not take the newer rows for faults."""
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "one")])
    stop = threading.Event()

    def write() -> int:
        number = 0
        while not stop.is_set():
            number += 1
            with store.begin("acme") as tx:
                add_person(tx, f"p{number}")
        return number

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            faults = [fault for _ in range(30) for fault in verify_ledger(store, "acme")["tenants"][0]["faults"]]
        finally:
            stop.set()
        assert writing.result(30) > 0
    assert faults == []
