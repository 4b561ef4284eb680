"""HR events: which were taken already, and those that are kept until something can be made of them."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.rows import Refusal, Row
from scim_bridge.store import prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

KEPT_MS = 90 * 86_400_000
"""An event that comes again is recognised for this long: some senders sign no time, and try for days."""

AT_A_TIME = 500

WAITING, FETCH, REFUSED = "waiting", "fetch", "refused"
"""To be applied when the source is paused no more; to be looked at in the source; of no use as it is."""

STOPPING: frozenset[str] = frozenset({"fetch_refused", "fetch_throttled"})
"""Codes of a fetch that say something of the whole source: until it is due, nobody of that source is looked up."""

mark, event = tables.hr_mark, tables.hr_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One event that is kept. `number` is the store's, once it is there."""

    state: str
    row: Row
    correlation_id: str
    refusal: Refusal | None = None
    number: int = 0
    at: Millis = 0
    attempts: int = field(default=0)
    """Of a fetch: how often it was tried in vain."""
    due_at: Millis = 0
    """Of a fetch: when it may be tried next."""


def take(tx: Transaction, source: str, marks: Collection[str]) -> set[str]:
    """Note events by what tells each from all others, and return the marks of those that are new."""
    rows = _TAKE.rows(tx, rows=sets.packed([tx.tenant, source, each, tx.now] for each in marks))
    return {row.mark for row in rows}


def are_taken(tx: Transaction, source: str, marks: Collection[str]) -> bool:
    """Tell whether all of these events were taken before."""
    query = sa.select(sa.func.count()).where(
        mark.c.tenant == tx.tenant, mark.c.source == source, sets.among(mark.c.mark, sets.text_rows(tx, marks))
    )
    return bool(tx.connection.execute(query).scalar_one() == len(set(marks)))


def release(tx: Transaction, source: str, marks: Collection[str]) -> None:
    """Forget that events were taken: they were refused, and may be sent again once they are mended."""
    if marks:
        among = sets.among(mark.c.mark, sets.text_rows(tx, marks))
        tx.connection.execute(sa.delete(mark).where(mark.c.tenant == tx.tenant, mark.c.source == source, among))


def forget(tx: Transaction, *, before: Millis, refused_before: Millis, at_a_time: int = AT_A_TIME) -> bool:
    """Remove some of the older marks and of the older refused events; True when there may be more of the marks."""
    taken_at = mark.c.taken_at
    nth = sa.select(taken_at).where(taken_at < before).order_by(taken_at).offset(at_a_time - 1).limit(1)
    newest: Millis | None = tx.connection.execute(nth).scalar()
    tx.connection.execute(sa.delete(mark).where(taken_at < before if newest is None else taken_at <= newest))
    old = sa.select(event.c.id).where(event.c.state == sa.text(f"'{REFUSED}'"), event.c.at < refused_before)
    tx.connection.execute(sa.delete(event).where(event.c.id.in_(old.order_by(event.c.at).limit(at_a_time))))
    return newest is not None


def keep(tx: Transaction, source: str, kept: Sequence[Kept]) -> None:
    """Keep events. Of a person to be fetched there is one: said again, it is due again.

    Not so while its whole source is left in peace: that a person changed mends no credential.
    """
    once = {each.row.external_id: each for each in kept if each.state == FETCH}
    for statement, some in (
        (_KEEP, [each for each in kept if each.state != FETCH]),
        (_KEEP_FETCH, list(once.values())),
    ):
        if some:
            statement.send(tx, rows=sets.packed(_values(tx, source, each) for each in some))


def of_state(
    tx: Transaction, source: str, state: str, *, limit: int, due: bool = False, locks: bool = False
) -> list[Kept]:
    """Return kept events of a source in the order in which they came; with `due`, only those that may be tried now.

    With `locks` they are this transaction's; those that are another's are left out.
    """
    query = sa.select(event).where(event.c.tenant == tx.tenant, event.c.source == source, event.c.state == state)
    if due:
        query = query.where(event.c.due_at <= tx.now)
    if locks and tx.dialect == "postgresql":
        query = query.with_for_update(skip_locked=True)
    return [kept_of(row) for row in tx.connection.execute(query.order_by(event.c.id).limit(limit))]


def counts(tx: Transaction) -> dict[tuple[str, str], int]:
    """Return how many events are kept, by source and state, of the transaction's tenant."""
    query = (
        sa.select(event.c.source, event.c.state, sa.func.count())
        .where(event.c.tenant == tx.tenant)
        .group_by(event.c.source, event.c.state)
    )
    return {(source, state): count for source, state, count in tx.connection.execute(query)}


def sources_of_state(tx: Transaction, state: str) -> list[tuple[str, str]]:
    """Return tenant and source of those who have events in a state."""
    query = sa.select(event.c.tenant, event.c.source).where(event.c.state == state).distinct()
    return sorted((row.tenant, row.source) for row in tx.connection.execute(query))


def are_waiting(tx: Transaction, source: str) -> bool:
    """Tell whether events of a source wait to be applied."""
    return _ARE_WAITING.row(tx, tenant=tx.tenant, source=source) is not None


def set_aside(tx: Transaction, number: int, refusal: Refusal) -> bool:
    """Take an event for refused, which nothing can be made of as it is; tell whether it still waited."""
    is_it = (event.c.tenant == tx.tenant, event.c.id == number, event.c.state == WAITING)
    values = {"state": REFUSED, "code": refusal.code, "field": refusal.field, "advice": refusal.advice}
    return bool(tx.connection.execute(sa.update(event).where(*is_it).values(values)).rowcount)


