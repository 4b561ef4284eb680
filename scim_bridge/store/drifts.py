"""How often somebody's account was found changed by another system, as the ledger tells."""

from collections.abc import Iterable

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction

entry, operation = tables.entry, tables.operation


def seen(tx: Transaction, lane_id: int, resource_ids: Iterable[int], *, since: Millis) -> dict[int, int]:
    """Return how many drifts each of these people has had in a lane since an instant; who had none is left out."""
    query = (
        sa.select(operation.c.resource_id, sa.func.count().label("times"))
        .select_from(operation.join(entry, entry.c.operation_id == operation.c.id))
        .where(
            operation.c.lane_id == lane_id,
            sets.among(operation.c.resource_id, sets.id_rows(tx, sorted(set(resource_ids)))),
            entry.c.code == "drift",
            entry.c.at > since,
        )
        .group_by(operation.c.resource_id)
    )
    return {row.resource_id: row.times for row in tx.connection.execute(query)}
