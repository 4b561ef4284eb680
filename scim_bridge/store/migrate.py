"""Brings a database to the schema of this version. The only thing that ever makes tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from scim_bridge.errors import UsageError
from scim_bridge.store import locking
from scim_bridge.store.engine import errors_named, make_engine
from scim_bridge.store.tenancy import APP_ROLE

_NOT_ALLOWED = "42501"
"""insufficient_privilege."""


def upgrade(url: str, *, to: str = "head") -> None:
    """Migrate the database at a URL to the newest schema, or `to` an earlier one; does nothing when it is there.

    Only this turns SQLite's write-ahead log on: two starting processes that both try would lock each other out.

    Raises:
        StoreUnavailable: the database does not answer, or there is none of the name.
        UsageError: its user may not do what a migration does.
    """
    engine = make_engine(url, as_owner=True)
    try:
        with _refusals_told():
            _bring_up(engine, to)
    finally:
        engine.dispose()


def _bring_up(engine: sa.Engine, to: str) -> None:
    lock = locking.lock_for(engine.url.database) if engine.dialect.name == "sqlite" else None
    if lock is None:
        _upgrade(engine, to)
        return
    with lock:
        _turn_wal_on(engine)
        _upgrade(engine, to)


@contextmanager
def _refusals_told() -> Iterator[None]:
    try:
        with errors_named():
            yield
    except sa.exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != _NOT_ALLOWED:
            raise
        raise UsageError(
            f"the database's user may not migrate it ({str(error.orig).splitlines()[0]}). It must own the database, "
            f"and be allowed to make roles or be a member of {APP_ROLE}: "
            f"CREATE ROLE {APP_ROLE} NOLOGIN (if there is none); GRANT {APP_ROLE} TO the user"
        ) from None


def is_current(engine: sa.Engine) -> bool:
    """Tell whether a database has the newest schema."""
    with engine.connect() as connection:
        return revision_of(connection) == newest_revision()


def revision_of(connection: sa.Connection) -> str | None:
    """Return the id of the last migration that a database has, None when it has none."""
    return MigrationContext.configure(connection).get_current_revision()


def knows(revision: str) -> bool:
    """Tell whether a migration is one of this version's, or of an earlier one's."""
    return any(each.revision == revision for each in ScriptDirectory.from_config(_config()).walk_revisions())


def newest_revision() -> str | None:
    """Return the id of the newest migration."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(str(resources.files("scim_bridge.store"))) / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def _upgrade(engine: sa.Engine, to: str) -> None:
    config = _config()
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


def _turn_wal_on(engine: sa.Engine) -> None:
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()
    finally:
        raw.close()
