"""What can be told of a database itself: its schema, its journal, and whether it holds tenants apart."""

from dataclasses import dataclass

import sqlalchemy as sa

from scim_bridge.store.engine import Store, StoreUnavailable, Transaction

WAL = "wal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Which schema a database has."""

    is_current: bool
    is_newer: bool
    """It was made by a later version than this one."""


def schema_of(store: Store) -> Schema:
    """Return how a database's schema stands to this version's.

    Raises:
        StoreUnavailable: the database cannot be read.
    """
    from scim_bridge.store import migrate  # noqa: PLC0415 - alembic is read by those who ask it

    try:
        with store.across_tenants("tell which schema this is") as tx:
            has = migrate.revision_of(tx.connection)
    except sa.exc.DatabaseError as error:
        # SQLite says so of a file that is none of its own, or that is broken.
        raise StoreUnavailable(f"it cannot be read ({type(error.orig).__name__})") from None
    return Schema(is_current=has == migrate.newest_revision(), is_newer=has is not None and not migrate.knows(has))


def place_of(url: str) -> str:
    """Return where a database is, without the user, the password and whatever else stands in its URL."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return f"SQLite at {parsed.database}"
    where = parsed.host or "a local socket"
    return f"PostgreSQL at {where}" + (f":{parsed.port}" if parsed.port else "")


def file_of(url: str) -> str | None:
    """Return the path of the SQLite file that a URL names, None for any other database."""
    parsed = sa.make_url(url)
    return parsed.database if parsed.get_backend_name() == "sqlite" else None


def journal_mode(tx: Transaction) -> str:
    """Return SQLite's journal mode; the bridge relies on `wal`."""
    return str(tx.connection.execute(sa.text("PRAGMA journal_mode")).scalar_one())


def openings(tx: Transaction) -> list[str]:
    """Return what lets the rows of one tenant be seen by another on PostgreSQL; nothing where all are apart."""
    role = tx.connection.execute(
        sa.text("SELECT rolname, rolsuper OR rolbypassrls AS passes FROM pg_roles WHERE rolname = current_user")
    ).one()
    found = [f"the role {role.rolname} passes row-level security by"] if role.passes else []
    owned = tx.connection.execute(
        sa.text(
            "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
            " AND relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)"
        )
    ).scalar_one()
    if owned:
        found.append(f"the role {role.rolname} owns {owned} tables, and could open them")
    unguarded = tx.connection.execute(
        sa.text(
            "SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'"
            " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped"
            " AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY c.relname"
        )
    ).scalars()
    return found + [f"the table {name} has no forced row-level security" for name in unguarded]
