"""Who is due on a lane, with all that deciding needs, in a handful of statements whatever the number of people."""

import json
from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Person, Priority
from scim_bridge.store import links, prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

PRIORITIES = (Priority.LEAVER, Priority.GROUP, Priority.NORMAL)

OPEN_BATCH_GRACE_MS = 2_000
"""Beyond the total deadline of a call whose worker is gone, before its people are read back."""

operation, resource = tables.operation, tables.resource


def people_due(tx: Transaction, lane_id: int, *, limit: int, only_urgent: bool = False) -> list[Person]:
    """Return whose operation waits and is due: leavers first, then the oldest; nobody who is in a call just now."""
    least = Priority.LEAVER if only_urgent else max(PRIORITIES)
    return _with_groups(tx, _DUE.rows(tx, lane=lane_id, now=tx.now, least=least, most=limit))


def _due(dialect: str) -> sa.Executable:
    return (
        _people(dialect)
        .where(
            *_is_due(prepared.number("now"), prepared.number("lane")), operation.c.priority <= prepared.number("least")
        )
        .order_by(operation.c.priority, operation.c.due_at, operation.c.id)
        .limit(prepared.number("most"))
    )


def count_due(tx: Transaction, lane_id: int, *, most: int) -> int:
    """Return how many are due, counted no further than `most`."""
    return int(_COUNTED.rows(tx, lane=lane_id, now=tx.now, most=most)[0].people)


def has_other_leavers(tx: Transaction, lane_id: int, known: Collection[int]) -> bool:
    """Tell whether a leaver is due who is none of those known (by their operations)."""
    query = (
        sa.select(operation.c.id)
        .where(*_is_due(tx.now, lane_id), operation.c.priority == Priority.LEAVER)
        .order_by(operation.c.due_at, operation.c.id)
        .limit(len(known) + 1)
    )
    return any(row.id not in known for row in tx.connection.execute(query))


def _is_due(now: Any, lane_id: Any) -> tuple[sa.ColumnElement[bool], ...]:
    sending = operation.alias("out")
    return (
        operation.c.lane_id == lane_id,
        operation.c.state == sa.text("'waiting'"),
        operation.c.due_at <= now,
        ~sa.exists().where(
            sending.c.lane_id == lane_id,
            sending.c.resource_id == operation.c.resource_id,
            sending.c.state == sa.text("'sending'"),
        ),
    )


def people_of(tx: Transaction, operation_ids: Iterable[int]) -> list[Person]:
    """Return the people of operations, whatever their state."""
    query = (
        _people(tx.dialect).where(sets.among(operation.c.id, sets.id_rows(tx, operation_ids))).order_by(operation.c.id)
    )
    return _with_groups(tx, tx.connection.execute(query).all())


def next_due(tx: Transaction, lane_id: int) -> Millis | None:
    """Return when the lane's next operation is due, None when nothing waits."""
    found = [tx.connection.execute(sa.select(_first_due(lane_id, priority))).scalar() for priority in PRIORITIES]
    return min((int(at) for at in found if at is not None), default=None)


def lanes_to_wake(tx: Transaction, *, early_ms: Millis) -> tuple[list[tuple[str, str, bool]], Millis | None]:
    """Return which lanes want a worker now, and when the next one will.

    A lane is (tenant, target, whether a leaver is due). One that somebody works at, or that is paused, wants none. The
    second value is None when nothing waits anywhere.
    """
    lane, batch = tables.lane, tables.batch
    firsts = [_first_due(lane.c.id, priority).label(f"due_{priority}") for priority in PRIORITIES]
    left_open = (
        sa.select(sa.func.min(batch.c.deadline_at))
        .where(batch.c.lane_id == lane.c.id, batch.c.status == sa.text("'open'"))
        .scalar_subquery()
    )
    query = sa.select(lane, *firsts, left_open.label("left_open")).where(
        lane.c.configured == 1, lane.c.paused_at.is_(None)
    )
    now, wanting, nexts = tx.now, [], []
    for row in tx.connection.execute(query).mappings():
        due = [row[f"due_{priority}"] for priority in PRIORITIES]
        waits = [at for at in due if at is not None]
        if row["left_open"] is not None:
            waits.append(row["left_open"] + OPEN_BATCH_GRACE_MS)
        if not waits:
            continue
        at = max(min(waits), row["wake_at"] or 0)
        held = row["owner"] is not None and row["lease_until"] > now
        if held:
            nexts.append(max(at, row["lease_until"]))
        elif at - early_ms <= now:
            wanting.append((row["tenant"], row["target"], due[0] is not None and due[0] <= now))
        else:
            nexts.append(at)
    return wanting, min(nexts, default=None)


