"""Putting dead and held operations back: each person's newest waits again, their older ones follow it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.people import Priority
from scim_bridge.domain.states import State
from scim_bridge.store import lanes, ledger, outbox, sets, tables, versions
from scim_bridge.store.engine import Transaction

operation = tables.operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What one replay moved."""

    waiting: tuple[int, ...] = ()
    """Operations that wait again."""
    superseded: tuple[int, ...] = ()
    """Operations whose person has a newer one that waits, so that they share its fate."""
    wakes: Mapping[str, bool] = field(default_factory=dict)
    """Targets that have work now, and whether a leaver is among it."""


def put_back(
    tx: Transaction,
    pairs: Iterable[tuple[int, int]],
    *,
    who: str,
    stuck: State = State.DEAD,
    reason: str | None = None,
    code: str = "replayed",
) -> Replayed:
    """Have what is stuck (dead, or held) of these (lane id, resource id) pairs tried again, in the caller's own commit.

    A person is brought to the present state of the directory whichever of their operations is sent, so only the newest
    of a person's stuck and waiting ones is kept. Attempts and age start anew. With `reason` only what is stuck for it
    is meant; `code` is what the books say of what waits again.

    Where a newer one is out in a call, nothing older waits again: it brings the person to the same state. What is dead
    stays so until the newer one is delivered; what was held yields to it, since nobody decides about it any more.
    """
    pairs = set(pairs)
    # Whoever settles a call has its lane before its people.
    _lock_lanes(tx, {lane_id for lane_id, _ in pairs})
    # Recording locks a person before it owes anything: taking the same lock first, neither misses the other's row.
    versions.of(tx, {resource_id for _, resource_id in pairs})
    newest, older = _newest_and_older(tx, pairs, stuck=stuck, reason=reason)
    # Those that wait give way first: a person has one waiting operation at most.
    for state in (State.WAITING, stuck):
        ids = [row["id"] for row in older if row["state"] == state]
        outbox.move(tx, ids, before=state, values={"state": State.SUPERSEDED.value, "reason": "newer_operation"})
    waiting = [row["id"] for row in newest.values() if row["state"] == stuck]
    outbox.move(
        tx,
        waiting,
        before=stuck,
        values={
            "state": State.WAITING.value,
            "reason": code,
            "attempts": 0,
            "due_at": tx.now,
            "received_at": tx.now,
            "cap": None,
        },
    )
    ledger.append_entries(tx, _entries(newest, older, waiting=set(waiting), code=code, who=who))
    _hand_on_priority(tx, newest, older)
    return Replayed(
        waiting=tuple(waiting),
        superseded=tuple(row["id"] for row in older),
        wakes=_note_wakes(tx, [row for row in newest.values() if row["state"] != State.SENDING]),
    )


def _lock_lanes(tx: Transaction, lane_ids: Iterable[int]) -> None:
    """Let nobody else work these lanes until the transaction ends; SQLite has one writer anyway."""
    if tx.dialect == "postgresql":
        query = (
            sa.select(tables.lane.c.id)
            .where(sets.among(tables.lane.c.id, sets.id_rows(tx, lane_ids)))
            .order_by(tables.lane.c.id)
            .with_for_update(key_share=True)
        )
        tx.connection.execute(query)


def _newest_and_older(
    tx: Transaction, pairs: Iterable[tuple[int, int]], *, stuck: State, reason: str | None
) -> tuple[dict[tuple[int, int], dict[str, Any]], list[Mapping[str, Any]]]:
    wanted = set(pairs)
    is_stuck = operation.c.state == stuck.value
    if reason is not None:
        is_stuck = sa.and_(is_stuck, operation.c.reason == reason)
    query = (
        sa.select(
            operation.c.id,
            operation.c.lane_id,
            operation.c.resource_id,
            operation.c.state,
            operation.c.priority,
            tables.lane.c.target,
        )
        .join(tables.lane, tables.lane.c.id == operation.c.lane_id)
        .where(
            operation.c.tenant == tx.tenant,
            sets.among(operation.c.resource_id, sets.id_rows(tx, sorted({pair[1] for pair in wanted}))),
            sa.or_(is_stuck, operation.c.state.in_([State.WAITING.value, State.SENDING.value])),
        )
        .order_by(operation.c.id.desc())
    )
    if tx.dialect == "postgresql":
        query = query.with_for_update(of=operation, key_share=True)
    newest: dict[tuple[int, int], dict[str, Any]] = {}
    older: list[Mapping[str, Any]] = []
    for row in (dict(found) for found in tx.connection.execute(query).mappings()):
        pair = (row["lane_id"], row["resource_id"])
        if pair not in newest:
            if pair in wanted:
                newest[pair] = row
        elif not _is_left_alone(row, newest[pair]):
            older.append(row)
    return newest, older


def _is_left_alone(row: Mapping[str, Any], newer: Mapping[str, Any]) -> bool:
    """Tell whether an operation stays as it is beside a newer one: it is out itself, or dead while the newer is out."""
    is_out, is_newer_out = row["state"] == State.SENDING, newer["state"] == State.SENDING
    return bool(is_out or (is_newer_out and row["state"] == State.DEAD))


def _hand_on_priority(
    tx: Transaction, newest: Mapping[tuple[int, int], dict[str, Any]], older: Sequence[Mapping[str, Any]]
) -> None:
    """Let the newest be as urgent as all that it stands for: a held leaver who is deleted still leaves first."""
    heirs: dict[int, dict[str, Any]] = {}
    for row in older:
        heir = newest[row["lane_id"], row["resource_id"]]
        heir["priority"] = min(heir["priority"], row["priority"])
        heirs[heir["id"]] = heir
    alike: dict[tuple[State, int], list[int]] = {}
    for heir in heirs.values():
        state = State.SENDING if heir["state"] == State.SENDING else State.WAITING
        alike.setdefault((state, heir["priority"]), []).append(heir["id"])
    for (state, priority), ids in alike.items():
        outbox.move(tx, ids, before=state, values={"priority": priority})


def _entries(
    newest: Mapping[tuple[int, int], Mapping[str, Any]],
    older: Sequence[Mapping[str, Any]],
    *,
    waiting: set[int],
    code: str,
    who: str,
) -> list[dict[str, Any]]:
    put_back_entries = [
        {"operation_id": operation_id, "outcome": State.WAITING.value, "code": code, "who": who}
        for operation_id in sorted(waiting)
    ]
    superseded = [
        {
            "operation_id": row["id"],
            "outcome": State.SUPERSEDED.value,
            "code": "newer_operation",
            "superseded_by": newest[row["lane_id"], row["resource_id"]]["id"],
            "who": who,
        }
        for row in older
    ]
    return put_back_entries + superseded


def _note_wakes(tx: Transaction, rows: Iterable[Mapping[str, Any]]) -> dict[str, bool]:
    wakes: dict[str, bool] = {}
    for row in rows:
        if row["target"] not in wakes:
            lanes.note(tx, row["lane_id"], wake_at=tx.now)
        wakes[row["target"]] = wakes.get(row["target"], False) or row["priority"] == Priority.LEAVER
    return wakes
