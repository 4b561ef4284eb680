"""The index of what waits: a database of the version before keeps its rows, and PostgreSQL finds what waits by it."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from fakes import books

from scim_bridge.store import lanes, migrate, outbox, sets, tables
from scim_bridge.store.engine import Contended, Store, make_engine

_numbers = itertools.count(1)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def old_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database as migration 0003 left it."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.db'}"
        upgrade_to(url, "0003")
        yield url
        return
    server = str(request.getfixturevalue("postgres_server"))
    name = f"old_{next(_numbers)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    base, _, query = server.partition("?")
    url = f"{base.rpartition('/')[0]}/{name}?{query}".replace("postgresql://", "postgresql+psycopg://", 1)
    upgrade_to(url, "0003")
    yield url
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def upgrade_to(url: str, revision: str) -> None:
    engine = make_engine(url, as_owner=True)
    config = migrate._config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


def columns_of_the_index(url: str) -> list[str | None]:
    engine = make_engine(url, as_owner=True)
    found = [each for each in sa.inspect(engine).get_indexes("operation") if each["name"] == "operation_one_waiting"]
    engine.dispose()
    assert [bool(each["unique"]) for each in found] == [True]
    return list(found[0]["column_names"])


def fill(connection: sa.Connection) -> None:
    """Put in Ann, Bob and two lanes; for Ann something waits, and more is over."""
    as_it_was = sa.MetaData()
    as_it_was.reflect(connection)
    lane, resource, operation = (as_it_was.tables[name] for name in ("lane", "resource", "operation"))
    connection.execute(sa.insert(lane), [{"id": n, "tenant": "acme", "target": f"t{n}"} for n in (1, 2)])
    same = {"tenant": "acme", "kind": "User", "document": "{}", "version": 1, "created_at": 1, "modified_at": 1}
    connection.execute(sa.insert(resource), [{"id": n, "scim_id": f"p{n}", **same} for n in (1, 2)])
    owed = {"tenant": "acme", "change_number": 1, "priority": 5, "due_at": 1, "received_at": 1, "seal": ""}
    places = [(1, 1, "waiting"), (2, 1, "waiting"), (1, 1, "superseded"), (1, 1, "delivered"), (2, 2, "waiting")]
    rows = [{"lane_id": lane_id, "resource_id": who, "state": state, **owed} for lane_id, who, state in places]
    connection.execute(sa.insert(operation), rows)
    connection.commit()


def rows_of(connection: sa.Connection) -> dict[str, list[str]]:
    found = {}
    for name in ("lane", "resource", "operation"):
        found[name] = sorted(map(repr, connection.exec_driver_sql(f"SELECT * FROM {name}")))
    return found


def test_an_upgrade_turns_the_index_around_with_all_rows_kept(old_url: str) -> None:
    assert columns_of_the_index(old_url) == ["lane_id", "resource_id"]
    engine = make_engine(old_url, as_owner=True)
    with engine.connect() as connection:
        fill(connection)
        before = rows_of(connection)
    engine.dispose()
    assert len(before["operation"]) == 5
    upgrade_to(old_url, "0004")
    assert columns_of_the_index(old_url) == ["resource_id", "lane_id"]
    engine = make_engine(old_url, as_owner=True)
    with engine.connect() as connection:
        assert rows_of(connection) == before
    engine.dispose()


def test_two_cannot_wait_for_the_same(store: Store) -> None:
    with store.across_tenants("lanes for the test", write=True) as tx:
        lanes.sync(tx, [("acme", "one")])
    with store.begin("acme") as tx:
        ann = books.add_person(tx, "ann")
        (lane_id,) = (lane.id for lane in lanes.configured(tx))
    refused = Contended if store.engine.dialect.name == "postgresql" else sa.exc.IntegrityError
    with pytest.raises(refused), store.begin("acme") as tx:
        given = {"lanes": sets.packed([lane_id]), "resources": sets.packed([ann])}
        outbox._INSERT.run(tx, tenant="acme", change=1, priority=5, received_at=1, **given)


@pytest.mark.postgres
def test_postgresql_finds_what_waits_by_its_index(postgres_url: str, clock: Callable[[], int]) -> None:
    """Thousands wait for the lane, and thousands are over; few people are named. Statistics may be there or not yet."""
    with closing(Store.open(postgres_url, clock=clock)) as store:
        with store.across_tenants("lanes for the test", write=True) as tx:
            lanes.sync(tx, [("acme", "one"), ("acme", "two")])
        with store.begin("acme") as tx:
            people = [books.add_person(tx, "ann"), *more_people(tx.connection, 1_000)]
            lane_ids = [lane.id for lane in lanes.configured(tx)]
            for _ in range(2):
                outbox.owe(tx, change=1, lane_ids=lane_ids, resource_ids=people, priority=5)
        plans = [plan_of_superseding(store, lane_ids, people[:3])]
        analyze(postgres_url)
        plans.append(plan_of_superseding(store, lane_ids, people[:3]))
    for plan in plans:
        assert "operation_one_waiting" in plan, plan
        assert "Seq Scan on operation" not in plan, plan


def plan_of_superseding(store: Store, lane_ids: Sequence[int], people: Sequence[int]) -> str:
    with store.begin("acme") as tx:
        ready = outbox._SUPERSEDE._made_ready(tx)
        given = {"lanes": sets.packed(lane_ids), "resources": sets.packed(people)}
        with tx.connection.connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {ready.text}", ready.arguments(given))
            return "\n".join(row[0] for row in cursor.fetchall())


def more_people(connection: sa.Connection, count: int) -> list[int]:
    """Copy the only person so many times, under other names."""
    (row,) = connection.execute(sa.select(tables.resource)).mappings()
    rows = [{**row, "id": row["id"] + n, "scim_id": f"p{n}", "unique_key": f"p{n}"} for n in range(1, count + 1)]
    connection.execute(sa.insert(tables.resource), rows)
    return [each["id"] for each in rows]


def analyze(url: str) -> None:
    engine = make_engine(url, as_owner=True)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    engine.dispose()
