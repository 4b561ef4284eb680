"""Numbers of rows that are known before the rows are there, so that rows which name each other go in at once."""

from collections.abc import Callable
from functools import cache

import sqlalchemy as sa

from scim_bridge.store import prepared
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared


def reserve(tx: Transaction, key: "sa.Column[int]", count: int) -> Callable[[], list[int]]:
    """Ask for numbers of new rows of a table, and return what gives them, ascending (see `Prepared.ask`).

    On SQLite they are the next ones, so the rows must go in before any other row of the table.
    """
    answer = _reserving(key).ask(tx, count=count)
    return lambda: sorted(row.number for row in answer())


@cache
def _reserving(key: "sa.Column[int]") -> Prepared:
    def build(dialect: str) -> sa.TextClause:
        if dialect == "postgresql":
            sequence = f"pg_get_serial_sequence('{key.table}', '{key.name}')"
            text = f"SELECT nextval({sequence}) AS number FROM generate_series(1, :count)"  # noqa: S608 - only names
        else:
            text = (
                "WITH RECURSIVE free(number, place) AS ("  # noqa: S608 - only names
                f"SELECT coalesce(max({key.name}), 0) + 1, 1 FROM {key.table} "
                "UNION ALL SELECT number + 1, place + 1 FROM free WHERE place < :count) SELECT number FROM free"
            )
        return sa.text(text).bindparams(prepared.number("count"))

    return Prepared(build)
