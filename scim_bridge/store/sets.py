"""Lists of ids as rows, so that a statement takes any number of them as one parameter."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from scim_bridge.store.engine import Transaction


def packed(values: Iterable[Any]) -> str:
    """Return a list as the one parameter that `ids_in` and `texts_in` unpack."""
    return json.dumps(list(values))


def ids_in(parameter: Any, *, dialect: str, name: str) -> Any:
    """Return a selectable with one column `id`, a row for each number of a packed list."""
    if dialect == "sqlite":
        each = sa.func.json_each(parameter).table_valued("value", name=f"{name}_each")
        return sa.select(each.c.value.label("id")).subquery(name)
    # Numbers at once, not texts that each comparison casts: row-level security uses no index for a condition that might
    # raise, so a whole table would be walked through for every list.
    elements = sa.func.unnest(array_of(parameter)).table_valued(sa.column("value", sa.BigInteger), name=f"{name}_each")
    return sa.select(elements.render_derived().c.value.label("id")).subquery(name)


def array_of(parameter: Any) -> Any:
    """Return a packed list of numbers as an array of PostgreSQL's."""
    text = sa.func.translate(parameter, sa.literal_column("'[]'"), sa.literal_column("'{}'"))
    return sa.cast(text, postgresql.ARRAY(sa.BigInteger))


def one_of(column: Any, parameter: Any, *, dialect: str, name: str) -> Any:
    """Return the condition that a column's value is one of a packed list, for columns that an index has.

    PostgreSQL asks the index for each of them, whatever it knows of the table. As `among` it might expect so little of
    a table that it has not looked at yet that it reads all of a tenant's rows, for as long as it keeps that plan.
    """
    is_text = isinstance(column.type, sa.Text)
    if dialect == "sqlite":
        unpack = texts_in if is_text else ids_in
        return among(column, unpack(parameter, dialect=dialect, name=name))
    return column == sa.any_(_array_of_texts(parameter, name) if is_text else array_of(parameter))


def texts_in(parameter: Any, *, dialect: str, name: str) -> Any:
    """Return a selectable with one column `value`, a row for each text of a packed list."""
    if dialect == "sqlite":
        each = sa.func.json_each(parameter).table_valued("value", name=f"{name}_each")
        return sa.select(each.c.value.label("value")).subquery(name)
    # By way of an array: of one PostgreSQL expects a few texts, of the function a hundred, and it would rather walk
    # through a table of some thousands than ask an index so often.
    texts = _array_of_texts(parameter, name)
    elements = sa.func.unnest(texts).table_valued(sa.column("value", sa.Text), name=f"{name}_texts")
    return sa.select(elements.render_derived().c.value.label("value")).subquery(name)


def _array_of_texts(parameter: Any, name: str) -> Any:
    """Return a packed list of texts as an array of PostgreSQL's."""
    each = sa.func.jsonb_array_elements_text(sa.cast(parameter, postgresql.JSONB)).table_valued(
        "value", name=f"{name}_each"
    )
    return sa.func.array(sa.select(each.c.value).scalar_subquery(), type_=postgresql.ARRAY(sa.Text))


def rows_in(parameter: Any, columns: Mapping[str, Any], *, dialect: str, name: str) -> Any:
    """Return a selectable with these columns (names and types), a row for each row of a packed list of lists."""
    function = sa.func.json_each if dialect == "sqlite" else sa.func.jsonb_array_elements
    given = parameter if dialect == "sqlite" else sa.cast(parameter, postgresql.JSONB)
    rows = function(given).table_valued("value", name=f"{name}_each")

    def part(place: int) -> Any:
        if dialect == "sqlite":
            return sa.func.json_extract(rows.c.value, sa.literal_column(f"'$[{place}]'"))
        return rows.c.value.op("->>")(sa.literal_column(str(place)))

    parts = [sa.cast(part(place), column).label(label) for place, (label, column) in enumerate(columns.items())]
    # SQLite's grammar needs a WHERE between a SELECT and what may follow it in an INSERT.
    return sa.select(*parts).select_from(rows).where(sa.true()).subquery(name)


def id_rows(tx: Transaction, ids: Iterable[int], name: str = "ids") -> Any:
    """Return a selectable with one column `id`, a row for each id of the list."""
    return ids_in(sa.literal(packed(ids), sa.Text), dialect=tx.dialect, name=name)


def text_rows(tx: Transaction, values: Iterable[str], name: str = "texts") -> Any:
    """Return a selectable with one column `value`, a row for each text of the list."""
    return texts_in(sa.literal(packed(values), sa.Text), dialect=tx.dialect, name=name)


def among(column: Any, rows: Any) -> Any:
    """Return the condition that a column's value is one of the rows."""
    return column.in_(sa.select(rows.c[0]))
