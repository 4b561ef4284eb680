"""What can be told of a database itself."""

from collections.abc import Iterator

import psycopg
import pytest

from scim_bridge.operators import doctor
from scim_bridge.store import migrate, soundness
from scim_bridge.store.engine import Store, make_engine


def openings(store: Store) -> list[str]:
    with store.across_tenants("test") as tx:
        return soundness.openings(tx)


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Store]:
    opened = Store.open(postgres_url, clock=lambda: 0)
    yield opened
    opened.close()


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement.encode())


def test_a_migrated_database_has_this_version_s_schema(store: Store) -> None:
    schema = soundness.schema_of(store)
    assert (schema.is_current, schema.is_newer) == (True, False)


def test_this_version_knows_its_own_migrations() -> None:
    assert migrate.knows("0001")
    assert migrate.knows(str(migrate.newest_revision()))
    assert not migrate.knows("9999")


@pytest.mark.postgres
def test_a_migrated_postgresql_holds_tenants_apart(postgres: Store) -> None:
    assert openings(postgres) == []
    grades = {each.check: each.grade for each in doctor._database(postgres, "postgresql://u:p@db.example:5432/b")}
    assert grades == {"store": "good", "tenants apart": "good"}


@pytest.mark.postgres
@pytest.mark.parametrize("how", ["DISABLE", "NO FORCE"])
def test_a_table_that_anybody_sees_is_named(postgres: Store, postgres_url: str, how: str) -> None:
    execute(postgres_url, f"ALTER TABLE inbound {how} ROW LEVEL SECURITY")
    assert openings(postgres) == ["the table inbound has no forced row-level security"]


@pytest.mark.postgres
def test_a_role_that_sees_all_is_named(postgres_url: str) -> None:
    store = Store(make_engine(postgres_url, as_owner=True), clock=lambda: 0)
    told = openings(store)
    store.close()
    assert any("passes row-level security by" in each for each in told)
    assert any("owns" in each for each in told)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:////var/b.db", "SQLite at /var/b.db"),
        ("postgresql+psycopg://u:hunter2@db:5432/b?password=hunter2", "PostgreSQL at db:5432"),
        ("postgresql+psycopg:///b?host=/run&password=hunter2", "PostgreSQL at a local socket"),
    ],
)
def test_an_address_is_told_without_what_opens_it(url: str, told: str) -> None:
    assert soundness.place_of(url) == told
