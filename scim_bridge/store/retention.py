"""What time lets go of the books, leaving counts behind that the books can still be proved by."""

from pathlib import Path
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.states import CLOSED
from scim_bridge.store import locking, seals, sets, tables
from scim_bridge.store.engine import Store, Transaction

AT_A_TIME = 500

operation, entry, batch, closed, lane = tables.operation, tables.entry, tables.batch, tables.closed, tables.lane
change = tables.change


def close_operations(tx: Transaction, *, before: Millis) -> int:
    """Remove operations, entries, remarks of old changes whose operations are all closed; returns of how many changes.

    A change goes whole or not at all, and leaves a row in `closed` with the number of its operations.
    """
    finished = [state.value for state in CLOSED]
    alive = operation.alias("alive")
    old = (
        sa.select(change.c.number, change.c.tenant, sa.func.count(operation.c.id).label("operations"))
        .join(operation, operation.c.change_number == change.c.number)
        .where(
            change.c.received_at < before,
            ~sa.exists().where(alive.c.change_number == change.c.number, alive.c.state.notin_(finished)),
        )
        .group_by(change.c.number, change.c.tenant)
        .order_by(change.c.number)
        .limit(AT_A_TIME)
    )
    rows = tx.connection.execute(old).all()
    if not rows:
        return 0
    numbers = sets.id_rows(tx, [row.number for row in rows])
    ids = sa.select(operation.c.id).where(sets.among(operation.c.change_number, numbers))
    tx.connection.execute(sa.delete(entry).where(entry.c.operation_id.in_(ids)))
    tx.connection.execute(sa.delete(tables.remark).where(tables.remark.c.operation_id.in_(ids)))
    tx.connection.execute(sa.delete(operation).where(sets.among(operation.c.change_number, numbers)))
    _append(tx, [_row(tx, row.tenant, "operations", row.number, 0, row.operations) for row in rows])
    return len(rows)


def close_batches(tx: Transaction, *, before: Millis) -> int:
    """Remove each lane's oldest settled batches that no entry names any more; returns how many."""
    removed = 0
    for place in tx.connection.execute(sa.select(lane.c.id, lane.c.tenant)).all():
        named = sa.exists().where(entry.c.batch_id == batch.c.id)
        query = (
            sa.select(batch.c.id, batch.c.number, batch.c.settled_at, named.label("is_named"))
            .where(batch.c.lane_id == place.id)
            .order_by(batch.c.number)
            .limit(AT_A_TIME)
        )
        prefix = []
        for row in tx.connection.execute(query):
            if row.is_named or row.settled_at is None or row.settled_at >= before:
                break
            prefix.append(row)
        if prefix:
            rows = sets.id_rows(tx, [row.id for row in prefix])
            tx.connection.execute(sa.delete(batch).where(sets.among(batch.c.id, rows)))
            _append(tx, [_row(tx, place.tenant, "batches", place.id, prefix[0].number, len(prefix))])
            removed += len(prefix)
    return removed


def forget_evidence(tx: Transaction, *, before: Millis) -> None:
    """Empty the stored requests and answers of old batches; the rows stay for the books."""
    old = (
        sa.select(batch.c.id)
        .where(batch.c.settled_at < before, sa.or_(batch.c.request != "{}", batch.c.answer != "{}"))
        .limit(AT_A_TIME)
    )
    ids = [row.id for row in tx.connection.execute(old)]
    if ids:
        tx.connection.execute(
            sa.update(batch)
            .where(sets.among(batch.c.id, sets.id_rows(tx, ids)))
            .values(seals.sealed(batch, {"request": "{}", "answer": "{}"}, dialect=tx.dialect))
        )


def truncate_wal(store: Store, *, over_bytes: int) -> bool:
    """Fold SQLite's write-ahead log back into the database when it has grown; True when it was done.

    Readers that follow each other closely keep the log from ever being folded by itself.
    """
    database = store.engine.url.database
    lock = locking.lock_for(database) if store.engine.dialect.name == "sqlite" else None
    if lock is None or not database:
        return False
    log = Path(f"{database}-wal")
    if not log.exists() or log.stat().st_size < over_bytes:
        return False
    with lock:
        raw = store.engine.raw_connection()
        try:
            cursor = raw.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.close()
        finally:
            raw.close()
    return True


def _row(tx: Transaction, tenant: str, kind: str, ref: int, first: int, count: int) -> dict[str, Any]:
    row = {"tenant": tenant, "kind": kind, "ref": ref, "first": first, "count": count, "at": tx.now}
    return seals.sealed_row(closed, row)


def _append(tx: Transaction, rows: list[dict[str, Any]]) -> None:
    tx.connection.execute(sa.insert(closed), rows)
