"""Settling a call: every operation's next state, its entry and its link, set-based, in the caller's one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import State
from scim_bridge.store import ledger, links, notices, outbox, prepared, seals, sets, tables, versions
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

operation = tables.operation

ALIKE = 8
"""From so many operations on that ended alike, one statement of their own records them."""


class NotAsExpected(Exception):  # noqa: N818 - a fact about the books
    """An operation does not stand where its settlement expects it; nothing was written."""


def settle(
    tx: Transaction,
    *,
    lane_id: int,
    outcomes: Sequence[Outcome],
    before: State,
    batch_id: int | None,
    who: str = "bridge",
) -> None:
    """Bring operations from `before` to the states of their outcomes, with entries and links.

    Where one goes back to waiting while another of the same person waits already, the newer of both supersedes the
    older. When one is delivered (or found to be so already), older dead and held ones of the same person close.

    Raises:
        NotAsExpected: an operation is not in `before` any more; the caller's transaction must be undone.
    """
    heirs: dict[int, int] = {}
    going_back = [outcome for outcome in outcomes if outcome.state is State.WAITING]
    if going_back:
        # Recording locks a person before it owes anything: taking the same lock first, neither misses the other's row.
        versions.of(tx, [outcome.resource_id for outcome in going_back])
        heirs = _heirs(tx, lane_id, going_back)
        _hand_on_priority(tx, heirs)
        # Those that wait give way first: a person has one waiting operation at most.
        older = sorted(heirs.keys() - {outcome.operation_id for outcome in going_back})
        if older:
            gone = {"state": State.SUPERSEDED.value, "reason": outbox.NEWER}
            outbox.move(tx, older, before=State.WAITING, values=gone)
    by_values: dict[tuple[Any, ...], list[int]] = {}
    for outcome in outcomes:
        state = outcome.state
        if state is State.WAITING and outcome.operation_id in heirs:
            state = State.SUPERSEDED
        due_at = outcome.due_at if outcome.due_at is not None else tx.now
        key = (state.value, outcome.code, outcome.attempts, due_at if state is State.WAITING else None, outcome.cap)
        by_values.setdefault(key, []).append(outcome.operation_id)
    for (state_name, code, attempts, due_at, cap), ids in by_values.items():
        values: dict[str, Any] = {"state": state_name, "reason": code, "attempts": attempts, "cap": cap}
        if due_at is not None:
            values["due_at"] = due_at
        if len(outbox.move(tx, ids, before=before, values=values)) != len(ids):
            msg = "an operation moved on while it was being settled"
            raise NotAsExpected(msg)
    _enter(tx, outcomes, batch_id=batch_id, who=who)
    notices.owe_for_stuck(tx, lane_id, outcomes)
    _enter_superseded(tx, heirs, who=who)
    changes = {o.resource_id: o.link_changes for o in outcomes if o.link_changes}
    if changes:
        links.save(tx, lane_id, changes, batch_id=batch_id)
    _close_older(tx, lane_id, [o for o in outcomes if o.state in (State.DELIVERED, State.UNCHANGED)])


def _heirs(tx: Transaction, lane_id: int, going_back: Sequence[Outcome]) -> dict[int, int]:
    """Return what is superseded where two would wait of somebody: each such operation with the newer of both."""
    query = sa.select(operation.c.resource_id, operation.c.id).where(
        operation.c.lane_id == lane_id,
        operation.c.state == sa.text("'waiting'"),
        sets.among(operation.c.resource_id, sets.id_rows(tx, [outcome.resource_id for outcome in going_back])),
    )
    waits = {row.resource_id: row.id for row in tx.connection.execute(query)}
    pairs = [(o.operation_id, waits[o.resource_id]) for o in going_back if o.resource_id in waits]
    return {min(pair): max(pair) for pair in pairs if pair[0] != pair[1]}


def _hand_on_priority(tx: Transaction, heirs: Mapping[int, int]) -> None:
    """Let the newer operation be as urgent as the one that it supersedes: a leaver stays a leaver."""
    if not heirs:
        return
    query = sa.select(operation.c.id, operation.c.priority).where(sets.among(operation.c.id, sets.id_rows(tx, heirs)))
    by_priority: dict[int, list[int]] = {}
    for row in tx.connection.execute(query):
        by_priority.setdefault(row.priority, []).append(heirs[row.id])
    for priority, ids in sorted(by_priority.items(), reverse=True):
        tx.connection.execute(
            sa.update(operation)
            .where(sets.among(operation.c.id, sets.id_rows(tx, ids)), operation.c.priority > priority)
            .values(seals.sealed(operation, {"priority": priority}, dialect=tx.dialect))
        )


def _enter(tx: Transaction, outcomes: Sequence[Outcome], *, batch_id: int | None, who: str) -> None:
    """Record what became of operations; of most in a call the same did."""
    alike: dict[tuple[str, str, str], list[int]] = {}
    for outcome in outcomes:
        alike.setdefault((outcome.state.value, outcome.code, outcome.detail), []).append(outcome.operation_id)
    lone: list[dict[str, Any]] = []
    for (state, code, detail), ids in alike.items():
        if len(ids) >= ALIKE:
            ledger.append_alike(tx, ids, outcome=state, code=code, detail=detail, batch_id=batch_id, who=who)
            continue
        told = {"outcome": state, "code": code, "detail": detail, "batch_id": batch_id, "who": who}
        lone += [{"operation_id": operation_id, **told} for operation_id in ids]
    ledger.append_entries(tx, lone)


def _enter_superseded(tx: Transaction, heirs: Mapping[int, int], *, who: str) -> None:
    told = {"outcome": State.SUPERSEDED.value, "code": outbox.NEWER, "who": who}
    ledger.append_entries(
        tx, ({"operation_id": older, "superseded_by": newer, **told} for older, newer in heirs.items())
    )


def _close_older(tx: Transaction, lane_id: int, delivered: Sequence[Outcome]) -> None:
    """Close dead and held operations that a newer, delivered one of the same person has made pointless."""
    if not delivered:
        return
    newest = {o.resource_id: o.operation_id for o in delivered}
    found = _OLDER.rows(tx, lane=lane_id, resources=sets.packed(newest))
    older = [row for row in found if row.id < newest[row.resource_id]]
    for state in (State.DEAD, State.HELD):
        ids = [row.id for row in older if row.state == state.value]
        if ids:
            outbox.move(tx, ids, before=state, values={"state": State.SUPERSEDED.value, "reason": "newer_delivered"})
    ledger.append_entries(
        tx,
        (
            {
                "operation_id": row.id,
                "outcome": State.SUPERSEDED.value,
                "code": "newer_delivered",
                "superseded_by": newest[row.resource_id],
            }
            for row in older
        ),
    )


def _older(dialect: str) -> sa.Executable:
    delivered = sets.ids_in(prepared.text("resources"), dialect=dialect, name="delivered")
    return sa.select(operation.c.id, operation.c.resource_id, operation.c.state).where(
        operation.c.lane_id == prepared.number("lane"),
        operation.c.state.in_([sa.literal_column("'dead'"), sa.literal_column("'held'")]),
        sets.among(operation.c.resource_id, delivered),
    )


_OLDER = Prepared(_older, is_planned_anew=True)
