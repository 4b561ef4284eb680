"""Commands that look: where lanes stand, whether the books agree."""

from collections.abc import Mapping
from typing import Any

import click

from scim_bridge import wiring
from scim_bridge.cli import rows
from scim_bridge.cli.options import config_option, json_option, opened, print_json
from scim_bridge.operators import alive, existing
from scim_bridge.operators import status as lanes_status
from scim_bridge.store.verify import verify_ledger

_STATUS_FACTS = (
    *("tenant", "target", "state", "pending", "held", "dead", "oldest_s", "calls", "eta_s"),
    "next_try_at",
)


@click.command()
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's lanes.")
@click.option("--target", metavar="X", help="Only this target's lanes.")
@json_option
def status(config: str | None, tenant: str | None, target: str | None, *, as_json: bool) -> None:
    """Show where every lane stands: people pending, held and dead, and what the rest still takes.

    Says on stderr when no worker or relay has been heard of. Exit 0 whatever the lanes' figures are.
    """
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=tenant, target=target)
        report = lanes_status.report(store, settings, tenant=tenant, target=target)
        processes = alive.report(wiring.queue_url(settings), now=wiring.now_ms())
    report = {**report, "processes": processes}
    for warning in alive.warnings(processes):
        click.echo(warning, err=True)
    if as_json:
        print_json(report)
        return
    if not report["lanes"]:
        click.echo("no lane yet: name a target in the configuration, then scim-bridge migrate")
        return
    rows.print_rows({name: name for name in _STATUS_FACTS}, report["lanes"], below={"why": "why"})


@click.group()
def ledger() -> None:
    """Prove the books."""


@ledger.command()
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's books.")
@json_option
@click.pass_context
def verify(ctx: click.Context, config: str | None, tenant: str | None, *, as_json: bool) -> None:
    """Compare both sides of the ledger row by row; exit 0 when all books agree, 1 when not."""
    with opened(config) as (settings, store):
        existing.check(store, settings, tenant=tenant)
        report = verify_ledger(store, tenant)
    if as_json:
        print_json(report)
    else:
        for books in report["tenants"]:
            _print_books(books)
        click.echo("the books agree" if report["balanced"] else "the books do NOT agree")
    ctx.exit(0 if report["balanced"] else 1)


def _print_books(books: Mapping[str, Any]) -> None:
    changes = books["changes"]
    states = ", ".join(f"{count} {state}" for state, count in books["operations"].items() if count) or "none"
    click.echo(f"{books['tenant']}: {changes['accepted']} changes, {changes['open']} open; operations: {states}")
    for fault in books["faults"]:
        click.echo(f"  {fault}")


COMMANDS = (status, ledger)
