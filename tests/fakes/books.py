"""Books as tests need them: people, their changes, and calls that have ended."""

import sqlalchemy as sa

from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import State
from scim_bridge.store import batches, due, lanes, ledger, outbox, settlement, tables, versions
from scim_bridge.store.engine import Transaction


def add_person(tx: Transaction, name: str) -> int:
    """Put a user into the directory with its first change; returns the resource's number."""
    row = {
        "tenant": tx.tenant,
        "scim_id": f"{tx.tenant}-{name}",
        "kind": "User",
        "document": "{}",
        "version": 0,
        "unique_key": name,
        "created_at": tx.now,
        "modified_at": tx.now,
    }
    resource_id = tx.connection.execute(
        sa.insert(tables.resource).values(row).returning(tables.resource.c.id)
    ).scalar_one()
    edit(tx, resource_id, owed_to=[lane.id for lane in lanes.configured(tx)])
    return int(resource_id)


def edit(tx: Transaction, resource_id: int, *, owed_to: list[int], priority: int = 5) -> int:
    """Append a change of a resource, owed to the lanes; returns the change's number."""
    number = ledger.append_change(
        tx,
        resource_id=resource_id,
        previous=versions.of(tx, [resource_id])[resource_id],
        kind="update",
        source="idp",
        token_id=None,
        correlation_id="c",
        request="{}",
        owed=len(owed_to),
    )
    outbox.owe(tx, change=number, lane_ids=owed_to, resource_ids=[resource_id], priority=priority)
    versions.advance(tx, [(resource_id, number)])
    return number


def send(tx: Transaction, lane_id: int, people: list[int], states: list[State], *, code: str = "ok") -> None:
    """Open a batch for the people's waiting operations and settle each as given."""
    chosen = [p for p in due.people_due(tx, lane_id, limit=100) if p.resource_id in people]
    opened = batches.open_batch(
        tx,
        lane_id=lane_id,
        epoch=1,
        step="create",
        operation_ids=[p.operation_id for p in chosen],
        method="POST",
        path="/user",
        request={},
        quota_name="q",
        klass="user_write",
        deadline_ms=1000,
    )
    outcomes = [
        Outcome(operation_id=p.operation_id, resource_id=p.resource_id, state=state, code=code)
        for p, state in zip(chosen, states, strict=True)
    ]
    batches.close_batch(tx, opened.id, status="finished", answer={}, http_status=200, answered_at=tx.now)
    settlement.settle(tx, lane_id=lane_id, outcomes=outcomes, before=State.SENDING, batch_id=opened.id)
