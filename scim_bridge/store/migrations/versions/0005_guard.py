"""Give the guard what it counts, departures and allowances; a pause its reason; a hold when it last asked."""

import sqlalchemy as sa
from alembic import op

from scim_bridge.store import tenancy

revision = "0005"
down_revision = "0004"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

STANDING = sa.text("status IN ('open', 'rejected')")


def upgrade() -> None:
    """Make the guard's tables and columns."""
    op.add_column("lane", sa.Column("pause_reason", sa.Text(), nullable=True))
    op.add_column("hold", sa.Column("asked_at", sa.BigInteger(), nullable=True))
    op.create_index(
        "hold_standing",
        "hold",
        ["lane_id", "resource_id"],
        unique=True,
        sqlite_where=STANDING,
        postgresql_where=STANDING,
    )
    _make_departure()
    _make_allowance()
    if op.get_bind().dialect.name == "postgresql":
        tenancy.hold_apart(op.execute, ("departure", "allowance"))


def _make_departure() -> None:
    op.create_table(
        "departure",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("lane_id", KEY, nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("counted", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("good_until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"]),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lane_id", "resource_id", name="departure_resource"),
    )
    op.create_index("departure_window", "departure", ["lane_id", "at"])


def _make_allowance() -> None:
    op.create_table(
        "allowance",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("lane_id", KEY, nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("used", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("good_until", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("allowance_lane", "allowance", ["lane_id", "good_until"])
