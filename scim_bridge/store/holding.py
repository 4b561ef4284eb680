"""Which lanes have, or are about to have, something of a resource in their target."""

from collections.abc import Iterable

import sqlalchemy as sa

from scim_bridge.domain.states import State
from scim_bridge.store import sets, tables
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


def lanes_holding_each(tx: Transaction, resource_ids: Iterable[int]) -> dict[int, frozenset[int]]:
    """Return what `lanes_holding` does for each of many resources; who is held nowhere has no lane, or is left out."""
    numbers = list(resource_ids)
    found: dict[int, frozenset[int]] = {number: frozenset() for number in numbers}
    if not numbers:
        return found
    ids = sets.id_rows(tx, numbers)
    linked = sa.select(link.c.resource_id, link.c.lane_id).where(sets.among(link.c.resource_id, ids))
    owed = sa.select(operation.c.resource_id, operation.c.lane_id).where(
        sets.among(operation.c.resource_id, ids), operation.c.state.in_(_STILL_OWED)
    )
    for row in tx.connection.execute(sa.union(linked, owed)):
        found[row.resource_id] |= {row.lane_id}
    return found
