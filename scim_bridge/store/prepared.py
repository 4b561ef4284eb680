"""Statements that are put together once for each database and then go to its driver as text.

To build a statement costs several times what running it does, and the library's rows as much again. What every request
runs is prepared; all else is executed by the library as it comes.
"""

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from scim_bridge.store import drivers
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

    def __init__(self, build: Build, *, is_planned_anew: bool = False) -> None:
        """Keep how the statement is built.

        PostgreSQL plans what is run often once on each connection. A table that was empty then may be large by now, so
        where that would matter the statement `is_planned_anew` each time.
        """
        self._build = build
        self._is_planned_anew = is_planned_anew
        self._ready: dict[str, _Ready] = {}

    def rows(self, tx: Transaction, **values: Any) -> list[Row]:
        """Execute the statement and return all rows."""
        ready = self._ready.get(tx.dialect) or self._made_ready(tx)
        with drivers.cursor_of(tx.connection, ready.text) as cursor:
            cursor.execute(ready.text, ready.arguments(values), **ready.options(values))
            return ready.rows_of(cursor)

    def ask(self, tx: Transaction, **values: Any) -> Callable[[], list[Row]]:
        """Execute the statement and return what gives its rows, once. In a pipeline only that call waits for them."""
        if tx.dialect == "sqlite":
            # At once: a cursor that is left open, as another statement has failed, would keep its view of the database.
            found = self.rows(tx, **values)
            return lambda: found
        ready = self._ready.get(tx.dialect) or self._made_ready(tx)
        with drivers.cursor_of(tx.connection, ready.text, stays_open=True) as cursor:
            cursor.execute(ready.text, ready.arguments(values), **ready.options(values))

        def answer() -> list[Row]:
            with drivers.errors_wrapped(tx.connection, ready.text):
                found = ready.rows_of(cursor)
                cursor.close()
                return found

        return answer

    def row(self, tx: Transaction, **values: Any) -> Row | None:
        """Execute the statement and return its first row, None where there is none."""
        found = self.rows(tx, **values)
        return found[0] if found else None

    def run(self, tx: Transaction, **values: Any) -> int:
        """Execute a statement that gives no rows, and return how many it touched. In a pipeline nobody knows yet."""
        ready = self._ready.get(tx.dialect) or self._made_ready(tx)
        with drivers.cursor_of(tx.connection, ready.text) as cursor:
            cursor.execute(ready.text, ready.arguments(values), **ready.options(values))
            return int(cursor.rowcount)

    def send(self, tx: Transaction, **values: Any) -> None:
        """Execute the statement and pass over what it gives. In a pipeline nobody waits for it (see `drivers`)."""
        ready = self._ready.get(tx.dialect) or self._made_ready(tx)
        with drivers.cursor_of(tx.connection, ready.text, stays_open=True) as cursor:
            cursor.execute(ready.text, ready.arguments(values), **ready.options(values))

    def run_many(self, tx: Transaction, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute the statement once for each row of values; nothing is given back."""
        ready = self._ready.get(tx.dialect) or self._made_ready(tx)
        given = [ready.arguments(row) for row in rows]
        if given:
            with drivers.cursor_of(tx.connection, ready.text) as cursor:
                cursor.executemany(ready.text, given)

    def _made_ready(self, tx: Transaction) -> "_Ready":
        statement: Any = self._build(tx.dialect)
        compiled = statement.compile(dialect=tx.connection.dialect)
        order = tuple(compiled.positiontup) if compiled.positional else None
        ready = _Ready(
            str(compiled), order, compiled.construct_params(_check=False), is_planned_anew=self._is_planned_anew
        )
        self._ready[tx.dialect] = ready
        return ready


class _Ready:
    """A statement as one driver takes it."""

    def __init__(
        self, text: str, order: Sequence[str] | None, constants: Mapping[str, Any], *, is_planned_anew: bool
    ) -> None:
        self.text = text
        self._is_planned_anew = is_planned_anew
        self.row: Callable[[Any], Row] | None = None
        self._order = order
        self._constants = constants

    def rows_of(self, cursor: Any) -> list[Row]:
        """Return all that a cursor gives after it executed the statement."""
        # SQLite does most of its work here, so this too may run into the time limit.
        found = cursor.fetchall()
        if self.row is None:
            self.row = row_type(tuple(column[0] for column in cursor.description))
        return list(map(self.row, found))

    def options(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what else PostgreSQL's driver is told: a statement with a long list is planned for that list.

        What is run often is planned once, for lists of about ten. With thousands such a plan compares each with each.
        """
        if self._order is not None:
            return {}
        is_long = any(isinstance(value, str) and len(value) > _LONG_LIST for value in values.values())
        return {"prepare": False} if is_long or self._is_planned_anew else {}

    def arguments(self, values: Mapping[str, Any]) -> Any:
        """Return the values as the driver takes them: by name, or in the order of the text."""
        given = {**self._constants, **values}
        return given if self._order is None else [given[name] for name in self._order]


@cache
def row_type(names: tuple[str, ...]) -> Callable[[Any], Row]:
    """Return what makes a row of the values of these columns."""
    row: Any = namedtuple("Row", names)  # type: ignore[misc]  # noqa: PYI024 - the columns are known when it runs
    make: Callable[[Any], Row] = row._make
    return make


def text(name: str) -> sa.BindParameter[str]:
    """Return a parameter that takes a text."""
    return sa.bindparam(name, type_=sa.Text)


def number(name: str) -> sa.BindParameter[int]:
    """Return a parameter that takes a whole number."""
    return sa.bindparam(name, type_=sa.BigInteger)
