"""The audit: which operator decided what, when and why. Append-only; holds ids and reasons, no personal data."""

from collections.abc import Mapping
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
