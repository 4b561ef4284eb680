"""Runs migrations on the connection that `scim_bridge.store.migrate` hands over."""

import sqlalchemy as sa
from alembic import context

from scim_bridge.store import tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=tables.metadata, render_as_batch=True)
with context.begin_transaction():
    if connection.dialect.name == "postgresql":
        # Two machines that migrate at once take turns.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7236457)"))
    context.run_migrations()
