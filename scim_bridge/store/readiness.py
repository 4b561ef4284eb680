"""Whether the store can take a change just now."""

import sqlalchemy as sa

from scim_bridge.store import migrate
from scim_bridge.store.engine import Store, StoreUnavailable


def is_reachable(store: Store) -> bool:
    """Tell whether the database answers."""
    try:
        with store.across_tenants("readiness") as tx:
            return bool(tx.connection.execute(sa.text("SELECT 1")).scalar_one())
    except StoreUnavailable:
        return False


def is_migrated(store: Store) -> bool:
    """Tell whether the database has this version's schema."""
    try:
        return migrate.is_current(store.engine)
    except sa.exc.SQLAlchemyError:
        return False
