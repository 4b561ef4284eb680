"""People whose account was there before us, and who may not just have it: who waits, and what was decided."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.notices import TAKEOVERS
from scim_bridge.domain.people import Doubt
from scim_bridge.domain.states import State
from scim_bridge.store import ledger, links, outbox, replays, sets, tables
from scim_bridge.store.engine import Transaction

operation, entry, link = tables.operation, tables.entry, tables.link
resource, lane = tables.resource, tables.lane

RELEASED = "takeover_released"
REJECTED = "takeover_rejected"


def chosen(
    tx: Transaction,
    *,
    rejected: bool,
    tenant: str | None = None,
    target: str | None = None,
    resource_ids: Collection[int] | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Mapping[str, Any]]:
    """Return whom all given filters choose, the oldest first, each with the person and the newest entry about it.

    These are the people who wait for a decision, or, with `rejected`, those whose account is to stay as it is. With a
    limit, the first ones by number of entry behind the entry `after`.
    """
    pairs = (_rejected() if rejected else _held()).subquery("pairs")
    said = entry.c.code == REJECTED if rejected else entry.c.outcome == State.HELD.value
    newest = (
        sa.select(sa.func.max(entry.c.id))
        .join(operation, operation.c.id == entry.c.operation_id)
        .where(operation.c.lane_id == pairs.c.lane_id, operation.c.resource_id == pairs.c.resource_id, said)
        .correlate(pairs)
        .scalar_subquery()
    )
    query = (
        sa.select(
            *(lane.c[name] for name in ("tenant", "target")),
            *(pairs.c[name] for name in ("lane_id", "resource_id")),
            *(resource.c[name] for name in ("scim_id", "document")),
            *(entry.c[name] for name in ("operation_id", "code", "who", "at")),
            entry.c.id.label("entry_id"),
        )
        .select_from(
            pairs.join(lane, lane.c.id == pairs.c.lane_id)
            .join(resource, resource.c.id == pairs.c.resource_id)
            .join(entry, entry.c.id == newest)
        )
        .order_by(entry.c.at, entry.c.id)
    )
    if limit is not None:
        query = query.where(entry.c.id > after).order_by(None).order_by(entry.c.id).limit(limit)
    tenant = tx.tenant if tx.tenant is not None else tenant
    if tenant is not None:
        query = query.where(lane.c.tenant == tenant)
    if target is not None:
        query = query.where(lane.c.target == target)
    if resource_ids is not None:
        query = query.where(sets.among(resource.c.id, sets.id_rows(tx, sorted(resource_ids))))
    return [dict(row) for row in tx.connection.execute(query).mappings()]


def release(tx: Transaction, lane_id: int, resource_ids: Sequence[int], *, who: str) -> None:
    """Let people have the account that their next look-up shows, and have what waits for it tried again."""
    links.raise_doubt(tx, lane_id, resource_ids, Doubt.RELEASED)
    for code in sorted(TAKEOVERS):
        pairs = [(lane_id, number) for number in resource_ids]
        replays.put_back(tx, pairs, who=who, stuck=State.HELD, reason=code, code=RELEASED)


def reject(tx: Transaction, lane_id: int, resource_ids: Sequence[int], *, who: str) -> None:
    """Leave accounts as they are, now and with every later change, and give up what waits for them."""
    links.raise_doubt(tx, lane_id, resource_ids, Doubt.REFUSED)
    query = sa.select(operation.c.id).where(
        operation.c.lane_id == lane_id,
        *_waits(),
        sets.among(operation.c.resource_id, sets.id_rows(tx, resource_ids)),
    )
    ids = [row.id for row in tx.connection.execute(query.order_by(operation.c.id))]
    outbox.move(tx, ids, before=State.HELD, values={"state": State.DISCARDED.value, "reason": REJECTED})
    given_up = {"outcome": State.DISCARDED.value, "code": REJECTED, "who": who}
    ledger.append_entries(tx, ({"operation_id": each, **given_up} for each in ids))


def standing(tx: Transaction, lane_id: int, resource_ids: Collection[int]) -> frozenset[int]:
    """Return who of these people waits for a decision about an account, or has been refused it."""
    pairs = sa.union(_held(), _rejected()).subquery("pairs")
    found = tx.connection.execute(sa.select(pairs.c.resource_id).where(pairs.c.lane_id == lane_id))
    return frozenset(resource_ids) & {row.resource_id for row in found}


def _waits() -> tuple[sa.ColumnElement[bool], ...]:
    return operation.c.state == sa.literal_column("'held'"), operation.c.reason.in_(sorted(TAKEOVERS))


def _held() -> sa.Select[Any]:
    return sa.select(operation.c.lane_id, operation.c.resource_id).where(*_waits()).distinct()


def _rejected() -> sa.Select[Any]:
    return sa.select(link.c.lane_id, link.c.resource_id).where(link.c.doubt == Doubt.REFUSED.value)
