"""What PostgreSQL reads when a look-up is told in one message, whatever its tables held when that was planned."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.stores import shared_url
from scim2_models import SearchRequest
from scim2_server.utils import parametrize

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.sandbox.benches import crowd
from scim_bridge.sandbox.benches.crowd import TEAM, Crowd
from scim_bridge.store import glances, seeding, trips
from scim_bridge.store.engine import Store
from scim_bridge.store.search import pages
from scim_bridge.store.search.pages import Page

pytestmark = pytest.mark.postgres

PEOPLE = Crowd(1)
USERS = 6 * TEAM
PAGE = 10

Read = Callable[[Store], int]
"""Reads something and returns how many resources and memberships it was given."""


def by_id(kind: str, scim_id: str, *, with_ends: bool = True) -> Read:
    def read(store: Store) -> int:
        found = glances.read(store, "acme", kind, scim_id, with_ends=with_ends)
        return 0 if found is None else 1 + len(found.ends)

    return read


def by_search(kind: str = USER, **asked: Any) -> Read:
    def read(store: Store) -> int:
        page, ends = searched(store, kind, **asked)
        return len(page.resources) + sum(len(ends.get(each.id, ())) for each in page.resources)

    return read


def searched(store: Store, kind: str = USER, *, position: Any = None, **asked: Any) -> tuple[Page, Any]:
    request = parametrize(SearchRequest, MODELS[kind])(count=PAGE, **asked)
    found = pages.find_at_once(store, "acme", (kind, MODELS[kind]), request, position=position, with_ends=True)
    assert found is not None
    return found


READS: dict[str, tuple[Read, int]] = {
    "a user": (by_id(USER, PEOPLE.scim_id(77)), 2),
    "a group without its members": (by_id(GROUP, PEOPLE.group_id(TEAM), with_ends=False), 1),
    "userName": (by_search(filter=f'userName eq "{PEOPLE.user_name(77)}"'), 2),
    "externalId": (by_search(filter=f'externalId eq "{PEOPLE.external_id(77)}"'), 2),
    "an address": (by_search(filter=f'emails[type eq "work" and value eq "{PEOPLE.user_name(77)}"]'), 2),
    "a manager's people": (
        by_search(
            filter=f'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "{PEOPLE.scim_id(77)}"'
        ),
        2 * PAGE,
    ),
    "the first page": (by_search(), 2 * PAGE),
    "the first page by cursor": (by_search(cursor=""), 2 * PAGE),
    "a page by cursor": (by_search(cursor="", position={"d": "next", "i": 1_500}), 2 * PAGE),
    "a page back by cursor": (by_search(cursor="", position={"d": "previous", "i": 1_500}), 2 * PAGE),
}


@pytest.fixture(scope="module", params=["postgresql"])
def looked(request: pytest.FixtureRequest) -> Iterator[dict[tuple[str, str], tuple[int, int]]]:
    """By state and read: what was given, and how many rows PostgreSQL read for that.

    Each read was planned on the only connection while the tables were empty.
    """
    now = [0]
    with shared_url(request) as url, contextlib.closing(Store.open(url, clock=lambda: now[0], pool_size=1)) as store:
        found = {("empty", name): (read(store), 0) for name, (read, _) in READS.items()}
        for _ in crowd.build(store, "acme", PEOPLE, range(USERS), source="idp"):
            pass
        now[0] += trips.PLANS_LAST_MS
        found |= {("fresh", name): _look(store, read) for name, (read, _) in READS.items()}
        seeding.settle(url)
        yield found | {("settled", name): _look(store, read) for name, (read, _) in READS.items()}


@pytest.mark.parametrize("name", READS)
def test_in_an_empty_directory_nothing_is_found(looked: dict[tuple[str, str], tuple[int, int]], name: str) -> None:
    assert looked["empty", name] == (0, 0)


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("state", ["fresh", "settled"])
def test_few_rows_are_read(looked: dict[tuple[str, str], tuple[int, int]], state: str, name: str) -> None:
    given, rows = looked[state, name]
    assert given == READS[name][1]
    # For the memberships the page is looked for once more, and one more than is shown of it.
    assert given <= rows <= 6 * (given + 3)


def _look(store: Store, read: Read) -> tuple[int, int]:
    """Return what a read gave and the rows that were read for it: the fewest of three, for others may read too."""

    def look() -> tuple[int, int]:
        before = _rows_read(store)
        return read(store), _rows_read(store) - before

    return min(look() for _ in range(3))


def _rows_read(store: Store) -> int:
    """Return how many rows of the directory have been read so far, by whatever plan."""
    with store.trip_engine.connect() as connection:
        # What this connection has read is told at most once a second, unless it is asked to.
        connection.execute(sa.text("SELECT pg_stat_force_next_flush()"))
    with store.begin("acme", write=False) as tx:
        query = sa.text(
            "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables "
            "WHERE relname IN ('resource', 'lookup', 'member')"
        )
        return int(tx.connection.execute(query).scalar_one())
