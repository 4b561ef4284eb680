"""Make the directory: who sends, whom they sent, and every change."""

import sqlalchemy as sa
from alembic import op

from scim_bridge.store import tenancy

revision = "0001"
down_revision = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

TENANT_TABLES = (
    "tenant",
    "token",
    "resource",
    "lookup",
    "identity",
    "contribution",
    "member",
    "change",
    "audit",
    "import",
)


def upgrade() -> None:
    """Make the tables, parents first, and hold tenants apart from the first row on."""
    _make_tenant()
    _make_token()
    _make_resource()
    _make_lookup()
    _make_identity()
    _make_contribution()
    _make_member()
    _make_change()
    _make_audit()
    _make_import()
    if op.get_bind().dialect.name == "postgresql":
        tenancy.hold_apart(op.execute, TENANT_TABLES)


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
