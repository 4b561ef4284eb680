"""Which lanes have, or are about to have, something of a resource in their target."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.states import State
from scim_bridge.store import prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

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
    for row in _HOLDING_EACH.rows(tx, ids=sets.packed(numbers)):
        found[row.resource_id] |= {row.lane_id}
    return found


def _holding_each(dialect: str) -> sa.Executable:
    def among(column: Any, name: str) -> Any:
        return sets.among(column, sets.ids_in(prepared.text("ids"), dialect=dialect, name=name))

    states: list[Any] = [sa.literal_column(f"'{state}'") for state in _STILL_OWED]
    linked = sa.select(link.c.resource_id, link.c.lane_id).where(among(link.c.resource_id, "linked"))
    owed = sa.select(operation.c.resource_id, operation.c.lane_id).where(
        among(operation.c.resource_id, "owed"), operation.c.state.in_(states)
    )
    return sa.union(linked, owed)


_HOLDING_EACH = Prepared(_holding_each)
