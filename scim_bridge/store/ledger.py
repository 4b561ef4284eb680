"""The append-only books: changes on the left, entries on the right."""

from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from scim_bridge.store import prepared, seals, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared


def append_change(
    tx: Transaction,
    *,
    resource_id: int,
    previous: int,
    kind: str,
    source: str,
    token_id: str | None,
    correlation_id: str,
    request: str,
    owed: int,
) -> int:
    """Record one accepted edit and return its number, which is also the resource's new version.

    `previous` is the resource's version before (0 for a new one); `owed` is how many operations the change causes.
    """
    row = _change_row(
        tx,
        resource_id=resource_id,
        previous=previous,
        kind=kind,
        source=source,
        token_id=token_id,
        correlation_id=correlation_id,
        request=request,
        owed=owed,
    )
    return int(_APPEND_CHANGE.rows(tx, **row)[0].number)


def send_changes(tx: Transaction, edits: Mapping[int, Mapping[str, Any]]) -> None:
    """Record accepted edits under numbers that are reserved for them; see `append_change` for what each says.

    In a pipeline it is not waited for.
    """
    rows = [[number, *_change_row(tx, **edit).values()] for number, edit in edits.items()]
    _SEND_CHANGES.send(tx, rows=sets.packed(rows))


def _change_row(tx: Transaction, **values: Any) -> dict[str, Any]:
    row = {"tenant": tx.tenant, "received_at": tx.now, **values}
    return seals.sealed_row(tables.change, {name: row[name] for name in seals.sealed_columns(tables.change)})


def _send_changes(dialect: str) -> sa.Executable:
    names = ["number", *seals.sealed_columns(tables.change), "seal"]
    columns = {name: tables.change.c[name].type for name in names}
    rows = sets.rows_in(prepared.text("rows"), columns, dialect=dialect, name="edits")
    return sa.insert(tables.change).from_select(names, sa.select(rows))


_APPEND_CHANGE = Prepared(
    lambda _dialect: (
        sa.insert(tables.change)
        .values({name: sa.bindparam(name) for name in [*seals.sealed_columns(tables.change), "seal"]})
        .returning(tables.change.c.number)
    )
)
_SEND_CHANGES = Prepared(_send_changes)


def append_entries(tx: Transaction, rows: Iterable[Mapping[str, Any]]) -> None:
    """Record what became of operations. Each row has operation_id, outcome and code; the rest is optional."""
    entries = [
        seals.sealed_row(
            tables.entry,
            {
                "tenant": tx.tenant,
                "detail": "",
                "batch_id": None,
                "superseded_by": None,
                "who": "bridge",
                "at": tx.now,
                **row,
            },
        )
        for row in rows
    ]
    if entries:
        rows_given = [[entry[name] for name in _ENTRY] for entry in entries]
        _APPEND_ENTRIES.send(tx, rows=sets.packed(rows_given))


_ENTRY = [*seals.sealed_columns(tables.entry), "seal"]


def _append_entries(dialect: str) -> sa.Executable:
    columns = {name: tables.entry.c[name].type for name in _ENTRY}
    rows = sets.rows_in(prepared.text("rows"), columns, dialect=dialect, name="entries")
    return sa.insert(tables.entry).from_select(_ENTRY, sa.select(rows))


_APPEND_ENTRIES = Prepared(_append_entries)


def append_alike(
    tx: Transaction,
    operation_ids: Iterable[int],
    *,
    outcome: str,
    code: str,
    detail: str,
    batch_id: int | None,
    who: str,
) -> None:
    """Record the same of many operations."""
    _APPEND_ALIKE.send(
        tx,
        operations=sets.packed(operation_ids),
        tenant=tx.tenant,
        outcome=outcome,
        code=code,
        detail=detail,
        batch_id=batch_id,
        who=who,
        at=tx.now,
    )


def _append_alike(dialect: str) -> sa.Executable:
    rows = sets.ids_in(prepared.text("operations"), dialect=dialect, name="alike")
    given = {name: sa.bindparam(name, type_=tables.entry.c[name].type) for name in _ENTRY if name != "seal"}
    values: dict[str, Any] = {**given, "operation_id": rows.c.id, "superseded_by": None}
    seal = seals.seal_expression(tables.entry, values, dialect=dialect)
    told = {name: value for name, value in values.items() if value is not None}
    # SQLite's grammar wants the WHERE.
    return sa.insert(tables.entry).from_select([*told, "seal"], sa.select(*told.values(), seal).where(sa.true()))


_APPEND_ALIKE = Prepared(_append_alike)


def append_entries_of(
    tx: Transaction,
    source: Any,
    *,
    operation_id: Any,
    outcome: str,
    code: str,
    superseded_by: Any = None,
    batch_id: int | None = None,
    who: str = "bridge",
) -> None:
    """Record the same outcome for every row of a selectable, in one statement.

    `operation_id` and `superseded_by` are columns of `source`, a list of FROM elements with their WHERE as a select.
    """
    statement = entries_of(
        source,
        dialect=tx.dialect,
        tenant=tx.tenant,
        at=tx.now,
        operation_id=operation_id,
        outcome=outcome,
        code=code,
        superseded_by=superseded_by,
        batch_id=batch_id,
        who=who,
    )
    tx.connection.execute(statement)


def entries_of(
    source: Any,
    *,
    dialect: str,
    tenant: Any,
    at: Any,
    operation_id: Any,
    outcome: str,
    code: str,
    superseded_by: Any = None,
    batch_id: int | None = None,
    who: str = "bridge",
) -> sa.Insert:
    """Return the statement of `append_entries_of`; `tenant` and `at` are values or parameters."""
    values: dict[str, Any] = {
        "tenant": tenant,
        "operation_id": operation_id,
        "outcome": outcome,
        "code": code,
        "detail": "",
        "batch_id": batch_id,
        "superseded_by": superseded_by,
        "who": who,
        "at": at,
    }
    seal = seals.seal_expression(tables.entry, values, dialect=dialect)
    selected = [
        (sa.cast(sa.null(), tables.entry.c[name].type) if value is None else sa.literal(value))
        if value is None or isinstance(value, (str, int))
        else value
        for name, value in values.items()
    ]
    statement = source.with_only_columns(*selected, seal).order_by(operation_id)
    return sa.insert(tables.entry).from_select([*values, "seal"], statement)
