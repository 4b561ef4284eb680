"""The directory in pages, as reconciliation reads it: every user with groups and link, a few thousand at a time."""

import json
from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from scim_bridge.domain.people import Person
from scim_bridge.store import due, links, sets, tables
from scim_bridge.store.engine import Store, Transaction

resource, link, operation = tables.resource, tables.link, tables.operation

AT_A_TIME = 2_000

_REHEARSED = "dry_run"
"""The reason of an operation of which nothing was sent (`mode = "dry-run"`)."""


def users(store: Store, tenant: str, lane_id: int) -> Iterator[tuple[Person, bool]]:
    """Yield every user of a tenant as one lane sees them, and whether something is on its way for them already.

    Deleted users come too while they hold an account: not when another has taken it over (`links.release`). So do those
    whose leaving was only rehearsed: nobody has looked yet whether they have an account.
    No transaction is open between two pages.
    """
    after = 0
    while True:
        page = _page(store, tenant, lane_id, after=after)
        yield from page
        if len(page) < AT_A_TIME:
            return
        after = page[-1][0].resource_id


def skipped_last(tx: Transaction, lane_id: int, resource_ids: Sequence[int], *, reason: str) -> frozenset[int]:
    """Return those whose newest operation in a lane was skipped for a reason."""
    query = sa.select(resource.c.id).where(
        sets.among(resource.c.id, sets.id_rows(tx, resource_ids)), _ended_last(lane_id, resource.c.id, reason=reason)
    )
    return frozenset(tx.connection.execute(query).scalars())


def open_operations(tx: Transaction, lane_id: int, resource_ids: Iterable[int]) -> dict[int, int]:
    """Return the operation that is on its way for each of these resources, by resource id."""
    query = sa.select(operation.c.resource_id, operation.c.id).where(
        operation.c.lane_id == lane_id,
        operation.c.state.in_(("waiting", "sending")),
        sets.among(operation.c.resource_id, sets.id_rows(tx, resource_ids)),
    )
    return {row.resource_id: row.id for row in tx.connection.execute(query)}


def _page(store: Store, tenant: str, lane_id: int, *, after: int) -> list[tuple[Person, bool]]:
    is_open = sa.exists().where(
        operation.c.lane_id == lane_id,
        operation.c.resource_id == resource.c.id,
        operation.c.state.in_(("waiting", "sending")),
    )
    query = (
        sa.select(resource, is_open.label("is_open"), *links.LINK_COLUMNS)
        .select_from(resource.outerjoin(link, sa.and_(link.c.resource_id == resource.c.id, link.c.lane_id == lane_id)))
        .where(resource.c.tenant == tenant, resource.c.kind == "User", resource.c.id > after)
        .where(
            sa.or_(
                resource.c.deleted_at.is_(None),
                link.c.account_id.is_not(None),
                link.c.active.is_not(None),
                _ended_last(lane_id, resource.c.id, reason=_REHEARSED),
            )
        )
        .order_by(resource.c.id)
        .limit(AT_A_TIME)
    )
    with store.begin(tenant, write=False) as tx:
        rows = tx.connection.execute(query).all()
        groups = due.group_names(tx, [row.id for row in rows])
    return [
        (
            Person(
                operation_id=0,
                resource_id=row.id,
                scim_id=row.scim_id,
                kind="User",
                document=json.loads(row.document),
                deleted=row.deleted_at is not None,
                groups=groups.get(row.id, ()),
                link=links.link_of(row),
            ),
            bool(row.is_open),
        )
        for row in rows
    ]


def _ended_last(lane_id: int, resource_id: sa.ColumnElement[int], *, reason: str) -> sa.ColumnElement[bool]:
    """Return the condition that the newest operation of somebody in a lane was skipped for a reason."""
    newer = operation.alias("newer")
    is_newest = ~sa.exists().where(
        newer.c.lane_id == lane_id, newer.c.resource_id == operation.c.resource_id, newer.c.id > operation.c.id
    )
    return sa.exists().where(
        operation.c.lane_id == lane_id,
        operation.c.resource_id == resource_id,
        operation.c.state == "skipped",
        operation.c.reason == reason,
        is_newest,
    )
