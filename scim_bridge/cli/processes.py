"""Commands that run the bridge: up, and one process each as in the Procfile."""

import os
from typing import NoReturn

import click

from scim_bridge import wiring
from scim_bridge.cli.options import config_option
from scim_bridge.settings.loading import Role
from scim_bridge.store import lanes, migrate
from scim_bridge.supervisor import commands
from scim_bridge.supervisor import up as supervisor


@click.command()
@config_option
@click.option("--port", type=click.IntRange(0, 65_535), help="Port of the front door; 0 takes a free one.")
@click.pass_context
def up(ctx: click.Context, config: str | None, port: int | None) -> None:
    """Run everything on this machine: migrate, queue, web, workers, relay. SIGTERM stops it in order."""
    os.umask(0o077)
    settings = wiring.load_settings(Role.ALL, config)
    ctx.exit(supervisor.run(settings, config_path=config, port=port))


@click.command()
@config_option
def web(config: str | None) -> None:
    """Run the front door."""
    _become(commands.web(), Role.WEB, config)


@click.command()
@config_option
def worker(config: str | None) -> None:
    """Run one process that delivers."""
    _become(commands.worker(), Role.WORKER, config)


@click.command()
@config_option
def relay(config: str | None) -> None:
    """Run the process that wakes due lanes and keeps house; any number may run."""
    _become(commands.relay(), Role.RELAY, config)


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


def _become(command: list[str], role: Role, config: str | None) -> NoReturn:
    """Replace this process by another, once its settings are known to be good."""
    os.umask(0o077)
    settings = wiring.load_settings(role, config)
    environment = commands.environment(settings, environ=os.environ, config_path=config)
    os.execvpe(command[0], command, environment)  # noqa: S606 - our own command lines


COMMANDS = (up, web, worker, relay, bring_up_to_date)
