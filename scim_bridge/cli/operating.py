"""Commands that look: where lanes stand, one person's history, whether the books agree, how a target differs."""

import os
import sys
from collections.abc import Mapping
from typing import Any, NoReturn

import click

from scim_bridge import wiring
from scim_bridge.cli import rows
from scim_bridge.cli.options import check_tenant, config_option, json_option, opened, print_json, tenant_option
from scim_bridge.errors import UsageError
from scim_bridge.operators import alive, existing, timeline
from scim_bridge.operators import status as lanes_status
from scim_bridge.settings.loading import Role
from scim_bridge.store.verify import verify_ledger
from scim_bridge.supervisor import commands

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
def user() -> None:
    """Ask about one person."""


@user.command("show")
@config_option
@click.argument("who")
@click.option("--tenant", metavar="T", help="Only this customer's people.")
@json_option
@click.pass_context
def show_user(ctx: click.Context, config: str | None, who: str, tenant: str | None, *, as_json: bool) -> None:
    """Show all that happened to WHO: a userName, e-mail, externalId, SCIM id, or account id in a target."""
    with opened(config) as (settings, store):
        if tenant is not None:
            check_tenant(settings, tenant)
        owns = {each.id: {source.name: source.owns for source in each.sources} for each in settings.tenants}
        found = timeline.show(store, who, tenant, owns=owns)
    if as_json:
        print_json(found)
    elif found["people"]:
        for person in found["people"]:
            _print_person(person)
    if not found["people"]:
        click.echo("nobody is known by that name, address or id", err=True)
        ctx.exit(1)


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


@click.command()
@config_option
@tenant_option
@click.option("--target", metavar="X", required=True, help="The target's name in the configuration.")
@click.option("--repair", is_flag=True, help="Owe what is missing or differs; the workers deliver it.")
@json_option
def reconcile(config: str | None, tenant: str, target: str, *, repair: bool, as_json: bool) -> NoReturn:
    """Compare the directory with what a target holds; exit 0 when equal or repaired, 1 when they differ."""
    os.umask(0o077)
    settings = wiring.load_settings(Role.WORKER, config)
    check_tenant(settings, tenant)
    there = [lane.name for each in settings.tenants if each.id == tenant for lane in each.targets]
    if target not in there:
        raise UsageError(f"the tenant {tenant} has no target {target} (there: {', '.join(there) or 'none'})")
    switches = [name for name, given in (("--repair", repair), ("--json", as_json)) if given]
    # The credential of a target is for the delivering side alone.
    command = [sys.executable, "-P", "-m", "workers", "reconcile", "--tenant", tenant, "--target", target, *switches]
    environment = commands.environment(settings, environ=os.environ, config_path=config)
    os.execvpe(command[0], command, environment)  # noqa: S606 - our own command line


def _print_person(person: Mapping[str, Any]) -> None:
    gone = f"deleted {person['deleted_at']}" if person["deleted_at"] else "active" if person["active"] else "inactive"
    click.echo(f"{person['user']}  {gone}  tenant {person['tenant']}  id {person['id']}")
    if person["held_inactive_by"]:
        click.echo(f"  held inactive by {', '.join(person['held_inactive_by'])}")
    for said in person["sources"]:
        says = {True: "active", False: "not active", None: "nothing of active"}[said["active"]]
        click.echo(f"  {said['source']} says {says}" + (", and has deleted them" if said["deleted_at"] else ""))
    for link in person["links"]:
        known = {True: "active", False: "inactive", None: "not known"}[link["active"]]
        doubt = f", to be read back ({link['doubt']})" if link["doubt"] else ""
        click.echo(f"  in {link['target']}: account {link['account'] or 'not known yet'}, {known}{doubt}")
    for change in person["changes"]:
        click.echo(f"  #{change['number']} {change['received_at']} {change['kind']} by {change['source']}")
        for operation in change["operations"]:
            _print_operation(operation)
    click.echo("")


def _print_operation(operation: Mapping[str, Any]) -> None:
    carried = (
        f", carried by operation {operation['carried_by']}: {operation['fate']}" if operation["carried_by"] else ""
    )
    code = f" ({operation['code']})" if operation["code"] else ""
    due = f", due {operation['due_at']}" if operation["due_at"] else ""
    click.echo(f"    -> {operation['target']}: {operation['state']}{code}{due}{carried}")
    for entry in operation["entries"]:
        batch = f" in batch {entry['batch']}" if entry["batch"] else ""
        who = f" by {entry['who']}" if entry["who"] != "bridge" else ""
        detail = f": {entry['detail']}" if entry["detail"] else ""
        click.echo(f"       {entry['at']} {entry['outcome']} {entry['code']}{batch}{who}{detail}")
    if operation["state"] in {"dead", "held"}:
        click.echo(f"       {operation['advice']}")


def _print_books(books: Mapping[str, Any]) -> None:
    changes = books["changes"]
    states = ", ".join(f"{count} {state}" for state, count in books["operations"].items() if count) or "none"
    click.echo(f"{books['tenant']}: {changes['accepted']} changes, {changes['open']} open; operations: {states}")
    for fault in books["faults"]:
        click.echo(f"  {fault}")


COMMANDS = (status, user, ledger, reconcile)
