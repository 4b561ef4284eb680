"""What PostgreSQL knows of how much there is, brought up to date as soon as tables have grown.

PostgreSQL looks itself once a minute. Until then it takes every table for nearly empty, and keeps plans that were made
for an empty one: in the first minutes of a new bridge a list of one person would be looked for in everybody, again and
again. The application's role owns nothing, so the owner lends it a function that does this and nothing else: temporary
things of the caller, which PostgreSQL would look among first, come last.
"""

import sqlalchemy as sa

from scim_bridge.store.engine import Transaction

FUNCTION = "bridge_analyze"

MADE_BY = """
CREATE FUNCTION bridge_analyze(name text) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_catalog.pg_tables WHERE schemaname = 'public' AND tablename = name) THEN
        RAISE EXCEPTION 'there is no such table';
    END IF;
    EXECUTE format('ANALYZE public.%I', name);
END $$
"""

LEAST_ROWS = 50
"""So many rows must be new or changed before anything is worth a look."""

GROWTH = 0.5
"""Such a share of the rows must be new or changed; of the rest PostgreSQL takes care itself."""

_GROWN = sa.text(
    "SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public'"
    " AND n_mod_since_analyze >= greatest(:least, :growth * n_live_tup)"
)
_LOOK = sa.text("SELECT bridge_analyze(:name)")


def refresh(tx: Transaction) -> list[str]:
    """Have tables looked at that have grown by much since the last look; return their names. For all tenants' door."""
    if tx.dialect != "postgresql":
        return []
    names = list(tx.connection.execute(_GROWN, {"least": LEAST_ROWS, "growth": GROWTH}).scalars())
    for name in names:
        tx.connection.execute(_LOOK, {"name": name})
    return names
