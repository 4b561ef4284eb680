"""The tables of HR sources: whom a source's ids name, what each source last said of them, and files that came in."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from scim_bridge.store.schema import Key, metadata

identity = Table(
    "identity",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("resource_id", Key, ForeignKey("resource.id"), nullable=False, index=True),
    # The keyed digest of the whole row that was applied last; NULL when something else was said since.
    Column("row_digest", Text),
    UniqueConstraint("tenant", "source", "external_id", name="identity_external_id"),
)

_IS_DUE = text("due_at IS NOT NULL")
_IS_MANAGED = text("manager_id IS NOT NULL")
_HAS_MANAGER = text("manager_id > ''")
_IS_ENDED = text("ended_at IS NOT NULL")

contribution = Table(
    "contribution",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("resource_id", Key, ForeignKey("resource.id"), nullable=False, index=True),
    # The source's id that speaks for the person now: of several records of one person, the newest employment.
    Column("external_id", Text),
    # The attributes of a SCIM User as the source states them, without active and manager.
    Column("document", Text, nullable=False),
    # What the source says, dates aside; NULL: it does not say.
    Column("active", Integer),
    # First instant and end of the employment; NULL: none is said.
    Column("starts_at", BigInteger),
    Column("ends_at", BigInteger),
    # When the next of the two falls due and must be applied.
    Column("due_at", BigInteger),
    # The source's id of the manager, who may come later.
    Column("manager_id", Text),
    # When the source last spoke, by its own clock where it has one, and when it first did.
    Column("said_at", BigInteger, nullable=False),
    Column("began_at", BigInteger),
    # When it said something else of an attribute than in its first words, by the attribute's name: JSON. Under "@" what
    # it takes to put later news in order, where it takes more than said_at.
    Column("changed", Text, nullable=False, server_default="{}"),
    # When it deleted the person.
    Column("ended_at", BigInteger),
    # The userName that the source knows the person by, as comparisons see it.
    Column("user_key", Text),
    # When this row was last written, by our clock: what the directory was told later, it was told past this table.
    Column("written_at", BigInteger, nullable=False, server_default="0"),
    UniqueConstraint("tenant", "source", "resource_id", name="contribution_resource"),
    Index("contribution_user_key", "tenant", "user_key"),
    Index("contribution_ended", "tenant", "source", sqlite_where=_IS_ENDED, postgresql_where=_IS_ENDED),
    Index("contribution_due", "due_at", sqlite_where=_IS_DUE, postgresql_where=_IS_DUE),
    Index(
        "contribution_manager",
        *("tenant", "source", "manager_id"),
        sqlite_where=_IS_MANAGED,
        postgresql_where=_HAS_MANAGER,
    ),
)

import_ = Table(
    "import",
    metadata,
    Column("id", Key, primary_key=True, autoincrement=True),
    Column("tenant", Text, nullable=False),
    Column("source", Text, nullable=False),
    # What senders know it by.
    Column("name", Text, nullable=False, unique=True),
    Column("is_snapshot", Integer, nullable=False),
    Column("is_dry_run", Integer, nullable=False),
    # Whether what a row does not name is empty.
    Column("is_whole", Integer, nullable=False, server_default="1"),
    # receiving, waiting (for its next piece of work), done, refused (with the reason)
    Column("status", Text, nullable=False),
    # first, again (rows that others were in the way of), missing (who is not in a snapshot)
    Column("step", Text, nullable=False),
    # How far the step has come: a position, or an identity's id.
    Column("reached", BigInteger, nullable=False, server_default="0"),
    Column("rows", Integer, nullable=False, server_default="0"),
    Column("reason", Text, nullable=False, server_default=""),
    # Why nobody is taken for missing, though it is a snapshot.
    Column("spared", Text, nullable=False, server_default=""),
    Column("token_id", Text),
    Column("correlation_id", Text, nullable=False),
    Column("said_at", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("worked_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Index("import_tenant", "tenant", "source", "id"),
    Index(
        "import_open",
        "worked_at",
        sqlite_where=text("status IN ('receiving', 'waiting')"),
        postgresql_where=text("status IN ('receiving', 'waiting')"),
    ),
)

_IS_PENDING = text("outcome IS NULL")

import_row = Table(
    "import_row",
    metadata,
    Column("tenant", Text, nullable=False),
    # No reference: a look at the import for each row would cost as much as the row, and it is locked meanwhile anyway.
    Column("import_id", Key, primary_key=True, autoincrement=False),
    # Which row of the file it is, from 1; who is missing in a snapshot comes behind its rows.
    Column("position", Integer, primary_key=True),
    Column("external_id", Text, nullable=False),
    Column("digest", Text),
    # What the mapping reads of the row, as JSON, until it is applied.
    Column("fields", Text),
    Column("outcome", Text),
    Column("code", Text),
    Column("field", Text),
    Column("advice", Text),
    Column("change_number", BigInteger),
    Index("import_row_person", "import_id", "external_id", "position"),
    Index("import_row_pending", "import_id", "position", sqlite_where=_IS_PENDING, postgresql_where=_IS_PENDING),
)
