"""Commands about what a target holds: compare it with the directory, ask what it can do, look at what was found."""

import os
import sys
from typing import Any, NoReturn

import click

from scim_bridge import wiring
from scim_bridge.cli import rows
from scim_bridge.cli.options import check_tenant, config_option, json_option, opened, print_json, tenant_option
from scim_bridge.errors import UsageError
from scim_bridge.operators import drift as drifts
from scim_bridge.operators import replay
from scim_bridge.settings.loading import Role
from scim_bridge.store.dead_letters import MOST_ID
from scim_bridge.store.errands import KINDS, PROBE, RECONCILE
from scim_bridge.supervisor import commands

_ERRANDS = {
    "errand": "errand",
    "target": "target",
    "kind": "kind",
    "status": "status",
    "asked": "asked_at",
    "by": "who",
}
_ROWS = {"row": "row", "drift": "drift", "user": "user", "account": "account"}

_target_option = click.option("--target", metavar="X", required=True, help="The target's name in the configuration.")
_errand_argument = click.argument("errand", type=click.IntRange(1, MOST_ID))


@click.command()
@config_option
@tenant_option
@_target_option
@click.option("--repair", is_flag=True, help="Owe what is missing or differs; the workers deliver it.")
@click.option(
    "--extra",
    is_flag=True,
    help="Goes with --repair, which closes extra accounts of ours by itself; others are never touched.",
)
@click.option("--max-calls", type=int, metavar="N", help="Do nothing if listing the accounts takes more calls.")
@json_option
def reconcile(
    config: str | None,
    tenant: str,
    target: str,
    *,
    repair: bool,
    extra: bool,
    max_calls: int | None,
    as_json: bool,
) -> NoReturn:
    """Compare the directory with what a target holds; exit 0 when equal or repaired, 1 when they differ."""
    drifts.check(kind=RECONCILE, repair=repair, extra=extra, max_calls=max_calls)
    switches = ["--repair"] if repair else []
    switches += [] if max_calls is None else ["--max-calls", str(max_calls)]
    _run(config, "reconcile", tenant=tenant, target=target, switches=switches, as_json=as_json)


@click.group("target")
def target_group() -> None:
    """Ask about one target."""


@target_group.command("probe")
@config_option
@tenant_option
@_target_option
@json_option
def probe(config: str | None, tenant: str, target: str, *, as_json: bool) -> NoReturn:
    """Ask a target what it can do; exit 0 when it is well and does what our record says, 1 when not."""
    drifts.check(kind=PROBE, repair=False, extra=False, max_calls=None)
    _run(config, "probe", tenant=tenant, target=target, switches=[], as_json=as_json)


def _run(config: str | None, process: str, *, tenant: str, target: str, switches: list[str], as_json: bool) -> NoReturn:
    """Become a process of the delivering side: the credential of a target is for it alone."""
    os.umask(0o077)
    settings = wiring.load_settings(Role.WORKER, config)
    check_tenant(settings, tenant)
    there = [lane.name for each in settings.tenants if each.id == tenant for lane in each.targets]
    if target not in there:
        raise UsageError(f"the tenant {tenant} has no target {target} (there: {', '.join(there) or 'none'})")
    switches = [*switches, *(["--json"] if as_json else []), "--who", replay.operator_name()]
    command = [sys.executable, "-P", "-m", "workers", process, "--tenant", tenant, "--target", target, *switches]
    environment = commands.environment(settings, environ=os.environ, config_path=config)
    os.execvpe(command[0], command, environment)  # noqa: S606 - our own command line


@click.group()
def drift() -> None:
    """See what comparisons and probes of targets have found."""


@drift.command("list")
@config_option
@tenant_option
@click.option("--target", metavar="X", help="Only this target's.")
@click.option("--kind", type=click.Choice(KINDS), help="Only these.")
@click.option("--after", type=click.IntRange(0, MOST_ID), metavar="N", help="The page behind errand N.")
@click.option("--limit", type=click.IntRange(1, drifts.MOST_OF_A_PAGE), default=drifts.PAGE, show_default=True)
@json_option
def list_errands(
    config: str | None,
    tenant: str,
    target: str | None,
    *,
    kind: str | None,
    after: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show what was asked of targets, newest first, and what came of it."""
    with opened(config) as (settings, store):
        check_tenant(settings, tenant)
        page = drifts.listed(store, tenant=tenant, target=target, kind=kind, after=after, limit=limit)
    if as_json:
        print_json(page)
        return
    rows.print_rows(_ERRANDS, [{**each, "told": _told(each)} for each in page["items"]], below={"found": "told"})
    if page["next"] is not None:
        click.echo(f"... and more: --after {page['next']}")


@drift.command("show")
@config_option
@tenant_option
@_errand_argument
@json_option
def show_errand(config: str | None, tenant: str, errand: int, *, as_json: bool) -> None:
    """Show where ERRAND stands, and the figures that it brought back."""
    with opened(config) as (settings, store):
        check_tenant(settings, tenant)
        found = drifts.show(store, tenant=tenant, number=errand)
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        if name != "found":
            click.echo(f"{name}: {'-' if value in (None, '') else value}")
    for name, value in (found["found"] or {}).items():
        click.echo(f"  {name}: {value}")


@drift.command("rows")
@config_option
@tenant_option
@_errand_argument
@click.option("--kind", type=click.Choice(drifts.DRIFTS), help="Only these.")
@click.option("--after", type=click.IntRange(0, MOST_ID), metavar="N", help="The page behind row N.")
@click.option("--limit", type=click.IntRange(1, drifts.MOST_OF_A_PAGE), default=drifts.PAGE, show_default=True)
@json_option
def show_rows(
    config: str | None,
    tenant: str,
    errand: int,
    *,
    kind: str | None,
    after: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """Show whose account differs by ERRAND, and in which parts."""
    with opened(config) as (settings, store):
        check_tenant(settings, tenant)
        page = drifts.rows(store, tenant=tenant, number=errand, kind=kind, after=after, limit=limit)
    if as_json:
        print_json(page)
        return
    told = [{**each, "differs": ", ".join(each["parts"])} for each in page["items"]]
    rows.print_rows(_ROWS, told, below={"differs": "differs"})
    if page["next"] is not None:
        click.echo(f"... and more: --after {page['next']}")


@drift.command("export")
@config_option
@tenant_option
@_errand_argument
def export(config: str | None, tenant: str, errand: int) -> None:
    """Write all rows of ERRAND as CSV, to be sent into a file."""
    with opened(config) as (settings, store):
        check_tenant(settings, tenant)
        for piece in drifts.as_csv(store, tenant=tenant, number=errand):
            click.echo(piece, nl=False)


def _told(errand: dict[str, Any]) -> str:
    """Return in one line what came of an errand."""
    found = errand["found"]
    if found is None:
        return str(errand["reason"])
    if errand["kind"] == PROBE:
        return "reached" if found["reached"] else str(found["failure"])
    return ", ".join(f"{name} {count}" for name, count in found.items() if count) or "nothing"


COMMANDS = (reconcile, target_group, drift)
