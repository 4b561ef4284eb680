"""Webhooks that were taken, so that none is taken twice, and whom a target's webhook is about."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.search import folding

KEPT_MS = 86_400_000
"""A webhook that comes again is recognised for this long; its signature is good for minutes only."""

AT_A_TIME = 500
MOST_PEOPLE = 20
"""So many people may bear one address; more are not looked at for one webhook."""

webhook, resource, lookup, link, operation = (
    tables.webhook,
    tables.resource,
    tables.lookup,
    tables.link,
    tables.operation,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Somebody whom a webhook is about, in one lane."""

    resource_id: int
    wanted_active: bool
    """As the directory has them; somebody deleted is wanted inactive."""
    known_active: bool | None
    """As their account was last known; None: nothing is known of one."""
    known_at: Millis | None
    in_doubt: bool
    waits: bool
    """An operation of theirs waits in the lane."""
    is_sent: bool
    """An operation of theirs is in a call."""


def take(tx: Transaction, target: str, marks: Sequence[str]) -> bool:
    """Note a webhook by what tells it from all others; False when one of these marks was noted before."""
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    for mark in marks:
        row = {"tenant": tx.tenant, "target": target, "mark": mark, "taken_at": tx.now}
        statement = insert(webhook).values(row).on_conflict_do_nothing().returning(webhook.c.mark)
        if tx.connection.execute(statement).first() is None:
            return False
    return True


def is_taken(tx: Transaction, target: str, marks: Sequence[str]) -> bool:
    """Tell whether a webhook was taken before, without noting it."""
    query = sa.select(webhook.c.mark).where(
        webhook.c.tenant == tx.tenant, webhook.c.target == target, webhook.c.mark.in_(list(marks))
    )
    return tx.connection.execute(query).first() is not None


def forget(tx: Transaction, *, before: Millis, at_a_time: int = AT_A_TIME) -> bool:
    """Remove some of the marks that are older; True when there may be more of them."""
    taken_at = webhook.c.taken_at
    nth = sa.select(taken_at).where(taken_at < before).order_by(taken_at).offset(at_a_time - 1).limit(1)
    newest: Millis | None = tx.connection.execute(nth).scalar()
    tx.connection.execute(sa.delete(webhook).where(taken_at < before if newest is None else taken_at <= newest))
    return newest is not None


def subjects(tx: Transaction, lane_id: int, *, account_id: str | None, names: Sequence[str]) -> list[Subject]:
    """Return whom a target means: who holds the account, else who bears a name and may be getting it just now."""
    if account_id is not None:
        holders = sa.select(link.c.resource_id).where(link.c.lane_id == lane_id, link.c.account_id == account_id)
        if found := _subjects(tx, lane_id, holders):
            return found
    if not names:
        return []
    folded = sets.text_rows(tx, [folding.fold_text(name) for name in names])
    bearers = sa.union(
        sa.select(resource.c.id).where(
            resource.c.tenant == tx.tenant,
            resource.c.kind == USER,
            sets.among(resource.c.unique_key, folded),
        ),
        sa.select(lookup.c.resource_id).where(
            lookup.c.tenant == tx.tenant, lookup.c.path == "emails.value", sets.among(lookup.c.value, folded)
        ),
    ).subquery("bearers")
    return _subjects(tx, lane_id, sa.select(bearers.c[0]), account_id=account_id)


def _subjects(
    tx: Transaction, lane_id: int, numbers: "sa.Select[tuple[int]]", *, account_id: str | None = None
) -> list[Subject]:
    """Return those of the people who have an account in the lane, or work; not who has another account there."""
    waits, is_sent = (_has_operation(lane_id, state) for state in ("waiting", "sending"))
    query = (
        sa.select(
            resource.c.id,
            resource.c.active,
            resource.c.deleted_at,
            link.c.active.label("known_active"),
            link.c.known_at,
            link.c.doubt,
            waits.label("waits"),
            is_sent.label("is_sent"),
        )
        .select_from(resource.outerjoin(link, sa.and_(link.c.lane_id == lane_id, link.c.resource_id == resource.c.id)))
        .where(resource.c.id.in_(numbers), sa.or_(link.c.active.is_not(None), waits, is_sent))
        .order_by(resource.c.id)
        .limit(MOST_PEOPLE)
    )
    if account_id is not None:
        query = query.where(link.c.account_id.is_(None))
    return [
        Subject(
            resource_id=row.id,
            wanted_active=bool(row.active) and row.deleted_at is None,
            known_active=None if row.known_active is None else bool(row.known_active),
            known_at=row.known_at,
            in_doubt=row.doubt is not None,
            waits=bool(row.waits),
            is_sent=bool(row.is_sent),
        )
        for row in tx.connection.execute(query)
    ]


def _has_operation(lane_id: int, state: str) -> "sa.Exists":
    return sa.exists().where(
        operation.c.lane_id == lane_id,
        operation.c.resource_id == resource.c.id,
        operation.c.state == sa.text(f"'{state}'"),
    )
