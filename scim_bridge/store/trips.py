"""Transactions that PostgreSQL is told as a whole, from BEGIN to COMMIT, in one go.

What a transaction locks is kept from others until it ends. Told step by step, the database waits between the steps for
this process, which serves other requests meanwhile; told everything at once, it keeps a lock for as long as it works.
Each statement sees what others have committed when it begins, so one may lock what the next one reads.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.engine import Connection

from scim_bridge.domain.instants import Millis
from scim_bridge.store import drivers, engine, pipelines, prepared
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.store.prepared import Build, Row, row_type

_DIALECT: sa.Dialect = psycopg.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
_KNOWN = "bridge_trip_steps"
"""Where a connection's record keeps the names of the steps that PostgreSQL has prepared on it."""

_PLANNED_AT = "bridge_trip_planned_at"
"""Where it keeps since when their plans have been made."""

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
"""Steps look a few rows up in tables of any size, and tables grow while a connection keeps a plan."""

PLANS_LAST_MS = 10_000
"""For so long a connection's plans are kept: of tables that were empty then, PostgreSQL takes any index."""

MOST_PREPARED = 100
"""Steps that a connection keeps prepared; each takes PostgreSQL tens of kilobytes. Searches make ever new ones."""

_FORGOTTEN = "26000"
"""invalid_sql_statement_name: the driver lets PostgreSQL forget all that is prepared when something is undone."""

_THERE_ALREADY = "42P05"
"""duplicate_prepared_statement: a connection has more than its record tells."""

_OUTDATED = "0A000"
"""feature_not_supported: a migration has changed what a prepared statement gives."""

_BEGIN, _COMMIT = pipelines.saying(b"BEGIN"), pipelines.saying(b"COMMIT")
_BEGIN_TO_READ = pipelines.saying(b"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")

_numbers = itertools.count(1)


class Step:
    """A statement with named parameters that PostgreSQL prepares once on each connection."""

    def __init__(self, build: Build) -> None:
        """Put the statement together."""
        statement: Any = build(_DIALECT.name)
        compiled = statement.compile(dialect=_DIALECT)
        self.name = b"bridge_step_%d" % next(_numbers)
        self.preparing = pipelines.preparing(self.name, str(compiled).encode())
        self._order: tuple[str, ...] = tuple(compiled.positiontup)
        self._constants: Mapping[str, Any] = compiled.construct_params(_check=False)
        self._row: Callable[[Any], Row] | None = None

    def row_of(self, told: pipelines.Told) -> Callable[[Any], Row]:
        """Return what makes a row of a tuple that the statement gave; its columns are the same each time."""
        if self._row is None:
            self._row = row_type(pipelines.names(told))
        return self._row

    def executing(self, values: Mapping[str, Any]) -> pipelines.Command:
        """Return the command that executes the statement with these values."""
        given = {**self._constants, **values}
        return pipelines.executing(self.name, [pipelines.value(given[name]) for name in self._order])


@dataclass(frozen=True, slots=True)
class Call:
    """A step and what its parameters are given."""

    step: Step
    values: Mapping[str, Any] = field(repr=False)


def are_made(store: Store) -> bool:
    """Tell whether a store's transactions can be told as a whole; a database in this process gains nothing by it."""
    dialect: Any = store.engine.dialect
    return dialect.name == "postgresql" and pipelines.are_known(dialect.loaded_dbapi)


def make(store: Store, tenant: str, calls: Sequence[Call]) -> list[list[Row]]:
    """Execute steps in one transaction of a tenant's; return the rows of each.

    Raises:
        StoreUnavailable: the database cannot be reached, locked or committed. Nothing was recorded, unless the
            connection was lost while it was.
    """
    return _on_a_connection(store, calls, _BEGIN, engine.bounds_of(tenant))


