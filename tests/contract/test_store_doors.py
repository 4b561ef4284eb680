"""Both databases keep the two doors: a tenant sees its own rows, and only its own."""

import sqlite3
import traceback
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from scim_bridge.domain.instants import Clock
from scim_bridge.store import drivers, lanes, ledger, migrate, tables
from scim_bridge.store.engine import StatementTimedOut, Store, StoreUnavailable, Unreadable, make_engine


def append(store: Store, tenant: str) -> int:
    with store.begin(tenant) as tx:
        return ledger.append_change(
            tx,
            resource_id=1,
            previous=0,
            kind="create",
            source="idp",
            token_id=None,
            correlation_id="c",
            request="{}",
            owed=0,
        )


def test_the_migrated_schema_is_the_one_in_tables(store_url: str) -> None:
    engine = make_engine(store_url, as_owner=True)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, tables.metadata) == []
    engine.dispose()


def test_rows_of_files_and_what_finds_them_outlive_the_move_of_their_table(tmp_path: Path) -> None:
    """SQLite makes the table anew to drop a reference; the index of what waits holds only that."""
    url = f"sqlite:///{tmp_path / 'bridge.db'}"
    migrate.upgrade(url, to="0009")
    with closing(sqlite3.connect(tmp_path / "bridge.db")) as connection:
        connection.execute(
            "INSERT INTO import (id, tenant, source, name, is_snapshot, is_dry_run, status, step, correlation_id,"
            " said_at, at, worked_at) VALUES (7, 'acme', 'hr', 'n', 1, 0, 'waiting', 'first', 'c', 1, 1, 1)"
        )
        rows = [("acme", 7, 1, "0042", "d", '{"id": "0042"}'), ("acme", 7, 2, "0043", None, None)]
        connection.executemany(
            "INSERT INTO import_row (tenant, import_id, position, external_id, digest, fields)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        connection.commit()
        indexes = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'import_row' AND type = 'index' ORDER BY name"
        before = connection.execute(indexes).fetchall()
        migrate.upgrade(url)
        kept = "SELECT tenant, import_id, position, external_id, digest, fields FROM import_row ORDER BY position"
        assert connection.execute(kept).fetchall() == rows
        assert connection.execute(indexes).fetchall() == before
        assert any("WHERE outcome IS NULL" in (sql or "") for _, sql in before)


def test_migrating_twice_changes_nothing(store_url: str) -> None:
    migrate.upgrade(store_url)
    engine = make_engine(store_url)
    assert migrate.is_current(engine)
    engine.dispose()


def test_what_raises_is_undone_whole(store: Store) -> None:
    with pytest.raises(RuntimeError), store.begin("acme") as tx:
        ledger.append_change(
            tx,
            resource_id=1,
            previous=0,
            kind="create",
            source="idp",
            token_id=None,
            correlation_id="c",
            request="{}",
            owed=0,
        )
        raise RuntimeError
    with store.across_tenants("test") as tx:
        assert tx.connection.execute(sa.select(sa.func.count()).select_from(tables.change)).scalar() == 0


def test_across_tenants_asks_for_a_reason(store: Store) -> None:
    with pytest.raises(ValueError, match="reason"), store.across_tenants(""):
        pass


@pytest.mark.postgres
def test_no_table_shows_a_row_to_another_tenant(postgres_url: str) -> None:
    """Row-level security, table by table: a row of one tenant is invisible through the other's door."""
    store = Store.open(postgres_url, clock=lambda: 1)
    owner = make_engine(postgres_url, as_owner=True)
    with store.across_tenants("fill", write=True) as tx:
        lanes.sync(tx, [("acme", "x"), ("other", "x")])
    append(store, "acme")
    checked = []
    for table in tables.metadata.sorted_tables:
        with owner.connect() as connection:
            forced = connection.execute(
                sa.text("SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = CAST(:t AS regclass)"),
                {"t": f'"{table.name}"'},
            ).scalar_one()
        assert forced == ("tenant" in table.c), table.name
        if forced:
            with store.begin("nobody", write=False) as tx:
                assert tx.connection.execute(sa.select(table)).all() == []
            checked.append(table.name)
    assert len(checked) >= 15
    with store.begin("acme", write=False) as tx:
        assert len(tx.connection.execute(sa.select(tables.change)).all()) == 1
    with pytest.raises(sa.exc.ProgrammingError), store.begin("acme") as tx:
        tx.connection.execute(sa.insert(tables.tenant).values(tenant="other2", created_at=1))
    store.close()
    owner.dispose()


def test_a_statement_past_its_time_limit_is_ended_by_the_database(store: Store) -> None:
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    with pytest.raises(StatementTimedOut), store.begin("acme", write=False, statement_timeout_s=0.1) as tx:
        tx.connection.execute(sa.text(endless))
    append(store, "acme")


def test_a_text_that_cannot_be_read_is_no_outage(sqlite_url: str, clock: Clock) -> None:
    opened = Store.open(sqlite_url, clock=clock)
    with pytest.raises(Unreadable) as raised, opened.begin("acme", write=False) as tx:
        tx.connection.execute(sa.text("SELECT CAST(CAST('ann@acme.example' AS BLOB) || X'ff' AS TEXT) AS mail")).all()
    opened.close()
    assert "ann" not in str(raised.value)
    assert not isinstance(raised.value, StoreUnavailable)


@pytest.mark.parametrize(
    "statement",
    [
        """SELECT CAST('["ann@acme.example \\u0000"]' AS jsonb)""",
        "SELECT CAST('ann@acme.example' AS integer)",
    ],
)
@pytest.mark.postgres
def test_an_error_quotes_no_values(postgres_url: str, clock: Clock, statement: str) -> None:
    opened = Store.open(postgres_url, clock=clock)
    with pytest.raises(sa.exc.DBAPIError) as raised, opened.begin("acme") as tx:
        cursor = tx.connection.connection.cursor()
        with drivers.errors_wrapped(tx.connection, "a statement"):
            cursor.execute(statement)
    opened.close()
    assert "ann@" not in "".join(traceback.format_exception(raised.value))
