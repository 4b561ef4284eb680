"""Make the table of webhooks that were taken."""

import sqlalchemy as sa
from alembic import op

from scim_bridge.store import tenancy

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the table, its tenants held apart."""
    op.create_table(
        "webhook",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "target", "mark"),
    )
    op.create_index("webhook_taken", "webhook", ["taken_at"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        tenancy.hold_apart(op.execute, ("webhook",))
