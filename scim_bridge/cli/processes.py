"""Commands that run one process each, as in the Procfile: each becomes that process once its settings are good."""

import os
from typing import NoReturn

import click

from scim_bridge.cli.options import config_option
from scim_bridge.settings import loading
from scim_bridge.settings.loading import Role
from scim_bridge.supervisor import commands


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


def _become(command: list[str], role: Role, config: str | None) -> NoReturn:
    """Replace this process by another, once its settings are known to be good."""
    os.umask(0o077)
    settings = loading.load(config, role=role)
    environment = commands.environment(settings, environ=os.environ, config_path=config)
    os.execvpe(command[0], command, environment)  # noqa: S606 - our own command lines


COMMANDS = (web, worker, relay)
