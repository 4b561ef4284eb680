"""Commands about the audit: who did what, and whether it is still as it was written."""

import json
from collections.abc import Mapping
from typing import Any

import click

from scim_bridge.cli import rows
from scim_bridge.cli.options import config_option, json_option, opened, print_json
from scim_bridge.operators import audit as audits
from scim_bridge.operators import moments

_FACTS = {"entry": "number", **{name: name for name in ("at", "tenant", "who", "what")}}
_BELOW = {"before": "before", "after": "after"}

_FOR_MACHINES = frozenset({"settings", "marks"})
"""All that a configuration says; people are shown what differs."""


@click.group()
def audit() -> None:
    """Look at what operators decided, and prove that nobody has changed it since."""


@audit.command("list")
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's.")
@click.option("--who", metavar="WHO", help="Only of this one: user@host, or a token's name.")
@click.option("--what", metavar="COMMAND", help='Only this command, or all that begin so: "token".')
@click.option("--since", metavar="TIME", help="Only since: 2h, 7d, or 2026-01-31T08:00Z.")
@click.option("--until", metavar="TIME", help="Only before: as --since.")
@click.option("--limit", type=click.IntRange(1, audits.MOST), default=50, show_default=True, help="So many at most.")
@click.option(
    "--after", type=click.IntRange(min=1), metavar="ID", help="Go on behind this one; the page before names it."
)
@json_option
def list_entries(
    config: str | None,
    tenant: str | None,
    who: str | None,
    what: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    after: int | None,
    *,
    as_json: bool,
) -> None:
    """Show who decided what, the newest in front."""
    with opened(config) as (settings, store):
        now = store.clock()
        found = audits.list_entries(
            store,
            settings,
            tenant=tenant,
            who=who,
            what=what,
            since=None if since is None else moments.parse_moment(since, now),
            until=None if until is None else moments.parse_moment(until, now),
            after=after,
            limit=limit,
        )
    if as_json:
        print_json(found)
        return
    if found["items"]:
        rows.print_rows(_FACTS, [_told(each) for each in found["items"]], below=_BELOW)
    count = len(found["items"])
    more = f"; older ones with --after {found['next']}" if found["next"] is not None else ""
    click.echo(f"{count} {'entry' if count == 1 else 'entries'}{more}")


@audit.command()
@config_option
@click.option("--expect", metavar="HEAD", help="NUMBER:LINK, noted earlier: the chain must pass through it.")
@json_option
@click.pass_context
def verify(ctx: click.Context, config: str | None, expect: str | None, *, as_json: bool) -> None:
    """Recompute the chain of all entries; exit 0 when each is as it was written, 1 when not.

    Somebody who can write to the database can compute a whole new chain. Only a head that was noted elsewhere shows it:
    the relay logs one each hour.
    """
    with opened(config) as (_settings, store):
        found = audits.verify(store, expect=expect)
    if as_json:
        print_json(found)
    else:
        _print_proof(found)
    ctx.exit(0 if found["verified"] else 1)


def _print_proof(found: Mapping[str, Any]) -> None:
    for fault in found["faults"]:
        click.echo(f"  {fault}")
    cut = f", those before {found['cut']} let go" if found["cut"] else ""
    waiting = f", {found['waiting']} without a place yet" if found["waiting"] else ""
    count = found["entries"]
    click.echo(f"{count} {'entry' if count == 1 else 'entries'} recomputed{cut}{waiting}")
    click.echo(f"head {found['head']}")
    passed = f", and passes through {found['expected']}" if found["expected"] else ""
    click.echo(f"the audit is as it was written{passed}" if found["verified"] else "the audit is NOT as it was written")


def _told(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {**entry, "before": _line(entry["before"]), "after": _line(entry["after"])}


def _line(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "" if value is None else str(value)
    shown = {name: each for name, each in value.items() if name not in _FOR_MACHINES}
    return json.dumps(shown, ensure_ascii=False)


COMMANDS = (audit,)
