"""Lanes: one tenant's one target. Their lease and epoch, pause, quarantine, breaker and when to wake them."""

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import prepared, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

lane = tables.lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """A lane as the store has it."""

    id: int
    tenant: str
    target: str
    paused_at: Millis | None
    paused_by: str | None
    pause_reason: str | None
    quarantined_at: Millis | None
    quarantine_reason: str | None
    quarantine_check_at: Millis | None
    failures: int
    breaker_until: Millis | None
    patience_until: Millis | None
    owner: str | None
    epoch: int
    lease_until: Millis
    wake_at: Millis | None
    batches: int


_COLUMNS = [lane.c[name] for name in Lane.__dataclass_fields__]


def configured(tx: Transaction) -> list[Lane]:
    """Return the lanes that the configuration names (of the transaction's tenant), in order of their id."""
    query = sa.select(*_COLUMNS).where(lane.c.configured == 1).order_by(lane.c.id)
    if tx.tenant is not None:
        query = query.where(lane.c.tenant == tx.tenant)
    return [Lane(**row) for row in tx.connection.execute(query).mappings()]


def configured_targets(tx: Transaction) -> list[tuple[int, str]]:
    """Return the id and the target's name of each lane that `configured` returns for the transaction's tenant."""
    return [(row.id, row.target) for row in _CONFIGURED_TARGETS.rows(tx, tenant=tx.tenant)]


_CONFIGURED_TARGETS = Prepared(
    lambda _dialect: (
        sa.select(lane.c.id, lane.c.target)
        .where(lane.c.configured == sa.text("1"), lane.c.tenant == prepared.text("tenant"))
        .order_by(lane.c.id)
    )
)


def by_target(tx: Transaction, target: str) -> Lane | None:
    """Return the tenant's lane to a target, None where there is none."""
    query = sa.select(*_COLUMNS).where(lane.c.tenant == tx.tenant, lane.c.target == target)
    row = tx.connection.execute(query).mappings().one_or_none()
    return None if row is None else Lane(**row)


def sync(tx: Transaction, pairs: Iterable[tuple[str, str]]) -> None:
    """Make the lanes equal to the configured (tenant, target) pairs; a lane that is gone from it keeps its rows."""
    wanted = set(pairs)
    rows = tx.connection.execute(sa.select(lane.c.id, lane.c.tenant, lane.c.target, lane.c.configured)).all()
    known = {(row.tenant, row.target): row for row in rows}
    new = [{"tenant": tenant, "target": target} for tenant, target in sorted(wanted - known.keys())]
    if new:
        tx.connection.execute(sa.insert(lane), new)
    for pair, row in known.items():
        if bool(row.configured) != (pair in wanted):
            tx.connection.execute(sa.update(lane).where(lane.c.id == row.id).values(configured=int(pair in wanted)))
    tenants = {row.tenant for row in tx.connection.execute(sa.select(tables.tenant.c.tenant))}
    missing = [{"tenant": name, "created_at": tx.now} for name in sorted({pair[0] for pair in wanted} - tenants)]
    if missing:
        tx.connection.execute(sa.insert(tables.tenant), missing)


def take_lease(tx: Transaction, lane_id: int, *, owner: str, lease_ms: int) -> int | None:
    """Take the right to work a lane and return its new epoch; None while somebody else holds it."""
    now = tx.lease_clock()
    taken = tx.connection.execute(
        sa.update(lane)
        .where(lane.c.id == lane_id, sa.or_(lane.c.owner.is_(None), lane.c.lease_until <= now))
        .values(owner=owner, epoch=lane.c.epoch + 1, lease_until=now + lease_ms)
        .returning(lane.c.epoch)
    ).one_or_none()
    return None if taken is None else int(taken.epoch)


def renew_lease(tx: Transaction, lane_id: int, *, epoch: int, lease_ms: int) -> bool:
    """Prolong a lease; False when its epoch is gone or it has run out, and the work must stop."""
    now = tx.lease_clock()
    result = tx.connection.execute(
        sa.update(lane)
        .where(lane.c.id == lane_id, lane.c.epoch == epoch, lane.c.owner.is_not(None), lane.c.lease_until > now)
        .values(lease_until=now + lease_ms)
    )
    return bool(result.rowcount)


def holds_lease(tx: Transaction, lane_id: int, *, epoch: int, spare_ms: int = 0) -> bool:
    """Tell whether the epoch still holds the lane, with `spare_ms` left on the lease."""
    query = sa.select(lane.c.id).where(
        lane.c.id == lane_id,
        lane.c.epoch == epoch,
        lane.c.owner.is_not(None),
        lane.c.lease_until > tx.lease_clock() + spare_ms,
    )
    if tx.dialect == "postgresql":
        query = query.with_for_update(key_share=True)
    return tx.connection.execute(query).first() is not None


def has_epoch(tx: Transaction, lane_id: int, *, epoch: int) -> bool:
    """Tell whether no successor has taken the lane, whatever the lease says; locks the lane's row."""
    query = sa.select(lane.c.id).where(lane.c.id == lane_id, lane.c.epoch == epoch)
    if tx.dialect == "postgresql":
        query = query.with_for_update(key_share=True)
    return tx.connection.execute(query).first() is not None


def release_lease(tx: Transaction, lane_id: int, *, epoch: int, wake_at: Millis | None) -> None:
    """Give the lane back and say when it has work again (None: nothing is known to be due)."""
    tx.connection.execute(
        sa.update(lane)
        .where(lane.c.id == lane_id, lane.c.epoch == epoch)
        .values(owner=None, lease_until=0, wake_at=wake_at)
    )


def free_leases(tx: Transaction, owner: str) -> int:
    """Free the leases of a process that is known to be dead; returns how many."""
    result = tx.connection.execute(
        sa.update(lane).where(lane.c.owner == owner).values(owner=None, lease_until=0, wake_at=tx.now)
    )
    return int(result.rowcount)


def note(tx: Transaction, lane_id: int, **values: object) -> None:
    """Set columns of a lane: failures, breaker_until, patience_until, quarantine, pause, wake_at."""
    tx.connection.execute(sa.update(lane).where(lane.c.id == lane_id).values(**values))
