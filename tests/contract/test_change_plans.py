"""How SQLite finds the rows that a change touches: nothing gathers statistics where the bridge runs, so it has none."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.sandbox.benches import crowd
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.store import directory, lanes
from scim_bridge.store.engine import Store, Transaction

TENANT = "acme"
PEOPLE = Crowd(5)
SCOPES = {"trakstar": TargetScope(target="trakstar", groups=frozenset({"Sales"}))}

_WALK = re.compile(r"^(SCAN (resource|lookup|member|operation|entry|change)\b.*|.*\bresource_page\b.*)$")

Edit = Callable[[Transaction, Recorder, str], object]


def with_members(how: Membership, *numbers: int) -> Edit:
    edit = MemberEdit(how, tuple(PEOPLE.scim_id(number) for number in numbers))
    return lambda tx, recorder, group: recorder.update(fetched(tx, GROUP, group), None, member_edits=[edit])


def with_title(tx: Transaction, recorder: Recorder, _group: str) -> object:
    user = fetched(tx, USER, PEOPLE.scim_id(3))
    return recorder.update(user, {**user.document, "title": "Lead"})


def fetched(tx: Transaction, kind: str, scim_id: str) -> directory.Stored:
    found = directory.fetch(tx, kind, scim_id, lock=True)
    assert found is not None
    return found


EDITS: dict[str, Edit] = {
    "add": with_members(Membership.ADD, 11, 12),
    "remove": with_members(Membership.REMOVE, 1, 2),
    "only": with_members(Membership.ONLY, 3, 13),
    "title": with_title,
    "create": lambda _tx, recorder, _group: recorder.create(USER, PEOPLE.user(1_000)),
    "delete a user": lambda tx, recorder, _group: recorder.delete(fetched(tx, USER, PEOPLE.scim_id(4))),
    "delete the group": lambda tx, recorder, group: recorder.delete(fetched(tx, GROUP, group)),
}


@pytest.fixture
def store(sqlite_url: str, clock: Callable[[], int]) -> Iterator[Store]:
    opened = Store.open(sqlite_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def group(store: Store) -> str:
    with store.across_tenants("a lane for the test", write=True) as tx:
        lanes.sync(tx, [(TENANT, "trakstar")])
    return crowd.build_group(store, TENANT, PEOPLE, name="Sales", users=20, members=range(10), source="idp")


@contextmanager
def recording(store: Store) -> Iterator[tuple[Transaction, Recorder]]:
    with store.begin(TENANT) as tx:
        yield tx, Recorder(tx, scopes=SCOPES, origin=Origin(source="idp", correlation_id="c"))


def plans_of(store: Store, group: str, edit: Edit) -> dict[str, list[str]]:
    """Return the steps by which each statement of a second such edit finds its rows."""
    statements: list[str] = []
    with recording(store) as (tx, recorder):
        driver: Any = tx.connection.connection.driver_connection
        driver.set_trace_callback(statements.append)
        edit(tx, recorder, group)
        driver.set_trace_callback(None)
        told = [each for each in statements if each.split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"}]
        return {each: [row[3] for row in driver.execute(f"EXPLAIN QUERY PLAN {each}")] for each in told}


@pytest.mark.parametrize("name", EDITS)
def test_no_step_of_a_change_walks_through_a_tenant(store: Store, group: str, name: str) -> None:
    plans = plans_of(store, group, EDITS[name])
    assert plans
    walks = {statement[:120]: steps for statement, steps in plans.items() if any(map(_WALK.match, steps))}
    assert walks == {}


def test_what_waits_is_found_among_what_waits(store: Store, group: str) -> None:
    """A group that has changed for years has thousands of operations behind it, and one that waits."""
    plans = plans_of(store, group, EDITS["add"])
    found = [steps[0] for statement, steps in plans.items() if statement.startswith("UPDATE operation")]
    assert found
    assert all("operation_one_waiting (resource_id=? AND lane_id=?)" in step for step in found), found
