"""What the store says about lanes and about what ended badly: figures that only read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.store import lanes, sets, tables
from scim_bridge.store.engine import Transaction

PROBE_IS_AMONG = 5_000
"""A lane's last probe is looked for among so many of its newest batches."""

operation, resource, link, lane = tables.operation, tables.resource, tables.link, tables.lane

_IS_STUCK = operation.c.state.in_([sa.literal_column("'dead'"), sa.literal_column("'held'")])

# Both: the first names the index of all that is stuck as SQLite wants it named, the second chooses within it.
IS_DEAD = sa.and_(_IS_STUCK, operation.c.state == sa.literal_column("'dead'"))
"""The condition that an operation is no longer tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What one lane still has before it, counted in people."""

    lane: lanes.Lane
    pending: int = 0
    """Waiting, sending or due later."""
    held: int = 0
    dead: int = 0
    oldest_at: Millis | None = None
    """When the oldest of the pending was received."""
    first_due_at: Millis | None = None
    """When the first of the pending may be tried."""
    last_due_at: Millis | None = None
    """When the last of the pending may be tried."""
    to_create: int = 0
    """Pending users who are active and of whom no account is known."""
    to_look_up: int = 0
    """Pending users whose account must be looked up first."""
    others: int = 0
    """Pending users whose account is known, and groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which dead operations are meant; what is None does not choose. Times are when they ended."""

    tenant: str | None = None
    target: str | None = None
    codes: frozenset[str] | None = None
    since: Millis | None = None
    until: Millis | None = None
    resource_ids: frozenset[int] | None = None


def tenants(tx: Transaction) -> set[str]:
    """Return the tenants that have rows, whether the configuration still names them or not."""
    return set(tx.connection.execute(sa.select(tables.tenant.c.tenant)).scalars())


def pairs(tx: Transaction) -> set[tuple[str, str]]:
    """Return the (tenant, target) pairs that have a lane, whether the configuration still names them or not."""
    return {(row.tenant, row.target) for row in tx.connection.execute(sa.select(lane.c.tenant, lane.c.target))}


def backlogs(tx: Transaction) -> list[Backlog]:
    """Return the backlog of every configured lane, by tenant and target."""
    figures: dict[int, dict[str, Any]] = {}
    for lane_id, name, value in (*_counted_by_state(tx), *_pending(tx)):
        figures.setdefault(lane_id, {})[name] = value
    found = [Backlog(lane=each, **figures.get(each.id, {})) for each in lanes.configured(tx)]
    return sorted(found, key=lambda each: (each.lane.tenant, each.lane.target))


def last_probes(tx: Transaction, lane_ids: Sequence[int]) -> dict[int, str]:
    """Return what each of some lanes noted of the last probe that its target answered, as JSON; not of long ago."""
    batch = tables.batch
    newest = (
        sa.select(batch.c.answer)
        .where(
            batch.c.lane_id == lane.c.id,
            # By the index of numbers, backwards: a lane probes hourly, so that it is not far.
            batch.c.number > lane.c.batches - PROBE_IS_AMONG,
            batch.c.step == "probe",
            batch.c.status == "finished",
        )
        .order_by(batch.c.number.desc())
        .limit(1)
        .correlate(lane)
        .scalar_subquery()
    )
    query = sa.select(lane.c.id, newest.label("answer")).where(sets.among(lane.c.id, sets.id_rows(tx, lane_ids)))
    return {row.id: row.answer for row in tx.connection.execute(query) if row.answer is not None}


def _counted_by_state(tx: Transaction) -> list[tuple[int, str, Any]]:
    query = (
        sa.select(operation.c.lane_id, operation.c.state, sa.func.count(operation.c.resource_id.distinct()))
        .where(_IS_STUCK)
        .group_by(operation.c.lane_id, operation.c.state)
    )
    return [(lane_id, state, count) for lane_id, state, count in tx.connection.execute(query)]


def _pending(tx: Transaction) -> list[tuple[int, str, Any]]:
    wants_look_up = sa.or_(
        link.c.doubt.is_not(None),
        sa.and_(link.c.active.is_(None), resource.c.active == 0),
        sa.and_(link.c.active.is_not(None), link.c.account_id.is_(None)),
    )
    is_unknown = link.c.active.is_(None)
    by_kind = sa.case(
        (resource.c.kind != USER, "others"),
        (wants_look_up, "to_look_up"),
        (is_unknown, "to_create"),
        else_="others",
    ).label("share")
    owed = sa.union_all(
        # Each has an index of its own; for both in one condition the whole table would be walked through.
        *(
            sa.select(*(operation.c[name] for name in ("lane_id", "resource_id", "received_at", "due_at"))).where(
                operation.c.state == sa.literal_column(state)
            )
            for state in ("'waiting'", "'sending'")
        )
    ).subquery("owed")
    people = (
        sa.select(
            owed.c.lane_id,
            by_kind,
            sa.func.min(owed.c.received_at).label("oldest_at"),
            sa.func.min(owed.c.due_at).label("first_due_at"),
            sa.func.max(owed.c.due_at).label("last_due_at"),
        )
        .select_from(
            owed.join(resource, resource.c.id == owed.c.resource_id).outerjoin(
                link, sa.and_(link.c.lane_id == owed.c.lane_id, link.c.resource_id == owed.c.resource_id)
            )
        )
        .group_by(owed.c.lane_id, owed.c.resource_id, by_kind)
        .subquery("people")
    )
    query = sa.select(
        people.c.lane_id,
        people.c.share,
        sa.func.count().label("count"),
        sa.func.min(people.c.oldest_at).label("oldest_at"),
        sa.func.min(people.c.first_due_at).label("first_due_at"),
        sa.func.max(people.c.last_due_at).label("last_due_at"),
    ).group_by(people.c.lane_id, people.c.share)
    totals: dict[int, dict[str, Any]] = {}
    for row in tx.connection.execute(query).mappings():
        total = totals.setdefault(row["lane_id"], {"pending": 0})
        total[row["share"]] = row["count"]
        total["pending"] += row["count"]
        total["oldest_at"] = min(row["oldest_at"], total.get("oldest_at", row["oldest_at"]))
        total["first_due_at"] = min(row["first_due_at"], total.get("first_due_at", row["first_due_at"]))
        total["last_due_at"] = max(row["last_due_at"], total.get("last_due_at", row["last_due_at"]))
    return [(lane_id, name, value) for lane_id, total in totals.items() for name, value in total.items()]
