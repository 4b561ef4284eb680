"""What was kept of one call: its request and answer as they were redacted, and what it brought each person."""

import json
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.states import State
from scim_bridge.store import sets, tables
from scim_bridge.store.dead_letters import MOST_ID
from scim_bridge.store.engine import Transaction

batch, lane, operation = tables.batch, tables.lane, tables.operation
entry, resource = tables.entry, tables.resource

Row = dict[str, Any]


def batch_of(tx: Transaction, batch_id: int) -> Row | None:
    """Return a batch with its target, None when there is none of this id, or it is not the tenant's."""
    if not 0 < batch_id <= MOST_ID:
        return None
    query = sa.select(batch, lane.c.target).join(lane, lane.c.id == batch.c.lane_id).where(batch.c.id == batch_id)
    if tx.tenant is not None:
        query = query.where(batch.c.tenant == tx.tenant)
    row = tx.connection.execute(query).mappings().one_or_none()
    return None if row is None else {**row, "items": json.loads(row["items"])}


def people_of(tx: Transaction, found: Row) -> dict[int, Row]:
    """Return the operations of a batch by their ids, each with its person and what the batch brought it.

    What was removed meanwhile is not in it; `outcome` is None as long as the call is out.
    """
    ids = sets.id_rows(tx, found["items"])
    columns = (entry.c[name] for name in ("operation_id", "outcome", "code", "detail"))
    brought = (
        sa.select(*columns)
        .where(
            sets.among(entry.c.operation_id, ids),
            entry.c.batch_id == found["id"],
            entry.c.outcome != State.SENDING.value,
        )
        .order_by(entry.c.id)
    )
    last = {row["operation_id"]: row for row in tx.connection.execute(brought).mappings()}
    query = (
        sa.select(operation.c.id, operation.c.state, *(resource.c[name] for name in ("scim_id", "kind", "document")))
        .join(resource, resource.c.id == operation.c.resource_id)
        .where(sets.among(operation.c.id, ids), operation.c.tenant == found["tenant"])
    )
    nothing = dict.fromkeys(("outcome", "code", "detail"))
    rows = tx.connection.execute(query).mappings()
    return {row["id"]: {**nothing, **last.get(row["id"], {}), **row} for row in rows}
