"""What tests on PostgreSQL rely on: whatever a test did to its database, the next one finds a new one."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from fakes.pool import Pool

pytestmark = pytest.mark.postgres


@pytest.fixture
def pool(postgres_server: str, postgres_template: str) -> Iterator[Pool]:
    made = Pool(postgres_server, postgres_template, prefix="own")
    yield made
    made.remove_all()


@contextmanager
def connected(server: str, name: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(server, dbname=name, autocommit=True) as connection:
        yield connection


def rows(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, list[tuple[object, ...]]]:
    names = connection.execute("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'").fetchall()
    return {str(name): connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in names}


def test_a_database_that_is_handed_back_is_as_new(pool: Pool, postgres_server: str) -> None:
    name = pool.take()
    with connected(postgres_server, name) as connection:
        new = rows(connection)
        add = "INSERT INTO lane (tenant, target) VALUES ('acme', 'lms') RETURNING id"
        first = connection.execute(add).fetchone()
        connection.execute("DELETE FROM audit_head")
        connection.execute("ANALYZE lane")
    pool.give_back(name)
    assert pool.take() == name
    with connected(postgres_server, name) as connection:
        assert rows(connection) == new
        assert connection.execute(add).fetchone() == first
        learnt = "SELECT count(*) FROM pg_statistic WHERE starelid = 'lane'::regclass"
        assert connection.execute(learnt).fetchone() == (0,)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE inbound NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE inbound DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE inbound ADD COLUMN more integer",
        "ALTER TABLE operation DISABLE TRIGGER ALL",
        "ALTER TABLE inbound ALTER COLUMN at DROP NOT NULL",
        "GRANT SELECT ON inbound TO PUBLIC",
        "CREATE TABLE kept (id integer)",
        "CREATE SCHEMA elsewhere",
        "DROP INDEX audit_number",
        "DROP TABLE audit_head",
        "UPDATE alembic_version SET version_num = '0001'",
        "DELETE FROM alembic_version",
    ],
)
def test_a_database_of_another_shape_is_taken_by_nobody(pool: Pool, postgres_server: str, change: str) -> None:
    name = pool.take()
    with connected(postgres_server, name) as connection:
        connection.execute(change)
    pool.give_back(name)
    assert pool.take() != name


def test_who_is_connected_still_keeps_nothing_locked(pool: Pool, postgres_server: str) -> None:
    name = pool.take()
    with psycopg.connect(postgres_server, dbname=name) as left:
        left.execute("LOCK TABLE lane")
        pool.give_back(name)
        with pytest.raises(psycopg.OperationalError):
            left.execute("SELECT 1")
    assert pool.take() == name


def test_no_two_have_the_same_database(pool: Pool) -> None:
    assert pool.take() != pool.take()
