"""Make the tables of notices that are to be sent."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make nothing yet."""
