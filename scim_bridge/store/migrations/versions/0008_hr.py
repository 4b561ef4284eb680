"""Make the tables of HR imports, and of what every source said of a person."""

import sqlalchemy as sa
from alembic import op

from scim_bridge.store import tenancy

revision = "0008"
down_revision = "0007"

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

DUE = sa.text("due_at IS NOT NULL")
ENDED = sa.text("ended_at IS NOT NULL")
MANAGED = sa.text("manager_id IS NOT NULL")
HAS_MANAGER = sa.text("manager_id > ''")
OPEN = sa.text("status IN ('receiving', 'waiting')")
PENDING = sa.text("outcome IS NULL")
FETCH = sa.text("state = 'fetch'")
REFUSED = sa.text("state = 'refused'")


def upgrade() -> None:
    """Widen what is known of people, and make imports anew: no version has ever written one."""
    op.add_column("identity", sa.Column("row_digest", sa.Text(), nullable=True))
    _widen_contribution()
    op.drop_table("import")
    _make_import()
    _make_import_row()
    _make_marks()
    _make_events()
    if op.get_bind().dialect.name == "postgresql":
        tenancy.hold_apart(op.execute, ("import", "import_row", "hr_mark", "hr_event"))


def _widen_contribution() -> None:
    for name, kind in (
        ("external_id", sa.Text()),
        ("active", sa.Integer()),
        ("starts_at", sa.BigInteger()),
        ("ends_at", sa.BigInteger()),
        ("due_at", sa.BigInteger()),
        ("manager_id", sa.Text()),
        ("began_at", sa.BigInteger()),
        ("ended_at", sa.BigInteger()),
        ("user_key", sa.Text()),
    ):
        op.add_column("contribution", sa.Column(name, kind, nullable=True))
    op.add_column("contribution", sa.Column("changed", sa.Text(), server_default="{}", nullable=False))
    op.add_column("contribution", sa.Column("written_at", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index("contribution_user_key", "contribution", ["tenant", "user_key"])
    op.create_index(
        "contribution_ended", "contribution", ["tenant", "source"], sqlite_where=ENDED, postgresql_where=ENDED
    )
    op.create_index("contribution_due", "contribution", ["due_at"], sqlite_where=DUE, postgresql_where=DUE)
    op.create_index(
        "contribution_manager",
        "contribution",
        ["tenant", "source", "manager_id"],
        sqlite_where=MANAGED,
        postgresql_where=HAS_MANAGER,
    )


def _make_import() -> None:
    op.create_table(
        "import",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("is_snapshot", sa.Integer(), nullable=False),
        sa.Column("is_dry_run", sa.Integer(), nullable=False),
        sa.Column("is_whole", sa.Integer(), server_default="1", nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("reached", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("rows", sa.Integer(), server_default="0", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("spared", sa.Text(), server_default="", nullable=False),
        sa.Column("token_id", sa.Text(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("worked_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_index("import_tenant", "import", ["tenant", "source", "id"])
    op.create_index("import_open", "import", ["worked_at"], sqlite_where=OPEN, postgresql_where=OPEN)


def _make_import_row() -> None:
    op.create_table(
        "import_row",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("import_id", KEY, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("fields", sa.Text(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("field", sa.Text(), nullable=True),
        sa.Column("advice", sa.Text(), nullable=True),
        sa.Column("change_number", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["import_id"], ["import.id"]),
        sa.PrimaryKeyConstraint("import_id", "position"),
    )
    op.create_index("import_row_person", "import_row", ["import_id", "external_id", "position"])
    op.create_index(
        "import_row_pending", "import_row", ["import_id", "position"], sqlite_where=PENDING, postgresql_where=PENDING
    )


def _make_marks() -> None:
    op.create_table(
        "hr_mark",
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "source", "mark"),
    )
    op.create_index("hr_mark_taken", "hr_mark", ["taken_at"])


def _make_events() -> None:
    op.create_table(
        "hr_event",
        sa.Column("id", KEY, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("fields", sa.Text(), nullable=False),
        sa.Column("is_whole", sa.Integer(), nullable=False),
        sa.Column("is_gone", sa.Integer(), nullable=False),
        sa.Column("said_at", sa.BigInteger(), nullable=True),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("field", sa.Text(), server_default="", nullable=False),
        sa.Column("advice", sa.Text(), server_default="", nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("hr_event_state", "hr_event", ["tenant", "source", "state", "id"])
    op.create_index(
        "hr_event_one_fetch",
        "hr_event",
        ["tenant", "source", "external_id"],
        unique=True,
        sqlite_where=FETCH,
        postgresql_where=FETCH,
    )
    op.create_index("hr_event_refused", "hr_event", ["at"], sqlite_where=REFUSED, postgresql_where=REFUSED)
