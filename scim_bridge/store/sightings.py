"""Whom the files of a source name, whatever became of their rows."""

from collections.abc import Iterable

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction

import_, import_row = tables.import_, tables.import_row


def named_later(tx: Transaction, source: str, external_ids: Iterable[str], *, than: Millis) -> frozenset[str]:
    """Return which ids files of a source name that were made later than an instant, and were not only tried."""
    later = (
        sa.select(import_.c.id, import_.c.rows)
        .where(
            import_.c.tenant == tx.tenant,
            import_.c.source == source,
            import_.c.is_dry_run == 0,
            import_.c.status.in_(("waiting", "done")),
            import_.c.said_at > than,
        )
        .subquery("later")
    )
    query = (
        sa.select(import_row.c.external_id)
        .distinct()
        .join(later, later.c.id == import_row.c.import_id)
        .where(
            # Those whom a file misses stand behind its rows.
            import_row.c.position <= later.c.rows,
            sets.among(import_row.c.external_id, sets.text_rows(tx, external_ids)),
        )
    )
    return frozenset(row.external_id for row in tx.connection.execute(query))
