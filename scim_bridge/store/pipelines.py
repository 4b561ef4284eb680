"""Commands that PostgreSQL is sent in one go, and what it answers: its driver's own interface to them.

The driver's cursors would do the same at twice the cost, and what every look-up does must not pay for that. Values are
told apart from the statements, so that PostgreSQL does not log them with a statement that fails.
"""

import select
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from sqlalchemy.engine import Connection

from scim_bridge.store import drivers

Command = Callable[[Any], None]
"""Sends one command by the driver's connection, without waiting for what it gives."""

Told = Any
"""What one command gave, as the driver has it."""

_WHAT = "a pipeline"
"""What stands in the place of a statement in errors."""


@cache
def are_known(driver: Any) -> bool:
    """Tell whether the driver's library has pipelines; one that was not built for it may be older."""
    return bool(driver.capabilities.has_pipeline())


def preparing(name: bytes, text: bytes) -> Command:
    """Return the command that prepares a statement under a name."""
    return lambda pgconn: pgconn.send_prepare(name, text)


def executing(name: bytes, values: Sequence[bytes | None]) -> Command:
    """Return the command that executes what is prepared under a name, with these values."""
    return lambda pgconn: pgconn.send_query_prepared(name, values)


def saying(text: bytes) -> Command:
    """Return the command that executes a statement without values."""
    return lambda pgconn: pgconn.send_query_params(text, None)


def value(given: str | int | None) -> bytes | None:
    """Return a value as it is sent.

    Raises:
        ValueError: a text holds a NUL character or half a surrogate pair; PostgreSQL would take what stands before it.
    """
    if given is None:
        return None
    text = given if isinstance(given, str) else str(int(given))
    if "\0" in text:
        raise ValueError("a text with a NUL character is no value")
    return text.encode()


def send(connection: Connection, commands: Iterable[Command]) -> list[Told]:
    """Send commands and return what each gave; after one that fails none is carried out (see `raise_failed`).

    Raises:
        sqlalchemy.exc.DBAPIError: as the library does, when the connection is lost.
    """
    driver_connection: Any = connection.connection.driver_connection
    pgconn, driver = driver_connection.pgconn, connection.dialect.loaded_dbapi
    try:
        with drivers.errors_wrapped(connection, _WHAT):
            pgconn.enter_pipeline_mode()
            for command in commands:
                command(pgconn)
            pgconn.pipeline_sync()
            told = _received(pgconn, driver)
            pgconn.exit_pipeline_mode()
            return told
    except BaseException:
        # Nobody knows how far it came.
        if not connection.invalidated:
            connection.invalidate()
        raise


def is_done(connection: Connection, told: Told) -> bool:
    """Tell whether the command that gave this was carried out."""
    status = connection.dialect.loaded_dbapi.pq.ExecStatus
    return told.status in (status.COMMAND_OK, status.TUPLES_OK)


def raise_failed(connection: Connection, told: Iterable[Told]) -> None:
    """Raise the error of the command that failed, if any.

    Raises:
        sqlalchemy.exc.DBAPIError: as the library does.
    """
    driver = connection.dialect.loaded_dbapi
    for each in told:
        if each.status == driver.pq.ExecStatus.FATAL_ERROR:
            with drivers.errors_wrapped(connection, _WHAT):
                raise driver.errors.error_from_result(each)


def rows(connection: Connection, told: Iterable[tuple[Told, Callable[[Any], Any]]]) -> list[list[Any]]:
    """Return the rows that each of several statements gave, made of its tuples by what comes with it."""
    reader = connection.dialect.loaded_dbapi.adapt.Transformer(connection.connection.driver_connection)
    found = []
    for each, make in told:
        reader.set_pgresult(each)
        found.append(reader.load_rows(0, each.ntuples, make) if each.nfields else [])
    return found


def names(told: Told) -> tuple[str, ...]:
    """Return the names of the columns that a statement gave."""
    return tuple(told.fname(place).decode() for place in range(told.nfields))


def _received(pgconn: Any, driver: Any) -> list[Told]:
    poll, told = select.poll(), list[Told]()
    poll.register(pgconn.socket, select.POLLIN | select.POLLOUT)
    while pgconn.flush():
        # What is given meanwhile is taken in, or both sides might wait for the other to read.
        poll.poll()
        pgconn.consume_input()
    poll.modify(pgconn.socket, select.POLLIN)
    while True:
        while pgconn.is_busy():
            poll.poll()
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            # It stands between what two commands gave, and at the end of a connection.
            if pgconn.status != driver.pq.ConnStatus.OK:
                raise driver.OperationalError("the connection is lost")
        elif result.status == driver.pq.ExecStatus.PIPELINE_SYNC:
            return told
        else:
            told.append(result)
