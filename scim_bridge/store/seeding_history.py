"""Gives people a long past for benches: many operations each, of which the last of some is dead.

Made by a few statements over all people, without seals: books as long as real ones, but none that could be proved.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Priority
from scim_bridge.domain.states import State
from scim_bridge.store import tables
from scim_bridge.store.engine import Transaction

resource, change, operation, entry = tables.resource, tables.change, tables.operation, tables.entry

_SPREAD = 48_271
"""A prime: neighbours end far from each other."""


def put_round(
    tx: Transaction,
    *,
    number: int,
    rounds: int,
    lane_ids: Sequence[int],
    codes: Sequence[str],
    dead_every: int,
    began_at: Millis,
    spread_ms: Millis,
) -> None:
    """Owe one of the lanes one more operation for everybody whose past is that long, and end it.

    Of `rounds` rounds a person has between one and all. The last operation of one person in `dead_every` is dead.
    """
    at = began_at + number
    person = resource.c.id
    _insert(
        tx,
        change,
        {
            "tenant": resource.c.tenant,
            "resource_id": person,
            "previous": 0,
            "kind": "update",
            "source": "idp",
            "correlation_id": resource.c.scim_id,
            "request": "{}",
            "owed": 1,
            "received_at": at,
        },
        where=(resource.c.tenant == tx.tenant, resource.c.kind == "User", person % rounds >= number),
        order=person,
    )
    of = change.c.resource_id
    is_dead = sa.and_(of % rounds == number, (of // rounds) % dead_every == 0)
    _insert(
        tx,
        operation,
        {
            "tenant": change.c.tenant,
            "lane_id": _one_of(of // 7 + number, lane_ids),
            "resource_id": of,
            "change_number": change.c.number,
            "state": sa.case((is_dead, State.DEAD.value), else_=State.DELIVERED.value),
            "priority": int(Priority.NORMAL),
            "attempts": 1,
            "due_at": at,
            "received_at": at,
            "reason": sa.case((is_dead, _one_of(of, codes)), else_="ok"),
        },
        where=(change.c.tenant == tx.tenant, change.c.received_at == at),
        order=change.c.number,
    )
    _end(tx, at, spread_ms=spread_ms)


def _end(tx: Transaction, at: Millis, *, spread_ms: Millis) -> None:
    """Write how the operations of an instant began and ended."""
    ended_at = operation.c.received_at + (operation.c.id * _SPREAD) % spread_ms
    for outcome, code, when in (
        (State.SENDING.value, "ok", operation.c.received_at),
        (operation.c.state, operation.c.reason, ended_at),
    ):
        _insert(
            tx,
            entry,
            {
                "tenant": operation.c.tenant,
                "operation_id": operation.c.id,
                "outcome": outcome,
                "code": code,
                "who": "bridge",
                "at": when,
            },
            where=(operation.c.tenant == tx.tenant, operation.c.received_at == at),
            order=operation.c.id,
        )


def _insert(tx: Transaction, table: sa.Table, values: dict[str, Any], *, where: Sequence[Any], order: Any) -> None:
    given = [sa.literal(value) if isinstance(value, (str, int)) else value for value in values.values()]
    rows = sa.select(*given, sa.literal("")).where(*where).order_by(order)
    tx.connection.execute(sa.insert(table).from_select([*values, "seal"], rows))


def _one_of(number: Any, values: Sequence[Any]) -> Any:
    """Return one of a few values, by a number."""
    places = [(number % len(values) == place, value) for place, value in enumerate(values)]
    return sa.case(*places)
