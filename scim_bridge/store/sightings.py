"""Whom the files of a source name, whatever became of their rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import imports, sets, tables
from scim_bridge.store.engine import Transaction

import_, import_row, identity = tables.import_, tables.import_row, tables.identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Of when the last file is that repeats a row."""

    at: Millis
    whole_at: Millis | None
    """The same of files whose rows say everything."""


def named_later(tx: Transaction, source: str, external_ids: Iterable[str], *, than: Millis) -> frozenset[str]:
    """Return which ids files of a source name that were made later than an instant, and were not only tried."""
    return frozenset(row.external_id for row in tx.connection.execute(_named(tx, source, external_ids, than=than)))


def said_again(tx: Transaction, source: str, external_ids: Iterable[str], *, after: Millis) -> dict[str, Again]:
    """Return of when the last such files are that have the row of an id as it still stands, by id.

    What was said of somebody since, by an event or another row, took the digest away by which such a row is known.
    """
    still_stands = sa.and_(
        identity.c.tenant == tx.tenant,
        identity.c.source == source,
        identity.c.external_id == import_row.c.external_id,
        identity.c.row_digest == import_row.c.digest,
    )
    query = (
        _named(tx, source, external_ids, than=after)
        .join(identity, still_stands)
        .where(import_row.c.outcome == imports.UNCHANGED, import_row.c.code.is_(None))
    )
    return {row.external_id: Again(at=row.last, whole_at=row.last_whole) for row in tx.connection.execute(query)}


def _named(tx: Transaction, source: str, external_ids: Iterable[str], *, than: Millis) -> sa.Select[Any]:
    later = (
        sa.select(import_.c.id, import_.c.rows, import_.c.said_at, import_.c.is_whole)
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
        sa.select(
            import_row.c.external_id,
            sa.func.max(later.c.said_at).label("last"),
            sa.func.max(sa.case((later.c.is_whole == 1, later.c.said_at))).label("last_whole"),
        )
        .join(later, later.c.id == import_row.c.import_id)
        .where(
            # Those whom a file misses stand behind its rows.
            import_row.c.position <= later.c.rows,
            sets.among(import_row.c.external_id, sets.text_rows(tx, external_ids)),
        )
        .group_by(import_row.c.external_id)
    )
