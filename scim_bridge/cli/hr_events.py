"""Commands about HR events that are kept: look at them, have them tried again, give one up."""

import click

from scim_bridge.cli import rows
from scim_bridge.cli.options import config_option, json_option, opened, print_json
from scim_bridge.errors import UsageError
from scim_bridge.operators import kept_events, replay

LONGEST_REASON = 500

_FACTS = {name: name for name in ("event", "tenant", "source", "state", "person", "since", "code", "next_try_at")}
_BELOW = {"what to do": "advice", "field": "field"}


@click.group(invoke_without_command=True)
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's.")
@click.option("--source", metavar="S", help="Only this source's.")
@click.option("--state", type=click.Choice(list(kept_events.STATES)), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="Show so many at the most.")
@json_option
@click.pass_context
def events(
    ctx: click.Context,
    config: str | None,
    tenant: str | None,
    source: str | None,
    state: str | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Show events that wait, are refused, or need a fetch: whose, since when, why, and what to do about it."""
    if ctx.invoked_subcommand is not None:
        if any(value is not None for value in (config, tenant, source, state)) or as_json:
            raise UsageError(f"give the options behind the command: scim-bridge hr events {ctx.invoked_subcommand} ...")
        return
    with opened(config) as (settings, store):
        found = kept_events.report(store, settings, tenant=tenant, source=source, state=state, limit=limit)
    if as_json:
        print_json(found)
        return
    if found["events"]:
        rows.print_rows(_FACTS, found["events"], below=_BELOW)
    counted = ", ".join(f"{count} {name}" for name, count in found["counts"].items() if count) or "no events"
    more = sum(found["counts"].values()) - len(found["events"])
    click.echo(f"{counted} ({more} more than shown; see --limit)" if more > 0 else counted)


@events.command("retry")
@config_option
@click.argument("event", type=int, required=False)
@click.option("--tenant", metavar="T", help="With --source: the customer's id in the configuration.")
@click.option("--source", metavar="S", help="All of this source, instead of one event.")
@json_option
def retry_events(
    config: str | None, event: int | None, tenant: str | None, source: str | None, *, as_json: bool
) -> None:
    """Apply refused events once more, and look people up now: one EVENT, or all of a source."""
    if (event is None) == (source is None) or (tenant is None) != (source is None):
        raise UsageError("say which: the number of one event, or else --tenant and --source")
    with opened(config) as (settings, store):
        who = replay.operator_name()
        if event is not None:
            told = kept_events.retry(store, number=event, who=who)
        else:
            assert tenant is not None  # noqa: S101 - checked above
            assert source is not None  # noqa: S101 - checked above
            told = kept_events.retry_source(store, settings, tenant=tenant, source=source, who=who)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{told['events']} {'event is' if told['events'] == 1 else 'events are'} tried again")


@events.command("drop")
@config_option
@click.argument("event", type=int)
@click.option("--reason", metavar="TEXT", required=True, help="Why; kept in the audit.")
@json_option
def drop_event(config: str | None, event: int, reason: str, *, as_json: bool) -> None:
    """Give one EVENT up: nothing is made of it any more."""
    told_reason = reason.strip()
    if not told_reason or len(told_reason) > LONGEST_REASON or not told_reason.isprintable():
        raise UsageError(f"say why with --reason: one line of text, {LONGEST_REASON} characters at the most")
    with opened(config) as (_settings, store):
        told = kept_events.drop(store, number=event, who=replay.operator_name(), reason=told_reason)
    if as_json:
        print_json(told)
    else:
        click.echo(f"dropped event {told['event']} of {told['tenant']}/{told['source']}")


COMMANDS = (events,)
