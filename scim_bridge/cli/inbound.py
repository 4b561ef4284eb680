"""The command that shows requests as they came to the front door."""

import click

from scim_bridge.cli import rows
from scim_bridge.cli.options import config_option, json_option, opened, print_json
from scim_bridge.errors import UsageError
from scim_bridge.operators import existing
from scim_bridge.operators import inbound as requests

_FACTS = {
    **{name: name for name in ("request", "at", "tenant", "method", "route", "id", "status", "token", "source")},
    "took ms": "took_ms",
    "correlation id": "correlation_id",
}


@click.group()
def inbound() -> None:
    """Look at what senders sent, without what it said."""


@inbound.command("list")
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's; without it, also those with an unknown token.")
@click.option("--refused", is_flag=True, help="Only those that were answered with 400 or more.")
@click.option("--status", type=click.IntRange(100, 599), help="Only those that were answered so.")
@click.option("--after", type=click.IntRange(min=1), help="Go on behind this one: the `next` of the page before.")
@click.option(
    "--limit", type=click.IntRange(1, requests.MOST_AT_ONCE), default=50, show_default=True, help="So many at the most."
)
@json_option
def list_inbound(
    config: str | None,
    tenant: str | None,
    status: int | None,
    after: int | None,
    limit: int,
    *,
    refused: bool,
    as_json: bool,
) -> None:
    """Show the last requests, the newest in front: whose, where to, how they ended, and why they were refused.

    They are written once a second. Kept are 5,000 of a customer, for 7 days; of more than 200 in a second of one
    process, those that were refused first.
    """
    if refused and status is not None:
        raise UsageError("give --refused or --status, not both")
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=tenant)
        found = requests.listed(store, tenant, after, limit, status, refused=refused)
    if as_json:
        print_json(found)
        return
    if found["items"]:
        rows.print_rows(_FACTS, found["items"], below={"why": "why"})
    more = f"; older ones: --after {found['next']}" if found["next"] is not None else ""
    click.echo(f"{len(found['items'])} {'request' if len(found['items']) == 1 else 'requests'}{more}")


COMMANDS = (inbound,)
