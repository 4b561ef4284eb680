"""The version of a resource: the number of its last change."""

from collections.abc import Iterable

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction

resource = tables.resource


def of(tx: Transaction, resource_ids: Iterable[int]) -> dict[int, int]:
    """Return the versions of resources by their number, locking the rows on PostgreSQL."""
    query = (
        sa.select(resource.c.id, resource.c.version)
        .where(sets.among(resource.c.id, sets.id_rows(tx, resource_ids)))
        .order_by(resource.c.id)
    )
    if tx.dialect == "postgresql":
        query = query.with_for_update(key_share=True)
    return {row.id: row.version for row in tx.connection.execute(query)}


def advance(tx: Transaction, versions: Iterable[tuple[int, int]], *, at: Millis | None = None) -> None:
    """Set resources to the number of their newest change; `at` moves lastModified along."""
    rows = [{"of_resource": resource_id, "to_version": number} for resource_id, number in versions]
    if not rows:
        return
    values: dict[str, object] = {"version": sa.bindparam("to_version")}
    if at is not None:
        values["modified_at"] = at
    tx.connection.execute(sa.update(resource).where(resource.c.id == sa.bindparam("of_resource")).values(values), rows)
