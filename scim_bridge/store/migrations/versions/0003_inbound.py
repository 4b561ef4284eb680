"""Make what the front door keeps: counts of who is there, first answers by key, and where tokens may come from."""

import sqlalchemy as sa
from alembic import op

from scim_bridge.store import tenancy

revision = "0003"
down_revision = "0002"

TENANT_TABLES = ("population", "first_answer")


def upgrade() -> None:
    """Make the tables, fill the counts, and index the living alone."""
    op.add_column("token", sa.Column("networks", sa.Text(), server_default="", nullable=False))
    _make_population()
    _make_first_answer()
    if op.get_bind().dialect.name == "postgresql":
        tenancy.hold_apart(op.execute, TENANT_TABLES)
    _index_the_living()


def _make_population() -> None:
    op.create_table(
        "population",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("living", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "shard"),
    )
    op.execute(
        "INSERT INTO population (tenant, kind, shard, living) "
        "SELECT tenant, kind, 0, count(*) FROM resource WHERE deleted_at IS NULL GROUP BY tenant, kind"
    )


def _make_first_answer() -> None:
    op.create_table(
        "first_answer",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "token_id", "route", "key"),
    )
    op.create_index("first_answer_started", "first_answer", ["started_at"], unique=False)


def _index_the_living() -> None:
    op.drop_index("resource_page", "resource")
    op.create_index(
        "resource_page",
        "resource",
        ["tenant", "kind", "id", "active"],
        unique=False,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
