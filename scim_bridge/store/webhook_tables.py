"""The table of webhooks that were taken."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from scim_bridge.store.schema import metadata

webhook = Table(
    "webhook",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    # What tells it from all others: its signature, or a digest of the id that the target gave it.
    Column("mark", Text, primary_key=True),
    Column("taken_at", BigInteger, nullable=False),
    Index("webhook_taken", "taken_at"),
)
