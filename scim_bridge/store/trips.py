"""Transactions that PostgreSQL is told as a whole, from BEGIN to COMMIT, in one message.

What a transaction locks is kept from others until it ends. Told step by step, the database waits between the steps for
this process, which serves other requests meanwhile; told everything at once, it keeps a lock for as long as it works.
Each statement sees what others have committed when it begins, so one may lock what the next one reads.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import Connection

from scim_bridge.store import drivers, engine
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.store.prepared import Build, Row, row_type

_DIALECT: sa.Dialect = psycopg.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_KNOWN = "bridge_trip_steps"
"""Where a connection's record keeps the names of the steps that PostgreSQL has prepared on it."""

_PLANNED_BY_INDEXES = "; ".join(
    f"SET {setting}"
    for setting in (
        "plan_cache_mode = force_generic_plan",
        "enable_seqscan = off",
        "enable_hashjoin = off",
        "enable_mergejoin = off",
        # What looks dear by these settings is not, and to compile it would cost more than to run it.
        "jit = off",
    )
)
"""Steps look a few rows up in tables of any size. A plan is made once for each connection, and tables grow."""

_FORGOTTEN = "26000"
"""invalid_sql_statement_name: the driver lets PostgreSQL forget all that is prepared when something is undone."""

_THERE_ALREADY = "42P05"
"""duplicate_prepared_statement: a connection has more than its record tells."""

_numbers = itertools.count(1)


class Step:
    """A statement with named parameters that PostgreSQL prepares once on each connection."""

    def __init__(self, build: Build) -> None:
        """Put the statement together."""
        statement: Any = build(_DIALECT.name)
        compiled = statement.compile(dialect=_DIALECT)
        self.name = f"bridge_step_{next(_numbers)}"
        preparing = f"PREPARE {self.name} AS {compiled}"
        # It is told together with values, whose places percent signs mark.
        self.preparing = preparing.replace("%", "%%")
        self._order: tuple[str, ...] = tuple(compiled.positiontup)
        self._constants: Mapping[str, Any] = compiled.construct_params(_check=False)
        given = f"({', '.join(['%s'] * len(self._order))})" if self._order else ""
        self._row: Callable[[Any], Row] | None = None
        self.call = f"EXECUTE {self.name}{given}"

    def rows_of(self, names: Callable[[], tuple[str, ...]], rows: Iterable[Any]) -> list[Row]:
        """Return rows that the statement gave; the names of its columns are the same each time."""
        if self._row is None:
            self._row = row_type(names())
        return list(map(self._row, rows))

    def arguments(self, values: Mapping[str, Any]) -> list[Any]:
        """Return values in the order of the statement's parameters."""
        given = {**self._constants, **values}
        return [given[name] for name in self._order]


@dataclass(frozen=True, slots=True)
class Call:
    """A step and what its parameters are given."""

    step: Step
    values: Mapping[str, Any]


def are_made(store: Store) -> bool:
    """Tell whether a store's transactions can be told as a whole; a database in this process gains nothing by it."""
    return store.engine.dialect.name == "postgresql"


def make(
    store: Store, tenant: str, calls: Sequence[Call], *, statement_timeout_s: float | None = None
) -> list[list[Row]]:
    """Execute steps in one transaction of a tenant's; return the rows of each.

    Raises:
        StatementTimedOut: all of them together took longer than `statement_timeout_s`; nothing was recorded.
        StoreUnavailable: the database cannot be reached, locked or committed. Nothing was recorded, unless the
            connection was lost while it was.
    """
    with engine.errors_named():
        for _ in range(engine.STALE_CONNECTIONS):
            with store.trip_engine.connect() as connection:
                if drivers.is_lost(connection):
                    connection.invalidate()
                    continue
                try:
                    # An error leaves the transaction open, to be undone here.
                    with connection.begin():
                        return _made(connection, engine.bounds_of(tenant, statement_timeout_s), calls)
                except sa.exc.ProgrammingError as error:
                    sqlstate = getattr(error.orig, "sqlstate", None)
                    if sqlstate == _FORGOTTEN:
                        connection.info.pop(_KNOWN)
                    elif sqlstate == _THERE_ALREADY:
                        # What else there is nobody knows, and the driver has prepared statements of its own there.
                        connection.invalidate()
                    else:
                        raise
        raise StoreUnavailable("connections to the database are lost as soon as they are made")


def _made(connection: Connection, bounds: Mapping[str, str], calls: Sequence[Call]) -> list[list[Row]]:
    known = _known(connection)
    settings, values = engine.settings_of(bounds)
    for step in (call.step for call in calls if call.step.name not in known):
        # To read a statement locks its tables too, and is to wait no longer for that than a transaction.
        drivers.execute_together(connection, f"BEGIN; {settings}; {step.preparing}; COMMIT", values)
        known.add(step.name)
    text = "; ".join(["BEGIN", settings, *(call.step.call for call in calls), "COMMIT"])
    given = [*values, *(value for call in calls for value in call.step.arguments(call.values))]
    _begin, _settings, *found, _commit = drivers.ask_together(connection, text, given)
    return [call.step.rows_of(*each) for call, each in zip(calls, found, strict=True)]


def _known(connection: Connection) -> set[str]:
    """Return the names of the steps that are prepared on a connection; a new one is told how to plan them first."""
    known: set[str] | None = connection.info.get(_KNOWN)
    if known is None:
        drivers.execute_together(connection, _PLANNED_BY_INDEXES, ())
        known = connection.info[_KNOWN] = set()
    return known