def look(
    store: Store, tenant: str, calls: Sequence[Call], *, statement_timeout_s: float | None = None
) -> list[list[Row]]:
    """Execute steps that only read, all at the same instant, in one transaction of a tenant's; as `make` otherwise.

    Raises:
        StatementTimedOut: one of them took longer than `statement_timeout_s`.
        StoreUnavailable: the database cannot be read.
    """
    return _on_a_connection(store, calls, _BEGIN_TO_READ, engine.bounds_of(tenant, statement_timeout_s))


def _on_a_connection(
    store: Store, calls: Sequence[Call], begin: pipelines.Command, bounds: Mapping[str, str]
) -> list[list[Row]]:
    with engine.errors_named():
        for _ in range(engine.STALE_CONNECTIONS):
            with store.trip_engine.connect() as connection:
                if drivers.is_lost(connection):
                    connection.invalidate()
                    continue
                try:
                    # An error leaves the transaction open, to be undone here.
                    with connection.begin():
                        _forget_old_plans(connection, store.clock())
                        return _made(connection, begin, bounds, calls)
                except (sa.exc.ProgrammingError, sa.exc.NotSupportedError) as error:
                    sqlstate = getattr(error.orig, "sqlstate", None)
                    if sqlstate == _FORGOTTEN:
                        connection.info.pop(_KNOWN)
                    elif sqlstate in (_THERE_ALREADY, _OUTDATED):
                        # What else there is nobody knows, and the driver has prepared statements of its own there.
                        connection.invalidate()
                    else:
                        raise
        raise StoreUnavailable("connections to the database are lost as soon as they are made")


def _made(
    connection: Connection, begin: pipelines.Command, bounds: Mapping[str, str], calls: Sequence[Call]
) -> list[list[Row]]:
    # The bounds come first: to prepare a statement locks its tables too, and is to wait for that no longer.
    calls = [Call(_bounding(tuple(bounds)), bounds), *calls]
    known = _known(connection, lacking={call.step.name for call in calls})
    commands, places, executed = [begin], dict[bytes, int](), list[int]()
    for call in calls:
        name = call.step.name
        if name not in known and name not in places:
            places[name] = len(commands)
            commands.append(call.step.preparing)
        executed.append(len(commands))
        commands.append(call.step.executing(call.values))
    told = pipelines.send(connection, [*commands, _COMMIT])
    # What was prepared stays so, also where another step failed.
    known.update(name for name, place in places.items() if pipelines.is_done(connection, told[place]))
    pipelines.raise_failed(connection, told)
    found = [(told[place], call.step.row_of(told[place])) for call, place in zip(calls, executed, strict=True)]
    return pipelines.rows(connection, found)[1:]


@cache
def _bounding(names: tuple[str, ...]) -> Step:
    """Return the step that makes settings hold until the transaction ends; their values are its parameters."""
    settings = [sa.func.set_config(sa.literal_column(f"'{name}'"), prepared.text(name), sa.true()) for name in names]
    return Step(lambda _dialect: sa.select(*(each.label(f"set_{place}") for place, each in enumerate(settings))))


def _forget_old_plans(connection: Connection, now: Millis) -> None:
    """Let PostgreSQL plan anew what it has planned some time ago, by what the tables hold by now."""
    planned_at = connection.info.setdefault(_PLANNED_AT, now)
    if abs(now - planned_at) >= PLANS_LAST_MS:
        drivers.execute_together(connection, "DISCARD PLANS", ())
        connection.info[_PLANNED_AT] = now


def _known(connection: Connection, *, lacking: AbstractSet[bytes]) -> set[bytes]:
    """Return the names of the steps that are prepared on a connection, with room for those that it lacks.

    A new one is told how to plan them first.
    """
    known: set[bytes] | None = connection.info.get(_KNOWN)
    if known is None:
        drivers.execute_together(connection, _PLANNED_BY_INDEXES, ())
        known = connection.info[_KNOWN] = set()
    elif len(known | lacking) > MOST_PREPARED:
        drivers.execute_together(connection, "DEALLOCATE ALL", ())
        known.clear()
    return known
