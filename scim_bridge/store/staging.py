"""Rows of a file as it comes in: those that say what was applied last are known by their digests, and kept cheaply."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from scim_bridge.store import prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.imports import UNCHANGED
from scim_bridge.store.prepared import Prepared

import_row, identity = tables.import_row, tables.identity

REPEATED = "row_repeated"

_KEPT = ("position", "external_id", "digest")


def unchanged_of(tx: Transaction, source: str, digests: Mapping[str, str]) -> frozenset[str]:
    """Return which ids have the digest of the row that was applied last, of digests by id."""
    found = _DIGESTS.rows(tx, tenant=tx.tenant, source=source, ids=sets.packed(digests))
    return frozenset(external_id for external_id, digest in found if digest == digests[external_id])


def keep_unchanged(tx: Transaction, import_id: int, rows: Sequence[tuple[int, str, str]]) -> None:
    """Keep rows of a file that say what was applied last: position, id and digest of each."""
    if not rows:
        return
    if tx.dialect == "postgresql":
        _KEEP_UNCHANGED.run(tx, tenant=tx.tenant, import_id=import_id, rows=sets.packed(rows))
    else:
        # To bind values is a fifth of taking them out of a list for SQLite; PostgreSQL would be sent as many messages.
        of_all = {"tenant": tx.tenant, "import_id": import_id}
        _KEEP_UNCHANGED.run_many(
            tx,
            [
                {**of_all, "position": position, "external_id": name, "digest": digest}
                for position, name, digest in rows
            ],
        )


def refuse_repeated(tx: Transaction, import_id: int, *, advice: str) -> None:
    """Refuse rows whose id a row before them has; those that say just the same are unchanged."""
    twice = [row.external_id for row in _TWICE.rows(tx, import_id=import_id)]
    if not twice:
        return
    before = import_row.alias("before")
    of_same = sa.and_(
        before.c.import_id == import_row.c.import_id,
        before.c.external_id == import_row.c.external_id,
        before.c.position < import_row.c.position,
    )
    alike = sa.select(sa.literal(1)).where(of_same, before.c.digest == import_row.c.digest).exists()
    tx.connection.execute(
        sa.update(import_row)
        .where(
            import_row.c.import_id == import_id,
            import_row.c.outcome.is_(None),
            sets.among(import_row.c.external_id, sets.text_rows(tx, twice)),
            sa.select(sa.literal(1)).where(of_same).exists(),
        )
        .values(
            outcome=sa.case((alike, UNCHANGED), else_="refused"),
            code=sa.case((alike, sa.null()), else_=REPEATED),
            advice=sa.case((alike, sa.null()), else_=advice),
            fields=None,
        )
    )


def _digests(dialect: str) -> sa.Executable:
    return sa.select(identity.c.external_id, identity.c.row_digest).where(
        identity.c.tenant == prepared.text("tenant"),
        identity.c.source == prepared.text("source"),
        sets.one_of(identity.c.external_id, prepared.text("ids"), dialect=dialect, name="asked"),
    )


def _keep_unchanged(dialect: str) -> sa.Executable:
    if dialect == "postgresql":
        columns = {name: import_row.c[name].type for name in _KEPT}
        given = sets.rows_in(prepared.text("rows"), columns, dialect=dialect, name="given")
        rows: Any = [given.c[name] for name in _KEPT]
    else:
        rows = [prepared.number("position"), prepared.text("external_id"), prepared.text("digest")]
    of_all: tuple[Any, ...] = (
        prepared.text("tenant"),
        prepared.number("import_id"),
        sa.literal_column(f"'{UNCHANGED}'"),
    )
    return sa.insert(import_row).from_select(["tenant", "import_id", "outcome", *_KEPT], sa.select(*of_all, *rows))


_DIGESTS = Prepared(_digests)
_KEEP_UNCHANGED = Prepared(_keep_unchanged)
_TWICE = Prepared(
    lambda _dialect: (
        sa.select(import_row.c.external_id)
        .where(import_row.c.import_id == prepared.number("import_id"), import_row.c.external_id != "")
        .group_by(import_row.c.external_id)
        .having(sa.func.count() > 1)
    ),
    is_planned_anew=True,
)
