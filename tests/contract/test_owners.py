"""A PostgreSQL whose database belongs to somebody who is no superuser, and one that cannot be migrated at all."""

import contextlib
import itertools
from collections.abc import Callable, Iterator

import psycopg
import pytest

from scim_bridge.errors import UsageError
from scim_bridge.store import lanes, migrate
from scim_bridge.store.engine import Store, StoreUnavailable

pytestmark = pytest.mark.postgres

_numbers = itertools.count(1)
Give = Callable[..., str]


@pytest.fixture
def owned(postgres_server: str, postgres_template: str) -> Iterator[Give]:
    """Give the URL of an empty database of a new owner's, in a cluster where another installation made our role."""
    assert postgres_template
    made: list[tuple[str, str]] = []
    with psycopg.connect(postgres_server, autocommit=True) as connection:

        def give(*, may: str = "NOCREATEROLE", is_member: bool = True) -> str:
            owner, name = f"owner_{next(_numbers)}", f"owned_{next(_numbers)}"
            made.append((owner, name))
            connection.execute(f"CREATE ROLE {owner} LOGIN {may}")
            if is_member:
                connection.execute(f"GRANT scim_bridge_app TO {owner}")
            connection.execute(f"CREATE DATABASE {name} OWNER {owner}")
            return f"postgresql+psycopg://{owner}@/{name}?{postgres_server.partition('?')[2]}"

        yield give
        for owner, name in made:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            connection.execute(f"DROP ROLE {owner}")


def test_an_owner_needs_no_more_than_to_be_a_member_of_the_role(owned: Give) -> None:
    url = owned()
    migrate.upgrade(url)
    with contextlib.closing(Store.open(url, clock=lambda: 1)) as store, store.begin("acme") as tx:
        lanes.sync(tx, [("acme", "trakstar")])
        assert [target for _, target in lanes.configured_targets(tx)] == ["trakstar"]


@pytest.mark.parametrize("may", ["NOCREATEROLE", "CREATEROLE"])
def test_an_owner_who_is_no_member_is_told_what_is_missing(owned: Give, may: str) -> None:
    with pytest.raises(UsageError, match=r"GRANT scim_bridge_app TO"):
        migrate.upgrade(owned(may=may, is_member=False))


def test_a_database_that_is_not_there_is_unavailable(owned: Give) -> None:
    with pytest.raises(StoreUnavailable):
        migrate.upgrade(owned().replace("/owned_", "/nowhere_"))
