"""Commands about what failed: list it, and put it back once the cause is mended."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table

from scim_bridge import wiring
from scim_bridge.cli import moments
from scim_bridge.cli.options import config_option, json_option, opened, print_json
from scim_bridge.operators import failed as dead
from scim_bridge.operators import replay as replays
from scim_bridge.store.engine import Store

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
    with opened(config) as (_, store):
        rows = dead.list_failed(store, **_read(store, choices))
    if as_json:
        print_json({"failed": rows})
        return
    table = Table("operation", "tenant", "target", "user", "code", "since", "what to do", caption=f"{len(rows)} dead")
    for row in rows:
        advice = f"{row['advice']} ({row['detail']})" if row["detail"] else row["advice"]
        table.add_row(str(row["operation"]), row["tenant"], row["target"], row["user"], row["code"], row["at"], advice)
    Console().print(table)


@click.group()
def replay() -> None:
    """Put dead operations back."""


@replay.command("run")
@config_option
@chosen_by_options
@click.option("--dry-run", is_flag=True, help="Only count what would be put back.")
@json_option
def run_replay(config: str | None, *, dry_run: bool, as_json: bool, **choices: str | None) -> None:
    """Have dead operations tried again: what the directory says now is sent, never what it said then."""
    with opened(config) as (settings, store):
        dispatcher = wiring.open_dispatcher(settings)
        try:
            result = replays.run(
                store, dispatcher, who=replays.operator_name(), dry_run=dry_run, **_read(store, choices)
            )
        finally:
            dispatcher.close()
    if as_json:
        print_json(result)
    elif dry_run:
        click.echo(f"{result['operations']} dead operations would be put back")
    else:
        click.echo(f"{result['waiting']} operations wait again, {result['superseded']} older ones follow them")


def _read(store: Store, choices: dict[str, str | None]) -> dict[str, Any]:
    """Return the choices with their times read."""
    now = store.clock()
    times = {
        name: moments.parse_moment(text, now) for name in ("since", "until") if (text := choices[name]) is not None
    }
    return {**choices, **times}


COMMANDS = (failed, replay)
