"""Make the delivering side: lanes, operations, calls, and what accounts were last known to hold."""

import sqlalchemy as sa
from alembic import op

from scim_bridge.store import tenancy

revision = "0002"
down_revision = "0001"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TENANT_TABLES = (
    "lane",
    "operation",
    "entry",
    "batch",
    "link",
    "group_link",
    "hold",
    "replay",
    "closed",
)


def upgrade() -> None:
    """Make the tables, parents first, and hold tenants apart from the first row on."""
    _make_lane()
    _make_operation()
    _make_entry()
    _make_batch()
    _make_link()
    _make_group_link()
    _make_slot()
    _make_hold()
    _make_replay()
    _make_closed()
    if op.get_bind().dialect.name == "postgresql":
        tenancy.hold_apart(op.execute, TENANT_TABLES)


def _make_lane() -> None:
    op.create_table(
        "lane",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("configured", sa.Integer(), server_default="1", nullable=False),
        sa.Column("paused_at", sa.BigInteger(), nullable=True),
        sa.Column("paused_by", sa.Text(), nullable=True),
        sa.Column("quarantined_at", sa.BigInteger(), nullable=True),
        sa.Column("quarantine_reason", sa.Text(), nullable=True),
        sa.Column("quarantine_check_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("breaker_until", sa.BigInteger(), nullable=True),
        sa.Column("patience_until", sa.BigInteger(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("lease_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("wake_at", sa.BigInteger(), nullable=True),
        sa.Column("batches", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "target", name="lane_name"),
    )


def _make_operation() -> None:
    op.create_table(
        "operation",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("lane_id", KEY, nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("change_number", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("cap", sa.Integer(), nullable=True),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"]),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_operation_change_number"), "operation", ["change_number"], unique=False)
    op.create_index(
        "operation_due",
        "operation",
        ["lane_id", "priority", "due_at", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "operation_one_waiting",
        "operation",
        ["lane_id", "resource_id"],
        unique=True,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index("operation_resource", "operation", ["resource_id", "lane_id", "id"], unique=False)
    op.create_index(
        "operation_sending",
        "operation",
        ["lane_id", "resource_id"],
        unique=False,
        sqlite_where=sa.text("state = 'sending'"),
        postgresql_where=sa.text("state = 'sending'"),
    )
    op.create_index(
        "operation_stuck",
        "operation",
        ["lane_id", "state", "resource_id"],
        unique=False,
        sqlite_where=sa.text("state IN ('dead', 'held')"),
        postgresql_where=sa.text("state IN ('dead', 'held')"),
    )


def _make_entry() -> None:
    op.create_table(
        "entry",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("batch_id", KEY, nullable=True),
        sa.Column("superseded_by", KEY, nullable=True),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_entry_operation_id"), "entry", ["operation_id"], unique=False)


def _make_batch() -> None:
    op.create_table(
        "batch",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("lane_id", KEY, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("items", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("late", sa.Integer(), server_default="0", nullable=False),
        sa.Column("slot_id", KEY, nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=True),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lane_id", "number", name="batch_number"),
    )
    op.create_index(
        "batch_open",
        "batch",
        ["lane_id"],
        unique=False,
        sqlite_where=sa.text("status = 'open'"),
        postgresql_where=sa.text("status = 'open'"),
    )


def _make_link() -> None:
    op.create_table(
        "link",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("lane_id", KEY, nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("matching", sa.Text(), nullable=True),
        sa.Column("active", sa.Integer(), nullable=True),
        sa.Column("attributes", sa.Text(), nullable=True),
        sa.Column("groups", sa.Text(), nullable=True),
        sa.Column("courses", sa.Text(), nullable=True),
        sa.Column("required_courses", sa.Text(), nullable=True),
        sa.Column("known_at", sa.BigInteger(), nullable=True),
        sa.Column("known_batch_id", KEY, nullable=True),
        sa.Column("doubt", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"]),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lane_id", "account_id", name="link_account"),
        sa.UniqueConstraint("lane_id", "resource_id", name="link_resource"),
    )
    op.create_index(op.f("ix_link_resource_id"), "link", ["resource_id"], unique=False)


def _make_group_link() -> None:
    op.create_table(
        "group_link",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("lane_id", KEY, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("is_ours", sa.Integer(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("lane_id", "name", name="group_link_name"),
    )


def _make_slot() -> None:
    op.create_table(
        "slot",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("quota", sa.Text(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("slot_quota", "slot", ["quota", "sent_at"], unique=False)


def _make_hold() -> None:
    op.create_table(
        "hold",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("lane_id", KEY, nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"]),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("hold_open", "hold", ["lane_id", "resource_id", "status"], unique=False)


def _make_replay() -> None:
    op.create_table(
        "replay",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("operations", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _make_closed() -> None:
    op.create_table(
        "closed",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ref", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "ref", "first", name="closed_ref"),
    )
