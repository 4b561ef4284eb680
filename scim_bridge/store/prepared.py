"""Statements that are put together once for each database: to build one costs several times what running it does."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult

from scim_bridge.store.engine import Transaction

Build = Callable[[str], sa.Executable]


class Prepared:
    """A statement with named parameters (`sa.bindparam`), built from the dialect's name when it is first run.

    Parameters and columns must be of types that the drivers take and give as they are: numbers and texts. Lists go in
    as one parameter (see `sets`).
    """

    def __init__(self, build: Build) -> None:
        """Keep how the statement is built."""
        self._build = build
        self._compiled: dict[str, tuple[str, tuple[str, ...] | None, Mapping[str, Any]]] = {}

    def run(self, tx: Transaction, **values: Any) -> CursorResult[Any]:
        """Execute the statement with these values."""
        text, order, constants = self._compiled.get(tx.dialect) or self._compile(tx)
        given = {**constants, **values}
        return tx.connection.exec_driver_sql(text, given if order is None else tuple([given[name] for name in order]))

    def run_many(self, tx: Transaction, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute the statement once for each row of values; nothing is given back."""
        text, order, constants = self._compiled.get(tx.dialect) or self._compile(tx)
        given = [{**constants, **row} for row in rows]
        if given:
            tx.connection.exec_driver_sql(
                text, given if order is None else [tuple([row[name] for name in order]) for row in given]
            )

    def _compile(self, tx: Transaction) -> tuple[str, tuple[str, ...] | None, Mapping[str, Any]]:
        statement: Any = self._build(tx.dialect)
        compiled = statement.compile(dialect=tx.connection.dialect)
        order = tuple(compiled.positiontup) if compiled.positional else None
        found = (str(compiled), order, compiled.construct_params(_check=False))
        self._compiled[tx.dialect] = found
        return found


def text(name: str) -> sa.BindParameter[str]:
    """Return a parameter that takes a text."""
    return sa.bindparam(name, type_=sa.Text)


def number(name: str) -> sa.BindParameter[int]:
    """Return a parameter that takes a whole number."""
    return sa.bindparam(name, type_=sa.BigInteger)
