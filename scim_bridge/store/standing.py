"""Where operations stand, as a sender may be told. One that was superseded stands where its successor stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.states import State
from scim_bridge.store import prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

operation, entry, lane = tables.operation, tables.entry, tables.lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the newest operation of a resource stands in one lane."""

    target: str
    state: State
    code: str | None
    """What the last step ended with; None: nothing was tried yet."""
    at: Millis
    """When the last step was; before the first, when the change was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """Operations of one change that stand alike in one lane."""

    target: str
    state: State
    code: str | None
    operations: int


def of_resources(tx: Transaction, resource_ids: Sequence[int]) -> dict[int, list[Standing]]:
    """Return where resources stand in each configured lane of the tenant, in one statement however many there are.

    Lanes are in the order of their names; one that is owed nothing of a resource is left out, and so is a resource that
    is owed to none.
    """
    found: dict[int, list[Standing]] = {}
    if not resource_ids:
        return found
    for row in _OF_RESOURCES.rows(tx, tenant=tx.tenant, resources=sets.packed(resource_ids)):
        standing = Standing(target=row.target, state=State(row.state), code=row.code, at=row.at)
        found.setdefault(row.resource_id, []).append(standing)
    return found


def of_change(tx: Transaction, number: int) -> list[Fate]:
    """Return where all that a change owes stands; empty when it owes nothing."""
    rows = _OF_CHANGE.rows(tx, tenant=tx.tenant, change=number)
    return [Fate(target=r.target, state=State(r.state), code=r.reason, operations=r.operations) for r in rows]


def _of_resources(dialect: str) -> sa.Executable:
    resources = sets.ids_in(prepared.text("resources"), dialect=dialect, name="shown")
    newest = (
        # One step in the index for each resource and lane, however long their history is.
        sa.select(sa.func.max(operation.c.id))
        .where(operation.c.resource_id == resources.c.id, operation.c.lane_id == lane.c.id)
        .correlate(resources, lane)
        .scalar_subquery()
    )
    start = (
        sa.select(resources.c.id.label("resource_id"), newest.label("id"))
        .select_from(resources.join(lane, sa.true()))
        .where(lane.c.tenant == prepared.text("tenant"), lane.c.configured == sa.literal_column("1"))
    )
    fate = _followed(start)
    steps = entry.alias("steps")
    last_step = sa.select(sa.func.max(steps.c.id)).where(steps.c.operation_id == fate.c.id).scalar_subquery()
    return (
        sa.select(
            fate.c.resource_id,
            lane.c.target,
            operation.c.state,
            entry.c.code,
            sa.func.coalesce(entry.c.at, operation.c.received_at).label("at"),
        )
        .select_from(
            fate.join(operation, operation.c.id == fate.c.id)
            .join(lane, lane.c.id == operation.c.lane_id)
            .outerjoin(entry, entry.c.id == last_step)
        )
        .where(operation.c.state != _SUPERSEDED)
        .order_by(fate.c.resource_id, lane.c.target)
    )


def _of_change(_dialect: str) -> sa.Executable:
    start = sa.select(operation.c.change_number.label("change_number"), operation.c.id.label("id")).where(
        operation.c.tenant == prepared.text("tenant"), operation.c.change_number == prepared.number("change")
    )
    fate = _followed(start)
    alike = (lane.c.target, operation.c.state, operation.c.reason)
    return (
        sa.select(*alike, sa.func.count().label("operations"))
        .select_from(fate.join(operation, operation.c.id == fate.c.id).join(lane, lane.c.id == operation.c.lane_id))
        .where(operation.c.state != _SUPERSEDED)
        .group_by(*alike)
        .order_by(*alike)
    )


def _followed(start: sa.Select[Any]) -> sa.CTE:
    """Return operations and all that took their places. `start` selects them as `id`, last, after one other column."""
    fate = start.cte("fate", recursive=True)
    kept, newer = fate.c[0], entry.alias("newer")
    return fate.union_all(
        sa.select(kept, newer.c.superseded_by)
        .select_from(fate.join(newer, newer.c.operation_id == fate.c.id))
        .where(newer.c.outcome == _SUPERSEDED)
    )


_SUPERSEDED: sa.ColumnElement[str] = sa.literal_column(f"'{State.SUPERSEDED.value}'")
_OF_RESOURCES = Prepared(_of_resources)
_OF_CHANGE = Prepared(_of_change)
