"""The audit: which operator decided what, when and why. Append-only; holds ids and reasons, no personal data."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from scim_bridge.store import tables
from scim_bridge.store.engine import Transaction, compact_json


def append(
    tx: Transaction, *, who: str, what: str, after: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> None:
    """Record that `who` did `what` (a command's name), how things stood before, and what was decided."""
    row = {
        "tenant": tx.tenant,
        "who": who,
        "what": what,
        "before": compact_json(before) if before else "",
        "after": compact_json(after),
        "at": tx.now,
    }
    tx.connection.execute(sa.insert(tables.audit).values(row))


def newest(tx: Transaction, whats: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what was decided last, by what it was about; nothing for what the audit does not know."""
    audit = tables.audit.c
    last = (
        sa.select(sa.func.max(audit.id))
        .where(audit.tenant == tx.tenant, audit.what.in_(sa.bindparam("whats", expanding=True)))
        .group_by(audit.what)
    )
    rows = tx.connection.execute(sa.select(audit.what, audit.after).where(audit.id.in_(last)), {"whats": sorted(whats)})
    return {row.what: json.loads(row.after) for row in rows}
