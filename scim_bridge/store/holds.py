"""Who may not be deactivated yet, who may, and how many were within a window: by lane, in few statements."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.states import State
from scim_bridge.store import ledger, outbox, replays, sets, tables
from scim_bridge.store.engine import Transaction

hold, departure, allowance, operation = tables.hold, tables.departure, tables.allowance, tables.operation

HELD = "guard_held"
"""The code of an operation that the guard holds."""

ENDED = "hold_ended"
BRIDGE = "bridge"


class Standing(StrEnum):
    """What was decided about a person's deactivation."""

    OPEN = "open"
    REJECTED = "rejected"
    LET_GO = "let_go"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What a lane's window holds."""

    let_go: int
    """Deactivations that the guard let through in the window, save those of an allowance and released ones."""
    held: int
    """People whose deactivation waits for a person."""
    allowed: int
    """How many more an operator has allowed for now."""


def standing(tx: Transaction, lane_id: int, resource_ids: Iterable[int]) -> dict[int, Standing]:
    """Return what stands about these people's deactivation; who is not in it was never judged."""
    rows = sets.packed(resource_ids)
    held = sa.select(hold.c.resource_id, hold.c.status.label("status")).where(
        hold.c.lane_id == lane_id,
        hold.c.status.in_([sa.literal_column("'open'"), sa.literal_column("'rejected'")]),
        sets.among(hold.c.resource_id, sets.ids_in(sa.literal(rows, sa.Text), dialect=tx.dialect, name="asked")),
    )
    let_go = sa.select(departure.c.resource_id, sa.literal_column("'let_go'").label("status")).where(
        departure.c.lane_id == lane_id,
        departure.c.good_until > tx.now,
        sets.among(departure.c.resource_id, sets.ids_in(sa.literal(rows, sa.Text), dialect=tx.dialect, name="gone")),
    )
    # A hold says more than an old departure, so it comes last.
    found = [row for query in (let_go, held) for row in tx.connection.execute(query)]
    return {row.resource_id: Standing(row.status) for row in found}


def count(tx: Transaction, lane_id: int, *, since: Millis) -> Counted:
    """Return what the lane's window that began at `since` holds."""
    gone = sa.select(sa.func.count()).where(
        departure.c.lane_id == lane_id, departure.c.at > since, departure.c.counted == 1
    )
    held = sa.select(sa.func.count()).where(hold.c.lane_id == lane_id, hold.c.status == sa.literal_column("'open'"))
    left = sa.select(sa.func.coalesce(sa.func.sum(allowance.c.people - allowance.c.used), 0)).where(
        allowance.c.lane_id == lane_id, allowance.c.good_until > tx.now
    )
    row = tx.connection.execute(
        sa.select(
            gone.scalar_subquery().label("gone"),
            held.scalar_subquery().label("held"),
            left.scalar_subquery().label("allowed"),
        )
    ).one()
    return Counted(let_go=int(row.gone), held=int(row.held), allowed=int(row.allowed))


def let_go(
    tx: Transaction, lane_id: int, resource_ids: Sequence[int], *, good_until: Millis, is_counted: bool = True
) -> None:
    """Note that these people's deactivation may be sent, and from now on counts in the window (or does not)."""
    if not resource_ids:
        return
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    statement = insert(departure)
    rows = [
        {
            "tenant": tx.tenant,
            "lane_id": lane_id,
            "resource_id": resource_id,
            "counted": int(is_counted),
            "at": tx.now,
            "good_until": good_until,
        }
        for resource_id in resource_ids
    ]
    updated = {name: statement.excluded[name] for name in ("counted", "at", "good_until")}
    tx.connection.execute(
        statement.on_conflict_do_update(index_elements=["lane_id", "resource_id"], set_=updated), rows
    )


def use_allowances(tx: Transaction, lane_id: int, people: int) -> None:
    """Take so many people from what an operator has allowed, from what ends first."""
    if not people:
        return
    query = (
        sa.select(allowance.c.id, (allowance.c.people - allowance.c.used).label("left"))
        .where(allowance.c.lane_id == lane_id, allowance.c.good_until > tx.now, allowance.c.used < allowance.c.people)
        .order_by(allowance.c.good_until, allowance.c.id)
    )
    for row in tx.connection.execute(query).all():
        taken = min(people, row.left)
        use(tx, row.id, taken)
        people -= taken
        if not people:
            return


def allow(tx: Transaction, lane_id: int, *, people: int, good_until: Millis, reason: str, who: str) -> int:
    """Let so many deactivations more than the threshold through, once, until an instant; returns its number."""
    row = {
        "tenant": tx.tenant,
        "lane_id": lane_id,
        "people": people,
        "reason": reason,
        "who": who,
        "at": tx.now,
        "good_until": good_until,
    }
    return int(tx.connection.execute(sa.insert(allowance).values(row).returning(allowance.c.id)).scalar_one())


def left_of(tx: Transaction, allowance_id: int) -> int:
    """Return how many of an allowance are not used yet."""
    query = sa.select(allowance.c.people - allowance.c.used).where(allowance.c.id == allowance_id)
    return int(tx.connection.execute(query).scalar_one())


