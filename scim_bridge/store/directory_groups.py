"""The names of a tenant's groups, as delivery needs them: to tell which of a target's groups are ours to leave."""

import json

import sqlalchemy as sa

from scim_bridge.store import tables
from scim_bridge.store.engine import Transaction


def names(tx: Transaction) -> frozenset[str]:
    """Return the displayName of every group of the tenant, deleted ones too: their members must be able to leave."""
    query = sa.select(tables.resource.c.document).where(
        tables.resource.c.tenant == tx.tenant, tables.resource.c.kind == "Group"
    )
    return frozenset(str(json.loads(row.document).get("displayName", "")) for row in tx.connection.execute(query))
