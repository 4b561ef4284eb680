"""Make the first schema: tables, indexes, row-level security and the role that works with them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APP_ROLE = "scim_bridge_app"

TENANT_TABLES = (
    "audit",
    "change",
    "closed",
    "entry",
    "import",
    "lane",
    "replay",
    "resource",
    "tenant",
    "token",
    "batch",
    "contribution",
    "group_link",
    "hold",
    "identity",
    "link",
    "lookup",
    "member",
    "operation",
)


def upgrade() -> None:
    """Make everything, parents first."""
    _make_audit()
    _make_change()
    _make_closed()
    _make_entry()
    _make_import()
    _make_lane()
    _make_replay()
    _make_resource()
    _make_slot()
    _make_tenant()
    _make_token()
    _make_batch()
    _make_contribution()
    _make_group_link()
    _make_hold()
    _make_identity()
    _make_link()
    _make_lookup()
    _make_member()
    _make_operation()
    if op.get_bind().dialect.name == "postgresql":
        _hold_tenants_apart()


def _hold_tenants_apart() -> None:
    """Force row-level security on every table with a tenant, and let an own role work with the tables.

    The policy reads `bridge.tenant`, which each transaction sets for itself; '*' is the door across tenants. A session
    that sets nothing sees nothing.
    """
    op.execute(
        f"DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{APP_ROLE}') "
        f"THEN CREATE ROLE {APP_ROLE} NOLOGIN; END IF; END $$"
    )
    op.execute(f"GRANT {APP_ROLE} TO CURRENT_USER")
    op.execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP_ROLE}")
    op.execute(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {APP_ROLE}")
    op.execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE}")
    for table in TENANT_TABLES:
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(
            f'CREATE POLICY tenant_only ON "{table}" USING ('
            "tenant = current_setting('bridge.tenant', true) OR current_setting('bridge.tenant', true) = '*')"
        )


def _make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), server_default="", nullable=False),
        sa.Column("after", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def _make_change() -> None:
    op.create_table(
        "change",
        sa.Column("number", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("previous", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("owed", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("seal", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("change_tenant", "change", ["tenant", "number"], unique=False)
    op.create_index(op.f("ix_change_resource_id"), "change", ["resource_id"], unique=False)


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


def _make_import() -> None:
    op.create_table(
        "import",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("report", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


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


def _make_resource() -> None:
    op.create_table(
        "resource",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("scim_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("folded", sa.Text(), server_default="{}", nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("active", sa.Integer(), server_default="1", nullable=False),
        sa.Column("unique_key", sa.Text(), nullable=True),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("display_key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("modified_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("scim_id"),
        sa.UniqueConstraint("tenant", "kind", "unique_key", name="resource_unique_key"),
    )
    op.create_index("resource_display_key", "resource", ["tenant", "kind", "display_key"], unique=False)
    op.create_index("resource_external_id", "resource", ["tenant", "external_id"], unique=False)
    op.create_index("resource_page", "resource", ["tenant", "kind", "id"], unique=False)


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


def _make_tenant() -> None:
    op.create_table(
        "tenant",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant"),
    )


def _make_token() -> None:
    op.create_table(
        "token",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index(op.f("ix_token_tenant"), "token", ["tenant"], unique=False)


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


def _make_contribution() -> None:
    op.create_table(
        "contribution",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "source", "resource_id", name="contribution_resource"),
    )
    op.create_index(op.f("ix_contribution_resource_id"), "contribution", ["resource_id"], unique=False)


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


def _make_identity() -> None:
    op.create_table(
        "identity",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("tenant", "source", "external_id", name="identity_external_id"),
    )
    op.create_index(op.f("ix_identity_resource_id"), "identity", ["resource_id"], unique=False)


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


def _make_lookup() -> None:
    op.create_table(
        "lookup",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("resource_id", KEY, nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("element", sa.Integer(), server_default="0", nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["resource_id"], ["resource.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_lookup_resource_id"), "lookup", ["resource_id"], unique=False)
    op.create_index("lookup_value", "lookup", ["tenant", "path", "value"], unique=False)


def _make_member() -> None:
    op.create_table(
        "member",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("group_id", KEY, nullable=False),
        sa.Column("user_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["resource.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["resource.id"]),
        sa.PrimaryKeyConstraint("group_id", "user_id"),
    )
    op.create_index("member_user", "member", ["user_id", "group_id"], unique=False)


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
