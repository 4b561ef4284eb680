"""The store and its two doors: `begin(tenant)` and `across_tenants(reason)`. There is no third."""

import contextlib
import hashlib
import json
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.errors import UsageError
from scim_bridge.store import drivers, locking
from scim_bridge.store.tenancy import APP_ROLE

ALL_TENANTS = "*"
"""What row-level security sees behind the door that crosses tenants."""

_ONE_WAITING = "operation_one_waiting"
_NO_TEXT = "Could not decode to UTF-8"

STALE_CONNECTIONS = 100
"""So many connections in a row may turn out to be lost (the server was restarted) before a transaction gives up."""

BUSY_TIMEOUT_S = 10.0
"""A backstop; the lock file in front of it is what makes writers take turns."""


class StoreUnavailable(Exception):  # noqa: N818 - the name says what the caller may assume
    """The database cannot be written or read just now; nothing was recorded. Try again."""


class Contended(StoreUnavailable):
    """Two transactions were in each other's way and this one was undone; the same again will do."""


class StatementTimedOut(Exception):  # noqa: N818 - as above
    """A statement ran longer than its caller allowed and was ended by the database."""


class Unreadable(Exception):  # noqa: N818 - as above
    """A text in the database is none: whoever asks for it again gets it no sooner. What it holds is not told."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """One open transaction: what the store's modules work on. `tenant` is None behind `across_tenants`."""

    connection: Connection
    tenant: str | None
    now: Millis
    use_database_clock: bool = True
    population: Counter[str] = field(default_factory=Counter)
    """How many more resources of each kind live at the end of the transaction than at its beginning."""
    turns: set[str] = field(default_factory=set)
    """The sources whose rows nobody else records until the end of the transaction."""
    endings: dict[str, Callable[["Transaction"], None]] = field(default_factory=dict)
    """What is written right before the commit, by name: rows that many write are then locked only briefly."""

    @property
    def dialect(self) -> str:
        """Return 'sqlite' or 'postgresql'."""
        return self.connection.dialect.name

    @contextlib.contextmanager
    def savepoint(self) -> Iterator[None]:
        """Enclose one part that may fail alone: its changes are undone when it raises."""
        before, turns = self.population.copy(), self.turns.copy()
        try:
            with self.connection.begin_nested():
                yield
        except BaseException:
            self.population.clear()
            self.population.update(before)
            # PostgreSQL lets go of what was locked since.
            self.turns.intersection_update(turns)
            raise

    def pipeline(self) -> AbstractContextManager[None]:
        """Enclose statements of which some are only sent (`Prepared.send`): PostgreSQL is not waited for then."""
        return drivers.pipeline(self.connection)

    def lease_clock(self) -> Millis:
        """Return the instant by the one clock that all machines share: the database's."""
        if self.dialect == "postgresql" and self.use_database_clock:
            row = self.connection.execute(sa.text("SELECT extract(epoch FROM clock_timestamp()) * 1000")).scalar_one()
            return int(row)
        return self.now


