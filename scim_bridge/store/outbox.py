"""Operations: what a change makes us owe a lane, and where each stands."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.states import State
from scim_bridge.store import ledger, prepared, seals, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

operation = tables.operation

NEWER = "newer_operation"
"""The code of what is superseded."""


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
    lanes, resources = sets.packed(lane_ids), sets.packed(resource_ids)
    superseded = supersede(tx, lane_ids=lane_ids, resource_ids=resource_ids)()
    _INSERT.run(
        tx, tenant=tx.tenant, change=change, lanes=lanes, resources=resources, priority=priority, received_at=tx.now
    )
    if superseded:
        old = sets.packed(row.id for row in superseded)
        _CLOSE_SUPERSEDED.run(tx, tenant=tx.tenant, change=change, old=old, at=tx.now)
        for urgent in sorted({row.priority for row in superseded if row.priority < priority}):
            keep_priority(
                tx, change=change, superseded=[row.id for row in superseded if row.priority == urgent], urgent=urgent
            )
    return len(lane_ids) * len(resource_ids)


def supersede(tx: Transaction, *, lane_ids: Iterable[int], resource_ids: Iterable[int]) -> Callable[[], list[Any]]:
    """End what waits for these lanes and resources; return what gives its rows: id, lane_id, resource_id and priority.

    The caller makes what takes its place, and the entries that say so. See `Prepared.ask` for when it is waited for.
    """
    return _SUPERSEDE.ask(tx, lanes=sets.packed(lane_ids), resources=sets.packed(resource_ids))


def keep_priority(tx: Transaction, *, change: int, superseded: Iterable[int], urgent: int) -> None:
    """Give the operations of a change that took the place of these the more urgent priority that those had."""
    _KEEP_PRIORITY.send(tx, change=change, old=sets.packed(superseded), urgent=urgent)


def _supersede(dialect: str) -> sa.Executable:
    owed: list[sa.ColumnElement[bool]]
    if dialect == "sqlite":
        # In pairs: of two lists it would take the index of all that the resource ever had.
        lanes = sets.ids_in(prepared.text("lanes"), dialect=dialect, name="owed_lanes")
        resources = sets.ids_in(prepared.text("resources"), dialect=dialect, name="owed_resources")
        pairs = sa.select(lanes.c.id, resources.c.id).select_from(lanes.join(resources, sa.true()))
        owed = [sa.tuple_(operation.c.lane_id, operation.c.resource_id).in_(pairs)]
    else:
        # The lane in an expression, which no index is used for: while few operations are counted, that of all which
        # waits for the lane looks as good as that of the resources.
        lane = operation.c.lane_id + sa.literal_column("0")
        owed = [
            operation.c.resource_id == sa.any_(sets.array_of(prepared.text("resources"))),
            lane == sa.any_(sets.array_of(prepared.text("lanes"))),
        ]
    return (
        sa.update(operation)
        .where(operation.c.state == sa.text("'waiting'"), *owed)
        .values(seals.sealed(operation, {"state": State.SUPERSEDED.value}, dialect=dialect))
        .returning(operation.c.id, operation.c.lane_id, operation.c.resource_id, operation.c.priority)
    )


def _insert(dialect: str) -> sa.Executable:
    lanes = sets.ids_in(prepared.text("lanes"), dialect=dialect, name="owed_lanes")
    resources = sets.ids_in(prepared.text("resources"), dialect=dialect, name="owed_resources")
    values: dict[str, Any] = {
        "tenant": prepared.text("tenant"),
        "lane_id": lanes.c.id,
        "resource_id": resources.c.id,
        "change_number": prepared.number("change"),
        "state": sa.literal(State.WAITING.value, sa.Text),
        "priority": prepared.number("priority"),
        "attempts": sa.literal(0, sa.BigInteger),
        "due_at": prepared.number("received_at"),
        "received_at": prepared.number("received_at"),
        "reason": None,
        "cap": None,
    }
    given = {name: value for name, value in values.items() if value is not None}
    seal = seals.seal_expression(operation, values, dialect=dialect)
    rows = sa.select(*given.values(), seal).select_from(lanes.join(resources, sa.true()))
    return sa.insert(operation).from_select([*given, "seal"], rows)


def _close_superseded(dialect: str) -> sa.Executable:
    old, new = operation.alias("old"), operation.alias("new")
    pairs = old.join(
        new,
        sa.and_(
            new.c.lane_id == old.c.lane_id,
            new.c.resource_id == old.c.resource_id,
            new.c.change_number == prepared.number("change"),
            new.c.state == sa.text("'waiting'"),
        ),
    )
    among_old = sets.among(old.c.id, sets.ids_in(prepared.text("old"), dialect=dialect, name="superseded"))
    return ledger.entries_of(
        sa.select(old.c.id).select_from(pairs).where(among_old),
        dialect=dialect,
        tenant=prepared.text("tenant"),
        at=prepared.number("at"),
        operation_id=old.c.id,
        outcome=State.SUPERSEDED.value,
        code=NEWER,
        superseded_by=new.c.id,
    )


def _keep_priority(dialect: str) -> sa.Executable:
    pairs = operation.alias("pairs")
    return (
        sa.update(operation)
        .where(
            operation.c.change_number == prepared.number("change"),
            operation.c.state == sa.text("'waiting'"),
            sa.exists().where(
                sets.among(pairs.c.id, sets.ids_in(prepared.text("old"), dialect=dialect, name="urgent_operations")),
                pairs.c.lane_id == operation.c.lane_id,
                pairs.c.resource_id == operation.c.resource_id,
            ),
        )
        .values(seals.sealed(operation, {"priority": prepared.number("urgent")}, dialect=dialect))
    )


_SUPERSEDE = Prepared(_supersede, is_planned_anew=True)
_INSERT = Prepared(_insert)
_CLOSE_SUPERSEDED = Prepared(_close_superseded)
_KEEP_PRIORITY = Prepared(_keep_priority)


def move(tx: Transaction, ids: Iterable[int], *, before: State, values: Mapping[str, Any]) -> list[int]:
    """Give operations new values where they still stand in `before`; return the ids of those that did."""
    given = {_given(name): value for name, value in values.items()}
    moved = _moving(tuple(values)).rows(tx, ids=sets.packed(ids), before=before.value, **given)
    return [row.id for row in moved]


@cache
def _moving(names: tuple[str, ...]) -> Prepared:
    """Return the statement that gives operations new values of these columns."""

    def build(dialect: str) -> sa.Executable:
        rows = sets.ids_in(prepared.text("ids"), dialect=dialect, name="moved")
        values = {name: sa.bindparam(_given(name), type_=operation.c[name].type) for name in names}
        return (
            sa.update(operation)
            .where(sets.among(operation.c.id, rows), operation.c.state == prepared.text("before"))
            .values(seals.sealed(operation, values, dialect=dialect))
            .returning(operation.c.id)
        )

    return Prepared(build)


def _given(column: str) -> str:
    """Return the parameter of a column's new value; a column's own name would be the column's."""
    return f"new_{column}"


def still_waiting(tx: Transaction, ids: Iterable[int]) -> frozenset[int]:
    """Return which of the operations still wait; on PostgreSQL their rows are locked until the transaction ends."""
    query = sa.select(operation.c.id).where(
        sets.among(operation.c.id, sets.id_rows(tx, ids)), operation.c.state == sa.text("'waiting'")
    )
    if tx.dialect == "postgresql":
        query = query.order_by(operation.c.id).with_for_update(key_share=True)
    return frozenset(row.id for row in tx.connection.execute(query))
