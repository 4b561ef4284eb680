"""Counts over one tenant's books: how much was recorded, and how far each target's share of it has come."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Priority
from scim_bridge.domain.states import CLOSED, OPEN, State
from scim_bridge.store import tables
from scim_bridge.store.engine import Transaction

change, operation, entry, lane, resource = (
    tables.change,
    tables.operation,
    tables.entry,
    tables.lane,
    tables.resource,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """How many changes were recorded, by source, and how many operations are in which state, by target."""

    changes: Mapping[str, int]
    operations: Mapping[str, Mapping[State, int]]

    @property
    def recorded(self) -> int:
        """Return the changes of all sources."""
        return sum(self.changes.values())

    @property
    def open(self) -> int:
        """Return the operations that the bridge itself will still work on."""
        return sum(self.of(target, *OPEN) for target in self.operations)

    def of(self, target: str, *states: State) -> int:
        """Return how many operations of a target are in any of some states."""
        return sum(self.operations.get(target, {}).get(state, 0) for state in states)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stuck:
    """Somebody whose newest operation on a lane ended dead or held, and why."""

    target: str
    state: State
    code: str
    detail: str
    user_name: str = field(repr=False)


def tally(tx: Transaction) -> Tally:
    """Count the changes and operations of the transaction's tenant."""
    sources = sa.select(change.c.source, sa.func.count()).where(change.c.tenant == tx.tenant).group_by(change.c.source)
    states = (
        sa.select(lane.c.target, operation.c.state, sa.func.count())
        .select_from(operation.join(lane, lane.c.id == operation.c.lane_id))
        .where(operation.c.tenant == tx.tenant)
        .group_by(lane.c.target, operation.c.state)
    )
    counted: dict[str, Counter[State]] = {}
    for target, state, count in tx.connection.execute(states).all():
        counted.setdefault(target, Counter())[State(state)] += int(count)
    changes = {source: int(count) for source, count in tx.connection.execute(sources).all()}
    return Tally(changes=changes, operations=counted)


def is_done(tx: Transaction) -> bool:
    """Tell whether nothing waits, and nothing is being sent, for any lane of the transaction's tenant."""
    left = [
        sa.exists().where(operation.c.lane_id == lane.c.id, operation.c.state == sa.text(f"'{state}'"))
        for state in sorted(OPEN)
    ]
    query = sa.select(lane.c.id).where(lane.c.tenant == tx.tenant, sa.or_(*left)).limit(1)
    return tx.connection.execute(query).first() is None


def people_met(tx: Transaction, code: str) -> dict[str, int]:
    """Return, by target, how many people have an entry with a code in their history."""
    query = (
        sa.select(lane.c.target, sa.func.count(sa.distinct(operation.c.resource_id)))
        .select_from(
            entry.join(operation, operation.c.id == entry.c.operation_id).join(lane, lane.c.id == operation.c.lane_id)
        )
        .where(entry.c.tenant == tx.tenant, entry.c.code == code)
        .group_by(lane.c.target)
    )
    return {target: int(count) for target, count in tx.connection.execute(query).all()}


def stuck(tx: Transaction) -> list[Stuck]:
    """Return who is dead or held, each person once for each target, with the reason of the newest operation."""
    other = entry.alias("other")
    newest = sa.select(sa.func.max(other.c.id)).where(other.c.operation_id == operation.c.id).scalar_subquery()
    query = (
        sa.select(
            lane.c.target,
            operation.c.state,
            operation.c.resource_id,
            entry.c.code,
            entry.c.detail,
            resource.c.document,
        )
        .select_from(
            operation.join(lane, lane.c.id == operation.c.lane_id)
            .join(entry, entry.c.id == newest)
            .join(resource, resource.c.id == operation.c.resource_id)
        )
        .where(
            operation.c.tenant == tx.tenant,
            operation.c.state.in_([State.DEAD.value, State.HELD.value]),
        )
        .order_by(lane.c.target, operation.c.id)
    )
    found = {
        (row.target, row.resource_id): Stuck(
            target=row.target,
            state=State(row.state),
            code=row.code,
            detail=row.detail,
            user_name=str(json.loads(row.document).get("userName", "")),
        )
        for row in tx.connection.execute(query)
    }
    return list(found.values())


def slowest_leavers_ms(tx: Transaction) -> dict[str, Millis]:
    """Return, by target, the longest time from the recording of a leaver to the end of the operation."""
    ended = sa.select(sa.func.max(entry.c.at)).where(entry.c.operation_id == operation.c.id).scalar_subquery()
    query = (
        sa.select(lane.c.target, sa.func.max(ended - operation.c.received_at))
        .select_from(operation.join(lane, lane.c.id == operation.c.lane_id))
        .where(
            operation.c.tenant == tx.tenant,
            operation.c.priority == int(Priority.LEAVER),
            operation.c.state.in_([state.value for state in CLOSED - {State.SUPERSEDED}]),
        )
        .group_by(lane.c.target)
    )
    return {target: int(longest) for target, longest in tx.connection.execute(query).all()}
