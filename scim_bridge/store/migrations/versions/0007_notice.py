"""Make the tables of notices that are to be sent."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from scim_bridge.store import tenancy

revision = "0007"
down_revision = "0006"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

UNTOLD = sa.text("told_at IS NULL")
WAITING = sa.text("state = 'waiting'")


def upgrade() -> None:
    """Make the tables, their tenants held apart."""
    op.create_table(
        "notice",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False, unique=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("told_at", sa.BigInteger()),
    )
    alike = ["tenant", "target", "kind", "code"]
    untold: dict[str, Any] = {"sqlite_where": UNTOLD, "postgresql_where": UNTOLD}
    op.create_index("notice_untold", "notice", alike, unique=True, **untold)
    op.create_index("notice_due", "notice", ["due_at"], **untold)
    op.create_index("notice_told", "notice", [*alike, "told_at"])
    op.create_table(
        "posting",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("notice_id", KEY, sa.ForeignKey("notice.id"), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("failure", sa.Text(), nullable=False, server_default=""),
        sa.UniqueConstraint("notice_id", "destination", name="posting_destination"),
    )
    op.create_index(
        "posting_due",
        "posting",
        ["destination", "due_at"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    if op.get_bind().dialect.name == "postgresql":
        tenancy.hold_apart(op.execute, ("notice", "posting"))
