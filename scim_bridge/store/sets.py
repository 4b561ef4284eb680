"""Lists of ids as rows, so that a statement takes any number of them as one parameter."""

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from scim_bridge.store.engine import Transaction


def id_rows(tx: Transaction, ids: Iterable[int], name: str = "ids") -> Any:
    """Return a selectable with one column `id`, a row for each id of the list."""
    values = json.dumps(list(ids))
    if tx.dialect == "sqlite":
        each = sa.func.json_each(values).table_valued("value", name=f"{name}_each")
        return sa.select(each.c.value.label("id")).subquery(name)
    elements = sa.func.jsonb_array_elements_text(sa.cast(sa.literal(values, sa.Text), postgresql.JSONB)).table_valued(
        "value", name=f"{name}_each"
    )
    return sa.select(sa.cast(elements.c.value, sa.BigInteger).label("id")).subquery(name)


def text_rows(tx: Transaction, values: Iterable[str], name: str = "texts") -> Any:
    """Return a selectable with one column `value`, a row for each text of the list."""
    packed = json.dumps(list(values))
    if tx.dialect == "sqlite":
        each = sa.func.json_each(packed).table_valued("value", name=f"{name}_each")
        return sa.select(each.c.value.label("value")).subquery(name)
    elements = sa.func.jsonb_array_elements_text(sa.cast(sa.literal(packed, sa.Text), postgresql.JSONB)).table_valued(
        "value", name=f"{name}_each"
    )
    return sa.select(elements.c.value.label("value")).subquery(name)


def among(column: Any, rows: Any) -> Any:
    """Return the condition that a column's value is one of the rows."""
    return column.in_(sa.select(rows.c[0]))
