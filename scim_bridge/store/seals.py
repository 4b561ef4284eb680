"""A digest over each row of the books, computed alike in Python and in SQL, so that a row changed by hand shows."""

import hashlib
from collections.abc import Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

_SEPARATOR = "\x1f"


@cache
def sealed_columns(table: sa.Table) -> tuple[str, ...]:
    """Return the columns that a seal covers: all but the database's own key and the seal."""
    return tuple(column.name for column in table.columns if column.name not in ("seal", *_own_key(table)))


def seal_of(table: sa.Table, row: Mapping[str, Any]) -> str:
    """Return the seal of a row's values."""
    values = map(row.get, sealed_columns(table))
    text = _SEPARATOR.join(["" if value is None else str(value) for value in values])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def seal_expression(table: sa.Table, values: Mapping[str, Any], *, dialect: str) -> Any:
    """Return the seal as SQL: of the given values (literals or expressions), and of the row's own for the others."""
    parts: list[Any] = []
    for name in sealed_columns(table):
        value = values.get(name, table.c[name])
        parts.append(sa.func.coalesce(sa.cast(_bound(value), sa.Text), ""))
    text = parts[0]
    for part in parts[1:]:
        text = text.op("||")(sa.literal(_SEPARATOR)).op("||")(part)
    if dialect == "sqlite":
        return sa.func.bridge_sha256(text)
    return sa.func.encode(sa.func.sha256(sa.func.convert_to(text, "UTF8")), "hex")


def sealed(table: sa.Table, values: Mapping[str, Any], *, dialect: str) -> dict[str, Any]:
    """Return the values of an UPDATE with the seal that fits them."""
    return {**values, "seal": seal_expression(table, values, dialect=dialect)}


def sealed_row(table: sa.Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row to insert with its seal. Every sealed column must be given, so that a default cannot differ."""
    missing = [name for name in sealed_columns(table) if name not in row]
    if missing:
        msg = f"a sealed row of {table.name} lacks {', '.join(missing)}"
        raise ValueError(msg)
    return {**row, "seal": seal_of(table, row)}


def _own_key(table: sa.Table) -> list[str]:
    return [column.name for column in table.primary_key.columns]


def _bound(value: Any) -> Any:
    if value is None:
        return sa.null()
    return sa.literal(value) if isinstance(value, (str, int)) else value
