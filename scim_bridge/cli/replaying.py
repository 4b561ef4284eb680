"""Commands about replay plans: see what a replay would do, approve it, watch it, and stop it."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import click

from scim_bridge.cli import failures, rows
from scim_bridge.cli.options import config_option, json_option, opened, print_json
from scim_bridge.domain.instants import Millis
from scim_bridge.errors import UsageError
from scim_bridge.operators import moments, replay, replay_plans
from scim_bridge.settings.models import Settings
from scim_bridge.store.engine import Store

_TARGET = {
    name: name for name in ("target", "people", "operations", "calls", "eta_s", "leavers", "deactivations", "held")
}
_PLAN = {name: name for name in ("replay", "tenant", "status", "who", "at", "approved_by", "put_back")}
_PERSON = {name: name for name in ("operation", "target", "user", "code", "does")}

_number = click.argument("number", type=click.IntRange(1, replay_plans.MOST_NUMBER))


@click.command("plan")
@config_option
@failures.chosen_by_options
@click.option(
    "--operation",
    "operations",
    type=click.IntRange(1, replay_plans.MOST_NUMBER),
    multiple=True,
    help="Only this operation, by its number; may be given several times.",
)
@click.option(
    "--policy",
    type=click.Choice(tuple(replay_plans.POLICIES)),
    help="What becomes of accounts that are there already, in place of the target's on_conflict.",
)
@json_option
def plan_replay(
    config: str | None, *, operations: tuple[int, ...], policy: str | None, as_json: bool, **choices: str | None
) -> None:
    """Plan a replay: nothing is put back before it is approved.

    Tells how many people it is about, the fewest calls, the time that these take at the target's limits, and whom the
    guard would hold. With --policy hold, for one, accounts that are there already wait for a decision.
    """
    with opened(config) as (settings, store):
        chosen = _read(choices, now=store.clock())
        chosen["tenant"] = chosen["tenant"] or _only_tenant(settings)
        named = operations or None
        who = replay.operator_name()
        made = replay_plans.plan(store, settings, who=who, operations=named, policy=policy, **chosen)
    if as_json:
        print_json(made)
        return
    for state, count in made["not_dead"].items():
        click.echo(f"{count} {_NOT_DEAD.get(state, state)}")
    if made["replay"] is None:
        click.echo("nothing is dead of what was chosen, so there is nothing to replay")
        return
    _print_figures(made)
    click.echo(f"people before and after: scim-bridge replay preview {made['replay']}")
    click.echo(f"put them back: scim-bridge replay approve {made['replay']}")


@click.command("preview")
@config_option
@_number
@click.option("--after", type=click.IntRange(0, replay_plans.MOST_NUMBER), default=0, help="Go on behind this one.")
@click.option(
    "--limit",
    type=click.IntRange(1, replay_plans.MOST_A_PAGE),
    default=replay_plans.A_PAGE,
    show_default=True,
    help="People at the most.",
)
@json_option
def preview_replay(config: str | None, number: int, *, after: int, limit: int, as_json: bool) -> None:
    """Show the people of plan NUMBER before and after: what their accounts hold, and what they are to hold."""
    with _found(config, number) as (settings, store, tenant):
        page = replay_plans.preview(store, settings, tenant=tenant, number=number, after=after, limit=limit)
    if as_json:
        print_json(page)
        return
    for item in page["items"]:
        told = {**item, "changes": ", ".join(item["changes"]), "refused": (item["refused"] or {}).get("detail", "")}
        rows.print_rows(_PERSON, [told], below={"changes": "changes", "would be refused": "refused"})
    click.echo("that is everybody" if page["next"] is None else f"more: --after {page['next']}")


@click.command("approve")
@config_option
@_number
@json_option
@click.pass_context
def approve_replay(ctx: click.Context, config: str | None, number: int, *, as_json: bool) -> None:
    """Let plan NUMBER run; exit 1 when somebody in it has changed meanwhile, and say who."""
    with _found(config, number) as (settings, store, tenant):
        who = replay.operator_name()
        try:
            approved = replay_plans.approve(store, settings, tenant=tenant, number=number, who=who)
        except replay_plans.StalePlan as stale:
            _print_stale(stale, as_json=as_json)
            ctx.exit(1)
    if as_json:
        print_json(approved)
    else:
        click.echo(f"replay {number} runs; watch it with scim-bridge replay status {number}")


@click.command("status")
@config_option
@click.argument("number", type=click.IntRange(1, replay_plans.MOST_NUMBER), required=False)
@click.option("--tenant", metavar="T", help="Without NUMBER: this customer's; need not be given where there is one.")
@click.option("--after", type=click.IntRange(1, replay_plans.MOST_NUMBER), help="Without NUMBER: older than this one.")
@json_option
def show_replay(
    config: str | None, number: int | None, *, tenant: str | None, after: int | None, as_json: bool
) -> None:
    """Show how far replay NUMBER has come, or, without a number, the newest replays."""
    with opened(config) as (settings, store):
        if number is None:
            listed = replay_plans.list_plans(store, tenant=tenant or _only_tenant(settings), after=after)
        else:
            owner = replay_plans.tenant_of(store, number)
            shown = replay_plans.status(store, settings, tenant=owner, number=number)
    if as_json:
        print_json(listed if number is None else shown)
    elif number is not None:
        _print_status(shown)
    elif not listed["items"]:
        click.echo("no replay yet")
    else:
        rows.print_rows(_PLAN, listed["items"])


@click.command("cancel")
@config_option
@_number
@json_option
def cancel_replay(config: str | None, number: int, *, as_json: bool) -> None:
    """Stop replay NUMBER: what it has not put back stays dead."""
    with _found(config, number) as (_, store, tenant):
        cancelled = replay_plans.cancel(store, tenant=tenant, number=number, who=replay.operator_name())
    if as_json:
        print_json(cancelled)
    else:
        click.echo(f"replay {number} is cancelled; it had put back {cancelled['put_back']}")


_NOT_DEAD = {
    "delivered": "already delivered",
    "unchanged": "already as it should be",
    "superseded": "superseded by a newer one",
    "discarded": "discarded",
    "waiting": "waiting already",
    "sending": "being sent just now",
    "not_there": "not there",
}


@contextlib.contextmanager
def _found(config: str | None, number: int) -> Iterator[tuple[Settings, Store, str]]:
    """Give the settings, the store, and whose replay it is."""
    with opened(config) as (settings, store):
        yield settings, store, replay_plans.tenant_of(store, number)


def _read(choices: Mapping[str, str | None], *, now: Millis) -> dict[str, Any]:
    times = {
        name: moments.parse_moment(text, now) for name in ("since", "until") if (text := choices[name]) is not None
    }
    return {**choices, **times}


def _only_tenant(settings: Settings) -> str:
    there = [tenant.id for tenant in settings.tenants]
    if len(there) != 1:
        raise UsageError(f"say whose with --tenant (there: {', '.join(there) or 'none yet'})")
    return there[0]


def _print_figures(shown: Mapping[str, Any]) -> None:
    figures = shown["figures"] or {"targets": []}
    why = f": {shown['reason']}" if shown["reason"] else ""
    click.echo(f"replay {shown['replay']} is {shown['status']}{why}")
    rows.print_rows(_TARGET, figures["targets"])
    if figures.get("held"):
        click.echo(f"the guard would hold {figures['held']} of them: decide then with hold release or hold reject")


def _print_status(shown: Mapping[str, Any]) -> None:
    _print_figures(shown)
    progress, standing = shown["progress"], shown["standing"]
    click.echo("operations: " + ", ".join(f"{count} {name}" for name, count in progress.items() if count))
    if standing:
        click.echo("people now: " + ", ".join(f"{count} {name}" for name, count in sorted(standing.items())))
    if shown["eta_s"] is None:
        click.echo("nobody knows how long it still takes: a lane stands still")
    elif shown["eta_s"]:
        click.echo(f"{shown['eta_s']} s at least until everybody is reached")


def _print_stale(stale: replay_plans.StalePlan, *, as_json: bool) -> None:
    if as_json:
        print_json({"status": "stale", "difference": stale.difference})
        return
    click.echo(f"scim-bridge: {stale}", err=True)
    for person in stale.difference["people"]:
        click.echo(
            f"  operation {person['operation']}  {person['target']}  {person['user']}: {person['why']}", err=True
        )


COMMANDS = (plan_replay, preview_replay, approve_replay, show_replay, cancel_replay)