def _first_due(lane_id: object, priority: int) -> sa.ScalarSelect[int]:
    # One seek in the index for each priority, however long the backlog.
    return (
        sa.select(operation.c.due_at)
        .where(
            operation.c.lane_id == lane_id,
            operation.c.state == sa.text("'waiting'"),
            operation.c.priority == priority,
        )
        .order_by(operation.c.due_at)
        .limit(1)
        .scalar_subquery()
    )


def _people(dialect: str) -> sa.Select[Any]:
    owed = operation.join(resource, resource.c.id == operation.c.resource_id)
    joined, columns = links.beside(owed, operation.c.lane_id, operation.c.resource_id, dialect=dialect)
    return sa.select(
        operation.c.id.label("operation_id"),
        operation.c.resource_id,
        operation.c.priority,
        operation.c.attempts,
        operation.c.due_at,
        operation.c.received_at,
        operation.c.cap,
        operation.c.reason,
        resource.c.scim_id,
        resource.c.kind,
        resource.c.document,
        resource.c.active,
        resource.c.deleted_at,
        *columns,
    ).select_from(joined)


def _with_groups(tx: Transaction, rows: Any) -> list[Person]:
    groups = group_names(tx, [row.resource_id for row in rows if row.kind == "User"])
    return [
        Person(
            operation_id=row.operation_id,
            resource_id=row.resource_id,
            scim_id=row.scim_id,
            kind=row.kind,
            # A document need not say whether the person is active; the directory always knows.
            document={"active": bool(row.active), **json.loads(row.document)},
            deleted=row.deleted_at is not None,
            groups=groups.get(row.resource_id, ()),
            priority=row.priority,
            attempts=row.attempts,
            due_at=row.due_at,
            received_at=row.received_at,
            cap=row.cap,
            reason=row.reason,
            link=links.link_of(row),
        )
        for row in rows
    ]


def group_names(tx: Transaction, resource_ids: list[int]) -> dict[int, tuple[str, ...]]:
    """Return the displayNames of the groups that each user is in, by resource id."""
    if not resource_ids:
        return {}
    pairs = _MEMBERSHIPS.rows(tx, users=sets.packed(resource_ids))
    if not pairs:
        return {}
    documents = tx.connection.execute(
        sa.select(resource.c.id, resource.c.document).where(
            sets.among(resource.c.id, sets.id_rows(tx, sorted({pair.group_id for pair in pairs}))),
            resource.c.deleted_at.is_(None),
        )
    )
    names = {row.id: str(json.loads(row.document).get("displayName", "")) for row in documents}
    found: dict[int, list[str]] = {}
    for pair in pairs:
        if pair.group_id in names:
            found.setdefault(pair.user_id, []).append(names[pair.group_id])
    return {user: tuple(of_user) for user, of_user in found.items()}


def _memberships(dialect: str) -> sa.Executable:
    member = tables.member
    users = sets.ids_in(prepared.text("users"), dialect=dialect, name="users")
    return (
        sa.select(member.c.user_id, member.c.group_id)
        .where(sets.among(member.c.user_id, users))
        .order_by(member.c.user_id, member.c.group_id)
    )


def _counted(_dialect: str) -> sa.Executable:
    due = (
        sa.select(operation.c.id)
        .where(
            operation.c.lane_id == prepared.number("lane"),
            operation.c.state == sa.text("'waiting'"),
            operation.c.due_at <= prepared.number("now"),
        )
        .limit(prepared.number("most"))
        .subquery("due")
    )
    return sa.select(sa.func.count().label("people")).select_from(due)


_COUNTED = Prepared(_counted, is_planned_anew=True)
# How many wait, and how many are in groups, changes too much for a plan that is kept.
_DUE = Prepared(_due, is_planned_anew=True)
_MEMBERSHIPS = Prepared(_memberships, is_planned_anew=True)
