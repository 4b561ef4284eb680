"""Whom the files of a source name, whatever became of their rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import imports, prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

import_, import_row, identity = tables.import_, tables.import_row, tables.identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Of when the last file is that repeats a row."""

    at: Millis
    whole_at: Millis | None
    """The same of files whose rows say everything."""


def named_later(tx: Transaction, source: str, external_ids: Iterable[str], *, than: Millis) -> frozenset[str]:
    """Return which ids files of a source name that were made later than an instant, and were not only tried."""
    rows = _NAMED_LATER.rows(tx, tenant=tx.tenant, source=source, than=than, ids=sets.packed(external_ids))
    return frozenset(row.external_id for row in rows)


def said_again(tx: Transaction, source: str, external_ids: Iterable[str], *, after: Millis) -> dict[str, Again]:
    """Return of when the last such files are that have the row of an id as it still stands, by id.

    What was said of somebody since, by an event or another row, took the digest away by which such a row is known.
    """
    rows = _SAID_AGAIN.rows(tx, tenant=tx.tenant, source=source, than=after, ids=sets.packed(external_ids))
    return {row.external_id: Again(at=row.last, whole_at=row.last_whole) for row in rows}


def _named_later(dialect: str) -> sa.Select[Any]:
    statuses: list[Any] = [sa.literal_column(f"'{status}'") for status in (imports.WAITING, imports.DONE)]
    later = (
        sa.select(import_.c.id, import_.c.rows, import_.c.said_at, import_.c.is_whole)
        .where(
            import_.c.tenant == prepared.text("tenant"),
            import_.c.source == prepared.text("source"),
            import_.c.is_dry_run == sa.literal_column("0"),
            import_.c.status.in_(statuses),
            import_.c.said_at > prepared.number("than"),
        )
        .subquery("later")
    )
    said_whole_at = sa.case((later.c.is_whole == sa.literal_column("1"), later.c.said_at))
    return (
        sa.select(
            import_row.c.external_id,
            sa.func.max(later.c.said_at).label("last"),
            sa.func.max(said_whole_at).label("last_whole"),
        )
        .join(later, later.c.id == import_row.c.import_id)
        .where(
            # Those whom a file misses stand behind its rows.
            import_row.c.position <= later.c.rows,
            sets.one_of(import_row.c.external_id, prepared.text("ids"), dialect=dialect, name="asked"),
        )
        .group_by(import_row.c.external_id)
    )


def _said_again(dialect: str) -> sa.Select[Any]:
    still_stands = sa.and_(
        identity.c.tenant == prepared.text("tenant"),
        identity.c.source == prepared.text("source"),
        identity.c.external_id == import_row.c.external_id,
        identity.c.row_digest == import_row.c.digest,
    )
    is_unchanged = import_row.c.outcome == sa.literal_column(f"'{imports.UNCHANGED}'")
    return _named_later(dialect).join(identity, still_stands).where(is_unchanged, import_row.c.code.is_(None))


_NAMED_LATER = Prepared(_named_later)
_SAID_AGAIN = Prepared(_said_again)