class Store:
    """A database of the bridge. Thread-safe; open it after a fork, not before."""

    def __init__(
        self, engine: Engine, *, clock: Clock, use_database_clock: bool = True, trip_engine: Engine | None = None
    ) -> None:
        """Wrap an engine; use `Store.open`."""
        self.engine = engine
        self.trip_engine = trip_engine or engine
        """The same database by connections of its own for trips: what is prepared and planned there stays in use.

        A trip that took whichever connection is free would have it planned on each of them, while its senders wait.
        """
        self.clock = clock
        self._use_database_clock = use_database_clock
        self._lock = locking.lock_for(engine.url.database) if engine.dialect.name == "sqlite" else None

    @classmethod
    def open(cls, url: str, *, clock: Clock, use_database_clock: bool = True, pool_size: int = 10) -> "Store":
        """Open the database at an SQLAlchemy URL (sqlite:///file or postgresql+psycopg://...)."""
        engine, trip_engine = (make_engine(url, pool_size=pool_size) for _ in range(2))
        return cls(engine, clock=clock, use_database_clock=use_database_clock, trip_engine=trip_engine)

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()
        self.trip_engine.dispose()

    @contextlib.contextmanager
    def begin(
        self,
        tenant: str,
        *,
        write: bool = True,
        statement_timeout_s: float | None = None,
    ) -> Iterator[Transaction]:
        """Open the door to one tenant's rows; commits at the end, undoes everything when the block raises.

        Raises:
            StoreUnavailable: the database cannot be reached, locked or committed; nothing was recorded.
            StatementTimedOut: a statement ran longer than `statement_timeout_s`.
        """
        with self._transaction(tenant, write=write, statement_timeout_s=statement_timeout_s) as tx:
            yield tx

    @contextlib.contextmanager
    def across_tenants(self, reason: str, *, write: bool = False, snapshot: bool = False) -> Iterator[Transaction]:
        """Open the door to all tenants' rows, for token look-up, relay, verification and status. Say why.

        With `snapshot` every statement sees the same instant, whatever others commit meanwhile (SQLite always does so).

        Raises:
            StoreUnavailable: as `begin`.
        """
        if not reason:
            msg = "across_tenants needs a reason"
            raise ValueError(msg)
        with self._transaction(None, write=write, statement_timeout_s=None, snapshot=snapshot) as tx:
            yield tx

    @contextlib.contextmanager
    def _transaction(
        self, tenant: str | None, *, write: bool, statement_timeout_s: float | None, snapshot: bool = False
    ) -> Iterator[Transaction]:
        # The commit happens when the stack ends: what it raises must be named too.
        with errors_named(), contextlib.ExitStack() as stack:
            if write and self._lock is not None:
                stack.enter_context(self._lock)
            if self.engine.dialect.name == "postgresql":
                opening = _opening(tenant, statement_timeout_s=statement_timeout_s, snapshot=snapshot)
                connection = stack.enter_context(self._opened(*opening))
            else:
                connection = stack.enter_context(self.engine.connect().execution_options(bridge_write=write))
                stack.enter_context(connection.begin())
                stack.enter_context(_time_limit(connection, statement_timeout_s))
            tx = Transaction(connection, tenant, self.clock(), self._use_database_clock)
            yield tx
            for end in tx.endings.values():
                end(tx)

    @contextlib.contextmanager
    def _opened(self, text: str, values: Sequence[str]) -> Iterator[Connection]:
        """Begin a transaction on PostgreSQL. A connection that is found lost then has done nothing: take another."""
        for _ in range(STALE_CONNECTIONS):
            with self.engine.connect() as connection:
                transaction = connection.begin()
                try:
                    drivers.execute_together(connection, text, values)
                except sa.exc.DBAPIError as error:
                    if not error.connection_invalidated:
                        raise
                    transaction.close()
                    continue
                with transaction:
                    yield connection
                return
        raise StoreUnavailable("connections to the database are lost as soon as they are made")


def _opening(tenant: str | None, *, statement_timeout_s: float | None, snapshot: bool) -> tuple[str, list[str]]:
    """Return what a transaction on PostgreSQL begins with: whose rows it sees, and how long it waits and works."""
    bounds = bounds_of(tenant or ALL_TENANTS, statement_timeout_s)
    begin = "BEGIN ISOLATION LEVEL REPEATABLE READ" if snapshot else "BEGIN"
    text, values = settings_of(bounds)
    return f"{begin}; {text}", values


def bounds_of(tenant: str, statement_timeout_s: float | None = None) -> dict[str, str]:
    """Return what holds for a transaction on PostgreSQL: whose rows it sees, and how long it waits and works."""
    bounds = {"bridge.tenant": tenant, "lock_timeout": f"{int(locking.PATIENCE_S * 1000)}ms"}
    if statement_timeout_s is not None:
        bounds["statement_timeout"] = f"{max(1, int(statement_timeout_s * 1000))}ms"
    return bounds


