"""Keep in two indexes of PostgreSQL's only who has such a name.

No other look-up can take them then. As long as it has not looked at a table, PostgreSQL takes all indexes that begin
with the tenant for equally good, and walked through everybody by one of these to find a userName. SQLite does not.
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
    if op.get_bind().dialect.name != "postgresql":
        return
    for name, columns in _INDEXES.items():
        op.drop_index(name, "resource")
        op.create_index(name, "resource", columns, postgresql_where=sa.text(f"{columns[-1]} IS NOT NULL"))
