"""Durable state: the only home of sqlalchemy and alembic. Modules are named after what they keep."""
