"""An empty database on a PostgreSQL server, for as long as somebody needs it."""

import contextlib
import secrets
from collections.abc import Iterator

import sqlalchemy as sa

from scim_bridge.store.engine import StoreUnavailable

DRIVER = "postgresql+psycopg"


@contextlib.contextmanager
def database(url: str) -> Iterator[str]:
    """Make a database on the server that a URL names, give its URL, and drop it at the end, whoever is connected.

    The URL's user must be allowed to create databases, and roles where the bridge's own does not exist yet.

    Raises:
        StoreUnavailable: the URL is none, the server does not answer, or the user may not.
    """
    server = _server(url)
    name = f"scim_bridge_bench_{secrets.token_hex(6)}"
    _execute(server, f"CREATE DATABASE {name}")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _server(url: str) -> sa.URL:
    try:
        parsed = sa.make_url(url)
    except sa.exc.ArgumentError:
        raise StoreUnavailable("its address is no URL like postgresql://user@host/database") from None
    if parsed.get_backend_name() != "postgresql":
        raise StoreUnavailable("its address does not begin with postgresql://")
    return parsed.set(drivername=DRIVER)


def _execute(server: sa.URL, statement: str) -> None:
    engine = sa.create_engine(
        server,
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
        hide_parameters=True,
        connect_args={"connect_timeout": 5},
    )
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError as error:
        raise StoreUnavailable(str(error.orig).splitlines()[0][:200]) from None
