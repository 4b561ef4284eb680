"""Operations of several changes at once, for few people: what `outbox.owe` does for one change and any number."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa

from scim_bridge.domain.states import State
from scim_bridge.store import ledger, outbox, prepared, seals, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

operation = tables.operation

Place = tuple[int, int]
"""A lane and a resource: of the operations for it, one waits at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One operation that a change makes us owe."""

    change: int
    lane_id: int
    resource_id: int
    priority: int

    @property
    def place(self) -> Place:
        """Return what it is owed for."""
        return self.lane_id, self.resource_id


def owe_each(tx: Transaction, dues: Sequence[Due]) -> None:
    """Make these operations, in the order of their changes: as if `outbox.owe` were called for one after the other.

    Of those for the same lane and resource only the last one waits; it supersedes the others, and what waited before,
    and keeps the most urgent priority of them. No change names a lane and resource twice.
    """
    if not dues:
        return
    newest = {due.place: due for due in dues}
    most_urgent: dict[Place, int] = {}
    for due in dues:
        most_urgent[due.place] = min(due.priority, most_urgent.get(due.place, due.priority))
    ended = [outbox.supersede(tx, lane_ids=lanes, resource_ids=resources) for resources, lanes in _owed_alike(newest)]
    rows = [_row(tx, due, newest[due.place], most_urgent[due.place]) for due in dues]
    made = _INSERT.ask(tx, rows=sets.packed(rows))
    waited = [row for answer in ended for row in answer()]
    ledger.append_entries(tx, _superseded(waited, made(), newest))
    _keep_priorities(tx, waited, newest, most_urgent)


def _owed_alike(places: Iterable[Place]) -> Iterable[tuple[frozenset[int], list[int]]]:
    """Return resources with the lanes that are owed all of them: as a rule, all lanes are owed the same."""
    resources_of: dict[int, set[int]] = {}
    for lane_id, resource_id in places:
        resources_of.setdefault(lane_id, set()).add(resource_id)
    lanes_of: dict[frozenset[int], list[int]] = {}
    for lane_id, resources in resources_of.items():
        lanes_of.setdefault(frozenset(resources), []).append(lane_id)
    return lanes_of.items()


def _row(tx: Transaction, due: Due, newest: Due, most_urgent: int) -> list[Any]:
    values = {
        "tenant": tx.tenant,
        "lane_id": due.lane_id,
        "resource_id": due.resource_id,
        "change_number": due.change,
        "state": (State.WAITING if due is newest else State.SUPERSEDED).value,
        "priority": most_urgent if due is newest else due.priority,
        "attempts": 0,
        "due_at": tx.now,
        "received_at": tx.now,
        "reason": None,
        "cap": None,
    }
    return list(seals.sealed_row(operation, values).values())


def _superseded(waited: Iterable[Any], made: Iterable[Any], newest: dict[Place, Due]) -> list[dict[str, Any]]:
    """Return an entry for everything that is superseded, by the operation that waits now."""
    waiting: dict[Place, int] = {}
    closed: list[tuple[int, Place]] = [(row.id, (row.lane_id, row.resource_id)) for row in waited]
    for row in sorted(made, key=lambda row: cast("int", row.change_number)):
        place = row.lane_id, row.resource_id
        if newest[place].change == row.change_number:
            waiting[place] = row.id
        else:
            closed.append((row.id, place))
    return [
        {
            "operation_id": number,
            "outcome": State.SUPERSEDED.value,
            "code": outbox.NEWER,
            "superseded_by": waiting[place],
        }
        for number, place in closed
    ]


def _keep_priorities(
    tx: Transaction, waited: Iterable[Any], newest: dict[Place, Due], most_urgent: dict[Place, int]
) -> None:
    urgent: dict[tuple[int, int], list[int]] = {}
    for row in waited:
        place = row.lane_id, row.resource_id
        if row.priority < most_urgent[place]:
            urgent.setdefault((newest[place].change, row.priority), []).append(row.id)
    for (change, priority), superseded in urgent.items():
        outbox.keep_priority(tx, change=change, superseded=superseded, urgent=priority)


_COLUMNS = [
    operation.c[name]
    for name in (
        *("tenant", "lane_id", "resource_id", "change_number", "state", "priority"),
        *("attempts", "due_at", "received_at", "reason", "cap", "seal"),
    )
]


def _insert(dialect: str) -> sa.Executable:
    rows = sets.rows_in(
        prepared.text("rows"), {column.name: column.type for column in _COLUMNS}, dialect=dialect, name="due"
    )
    statement = sa.insert(operation).from_select([column.name for column in _COLUMNS], sa.select(rows))
    return statement.returning(operation.c.id, operation.c.change_number, operation.c.lane_id, operation.c.resource_id)


_INSERT = Prepared(_insert)
