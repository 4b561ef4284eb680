"""Commands that bring the bridge up on this machine: its database alone, or all of its processes."""

import gc
import os

import click

from scim_bridge import wiring
from scim_bridge.cli.options import config_option
from scim_bridge.settings.loading import Role
from scim_bridge.store import lanes, migrate
from scim_bridge.supervisor import up as supervisor


@click.command()
@config_option
@click.option("--port", type=click.IntRange(0, 65_535), help="Port of the front door; 0 takes a free one.")
@click.pass_context
def up(ctx: click.Context, config: str | None, port: int | None) -> None:
    """Run everything on this machine: migrate, queue, web, workers, relay. SIGTERM stops it in order."""
    os.umask(0o077)
    settings = wiring.load_settings(Role.ALL, config)
    gc.freeze()  # what was read stays for as long as the bridge runs
    ctx.exit(supervisor.run(settings, config_path=config, port=port))


@click.command("migrate")
@config_option
def bring_up_to_date(config: str | None) -> None:
    """Bring the database to this version's schema, and its lanes to the configuration."""
    os.umask(0o077)
    settings = wiring.load_settings(Role.OPERATOR, config)
    migrate.upgrade(settings.store.url)
    store = wiring.open_store(settings)
    try:
        with store.across_tenants("bring the lanes to the configuration", write=True) as tx:
            lanes.sync(tx, [(tenant.id, target.name) for tenant in settings.tenants for target in tenant.targets])
    finally:
        store.close()
    click.echo("the database is up to date")


COMMANDS = (up, bring_up_to_date)