def drop(tx: Transaction, numbers: Iterable[int]) -> int:
    """Remove events of which something was made, or is to be made no more; return how many were still there."""
    rows = sets.id_rows(tx, numbers)
    gone = tx.connection.execute(sa.delete(event).where(event.c.tenant == tx.tenant, sets.among(event.c.id, rows)))
    return int(gone.rowcount)


def try_again(tx: Transaction, source: str, numbers: Iterable[int] | None = None) -> int:
    """Let refused events of a source be applied once more and have those looked up now who wait; return how many.

    With `numbers`, of these only. What waits for its source to be paused no more stays as it is.
    """
    chosen = [event.c.tenant == tx.tenant, event.c.source == source]
    if numbers is not None:
        chosen.append(sets.among(event.c.id, sets.id_rows(tx, numbers)))
    due = sa.update(event).where(*chosen, event.c.state == FETCH)
    count = int(tx.connection.execute(due.values(due_at=tx.now, attempts=0, code="", advice="")).rowcount)
    refused = (*chosen, event.c.state == REFUSED)
    is_bare = (event.c.fields == "{}", event.c.is_gone == 0, event.c.external_id != "")
    # One that only names somebody says nothing, whoever refused it for what: it is the person who must be looked at.
    bare = [kept_of(row) for row in tx.connection.execute(sa.select(event).where(*refused, *is_bare))]
    drop(tx, [each.number for each in bare])
    keep(tx, source, [replace(each, state=FETCH, refusal=None) for each in bare])
    again = sa.update(event).where(*refused).values(state=WAITING, code="", field="", advice="")
    return count + len(bare) + int(tx.connection.execute(again).rowcount)


def _values(tx: Transaction, source: str, kept: Kept) -> list[Any]:
    row, refusal = kept.row, kept.refusal or Refusal(code="", field="", advice="")
    return [
        *(tx.tenant, source, kept.state, row.external_id, json.dumps(dict(row.fields)), int(row.is_whole)),
        *(int(row.is_gone), row.said_at, refusal.code, refusal.field, refusal.advice, kept.correlation_id),
        *(tx.now, tx.now),
    ]


def kept_of(row: Any) -> Kept:
    """Return the event of a row of the table."""
    fields: Mapping[str, Any] = json.loads(row.fields)
    return Kept(
        number=row.id,
        state=row.state,
        row=Row(
            external_id=row.external_id,
            fields=fields,
            position=row.id,
            is_whole=bool(row.is_whole),
            is_gone=bool(row.is_gone),
            needs_fetch=row.state == FETCH,
            said_at=row.said_at,
        ),
        refusal=Refusal(code=row.code, field=row.field, advice=row.advice) if row.code else None,
        correlation_id=row.correlation_id,
        at=row.at,
        attempts=row.attempts,
        due_at=row.due_at,
    )


_NAMES = (
    *("tenant", "source", "state", "external_id", "fields", "is_whole", "is_gone", "said_at"),
    *("code", "field", "advice", "correlation_id", "at", "due_at"),
)


def _inserting(table: sa.Table, names: Sequence[str], dialect: str) -> Any:
    """Return an INSERT of a packed list of rows."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    columns = {name: table.c[name].type for name in names}
    rows = sets.rows_in(prepared.text("rows"), columns, dialect=dialect, name="given")
    return insert(table).from_select(list(names), sa.select(rows).where(sa.true()))


def _taking(dialect: str) -> sa.Executable:
    statement = _inserting(mark, ("tenant", "source", "mark", "taken_at"), dialect)
    taking: sa.Executable = statement.on_conflict_do_nothing().returning(mark.c.mark)
    return taking


def _keeping_one(dialect: str) -> sa.Executable:
    statement = _inserting(event, _NAMES, dialect)
    said = statement.excluded
    is_stopped = event.c.code.in_([sa.literal_column(f"'{code}'") for code in sorted(STOPPING)])
    is_newer = sa.or_(event.c.said_at.is_(None), said.said_at > event.c.said_at)
    nothing: Any = sa.literal_column("''")
    again = {
        "said_at": sa.case((is_newer, said.said_at), else_=event.c.said_at),
        "correlation_id": said.correlation_id,
        "due_at": sa.case((is_stopped, event.c.due_at), else_=said.due_at),
        "attempts": sa.case((is_stopped, event.c.attempts), else_=sa.literal_column("0")),
        "code": sa.case((is_stopped, event.c.code), else_=nothing),
        "advice": sa.case((is_stopped, event.c.advice), else_=nothing),
    }
    keeping: sa.Executable = statement.on_conflict_do_update(
        index_elements=["tenant", "source", "external_id"],
        index_where=sa.text(f"state = '{FETCH}'"),
        set_=again,
    )
    return keeping


_TAKE = Prepared(_taking)
_ARE_WAITING = Prepared(
    lambda _dialect: (
        sa.select(event.c.id)
        .where(
            event.c.tenant == prepared.text("tenant"),
            event.c.source == prepared.text("source"),
            event.c.state == sa.literal_column(f"'{WAITING}'"),
        )
        .limit(sa.literal_column("1"))
    )
)
_KEEP = Prepared(lambda dialect: _inserting(event, _NAMES, dialect))
_KEEP_FETCH = Prepared(_keeping_one)
