"""What an accepted edit leaves behind: a change, what it owes, and who is woken."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.dispatcher import RecordingDispatcher

from scim_bridge.store import directory, lanes, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger


@pytest.fixture
def owed(sender: Any, shared_store: Store) -> Callable[[], list[tuple[str, str, int]]]:
    """Give what the newest change owes: target, whose (userName or displayName), priority; its books proved."""

    def read() -> list[tuple[str, str, int]]:
        with shared_store.begin(sender.tenant, write=False) as tx:
            number = tx.connection.execute(
                sa.select(sa.func.max(tables.change.c.number)).where(tables.change.c.tenant == sender.tenant)
            ).scalar_one()
            rows = tx.connection.execute(
                sa.select(tables.lane.c.target, tables.resource.c.document, tables.operation.c.priority)
                .join(tables.operation, tables.operation.c.lane_id == tables.lane.c.id)
                .join(tables.resource, tables.resource.c.id == tables.operation.c.resource_id)
                .where(tables.operation.c.change_number == number)
            ).all()
            promised = tx.connection.execute(
                sa.select(tables.change.c.owed).where(tables.change.c.number == number)
            ).scalar_one()
        assert promised == len(rows)
        documents = [(row.target, json.loads(row.document), row.priority) for row in rows]
        return sorted(
            (target, document.get("userName", document.get("displayName")), priority)
            for target, document, priority in documents
        )

    return read


def link(store: Store, tenant: str, target: str, scim_id: str) -> None:
    with store.begin(tenant) as tx:
        lane = lanes.by_target(tx, target)
        stored = directory.fetch(tx, "User", scim_id)
        assert lane is not None
        assert stored is not None
        tx.connection.execute(
            sa.insert(tables.link).values(tenant=tenant, lane_id=lane.id, resource_id=stored.id, account_id=scim_id)
        )


def changes(store: Store, tenant: str) -> int:
    with store.begin(tenant, write=False) as tx:
        query = sa.select(sa.func.count()).select_from(tables.change).where(tables.change.c.tenant == tenant)
        return int(tx.connection.execute(query).scalar_one())


ANN, BOB = "ann@example.com", "bob@example.com"


def test_a_new_user_is_owed_to_every_lane_whose_scope_takes_them(sender: Any, owed: Any) -> None:
    sender.user("ann")
    assert owed() == [("everybody", ANN, 5), ("sales", ANN, 5)]
    sender.user("bob", userType="Employee")
    assert owed() == [("employees", BOB, 5), ("everybody", BOB, 5), ("sales", BOB, 5)]


def test_a_deactivation_and_a_deletion_are_leavers(sender: Any, owed: Any, dispatcher: RecordingDispatcher) -> None:
    ann = sender.user("ann")
    dispatcher.wakes.clear()
    sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "active", "value": False})
    assert owed() == [("everybody", ANN, 0), ("sales", ANN, 0)]
    assert sorted(dispatcher.wakes) == [(sender.tenant, "everybody", True), (sender.tenant, "sales", True)]
    sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "title", "value": "x"})
    # The deactivation still waits, and its urgency is inherited.
    assert owed() == [("everybody", ANN, 0), ("sales", ANN, 0)]
    bob = sender.user("bob")
    sender.delete(f"/Users/{bob['id']}")
    assert owed() == [("everybody", BOB, 0), ("sales", BOB, 0)]


def test_leaving_a_scope_is_owed_where_the_target_may_hold_the_person(sender: Any, owed: Any) -> None:
    ann = sender.user("ann", userType="Employee")
    sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "userType", "value": "Contractor"})
    assert ("employees", ANN, 0) in owed()


def test_out_of_scope_and_linked_is_owed_and_unlinked_is_not(sender: Any, owed: Any, shared_store: Store) -> None:
    ann = sender.user("ann")
    sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "title", "value": "x"})
    assert "employees" not in [target for target, _, _ in owed()]
    link(shared_store, sender.tenant, "employees", ann["id"])
    sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "title", "value": "y"})
    assert ("employees", ANN, 5) in owed()


def test_a_mapped_group_owes_one_operation_a_member_and_one_for_itself(
    sender: Any, owed: Any, dispatcher: RecordingDispatcher
) -> None:
    ann, bob = sender.user("ann"), sender.user("bob")
    dispatcher.wakes.clear()
    group = sender.group("Sales", ann["id"], bob["id"])
    assert owed() == [("sales", "Sales", 1), ("sales", ANN, 5), ("sales", BOB, 5)]
    assert dispatcher.wakes == [(sender.tenant, "sales", False)]
    path = f"/Groups/{group['id']}"
    sender.patch(path, {"op": "remove", "path": f'members[value eq "{ann["id"]}"]'})
    assert owed() == [("sales", "Sales", 1), ("sales", ANN, 5)]
    sender.patch(path, {"op": "replace", "path": "members", "value": [{"value": ann["id"]}]})
    assert owed() == [("sales", "Sales", 1), ("sales", ANN, 5), ("sales", BOB, 5)]


def test_renaming_a_mapped_group_concerns_every_member(sender: Any, owed: Any) -> None:
    ann, bob = sender.user("ann"), sender.user("bob")
    group = sender.group("Sales", ann["id"], bob["id"])
    path = f"/Groups/{group['id']}"
    sender.patch(path, {"op": "replace", "path": "displayName", "value": "Marketing"})
    assert owed() == [("sales", "Marketing", 1), ("sales", ANN, 5), ("sales", BOB, 5)]
    sender.patch(path, {"op": "replace", "path": "displayName", "value": "Sales"})
    assert owed() == [("sales", "Sales", 1), ("sales", ANN, 5), ("sales", BOB, 5)]
    sender.delete(path)
    assert owed() == [("sales", "Sales", 1), ("sales", ANN, 5), ("sales", BOB, 5)]


def test_an_unmapped_group_owes_nothing_and_wakes_nobody(
    sender: Any, owed: Any, dispatcher: RecordingDispatcher
) -> None:
    ann = sender.user("ann")
    dispatcher.wakes.clear()
    group = sender.group("Marketing", ann["id"])
    assert owed() == []
    sender.patch(f"/Groups/{group['id']}", {"op": "remove", "path": "members"})
    assert owed() == []
    assert dispatcher.wakes == []


def test_an_edit_of_a_group_that_no_target_sees_owes_nothing(sender: Any, owed: Any) -> None:
    group = sender.group("Sales", sender.user("ann")["id"])
    sender.patch(f"/Groups/{group['id']}", {"op": "replace", "path": "externalId", "value": "x"})
    assert owed() == []


def test_what_changes_nothing_records_nothing(
    sender: Any, shared_store: Store, dispatcher: RecordingDispatcher
) -> None:
    ann = sender.user("ann", title="Boss")
    group = sender.group("Sales", ann["id"])
    before = changes(shared_store, sender.tenant)
    dispatcher.wakes.clear()
    sender.put(f"/Users/{ann['id']}", ann)
    sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "title", "value": "Boss"})
    sender.put(f"/Groups/{group['id']}", group)
    sender.patch(f"/Groups/{group['id']}", {"op": "add", "path": "members", "value": [{"value": ann["id"]}]})
    swap = (
        {"op": "remove", "path": "members"},
        {"op": "add", "path": "members", "value": [{"value": ann["id"]}]},
    )
    sender.patch(f"/Groups/{group['id']}", *swap)
    assert changes(shared_store, sender.tenant) == before
    assert dispatcher.wakes == []


def test_what_is_refused_records_nothing(sender: Any, shared_store: Store, dispatcher: RecordingDispatcher) -> None:
    sender.user("ann")
    before = changes(shared_store, sender.tenant)
    dispatcher.wakes.clear()
    sender.post("/Users", {"userName": "ann@example.com"})
    sender.post("/Groups", {"displayName": "Sales", "members": [{"value": "nobody"}]})
    assert changes(shared_store, sender.tenant) == before
    assert dispatcher.wakes == []


def test_a_change_names_what_was_touched_and_no_value(sender: Any, shared_store: Store) -> None:
    ann = sender.user("ann", title="Secret title", department="Secret department")
    sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "title", "value": "New title"}, X_Request_ID="r-1")
    with shared_store.begin(sender.tenant, write=False) as tx:
        rows = tx.connection.execute(
            sa.select(tables.change).where(tables.change.c.tenant == sender.tenant).order_by(tables.change.c.number)
        ).all()
    assert [row.kind for row in rows] == ["create", "update"]
    assert json.loads(rows[1].request) == {"kind": "User", "attributes": ["title"]}
    assert "Secret" not in rows[0].request
    assert rows[1].correlation_id == "r-1"
    assert rows[1].previous == rows[0].number
    assert rows[0].source == "idp"
    assert rows[0].token_id in sender.token


def test_a_tombstone_keeps_what_identifies_and_nothing_else(sender: Any, shared_store: Store) -> None:
    ann = sender.user("ann", externalId="E1", title="Boss", emails=[{"value": "a@x"}], name={"givenName": "Ann"})
    sender.delete(f"/Users/{ann['id']}")
    with shared_store.begin(sender.tenant, write=False) as tx:
        row = tx.connection.execute(sa.select(tables.resource).where(tables.resource.c.scim_id == ann["id"])).one()
        kept = tx.connection.execute(
            sa.select(tables.lookup.c.path, tables.lookup.c.value).where(tables.lookup.c.resource_id == row.id)
        ).all()
    assert json.loads(row.document) == {"userName": ANN, "externalId": "E1", "emails": [{"value": "a@x"}]}
    assert (row.active, row.unique_key, row.folded) == (0, None, "{}")
    assert row.deleted_at is not None
    assert sorted(tuple(each) for each in kept) == [("emails.value", "a@x"), ("userName", ANN)]


def test_the_books_balance_after_all_of_this(sender: Any, shared_store: Store) -> None:
    people = [sender.user(f"u{number}")["id"] for number in range(5)]
    group = sender.group("Sales", *people)
    for scim_id in people[:3]:
        sender.patch(f"/Users/{scim_id}", {"op": "replace", "path": "active", "value": False})
    sender.delete(f"/Users/{people[4]}")
    sender.delete(f"/Groups/{group['id']}")
    assert verify_ledger(shared_store)["balanced"]
