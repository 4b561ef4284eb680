"""Let rows of a file come in without a look at their file for each of them.

The rows of an import are kept only in transactions that have written, and so locked, the import itself, and it is
removed only after them. On PostgreSQL the look made up half of what a row costs.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

_NAMES = {"fk": "import_row_import_id_fkey"}
"""PostgreSQL has named the constraint so; SQLite's has no name."""


def upgrade() -> None:
    """Drop the reference."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(_NAMES["fk"], "import_row", type_="foreignkey")
        return
    with op.batch_alter_table("import_row", recreate="always", naming_convention=_NAMES) as table:
        table.drop_constraint(_NAMES["fk"], type_="foreignkey")
