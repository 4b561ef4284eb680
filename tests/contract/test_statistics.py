"""What the database knows of how much there is: the application may have that looked at, and nothing else."""

import pytest
import sqlalchemy as sa

from scim_bridge.store import statistics, tables
from scim_bridge.store.engine import Store


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
