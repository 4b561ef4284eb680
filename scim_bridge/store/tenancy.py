"""What holds tenants apart in PostgreSQL: an own role for the application, and forced row-level security."""

from collections.abc import Callable, Iterable

APP_ROLE = "scim_bridge_app"
"""The role that works with the tables and owns none of them."""


def hold_apart(execute: Callable[[str], object], tables: Iterable[str]) -> None:
    """Force row-level security on tables with a tenant, and let the application's role work with all tables.

    The policy reads `bridge.tenant`, which each transaction sets for itself; '*' is the door across tenants. A session
    that sets nothing sees nothing. Every migration that makes tables calls this.
    """
    execute(
        f"DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{APP_ROLE}') "  # noqa: S608 - our own names
        f"THEN CREATE ROLE {APP_ROLE} NOLOGIN; END IF; END $$"
    )
    # Where somebody else has made the role, whoever migrates need not be allowed to grant it, only be a member of it.
    execute(
        f"DO $$ BEGIN GRANT {APP_ROLE} TO CURRENT_USER; EXCEPTION WHEN insufficient_privilege THEN "
        f"IF NOT pg_has_role(CURRENT_USER, '{APP_ROLE}', 'MEMBER') THEN RAISE; END IF; END $$"
    )
    execute(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}")
    execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP_ROLE}")
    execute(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {APP_ROLE}")
    execute(f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {APP_ROLE}")
    for table in tables:
        execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        execute(
            f'CREATE POLICY tenant_only ON "{table}" USING ('
            "tenant = current_setting('bridge.tenant', true) OR current_setting('bridge.tenant', true) = '*')"
        )