def settings_of(settings: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return the statement that makes settings hold until the transaction ends, and its values."""
    calls = ", ".join("set_config(%s, %s, true)" for _ in settings)
    return f"SELECT {calls}", [part for pair in settings.items() for part in pair]


def make_engine(url: str, *, pool_size: int = 10, as_owner: bool = False) -> Engine:
    """Return an engine with the settings that the store relies on. `as_owner` is for migrations."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        engine = sa.create_engine(
            parsed,
            hide_parameters=True,
            pool_size=pool_size,
            pool_use_lifo=True,
            max_overflow=pool_size * 4,
            connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    try:
        engine = sa.create_engine(
            parsed,
            hide_parameters=True,
            pool_size=pool_size,
            pool_use_lifo=True,
            max_overflow=pool_size * 4,
            # Values are sent as UTF-8, whatever the environment or the database has set.
            connect_args={"connect_timeout": 5, "client_encoding": "utf8"},
        )
    except ModuleNotFoundError:
        raise UsageError("PostgreSQL needs its driver: pip install 'scim-bridge[postgres]'") from None
    if not as_owner:
        event.listen(engine, "connect", _become_app_role)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver's own transaction handling would begin late and unasked; ours says BEGIN when it means it.
    connection.isolation_level = None
    connection.create_function("bridge_sha256", 1, _sha256, deterministic=True)
    connection.create_function("bridge_fold", 1, _fold, deterministic=True)
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # What a savepoint can undo, what is sorted and what is compared stays in memory only while it is little; the rest
    # goes to files of SQLite's own. In memory a dry run of 500 rows would take 27 MB, which the process then keeps.
    cursor.execute("PRAGMA temp_store=FILE")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    write = connection.get_execution_options().get("bridge_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _become_app_role(connection: Any, _record: Any) -> None:
    # A transaction begins with a message of our own that says more than BEGIN, so the driver is to send none.
    connection.autocommit = True
    # Owners and superusers pass row-level security by; the application never is one.
    connection.execute(f"SET ROLE {APP_ROLE}")


def _sha256(value: str | None) -> str | None:
    return None if value is None else hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _fold(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


@contextlib.contextmanager
def _time_limit(connection: Connection, limit_s: float | None) -> Iterator[None]:
    """End what SQLite works on longer than this."""
    if limit_s is None:
        yield
        return
    driver = cast("sqlite3.Connection", connection.connection.dbapi_connection)
    deadline = time.monotonic() + limit_s
    driver.set_progress_handler(lambda: int(time.monotonic() > deadline), 10_000)
    try:
        yield
    finally:
        driver.set_progress_handler(None, 0)


@contextlib.contextmanager
def errors_named() -> Iterator[None]:
    """Turn the drivers' errors of infrastructure into ours, without the statement's parameters."""
    try:
        yield
    except sa.exc.OperationalError as error:
        text = str(error.orig)
        if re.search(r"interrupted|statement timeout", text):
            raise StatementTimedOut(text.splitlines()[0]) from None
        if "deadlock detected" in text:
            raise Contended("deadlock detected") from None
        if text.startswith(_NO_TEXT):
            # The rest is the text itself.
            raise Unreadable("a text in the database is no UTF-8") from None
        raise StoreUnavailable(_without_values(text)) from None
    except sa.exc.IntegrityError as error:
        if _ONE_WAITING in str(error.orig):
            # On PostgreSQL another transaction made the person wait for the same lane at the same moment.
            raise Contended(_ONE_WAITING) from None
        _quote_nothing(error)
        raise
    except (sa.exc.ProgrammingError, sa.exc.DataError) as error:
        sqlstate = getattr(error.orig, "sqlstate", None)
        # undefined_table; and invalid_parameter_value, to SET ROLE on a server where no migration has made the role.
        if sqlstate == "42P01" or (sqlstate == "22023" and APP_ROLE in str(error.orig)):
            raise StoreUnavailable("its tables are not there yet") from None
        _quote_nothing(error)
        raise
    except (sa.exc.InterfaceError, sa.exc.InternalError, sa.exc.TimeoutError, OSError) as error:
        raise StoreUnavailable(type(error).__name__) from None


def _quote_nothing(error: sa.exc.DBAPIError) -> None:
    """Leave of an error's texts what holds no values: errors about data quote them in their first line already."""
    if error.orig is not None:
        kind = type(error.orig).__name__
        told = kind if isinstance(error, sa.exc.DataError) else _without_values(str(error.orig))
        error.orig.args = (told,)
        error.args = (f"({kind}) {told}",)


def _without_values(text: str) -> str:
    """Return the first line of a driver's message; details that quote rows stand in later lines."""
    return text.splitlines()[0][:200] if text else "no message"


def compact_json(value: object) -> str:
    """Return JSON as the store keeps it: no blanks, characters as they are, keys in the order given."""
    return _encode(value)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
