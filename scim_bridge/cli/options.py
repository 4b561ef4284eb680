"""Options that look the same at every command, and what they lead to."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from scim_bridge.errors import UsageError
from scim_bridge.settings.loading import Role
from scim_bridge.settings.models import Settings

if TYPE_CHECKING:
    from scim_bridge.store.engine import Store

F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """Add --config."""
    return click.option(
        "--config",
        metavar="FILE",
        help="The configuration; else SCIM_BRIDGE_CONFIG, ./config/bridge.toml, or the one that came with the product.",
    )(command)


def json_option(command: F) -> F:
    """Add --json."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")(command)


def tenant_option(command: F) -> F:
    """Add --tenant, which must be given."""
    return click.option("--tenant", metavar="T", required=True, help="The customer's id in the configuration.")(command)


@contextlib.contextmanager
def opened(config: str | None) -> Iterator[tuple[Settings, "Store"]]:
    """Give the settings and an open store, for a command that works on the books.

    Raises:
        SettingsRefused: with every problem of the configuration.
        StoreUnavailable: the database is a file that does not exist; only `migrate` and `up` make one.
    """
    from scim_bridge import logs, wiring  # noqa: PLC0415 - who only starts a process works on no store
    from scim_bridge.store import readiness  # noqa: PLC0415 - as above

    settings = wiring.load_settings(Role.OPERATOR, config)
    logs.configure(settings.log_level, process="cli")
    readiness.check_exists(settings.store.url)
    store = wiring.open_store(settings)
    try:
        yield settings, store
    finally:
        store.close()


def check_tenant(settings: Settings, tenant: str) -> None:
    """Raise UsageError, naming those there are, when the configuration has no such tenant."""
    if settings.tenant(tenant) is None:
        there = ", ".join(each.id for each in settings.tenants) or "none yet"
        raise UsageError(f"there is no tenant {tenant} in the configuration (there: {there})")


def print_json(value: object) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