def use(tx: Transaction, allowance_id: int, people: int) -> None:
    """Take so many people from one allowance."""
    tx.connection.execute(
        sa.update(allowance).where(allowance.c.id == allowance_id).values(used=allowance.c.used + people)
    )


def open_for(tx: Transaction, lane_id: int, operations: Mapping[int, int], *, reason: str) -> None:
    """Open a hold for each of these people (resource id -> operation that was to deactivate them)."""
    rows = [
        {
            "tenant": tx.tenant,
            "lane_id": lane_id,
            "resource_id": resource_id,
            "operation_id": operation_id,
            "reason": reason,
            "status": Standing.OPEN.value,
            "opened_at": tx.now,
            "asked_at": tx.now,
        }
        for resource_id, operation_id in operations.items()
    ]
    if rows:
        tx.connection.execute(sa.insert(hold), rows)


def end(tx: Transaction, lane_id: int, resource_ids: Sequence[int]) -> None:
    """End all that stands about people whom the directory calls active again. They no longer count in the window.

    What was held yields to the operation that the return made.
    """
    if not resource_ids:
        return
    gone = sets.id_rows(tx, resource_ids, "returned")
    tx.connection.execute(
        sa.delete(departure).where(departure.c.lane_id == lane_id, sets.among(departure.c.resource_id, gone))
    )
    ended = close(tx, lane_id, resource_ids, status="ended", who=BRIDGE)
    replays.put_back(tx, [(lane_id, each) for each in ended], who=BRIDGE, stuck=State.HELD, reason=HELD, code=ENDED)


def end_moved(tx: Transaction, lane_id: int, resource_ids: Iterable[int]) -> None:
    """End the holds of people whose account belongs to somebody else now: nothing of theirs is left to take away."""
    ended = close(tx, lane_id, list(resource_ids), status="ended", who=BRIDGE)
    if not ended:
        return
    ids = _held_operations(tx, lane_id, ended)
    outbox.move(tx, ids, before=State.HELD, values={"state": State.UNCHANGED.value, "reason": "taken_over"})
    steps = ((State.WAITING, ENDED), (State.UNCHANGED, "taken_over"))
    ledger.append_entries(
        tx, ({"operation_id": each, "outcome": state.value, "code": code} for each in ids for state, code in steps)
    )


def discard(tx: Transaction, lane_id: int, resource_ids: Sequence[int], *, code: str, who: str) -> int:
    """Give up the held operations of people, and return how many these were."""
    ids = _held_operations(tx, lane_id, resource_ids)
    outbox.move(tx, ids, before=State.HELD, values={"state": State.DISCARDED.value, "reason": code})
    ledger.append_entries(
        tx,
        ({"operation_id": each, "outcome": State.DISCARDED.value, "code": code, "who": who} for each in ids),
    )
    return len(ids)


def close(
    tx: Transaction,
    lane_id: int,
    resource_ids: Sequence[int],
    *,
    status: str,
    who: str,
    before: Sequence[Standing] = (Standing.OPEN, Standing.REJECTED),
) -> list[int]:
    """Bring the standing holds of these people to a status; returns whose they were."""
    closed = tx.connection.execute(
        sa.update(hold)
        .where(
            hold.c.lane_id == lane_id,
            hold.c.status.in_([each.value for each in before]),
            sets.among(hold.c.resource_id, sets.id_rows(tx, resource_ids, "closed_holds")),
        )
        .values(status=status, closed_at=tx.now, closed_by=who)
        .returning(hold.c.resource_id)
    )
    return sorted(row.resource_id for row in closed)


def ask_again(tx: Transaction, *, asked_before: Millis) -> dict[tuple[str, str], int]:
    """Note that people are asked again about open holds that they have long not answered.

    Returns how many holds these are, by tenant and target.
    """
    asked = tx.connection.execute(
        sa.update(hold)
        .where(hold.c.status == sa.literal_column("'open'"), hold.c.asked_at <= asked_before)
        .values(asked_at=tx.now)
        .returning(hold.c.lane_id)
    ).all()
    counts: dict[int, int] = {}
    for row in asked:
        counts[row.lane_id] = counts.get(row.lane_id, 0) + 1
    lane = tables.lane
    query = sa.select(lane.c.id, lane.c.tenant, lane.c.target).where(
        sets.among(lane.c.id, sets.id_rows(tx, sorted(counts)))
    )
    return {(row.tenant, row.target): counts[row.id] for row in tx.connection.execute(query)} if counts else {}


def forget(tx: Transaction) -> None:
    """Remove departures that no longer count and of which nobody need know."""
    tx.connection.execute(sa.delete(departure).where(departure.c.good_until <= tx.now))


def _held_operations(tx: Transaction, lane_id: int, resource_ids: Sequence[int]) -> list[int]:
    query: Any = sa.select(operation.c.id).where(
        operation.c.lane_id == lane_id,
        operation.c.state == sa.literal_column("'held'"),
        operation.c.reason == HELD,
        sets.among(operation.c.resource_id, sets.id_rows(tx, resource_ids)),
    )
    return [row.id for row in tx.connection.execute(query.order_by(operation.c.id))]
