"""Which lanes have, or are about to have, something of a resource in their target."""

import sqlalchemy as sa

from scim_bridge.domain.states import State
from scim_bridge.store import tables
from scim_bridge.store.engine import Transaction

link, operation = tables.link, tables.operation

_STILL_OWED = tuple(str(state) for state in (State.WAITING, State.SENDING, State.HELD, State.DEAD))


def lanes_holding(tx: Transaction, resource_id: int) -> frozenset[int]:
    """Return the ids of lanes that have a link to the resource, or an operation for it that may still be sent."""
    linked = sa.select(link.c.lane_id).where(link.c.resource_id == resource_id)
    owed = sa.select(operation.c.lane_id).where(
        operation.c.resource_id == resource_id, operation.c.state.in_(_STILL_OWED)
    )
    return frozenset(row.lane_id for row in tx.connection.execute(sa.union(linked, owed)))
