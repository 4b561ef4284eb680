"""Whom the guard holds, as an operator chooses among them."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.states import State
from scim_bridge.store import outbox, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.holds import HELD, Standing

hold, resource, lane, operation = tables.hold, tables.resource, tables.lane, tables.operation


BLOCKED = "blocked_by_group"
"""The code of an operation that waits for a group."""

_IS_HELD = sa.and_(operation.c.state == sa.literal_column("'held'"), operation.c.reason == HELD)
_WAITS_FOR_GROUP = sa.and_(operation.c.state == sa.literal_column("'waiting'"), operation.c.reason == BLOCKED)


def hasten(tx: Transaction, lane_id: int, resource_ids: Collection[int]) -> None:
    """Make what of these people waits for a group due now: their deactivation, which goes first, needs none."""
    query = sa.select(operation.c.id).where(
        operation.c.lane_id == lane_id,
        _WAITS_FOR_GROUP,
        sets.among(operation.c.resource_id, sets.id_rows(tx, sorted(resource_ids))),
    )
    ids = [row.id for row in tx.connection.execute(query.order_by(operation.c.id))]
    outbox.move(tx, ids, before=State.WAITING, values={"due_at": tx.now})


def chosen(
    tx: Transaction,
    *,
    statuses: Collection[Standing],
    tenant: str | None = None,
    target: str | None = None,
    resource_ids: Collection[int] | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Mapping[str, Any]]:
    """Return the standing holds that all given filters choose, the oldest first, each with its person.

    An open hold whose operation was closed otherwise (somebody was deactivated by hand) holds nobody: it is left out.
    Who has other changes that wait for a group is held, too. With a limit, the first ones by number behind the hold
    `after`.
    """
    of_hold = sa.and_(operation.c.lane_id == hold.c.lane_id, operation.c.resource_id == hold.c.resource_id)
    held, waits = (sa.exists().where(of_hold, which) for which in (_IS_HELD, _WAITS_FOR_GROUP))
    query = (
        sa.select(
            *(hold.c[name] for name in ("id", "tenant", "lane_id", "resource_id", "status", "reason", "opened_at")),
            *(hold.c[name] for name in ("closed_at", "closed_by", "operation_id")),
            lane.c.target,
            resource.c.scim_id,
            resource.c.document,
        )
        .select_from(hold.join(lane, lane.c.id == hold.c.lane_id).join(resource, resource.c.id == hold.c.resource_id))
        .where(
            hold.c.status.in_([each.value for each in statuses]),
            sa.or_(hold.c.status != Standing.OPEN.value, held, waits),
        )
        .order_by(hold.c.opened_at, hold.c.id)
    )
    if limit is not None:
        query = query.where(hold.c.id > after).order_by(None).order_by(hold.c.id).limit(limit)
    tenant = tx.tenant if tx.tenant is not None else tenant
    if tenant is not None:
        query = query.where(hold.c.tenant == tenant)
    if target is not None:
        query = query.where(lane.c.target == target)
    if resource_ids is not None:
        query = query.where(sets.among(hold.c.resource_id, sets.id_rows(tx, sorted(resource_ids))))
    return [dict(row) for row in tx.connection.execute(query).mappings()]
