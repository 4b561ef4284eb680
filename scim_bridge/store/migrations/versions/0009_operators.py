"""Make the tables of the operators' side, and give the audit a chain."""

import sqlalchemy as sa
from alembic import op

from scim_bridge.store import statistics, tenancy

revision = "0009"
down_revision = "0008"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

OPEN = sa.text("status IN ('waiting', 'working')")
UNCHAINED = sa.text("number IS NULL")
STUCK = sa.text("state IN ('dead', 'held')")
DIED = sa.text("outcome = 'dead'")


def upgrade() -> None:
    """Make the tables, their tenants held apart."""
    _widen_replay()
    _make_replay_item()
    _make_remark()
    _make_errands()
    _make_inbound()
    _chain_audit()
    _index_the_dead()
    if op.get_bind().dialect.name == "postgresql":
        tenancy.hold_apart(op.execute, ("replay_item", "remark", "errand", "errand_row", "inbound"))
        op.execute(statistics.MADE_BY)
        op.execute(f"REVOKE ALL ON FUNCTION {statistics.FUNCTION}(text) FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {statistics.FUNCTION}(text) TO {tenancy.APP_ROLE}")


def _widen_replay() -> None:
    op.add_column("replay", sa.Column("figures", sa.Text(), server_default="{}", nullable=False))
    op.add_column("replay", sa.Column("reason", sa.Text(), server_default="", nullable=False))
    for name, kind in (
        ("policy", sa.Text()),
        ("approved_by", sa.Text()),
        ("approved_at", sa.BigInteger()),
        ("ended_at", sa.BigInteger()),
    ):
        op.add_column("replay", sa.Column(name, kind, nullable=True))
    op.create_index("replay_tenant", "replay", ["tenant", "id"])


def _make_replay_item() -> None:
    op.create_table(
        "replay_item",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("replay_id", KEY, sa.ForeignKey("replay.id"), nullable=False),
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("lane_id", KEY, nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), server_default="planned", nullable=False),
        sa.PrimaryKeyConstraint("replay_id", "operation_id"),
    )
    op.create_index("replay_item_state", "replay_item", ["replay_id", "state", "resource_id"])
    op.create_index("replay_item_operation", "replay_item", ["operation_id"])


def _make_remark() -> None:
    op.create_table(
        "remark",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("operation_id", KEY, nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_remark_operation_id", "remark", ["operation_id"])


def _make_errands() -> None:
    op.create_table(
        "errand",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("asked", sa.Text(), server_default="{}", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), server_default="{}", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
    )
    op.create_index("errand_tenant", "errand", ["tenant", "target", "kind", "id"])
    op.create_index("errand_open", "errand", ["lease_until"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_index(
        "errand_one_open",
        "errand",
        ["tenant", "target", "kind"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_table(
        "errand_row",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("errand_id", KEY, sa.ForeignKey("errand.id"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("resource_id", KEY, nullable=True),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), server_default="[]", nullable=False),
        sa.PrimaryKeyConstraint("errand_id", "position"),
    )
    op.create_index("errand_row_kind", "errand_row", ["errand_id", "kind", "position"])


def _make_inbound() -> None:
    op.create_table(
        "inbound",
        sa.Column("id", KEY, primary_key=True, autoincrement=True),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
    )
    op.create_index("inbound_tenant", "inbound", ["tenant", "id"])
    op.create_index("inbound_at", "inbound", ["at"])


def _chain_audit() -> None:
    op.add_column("audit", sa.Column("number", sa.BigInteger(), nullable=True))
    op.add_column("audit", sa.Column("link", sa.Text(), nullable=True))
    op.create_index("audit_tenant", "audit", ["tenant", "id"])
    op.create_index("audit_number", "audit", ["number"], unique=True)
    op.create_index("audit_unchained", "audit", ["id"], sqlite_where=UNCHAINED, postgresql_where=UNCHAINED)
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), autoincrement=False, primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("cut_number", sa.BigInteger(), nullable=False),
        sa.Column("cut_link", sa.Text(), nullable=False),
        sa.Column("logged_at", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "number": 0, "link": "", "cut_number": 0, "cut_link": "", "logged_at": 0}])


def _index_the_dead() -> None:
    """Have the inbox read what is dead, its code and when it ended, from indexes alone."""
    op.drop_index("operation_stuck", "operation")
    columns = ["lane_id", "state", "resource_id", "reason", "id", "tenant"]
    op.create_index("operation_stuck", "operation", columns, sqlite_where=STUCK, postgresql_where=STUCK)
    columns = ["operation_id", "outcome", "at", "tenant"]
    op.create_index("entry_died", "entry", columns, sqlite_where=DIED, postgresql_where=DIED)
