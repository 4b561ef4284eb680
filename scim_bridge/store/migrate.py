"""Brings a database to the schema of this version. The only thing that ever makes tables."""

from importlib import resources
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from scim_bridge.store import locking
from scim_bridge.store.engine import make_engine


def upgrade(url: str, *, to: str = "head") -> None:
    """Migrate the database at a URL to the newest schema, or `to` an earlier one; does nothing when it is there.

    Only this turns SQLite's write-ahead log on: two starting processes that both try would lock each other out.
    """
    engine = make_engine(url, as_owner=True)
    try:
        lock = locking.lock_for(engine.url.database) if engine.dialect.name == "sqlite" else None
        if lock is None:
            _upgrade(engine, to)
        else:
            with lock:
                _turn_wal_on(engine)
                _upgrade(engine, to)
    finally:
        engine.dispose()


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
