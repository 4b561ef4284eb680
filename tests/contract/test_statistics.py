"""What the database knows of how much there is: the application may have that looked at, and nothing else."""

import pytest
import sqlalchemy as sa

from scim_bridge.domain.resources import USER
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.store import contributions, identities, seeding, statistics, strangers, tables
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.engine import Store
from scim_bridge.store.identities import Identity
from scim_bridge.store.seeding import Seed


def fill(store: Store, count: int, *, first: int = 0) -> None:
    with store.begin("acme") as tx:
        rows = [
            {"tenant": "acme", "source": "hr", "mark": str(number), "taken_at": 1}
            for number in range(first, first + count)
        ]
        tx.connection.execute(sa.insert(tables.hr_mark), rows)
        if tx.dialect == "postgresql":
            # Else the server hears of it within a second.
            tx.connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")


def looked_at(store: Store) -> list[str]:
    with store.across_tenants("a test", write=True) as tx:
        return statistics.refresh(tx)


@pytest.mark.postgres
def test_a_table_that_has_grown_is_looked_at_once(postgres_url: str) -> None:
    store = Store.open(postgres_url, clock=lambda: 1)
    fill(store, statistics.LEAST_ROWS)
    assert "hr_mark" in looked_at(store)
    with store.across_tenants("a test") as tx:
        known = tx.connection.exec_driver_sql("SELECT reltuples FROM pg_class WHERE relname = 'hr_mark'").scalar_one()
    assert known == statistics.LEAST_ROWS
    fill(store, statistics.LEAST_ROWS // 10, first=1_000)
    assert "hr_mark" not in looked_at(store)
    store.close()


@pytest.mark.postgres
@pytest.mark.parametrize(
    "name", ["nothing", "pg_class", 'hr_mark"; DROP TABLE hr_mark; --', "hr_mark; DROP TABLE hr_mark"]
)
def test_nothing_but_a_table_of_ours_can_be_named(postgres_url: str, name: str) -> None:
    store = Store.open(postgres_url, clock=lambda: 1)
    with pytest.raises(sa.exc.DBAPIError, match="no such table"), store.across_tenants("a test", write=True) as tx:
        tx.connection.execute(sa.text("SELECT bridge_analyze(:name)"), {"name": name})
    fill(store, 1)
    store.close()


@pytest.mark.postgres
def test_nothing_of_the_callers_runs_as_the_owner(postgres_url: str) -> None:
    """A temporary view in the catalogue's name would else be read, and what it calls run, as the owner."""
    store = Store.open(postgres_url, clock=lambda: 1)
    with store.across_tenants("a test", write=True) as tx:
        run = tx.connection.exec_driver_sql
        run(
            "CREATE FUNCTION pg_temp.caught() RETURNS name LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'run as %%', current_user; END $$"
        )
        run("CREATE TEMP VIEW pg_tables AS SELECT 'public'::name AS schemaname, pg_temp.caught() AS tablename")
        run("SELECT bridge_analyze('hr_mark')")
    store.close()


def test_a_database_that_needs_no_look_is_left_alone(sqlite_url: str) -> None:
    store = Store.open(sqlite_url, clock=lambda: 1)
    fill(store, 1_000)
    assert looked_at(store) == []
    store.close()


@pytest.mark.postgres
def test_nobody_is_compared_with_everybody_before_anybody_has_looked(postgres_url: str) -> None:
    """By plans that were made for empty tables, and are kept, each of a tenant's rows was joined with each."""
    store = Store.open(postgres_url, clock=lambda: 1, pool_size=1)
    people = Crowd(1)
    # Plans are made while the tables are empty, and kept.
    for _ in range(12):
        ask(store, people, 0, 0)
    with store.begin("acme") as tx:
        seeds = [Seed(scim_id=people.scim_id(n), document=people.user(n), attributes=["userName"]) for n in range(400)]
        numbers = seeding.put(tx, USER, seeds, source="hr")
        ids = [people.external_id(n) for n in range(400)]
        said = [
            Contribution(source="hr", resource_id=number, document={}, said_at=1, manager_id=ids[n // 10])
            for n, number in enumerate(numbers)
        ]
        contributions.write(tx, said)
        known = [
            Identity(external_id=external_id, resource_id=number)
            for external_id, number in zip(ids, numbers, strict=True)
        ]
        identities.put(tx, "hr", known)
    before = rows_read(store)
    for n in range(100, 120):
        ask(store, people, n, numbers[n])
    # Eight statements each, of which one may read everybody once, but none everybody for each.
    read = rows_read(store) - before
    assert read < 20 * 8 * 400
    store.close()


def ask(store: Store, people: Crowd, n: int, number: int) -> None:
    """Ask what is asked of the directory for each event of an HR system."""
    with store.begin("acme") as tx:
        identities.of_source(tx, "hr", [people.external_id(n)])
        strangers.of_source(tx, "hr", [people.external_id(n)])
        identities.led_by(tx, "hr", [people.external_id(n)])
        contributions.addressed(tx, [people.user_name(n)])
        contributions.named(tx, [people.user_name(n)])
        contributions.known_as(tx, "hr", [people.user_name(n)])
        contributions.of_people(tx, [number])
        contributions.of_source(tx, "hr", [number])


def rows_read(store: Store) -> int:
    """Return how many rows have been read so far, by whatever plan."""
    with store.begin("acme") as tx:
        tx.connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
    with store.begin("acme", write=False) as tx:
        query = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables"
        return int(tx.connection.exec_driver_sql(query).scalar_one())
