"""The databases' drivers, used without the library in between: what every request does must not pay for it."""

import select
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection


@contextmanager
def errors_wrapped(connection: Connection, text: str, cursor: Callable[[], Any] = lambda: None) -> Iterator[None]:
    """Raise what the driver raises as the library would, had it run the statement; a lost connection is marked so."""
    driver = connection.dialect.loaded_dbapi
    try:
        yield
    except driver.Error as error:
        is_lost = connection.dialect.is_disconnect(error, connection.connection, cursor())
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


@contextmanager
def cursor_of(connection: Connection, text: str, *, stays_open: bool = False) -> Iterator[Any]:
    """Give a cursor of the driver's for one statement. One that stays open is the driver's to close."""
    cursor: Any = None
    with errors_wrapped(connection, text, lambda: cursor):
        try:
            cursor = connection.connection.cursor()
            yield cursor
        finally:
            if cursor is not None and not stays_open:
                cursor.close()


def execute_together(connection: Connection, text: str, values: Sequence[str]) -> None:
    """Execute several statements of PostgreSQL's in one message; their values are quoted by its driver.

    What fails is logged by PostgreSQL with these values: nobody's name is to be among them.

    Raises:
        sqlalchemy.exc.DBAPIError: as the library does.
    """
    driver = connection.dialect.loaded_dbapi
    cursor: Any = None
    with errors_wrapped(connection, text, lambda: cursor):
        cursor = driver.ClientCursor(connection.connection.driver_connection)
        cursor.execute(text, values or None)
        cursor.close()


def is_lost(connection: Connection) -> bool:
    """Tell whether a connection to PostgreSQL on which nothing is under way has ended, as far as is known here."""
    driver_connection: Any = connection.connection.driver_connection
    with suppress(connection.dialect.loaded_dbapi.Error):
        while not driver_connection.closed and _is_readable(driver_connection.fileno()):
            driver_connection.pgconn.consume_input()
    return bool(driver_connection.closed)


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


@contextmanager
def pipeline(connection: Connection) -> Iterator[None]:
    """Let statements be sent to PostgreSQL while others are still on their way; elsewhere this changes nothing."""
    if connection.dialect.name != "postgresql" or not connection.dialect.loaded_dbapi.capabilities.has_pipeline():
        yield
        return
    driver_connection: Any = connection.connection.driver_connection
    with errors_wrapped(connection, "a pipeline"), driver_connection.pipeline():
        yield
