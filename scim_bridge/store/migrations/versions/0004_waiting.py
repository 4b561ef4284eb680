"""Turn the index of what waits around: by resource, then lane, so that it is not mistaken for the lane's others."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the index anew."""
    op.drop_index("operation_one_waiting", "operation")
    op.create_index(
        "operation_one_waiting",
        "operation",
        ["resource_id", "lane_id"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
