"""Delivery writes the lanes and people that requests refer to; on PostgreSQL a request need not wait for that."""

from typing import Any

import pytest

from scim_bridge.store import lanes, versions
from scim_bridge.store.engine import Store

pytestmark = [
    pytest.mark.postgres,
    # On SQLite all writers take turns as a whole.
    pytest.mark.parametrize("shared_store", ["postgresql"], indirect=True),
]


def lane_of(store: Store, tenant: str) -> int:
    with store.begin(tenant, write=False) as tx:
        lane = lanes.by_target(tx, "everybody")
    assert lane is not None
    return lane.id


def test_a_person_is_recorded_while_a_call_to_the_target_is_settled(sender: Any, shared_store: Store) -> None:
    lane_id = lane_of(shared_store, sender.tenant)
    with shared_store.begin(sender.tenant) as tx:
        assert lanes.has_epoch(tx, lane_id, epoch=0)
        sender.user("ann")


def test_a_member_joins_while_another_person_is_settled(sender: Any, shared_store: Store) -> None:
    ann, bob = sender.user("ann")["id"], sender.user("bob")["id"]
    group = sender.group("Sales", ann)["id"]
    lane_id = lane_of(shared_store, sender.tenant)
    with shared_store.begin(sender.tenant) as tx:
        assert lanes.has_epoch(tx, lane_id, epoch=0)
        answer = sender.patch(f"/Groups/{group}", {"op": "add", "path": "members", "value": [{"value": bob}]})
    assert answer.status_code == 204


def test_whoever_is_written_by_somebody_else_is_told_to_try_again(
    sender: Any, shared_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = sender.user("ann")
    monkeypatch.setattr("scim_bridge.store.locking.PATIENCE_S", 0.2)
    number = int(ann["meta"]["version"].strip('W/"'))
    with shared_store.begin(sender.tenant) as tx:
        resource_id = tx.connection.exec_driver_sql(
            "SELECT resource_id FROM change WHERE number = %(number)s", {"number": number}
        ).scalar_one()
        versions.of(tx, [resource_id])
        answer = sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "title", "value": "Boss"})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    again = sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "title", "value": "Boss"})
    assert again.json["title"] == "Boss"
