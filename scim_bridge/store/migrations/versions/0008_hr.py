"""Make the tables of HR imports, and of what every source said of a person."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make nothing yet."""
