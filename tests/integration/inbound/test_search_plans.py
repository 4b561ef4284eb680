"""No look-up walks through a tenant, whatever a database knows of its rows; an endless search is ended."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from random_searches import search_request

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import CORE_GROUP, CORE_USER, ENTERPRISE_USER, GROUP, USER
from scim_bridge.store import seeding
from scim_bridge.store.engine import StatementTimedOut, Store
from scim_bridge.store.search import pages
from scim_bridge.store.seeding import Seed

TENANT = "large"
USERS, GROUPS = 4_000, 50

LOOKUPS: dict[str, tuple[tuple[str, ...], str]] = {
    "id eq": ((USER,), 'id eq "user-77"'),
    "userName eq": ((USER,), 'userName eq "U77@example.com"'),
    "externalId eq": ((USER,), 'externalId eq "e77"'),
    "externalId eq of a group": ((GROUP,), 'externalId eq "e7"'),
    "displayName eq": ((GROUP,), 'displayName eq "group 7"'),
    "displayName eq of a user": ((USER,), 'displayName eq "User 77"'),
    "emails.value eq": ((USER,), 'emails.value eq "u77@example.com"'),
    "emails[type and value]": ((USER,), 'emails[type eq "work" and value eq "u77@example.com"]'),
    "emails[type].value": ((USER,), 'emails[type eq "work"].value eq "u77@example.com"'),
    "employeeNumber eq": ((USER,), f'{ENTERPRISE_USER}:employeeNumber eq "77"'),
    "manager eq": ((USER,), f'{ENTERPRISE_USER}:manager.value eq "user-700"'),
    "id and manager": ((USER,), f'id eq "user-77" and {ENTERPRISE_USER}:manager.value eq "user-15"'),
    "id and members": ((GROUP,), 'id eq "group-0" and members eq "user-77"'),
    "id and a value path of members": ((GROUP,), 'id eq "group-0" and members[value eq "user-77"]'),
    "members eq": ((GROUP,), 'members eq "user-77"'),
    "groups.value eq": ((USER,), 'groups.value eq "group-7"'),
    "any of several names": ((USER,), " or ".join(f'userName eq "u{number}@example.com"' for number in range(7))),
    "a name among others": ((USER,), 'active eq true and userName eq "u77@example.com" and title pr'),
    "userName eq at the root": ((USER, GROUP), 'userName eq "u77@example.com"'),
    "displayName eq at the root": ((USER, GROUP), 'displayName eq "Group 7"'),
    "externalId eq at the root": ((USER, GROUP), 'externalId eq "e7"'),
    "members eq at the root": ((USER, GROUP), 'members eq "user-77"'),
}
LISTS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "the beginning": ((USER,), {}),
    "the middle": ((USER,), {"start_index": 2_000}),
    "the beginning by cursor": ((USER,), {"cursor": ""}),
    "the middle by cursor": ((USER,), {"cursor": "", "position": {"d": "next", "i": 2_000}}),
    "back by cursor": ((USER,), {"cursor": "", "position": {"d": "previous", "i": 2_000}}),
    "the root": ((USER, GROUP), {}),
    "the middle of the root": ((USER, GROUP), {"start_index": 2_000}),
    "the middle of the root by cursor": ((USER, GROUP), {"cursor": "", "position": {"d": "next", "i": 2_000}}),
}
WALKS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "who is active": ((USER,), {"filter": "active eq true"}),
    "the middle of who is active": ((USER,), {"filter": "active eq true", "start_index": 2_000}),
    "what has a title": ((USER, GROUP), {"filter": "title pr"}),
    "sorted by a title": ((USER,), {"sort_by": "title"}),
    "sorted by a userName": ((USER,), {"sort_by": "userName"}),
    "groups by their names": ((GROUP,), {"sort_by": "displayName"}),
}
BY_NAME = {"sorted by a userName": "sqlite_autoindex_resource_2", "groups by their names": "resource_display_key"}
"""The index of SQLite that leads through a list in the order of names."""

SEARCHES = {name: (kinds, {"filter": text}) for name, (kinds, text) in LOOKUPS.items()} | LISTS | WALKS

_EVERY_ROW = re.compile(r"(SCAN|Seq Scan on) (resource|lookup|member)\b")


@dataclass(frozen=True)
class Looked:
    """What a search found, and how: the steps of its statements' plans, statement by statement."""

    page: pages.Page
    plans: list[list[str]]

    @property
    def whole_tables(self) -> list[str]:
        """Return the steps that look at every row of a table."""
        return [step for plan in self.plans for step in plan if _EVERY_ROW.search(step)]

    @property
    def whole_tenants(self) -> list[str]:
        """Return the steps that look at everybody of a tenant, or may."""
        return [step for plan in self.plans for step in plan if "resource_page" in step]


Found = dict[tuple[str, str], Looked]


@pytest.fixture(scope="module")
def large(shared_store: Store) -> Store:
    """A directory of some thousands beside a small one; the database knows nothing of either yet."""
    with shared_store.begin("small") as tx:
        seeding.put(tx, USER, [replace(_user(number), scim_id=f"small-{number}") for number in range(40)], source="idp")
    with shared_store.begin(TENANT) as tx:
        users = seeding.put(tx, USER, [_user(number) for number in range(USERS)], source="idp")
        groups = seeding.put(tx, GROUP, [_group(number) for number in range(GROUPS)], source="idp")
        small = [(group, users[number * 31]) for number, group in enumerate(groups)]
        seeding.put_members(tx, [*((groups[0], user) for user in users[1:2_000]), *small])
    return shared_store


