"""Whether the store can take a change just now."""

from pathlib import Path

import sqlalchemy as sa

from scim_bridge.store.engine import Store, StoreUnavailable


def missing_file(url: str) -> Path | None:
    """Return the SQLite file that a URL names when it does not exist, for to connect would make an empty one."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    path = Path(str(parsed.database))
    return None if path.exists() else path


def check_exists(url: str) -> None:
    """Raise StoreUnavailable when a URL names an SQLite file that does not exist."""
    path = missing_file(url)
    if path is not None:
        raise StoreUnavailable(f"there is no database file {path}")


def sentence(error: StoreUnavailable) -> str:
    """Return what an operator is told when the store does not answer."""
    return (
        f"the store is not available: {error}. "
        "Is it reachable? When it is new, run `scim-bridge migrate` or `scim-bridge up` first"
    )


def is_reachable(store: Store) -> bool:
    """Tell whether the database answers."""
    try:
        with store.across_tenants("readiness") as tx:
            return bool(tx.connection.execute(sa.text("SELECT 1")).scalar_one())
    except StoreUnavailable:
        return False


def is_migrated(store: Store) -> bool:
    """Tell whether the database has this version's schema."""
    from scim_bridge.store import migrate  # noqa: PLC0415 - alembic is read by those who ask it

    try:
        return migrate.is_current(store.engine)
    except sa.exc.SQLAlchemyError:
        return False
