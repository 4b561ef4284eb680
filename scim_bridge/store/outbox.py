"""Operations: what a change makes us owe a lane, and where each stands."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.states import State
from scim_bridge.store import ledger, seals, sets, tables
from scim_bridge.store.engine import Transaction

operation = tables.operation


def owe(
    tx: Transaction,
    *,
    change: int,
    lane_ids: Sequence[int],
    resource_ids: Sequence[int],
    priority: int,
) -> int:
    """Make a change's operations, one for each lane and resource, and return how many.

    What waits for the same lane and resource is superseded; the new operation keeps the more urgent priority.
    """
    if not lane_ids or not resource_ids:
        return 0
    lanes, resources = sets.id_rows(tx, lane_ids, "owed_lanes"), sets.id_rows(tx, resource_ids, "owed_resources")
    superseded = tx.connection.execute(
        sa.update(operation)
        .where(
            operation.c.state == sa.text("'waiting'"),
            sets.among(operation.c.lane_id, lanes),
            sets.among(operation.c.resource_id, resources),
        )
        .values(seals.sealed(operation, {"state": State.SUPERSEDED.value}, dialect=tx.dialect))
        .returning(operation.c.id, operation.c.priority)
    ).all()
    _insert(tx, lanes=lanes, resources=resources, change=change, priority=priority)
    if superseded:
        _close_superseded(tx, change=change, superseded=[row.id for row in superseded])
        for urgent in sorted({row.priority for row in superseded if row.priority < priority}):
            _keep_priority(tx, change=change, priority=urgent, old=[r.id for r in superseded if r.priority == urgent])
    return len(lane_ids) * len(resource_ids)


def _insert(tx: Transaction, *, lanes: Any, resources: Any, change: int, priority: int) -> None:
    values: dict[str, Any] = {
        "tenant": tx.tenant,
        "lane_id": lanes.c.id,
        "resource_id": resources.c.id,
        "change_number": change,
        "state": State.WAITING.value,
        "priority": priority,
        "attempts": 0,
        "due_at": tx.now,
        "received_at": tx.now,
        "reason": None,
        "cap": None,
    }
    selected = [
        value if isinstance(value, sa.ColumnElement) else sa.cast(sa.literal(value), operation.c[name].type)
        for name, value in values.items()
        if value is not None
    ]
    names = [name for name, value in values.items() if value is not None]
    seal = seals.seal_expression(operation, values, dialect=tx.dialect)
    tx.connection.execute(
        sa.insert(operation).from_select(
            [*names, "seal"], sa.select(*selected, seal).select_from(lanes.join(resources, sa.true()))
        )
    )


def _close_superseded(tx: Transaction, *, change: int, superseded: list[int]) -> None:
    old, new = operation.alias("old"), operation.alias("new")
    rows = sets.id_rows(tx, superseded, "superseded")
    source = (
        sa.select(old.c.id)
        .select_from(
            old.join(
                new,
                sa.and_(
                    new.c.lane_id == old.c.lane_id,
                    new.c.resource_id == old.c.resource_id,
                    new.c.change_number == change,
                    new.c.state == sa.text("'waiting'"),
                ),
            )
        )
        .where(sets.among(old.c.id, rows))
    )
    ledger.append_entries_of(
        tx,
        source,
        operation_id=old.c.id,
        outcome=State.SUPERSEDED.value,
        code="newer_operation",
        superseded_by=new.c.id,
    )


def _keep_priority(tx: Transaction, *, change: int, priority: int, old: list[int]) -> None:
    pairs = operation.alias("pairs")
    rows = sets.id_rows(tx, old, "urgent")
    tx.connection.execute(
        sa.update(operation)
        .where(
            operation.c.change_number == change,
            operation.c.state == sa.text("'waiting'"),
            sa.exists().where(
                sets.among(pairs.c.id, rows),
                pairs.c.lane_id == operation.c.lane_id,
                pairs.c.resource_id == operation.c.resource_id,
            ),
        )
        .values(seals.sealed(operation, {"priority": priority}, dialect=tx.dialect))
    )


def move(tx: Transaction, ids: Iterable[int], *, before: State, values: Mapping[str, Any]) -> list[int]:
    """Give operations new values where they still stand in `before`; return the ids of those that did."""
    rows = sets.id_rows(tx, ids, "moved")
    result = tx.connection.execute(
        sa.update(operation)
        .where(sets.among(operation.c.id, rows), operation.c.state == before.value)
        .values(seals.sealed(operation, values, dialect=tx.dialect))
        .returning(operation.c.id)
    )
    return [row.id for row in result]


def still_waiting(tx: Transaction, ids: Iterable[int]) -> frozenset[int]:
    """Return which of the operations still wait; on PostgreSQL their rows are locked until the transaction ends."""
    query = sa.select(operation.c.id).where(
        sets.among(operation.c.id, sets.id_rows(tx, ids)), operation.c.state == sa.text("'waiting'")
    )
    if tx.dialect == "postgresql":
        query = query.with_for_update()
    return frozenset(row.id for row in tx.connection.execute(query))