@pytest.fixture(scope="module")
def looked(large: Store) -> Found:
    """Every search, before and after the database has gathered statistics."""
    found = {("fresh", name): _look(large, *search) for name, search in SEARCHES.items()}
    _settle(large)
    return found | {("settled", name): _look(large, *search) for name, search in SEARCHES.items()}


@pytest.mark.parametrize("name", LOOKUPS)
@pytest.mark.parametrize("state", ["fresh", "settled"])
def test_a_look_up_walks_nowhere(looked: Found, state: str, name: str) -> None:
    found = looked[state, name]
    assert found.page.resources
    assert not [*found.whole_tables, *found.whole_tenants], found.plans


@pytest.mark.parametrize("name", LOOKUPS)
def test_a_look_up_is_one_statement(looked: Found, name: str) -> None:
    """Nobody is counted whose number is plain from the page."""
    found = looked["settled", name]
    assert len(found.page.resources) == found.page.total
    assert len(found.plans) == 1


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("state", ["fresh", "settled"])
def test_a_list_follows_an_index(looked: Found, state: str, name: str) -> None:
    found = looked[state, name]
    assert len(found.page.resources) == 10
    assert found.page.total in (USERS, USERS + GROUPS, None)
    assert not found.whole_tables, found.plans


@pytest.mark.parametrize("state", ["fresh", "settled"])
def test_only_the_index_of_the_living_is_walked_on_sqlite(looked: Found, state: str, large: Store) -> None:
    """Others lead to the rows of a tenant too, but jump about in the file; only an order by name follows its own."""
    if large.engine.dialect.name == "sqlite":
        for name in [*LISTS, *WALKS]:
            steps = [step for plan in looked[state, name].plans for step in plan if "resource USING INDEX" in step]
            wanted = BY_NAME.get(name, "resource_page")
            assert steps, name
            assert all(wanted in step for step in steps), (name, steps)


def test_skipping_to_the_middle_reads_an_index_alone(looked: Found, large: Store) -> None:
    is_postgres = large.engine.dialect.name == "postgresql"
    steps = looked["settled", "the middle"].plans[0]
    # SQLite reads no row behind an index before something else of the row is asked for.
    wanted = "Index Only Scan using resource_page" if is_postgres else "SEARCH resource USING INDEX resource_page"
    assert any(wanted in step for step in steps), steps


@pytest.mark.parametrize(
    "values",
    [
        {"filter": 'title eq "nobody"'},
        # The first is found at once, and then no other.
        {"filter": 'userName sw "u0@" and title pr'},
        {"filter": 'emails[display co "x"]'},
        {"sort_by": "title"},
    ],
)
def test_what_no_index_helps_with_is_ended(large: Store, values: dict[str, Any]) -> None:
    with pytest.raises(StatementTimedOut), large.begin(TENANT, write=False, statement_timeout_s=0.001) as tx:
        pages.find(tx, [(USER, MODELS[USER])], search_request(USER, count=10, **values))


def _settle(store: Store) -> None:
    """Let the database gather statistics, and PostgreSQL see that everybody sees its rows."""
    for _ in range(50):
        seeding.settle(store.engine.url.render_as_string(hide_password=False))
        store.engine.dispose()
        with store.begin(TENANT, write=False) as tx:
            if tx.dialect == "sqlite":
                return
            # A VACUUM leaves that out while another, such as the server's own, still looks at the database.
            are_seen = sa.text("SELECT relallvisible >= relpages FROM pg_class WHERE relname = 'resource'")
            if tx.connection.execute(are_seen).scalar_one():
                return
    pytest.fail("VACUUM never got through")


def _user(number: int) -> Seed:
    document = {
        "schemas": [CORE_USER, ENTERPRISE_USER],
        "userName": f"u{number}@example.com",
        "externalId": f"e{number}",
        "displayName": f"User {number}",
        "title": f"Title {number % 9}",
        "active": number % 10 > 0,
        "emails": [{"value": f"u{number}@example.com", "type": "work"}, {"value": f"{number}@home", "type": "home"}],
        ENTERPRISE_USER: {"employeeNumber": str(number), "manager": {"value": f"user-{number // 5}"}},
    }
    return Seed(scim_id=f"user-{number}", document=document, attributes=())


def _group(number: int) -> Seed:
    document = {"schemas": [CORE_GROUP], "displayName": f"Group {number}", "externalId": f"e{number}"}
    return Seed(scim_id=f"group-{number}", document=document, attributes=())


def _look(store: Store, kinds: tuple[str, ...], values: dict[str, Any]) -> Looked:
    """Search, and ask the database how it did so."""
    values = {"count": 10, **values}
    position = values.pop("position", None)
    with store.begin(TENANT, write=False) as tx:
        stop = _listen(tx.connection)
        request = search_request(*kinds, **values)
        page = pages.find(tx, [(kind, MODELS[kind]) for kind in kinds], request, position=position)
        return Looked(page, [_plan_of(tx.connection, statement) for statement in stop()])


def _listen(connection: sa.Connection) -> Callable[[], list[Any]]:
    """Note what a connection is asked, as its driver hears it; returns what ends that and gives the notes."""
    driver: Any = connection.connection.driver_connection
    heard: list[Any] = []
    if connection.dialect.name == "sqlite":
        driver.set_trace_callback(heard.append)
        return lambda: driver.set_trace_callback(None) or heard

    class Listening(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            heard.append((query, params))
            return super().execute(query, params, **options)

    before, driver.cursor_factory = driver.cursor_factory, Listening

    def stop() -> list[Any]:
        driver.cursor_factory = before
        return heard

    return stop


def _plan_of(connection: sa.Connection, statement: Any) -> list[str]:
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        return [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()]
    query, params = statement
    return [row[0] for row in driver.execute(f"EXPLAIN {query}", params).fetchall()]
