"""Whom the files of a source name, whatever became of their rows."""

from collections.abc import Iterable

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import imports, sets, tables
from scim_bridge.store.engine import Transaction

import_, import_row = tables.import_, tables.import_row


def named_later(tx: Transaction, source: str, external_ids: Iterable[str], *, than: Millis) -> frozenset[str]:
    """Return which ids files of a source name that were made later than an instant, and were not only tried."""
    return frozenset(row.external_id for row in tx.connection.execute(_named(tx, source, external_ids, than=than)))


def said_again(tx: Transaction, source: str, external_ids: Iterable[str], *, after: Millis) -> dict[str, Millis]:
    """Return of when the last such file is that has the row of an id just as it was, by id."""
    query = _named(tx, source, external_ids, than=after).where(
        import_row.c.outcome == imports.UNCHANGED, import_row.c.code.is_(None)
    )
    return {row.external_id: row.last for row in tx.connection.execute(query)}


def _named(tx: Transaction, source: str, external_ids: Iterable[str], *, than: Millis) -> sa.Select[tuple[str, Millis]]:
    later = (
        sa.select(import_.c.id, import_.c.rows, import_.c.said_at)
        .where(
            import_.c.tenant == tx.tenant,
            import_.c.source == source,
            import_.c.is_dry_run == 0,
            import_.c.status.in_((imports.WAITING, imports.DONE)),
            import_.c.said_at > than,
        )
        .subquery("later")
    )
    return (
        sa.select(import_row.c.external_id, sa.func.max(later.c.said_at).label("last"))
        .join(later, later.c.id == import_row.c.import_id)
        .where(
            # Those whom a file misses stand behind its rows.
            import_row.c.position <= later.c.rows,
            sets.among(import_row.c.external_id, sets.text_rows(tx, external_ids)),
        )
        .group_by(import_row.c.external_id)
    )
