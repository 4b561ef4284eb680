"""Fills a directory by the thousand, books and all, for benches: what is put in looks as if a sender had sent it.

Nothing is owed for it, as for everybody whom a tenant had before its first target, unless lanes are named. Only for a
database that nobody else writes to meanwhile.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from scim_bridge.domain.people import Priority
from scim_bridge.domain.states import State
from scim_bridge.store import population, seals, tables
from scim_bridge.store.engine import Transaction, compact_json, make_engine
from scim_bridge.store.search import folding

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """One resource to put in. The document is as the models write it, without id, meta, groups and members."""

    scim_id: str
    document: Mapping[str, Any] = field(repr=False)
    attributes: Sequence[str]
    """The names of what the document says, as the change tells them."""


def put(tx: Transaction, kind: str, seeds: Sequence[Seed], *, source: str, lane_ids: Sequence[int] = ()) -> range:
    """Add resources of one kind with look-up rows and changes, and return their numbers, in order.

    Each change owes every one of the lanes an operation, which waits and is due at once.
    """
    numbers = _reserve(tx, tables.resource.c.id, len(seeds))
    changes = _reserve(tx, tables.change.c.number, len(seeds))
    folded = [folding.fold(kind, seed.document) for seed in seeds]
    _insert(
        tx,
        tables.resource,
        (
            _resource_row(tx, kind, seed, each, number=number, version=version)
            for seed, each, number, version in zip(seeds, folded, numbers, changes, strict=True)
        ),
    )
    _insert(
        tx,
        tables.lookup,
        (
            {"tenant": tx.tenant, "resource_id": number, "path": path, "element": element, "value": value}
            for each, number in zip(folded, numbers, strict=True)
            for path, element, value in each.lookups
        ),
        without=("id",),
    )
    _insert(
        tx,
        tables.change,
        (
            _change_row(tx, kind, seed, number=number, resource_id=resource_id, source=source, owed=len(lane_ids))
            for seed, number, resource_id in zip(seeds, changes, numbers, strict=True)
        ),
    )
    if lane_ids:
        _owe(tx, lane_ids, changes)
    population.note(tx, {kind: len(seeds)})
    return numbers


def put_members(tx: Transaction, memberships: Iterable[tuple[int, int]]) -> None:
    """Add memberships: pairs of a group's and a user's number."""
    _insert(
        tx,
        tables.member,
        ({"tenant": tx.tenant, "group_id": group, "user_id": user} for group, user in memberships),
    )


def settle(url: str) -> None:
    """Do at once what a database does in time by itself: PostgreSQL's statistics, SQLite's log folded back.

    SQLite gathers no statistics, for nothing ever does so where the bridge runs.
    """
    engine = make_engine(url, as_owner=True)
    try:
        if engine.dialect.name == "postgresql":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM (ANALYZE)")
        else:
            raw = engine.raw_connection()
            try:
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                raw.close()
    finally:
        engine.dispose()


def _resource_row(tx: Transaction, kind: str, seed: Seed, folded: folding.Folded, *, number: int, version: int) -> Row:
    return {
        "id": number,
        "tenant": tx.tenant,
        "scim_id": seed.scim_id,
        "kind": kind,
        "document": compact_json(seed.document),
        "folded": folded.document,
        "version": version,
        "active": int(folded.active is not False),
        "unique_key": folded.unique_key,
        "external_id": folded.external_id,
        "display_key": folded.display_key,
        "created_at": tx.now,
        "modified_at": tx.now,
        "deleted_at": None,
    }


def _change_row(
    tx: Transaction, kind: str, seed: Seed, *, number: int, resource_id: int, source: str, owed: int
) -> Row:
    row = {
        "tenant": tx.tenant,
        "resource_id": resource_id,
        "previous": 0,
        "kind": "create",
        "source": source,
        "token_id": None,
        "correlation_id": seed.scim_id,
        "request": compact_json({"kind": kind, "attributes": list(seed.attributes)}),
        "owed": owed,
        "received_at": tx.now,
    }
    return {"number": number, **seals.sealed_row(tables.change, row)}


def _owe(tx: Transaction, lane_ids: Sequence[int], changes: range) -> None:
    """Make the operations of consecutive changes, one for each lane, in one statement."""
    change, lane, operation = tables.change, tables.lane, tables.operation
    values: dict[str, Any] = {
        "tenant": change.c.tenant,
        "lane_id": lane.c.id,
        "resource_id": change.c.resource_id,
        "change_number": change.c.number,
        "state": sa.literal(State.WAITING.value),
        "priority": sa.literal(int(Priority.NORMAL)),
        "attempts": sa.literal(0),
        "due_at": change.c.received_at,
        "received_at": change.c.received_at,
        "reason": None,
        "cap": None,
    }
    given = {name: value for name, value in values.items() if value is not None}
    rows = (
        sa.select(*given.values(), seals.seal_expression(operation, values, dialect=tx.dialect))
        .select_from(change.join(lane, lane.c.tenant == change.c.tenant))
        .where(change.c.number.between(changes[0], changes[-1]), lane.c.id.in_(lane_ids))
        .order_by(change.c.number, lane.c.id)
    )
    tx.connection.execute(sa.insert(operation).from_select([*given, "seal"], rows))


def _reserve(tx: Transaction, key: sa.Column[Any], count: int) -> range:
    """Return as many numbers as are asked for, without a gap, that nothing else in the table will get."""
    if tx.dialect == "postgresql":
        # Through the sequence, so that it goes on behind them: the application's role may not set it.
        query = sa.text(
            "SELECT min(given), max(given) FROM "
            "(SELECT nextval(pg_get_serial_sequence(:of_table, :of_column)) AS given FROM generate_series(1, :count)) g"
        )
        named = {"of_table": str(key.table), "of_column": key.name, "count": count}
        first, last = tx.connection.execute(query, named).one()
    else:
        first = tx.connection.execute(sa.select(sa.func.coalesce(sa.func.max(key), 0) + 1)).scalar_one()
        last = first + count - 1
    if last is None or last - first + 1 != count:
        raise ValueError(f"{count} numbers in a row are not to be had: somebody else writes to {key.table}")
    return range(first, last + 1)


def _insert(tx: Transaction, table: sa.Table, rows: Iterable[Row], *, without: Sequence[str] = ()) -> None:
    """Insert rows by the driver's fastest way. `without` names columns that the database fills."""
    names = [column.name for column in table.columns if column.name not in without]
    values = (tuple(row[name] for name in names) for row in rows)
    driver: Any = tx.connection.connection.driver_connection
    if tx.dialect == "sqlite":
        statement = sa.insert(table).values({name: sa.bindparam(name) for name in names})
        driver.executemany(str(statement.compile(dialect=sqlite.dialect())), values)
        return
    # COPY refuses tables with row-level security, so the rows make a stop at one without.
    stop = sa.table(f"put_{table.name}", *(sa.column(name) for name in names))
    shape = sa.select(*(table.c[name] for name in names)).compile(dialect=tx.connection.dialect)
    tx.connection.exec_driver_sql(f"CREATE TEMP TABLE {stop.name} AS {shape} WITH NO DATA")
    with driver.cursor() as cursor, cursor.copy(f"COPY {stop.name} FROM STDIN") as copy:
        for row in values:
            copy.write_row(row)
    tx.connection.execute(sa.insert(table).from_select(names, sa.select(*stop.c)))
    tx.connection.exec_driver_sql(f"DROP TABLE {stop.name}")
