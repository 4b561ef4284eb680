"""Commands about what failed: list it, and put it back once the cause is mended."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from scim_bridge import wiring
from scim_bridge.cli import rows
from scim_bridge.cli.options import config_option, json_option, opened, print_json
from scim_bridge.errors import UsageError
from scim_bridge.operators import existing, moments
from scim_bridge.operators import failed as dead
from scim_bridge.operators import replay as replays
from scim_bridge.store.engine import Store

_FACTS = {
    "operation": "operation",
    "tenant": "tenant",
    "target": "target",
    "user": "user",
    "code": "code",
    "since": "at",
}
_BELOW = {"what to do": "advice", "reason": "detail"}

F = TypeVar("F", bound=Callable[..., Any])

_CHOICES = (
    click.option("--tenant", metavar="T", help="Only this customer's."),
    click.option("--target", metavar="X", help="Only this target's."),
    click.option("--code", metavar="CODE", help="Only with this code, such as too_long."),
    click.option(
        "--class", "klass", metavar="CLASS", help="Only of this class: data, config, conflict, transient, ..."
    ),
    click.option("--since", metavar="TIME", help="Only what failed since: 2h, 7d, or 2026-01-31T08:00Z."),
    click.option("--until", metavar="TIME", help="Only what failed before: as --since."),
    click.option("--user", metavar="WHO", help="Only this person's; WHO as in user show."),
)


def chosen_by_options(command: F) -> F:
    """Add the options that choose among the dead."""
    for option in reversed(_CHOICES):
        command = option(command)
    return command


@click.group()
def failed() -> None:
    """Look at what is no longer tried."""


@failed.command("list")
@config_option
@chosen_by_options
@json_option
def list_failed(config: str | None, *, as_json: bool, **choices: str | None) -> None:
    """Show the dead: who, where, why, and what to do about it."""
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=choices["tenant"], target=choices["target"])
        found = dead.list_failed(store, **read_choices(store, choices))
    if as_json:
        print_json({"failed": found})
        return
    if found:
        rows.print_rows(_FACTS, found, below=_BELOW)
    click.echo(f"{len(found)} dead")


@click.group()
def replay() -> None:
    """Put dead operations back."""


@replay.command("run")
@config_option
@chosen_by_options
@click.option("--all", "everything", is_flag=True, help="Put back all that is dead, of every customer and target.")
@click.option("--dry-run", is_flag=True, help="Only count what would be put back.")
@json_option
def run_replay(config: str | None, *, everything: bool, dry_run: bool, as_json: bool, **choices: str | None) -> None:
    """Have dead operations tried again: what the directory says now is sent, never what it said then."""
    has_filter = any(value is not None for value in choices.values())
    if has_filter == everything:
        raise UsageError("say what to put back: filters such as --tenant, --target or --code, or else --all")
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=choices["tenant"], target=choices["target"])
        dispatcher = wiring.open_dispatcher(settings)
        try:
            result = replays.run(
                store, dispatcher, who=replays.operator_name(), dry_run=dry_run, **read_choices(store, choices)
            )
        finally:
            dispatcher.close()
    if as_json:
        print_json(result)
    else:
        click.echo(_told(result))


def _told(result: dict[str, Any]) -> str:
    """Return the result of a replay as a sentence."""
    dead_count, waiting, followers = (result[name] for name in ("operations", "waiting", "superseded"))
    if dead_count == 0:
        return "nothing matched"
    if result["dry_run"]:
        return f"{dead_count} dead {'operation' if dead_count == 1 else 'operations'} would be put back"
    again = f"{waiting} {'operation waits' if waiting == 1 else 'operations wait'} again"
    if followers == 0:
        return again
    return f"{again}, {followers} {'gives way to a newer one' if followers == 1 else 'give way to newer ones'}"


def read_choices(store: Store, choices: dict[str, str | None]) -> dict[str, Any]:
    """Return what the options of `chosen_by_options` gave, with their times read.

    Raises:
        UsageError: a time is none.
    """
    now = store.clock()
    times = {
        name: moments.parse_moment(text, now) for name in ("since", "until") if (text := choices[name]) is not None
    }
    return {**choices, **times}


COMMANDS = (failed, replay)
