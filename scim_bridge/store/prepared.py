"""Statements that are put together once for each database and then go to its driver as text.

To build a statement costs several times what running it does, and the library's rows as much again. What every request
runs is prepared; all else is executed by the library as it comes.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from scim_bridge.store.engine import Transaction

Build = Callable[[str], sa.Executable]
Row = Any
"""A named tuple of the columns that a statement gives."""


_LONG_LIST = 1_000
"""Characters of a parameter from which on it is taken for a long list; a hundred numbers or thirty ids."""


class Prepared:
    """A statement with named parameters (`sa.bindparam`), built from the dialect's name when it is first run.

    Parameters and columns must be of types that the drivers take and give as they are: numbers and texts. Lists go in
    as one parameter (see `sets`). Errors are the library's, as if it had run the statement.
    """

    def __init__(self, build: Build) -> None:
        """Keep how the statement is built."""
        self._build = build
        self._ready: dict[str, _Ready] = {}

    def rows(self, tx: Transaction, **values: Any) -> list[Row]:
        """Execute the statement and return all rows."""
        ready = self._ready.get(tx.dialect) or self._made_ready(tx)
        with _cursor(tx, ready.text) as cursor:
            cursor.execute(ready.text, ready.arguments(values), **ready.options(values))
            if ready.row is None:
                ready.row = _row_type([column[0] for column in cursor.description])
            # SQLite does most of its work here, so this too may run into the time limit.
            return list(map(ready.row, cursor.fetchall()))

    def row(self, tx: Transaction, **values: Any) -> Row | None:
        """Execute the statement and return its first row, None where there is none."""
        found = self.rows(tx, **values)
        return found[0] if found else None

    def run(self, tx: Transaction, **values: Any) -> int:
        """Execute a statement that gives no rows, and return how many it touched."""
        ready = self._ready.get(tx.dialect) or self._made_ready(tx)
        with _cursor(tx, ready.text) as cursor:
            cursor.execute(ready.text, ready.arguments(values), **ready.options(values))
            return int(cursor.rowcount)

    def run_many(self, tx: Transaction, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute the statement once for each row of values; nothing is given back."""
        ready = self._ready.get(tx.dialect) or self._made_ready(tx)
        given = [ready.arguments(row) for row in rows]
        if given:
            with _cursor(tx, ready.text) as cursor:
                cursor.executemany(ready.text, given)

    def _made_ready(self, tx: Transaction) -> "_Ready":
        statement: Any = self._build(tx.dialect)
        compiled = statement.compile(dialect=tx.connection.dialect)
        order = tuple(compiled.positiontup) if compiled.positional else None
        ready = _Ready(str(compiled), order, compiled.construct_params(_check=False), plans_once=order is None)
        self._ready[tx.dialect] = ready
        return ready


class _Ready:
    """A statement as one driver takes it."""

    def __init__(
        self, text: str, order: Sequence[str] | None, constants: Mapping[str, Any], *, plans_once: bool
    ) -> None:
        self.text = text
        self._plans_once = plans_once
        self.row: Callable[[Any], Row] | None = None
        self._order = order
        self._constants = constants

    def options(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what else PostgreSQL's driver is told: a statement with a long list is planned for that list.

        What is run often is planned once, for lists of about ten. With thousands such a plan compares each with each.
        """
        is_long = any(isinstance(value, str) and len(value) > _LONG_LIST for value in values.values())
        return {"prepare": False} if self._plans_once and is_long else {}

    def arguments(self, values: Mapping[str, Any]) -> Any:
        """Return the values as the driver takes them: by name, or in the order of the text."""
        given = {**self._constants, **values}
        return given if self._order is None else [given[name] for name in self._order]


@contextmanager
def _cursor(tx: Transaction, text: str) -> Iterator[Any]:
    """Give a cursor of the driver's; what the driver raises while it is used is raised as the library would."""
    connection, driver = tx.connection, tx.connection.dialect.loaded_dbapi
    cursor: Any = None
    try:
        cursor = connection.connection.cursor()
        yield cursor
    except driver.Error as error:
        is_lost = connection.dialect.is_disconnect(error, connection.connection, cursor)
        if is_lost:
            connection.invalidate(error)
        raise sa.exc.DBAPIError.instance(
            text,
            None,
            error,
            driver.Error,
            hide_parameters=True,
            connection_invalidated=is_lost,
            dialect=connection.dialect,
        ) from error
    finally:
        if cursor is not None:
            cursor.close()


def _row_type(names: list[str]) -> Callable[[Any], Row]:
    row: Any = namedtuple("Row", names)  # type: ignore[misc]  # noqa: PYI024 - the columns are known when it runs
    make: Callable[[Any], Row] = row._make
    return make


def text(name: str) -> sa.BindParameter[str]:
    """Return a parameter that takes a text."""
    return sa.bindparam(name, type_=sa.Text)


def number(name: str) -> sa.BindParameter[int]:
    """Return a parameter that takes a whole number."""
    return sa.bindparam(name, type_=sa.BigInteger)
