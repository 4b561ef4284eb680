"""Commands that work through what is dead: in groups, with notes, given up for good, or as a file for others."""

import os
from typing import Any

import click

from scim_bridge.cli import failures, rows
from scim_bridge.cli.options import config_option, json_option, opened, print_json
from scim_bridge.errors import UsageError
from scim_bridge.operators import discarding, existing, inbox, notes
from scim_bridge.operators.inbox import Filters
from scim_bridge.operators.replay import operator_name
from scim_bridge.store.dead_letters import MOST_ID
from scim_bridge.store.engine import Store

_GROUP = {
    **{name: name for name in ("tenant", "target", "code", "class", "owner", "people", "operations")},
    "oldest": "oldest_at",
    "newest": "newest_at",
}

_operations = click.argument("operations", metavar="[NUMBER]...", type=click.IntRange(1, MOST_ID), nargs=-1)


@click.command("groups")
@config_option
@failures.chosen_by_options
@json_option
def show_groups(config: str | None, *, as_json: bool, **choices: str | None) -> None:
    """Show the dead by target and code: how many people, since when, and what to do about it."""
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=choices["tenant"], target=choices["target"])
        found = inbox.groups(store, choices["tenant"], _filters(store, choices))
    if as_json:
        print_json(found)
        return
    if found["groups"]:
        rows.print_rows(_GROUP, found["groups"], below={"what to do": "advice"})
    click.echo(f"{sum(group['operations'] for group in found['groups'])} dead")


@click.command("note")
@config_option
@_operations
@click.option("--text", metavar="TEXT", required=True, help="What is to be known about it.")
@json_option
def write_note(config: str | None, operations: tuple[int, ...], text: str, *, as_json: bool) -> None:
    """Write a note beside operations, named by their numbers: failed list and user show have them."""
    with opened(config) as (_, store):
        result = notes.note(store, None, operations, who=operator_name(), text=text)
    if as_json:
        print_json(result)
    else:
        click.echo(f"noted at {_counted(result['operations'])}")


@click.command("discard")
@config_option
@_operations
@failures.chosen_by_options
@click.option("--all", "everything", is_flag=True, help="Give up all that is dead, of every customer and target.")
@click.option("--reason", metavar="TEXT", required=True, help="Why; kept in the books and in the audit.")
@click.option("--dry-run", is_flag=True, help="Only count what would be given up.")
@json_option
def discard(
    config: str | None,
    operations: tuple[int, ...],
    *,
    everything: bool,
    reason: str,
    dry_run: bool,
    as_json: bool,
    **choices: str | None,
) -> None:
    """Give dead operations up: by their numbers, or by filters. A later change of the person is sent as ever."""
    has_filter = any(value is not None for name, value in choices.items() if name != "tenant" or not operations)
    if [bool(operations), has_filter, everything].count(True) != 1:
        raise UsageError("say what to give up: numbers of operations, or filters such as --target or --code, or --all")
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=choices["tenant"], target=choices["target"])
        result = discarding.discard(
            store,
            choices["tenant"],
            None if operations else _filters(store, choices),
            who=operator_name(),
            reason=reason,
            operations=operations or None,
            dry_run=dry_run,
        )
    if as_json:
        print_json(result)
        return
    for each in result["passed"]:
        click.echo(each["says"])
    would = f"{_counted(result['operations'])} would be given up"
    click.echo(would if dry_run else f"{_counted(result['discarded'])} given up")


@click.command("export")
@config_option
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@failures.chosen_by_options
def export(config: str | None, file: str, **choices: str | None) -> None:
    """Write the dead to FILE as CSV, or to the terminal for a dash. What looks like a formula comes out as text."""
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=choices["tenant"], target=choices["target"])
        pieces = inbox.as_csv(store, choices["tenant"], _filters(store, choices))
        if file == "-":
            for piece in pieces:
                click.echo(piece, nl=False)
            return
        try:
            # It is about people: nobody else on the machine is to read it.
            number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}") from error
        with os.fdopen(number, "w", encoding="utf-8", newline="") as out:
            out.writelines(pieces)


def _filters(store: Store, choices: dict[str, str | None]) -> Filters:
    read: dict[str, Any] = failures.read_choices(store, choices)
    del read["tenant"]
    return Filters(**read)


def _counted(number: int) -> str:
    return f"{number} {'operation' if number == 1 else 'operations'}"


COMMANDS = (show_groups, write_note, discard, export)
