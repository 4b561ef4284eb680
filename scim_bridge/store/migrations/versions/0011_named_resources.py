"""Keep in the indexes of two kinds of names only who has such a name.

No other look-up can take them then. PostgreSQL, as long as it has not looked at a table, takes all indexes that begin
with the tenant for equally good, and walked through everybody by one of these to find a userName.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

_INDEXES = {
    "resource_external_id": ["tenant", "external_id"],
    "resource_display_key": ["tenant", "kind", "display_key"],
}


def upgrade() -> None:
    """Make both indexes anew."""
    for name, columns in _INDEXES.items():
        has_name = sa.text(f"{columns[-1]} IS NOT NULL")
        op.drop_index(name, "resource")
        op.create_index(name, "resource", columns, sqlite_where=has_name, postgresql_where=has_name)
