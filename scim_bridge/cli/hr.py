"""Commands about HR systems: bring a file of rows in, and see what became of each row."""

import contextlib
import secrets as randomness
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, cast

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from scim_bridge import secrets, wiring
from scim_bridge.cli.options import check_tenant, config_option, json_option, opened, print_json, tenant_option
from scim_bridge.domain.instants import Millis
from scim_bridge.errors import BridgeError, UsageError
from scim_bridge.intake.hr.imports import receiving, report
from scim_bridge.intake.hr.imports.door import moment_of
from scim_bridge.intake.hr.imports.reading import FileRefused
from scim_bridge.intake.hr.imports.receiving import Arrival
from scim_bridge.intake.hr.imports.whole import Run
from scim_bridge.recording.imports import Source
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import Settings
from scim_bridge.settings.sources import WITHOUT_ROWS

_STEPS = {
    "reading": "reading the file",
    "first": "applying rows",
    "again": "applying the rest",
    "missing": "who is gone",
}

_HELD_BYTES = 1 << 20
_TOLD_REFUSALS = 10


@click.group()
def hr() -> None:
    """Bring in what HR systems say."""


@hr.command("import")
@config_option
@click.argument("file")
@tenant_option
@click.option("--source", "source_name", metavar="S", required=True, help="The source's name in the configuration.")
@click.option("--snapshot", is_flag=True, help="The file names everybody: who is missing is gone from the source.")
@click.option("--dry-run", is_flag=True, help="Only tell what would become of each row; nobody is touched.")
@click.option("--said-at", metavar="TIME", help="When the source made the file, as 2026-11-21T02:00:00Z; else now.")
@click.option("--report", "report_to", metavar="PATH", help="Write the report of every row there: .csv or .json.")
@json_option
@click.pass_context
def import_file(
    ctx: click.Context,
    config: str | None,
    file: str,
    tenant: str,
    source_name: str,
    said_at: str | None,
    report_to: str | None,
    *,
    snapshot: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Bring in FILE, CSV or JSON (-: what is piped in); exit 0 when every row was taken, 1 when not."""
    write = _writer(report_to)
    moment = None if said_at is None else _moment(said_at)
    with opened(config) as (settings, store), _readable(file) as content, _progress(hidden=as_json) as progress:
        source = _source(settings, tenant, source_name)
        if not dry_run:
            wiring.note_loaded(store, settings, who="hr import")
        run = Run(
            store=store,
            dispatcher=(dispatcher := wiring.open_dispatcher(settings)),
            source=source,
            secret=secrets.installation_key(settings.data_dir),
        )
        arrival = Arrival(
            tenant=tenant,
            source=source_name,
            correlation_id=f"import-{randomness.token_hex(8)}",
            is_snapshot=snapshot,
            is_dry_run=dry_run,
            format=receiving.name_of_format(file),
            said_at=moment,
        )
        try:
            found = run.run(arrival, content, progress)
        except FileRefused as refused:
            raise BridgeError(str(refused)) from None
        finally:
            dispatcher.close()
        told = report.summary(store, found)
        refusals = [] if as_json else report.refusals(store, found, most=_TOLD_REFUSALS)
        if report_to is not None:
            write(report.as_csv(store, found) if report_to.endswith(".csv") else report.as_json(store, found))
    if as_json:
        print_json(told)
    else:
        _tell(told, refusals)
    ctx.exit(1 if told["outcomes"].get("refused") or told["reason"] or told["nobody_missing_because"] else 0)


def _source(settings: Settings, tenant: str, name: str) -> Source:
    check_tenant(settings, tenant)
    found = settings.tenant(tenant)
    assert found is not None  # noqa: S101 - checked in the line above
    there = {source.name: source for source in found.sources if source.kind not in WITHOUT_ROWS}
    if name not in there:
        raise UsageError(
            f"the tenant {tenant} has no source {name} that sends rows (there: {', '.join(there) or 'none'})"
        )
    return Source(tenant=found, settings=there[name], scopes=scopes_of(found))


def _moment(text: str) -> Millis:
    try:
        return moment_of(text)
    except (ValueError, OverflowError):
        raise UsageError("--said-at takes a time with its zone, as 2026-11-21T02:00:00Z") from None


@contextlib.contextmanager
def _readable(path: str) -> Iterator[BinaryIO]:
    """Give a file that can be read from its beginning again; what is piped in is kept in one of its own meanwhile."""
    if path == "-":
        with tempfile.TemporaryFile() as kept:
            while piece := sys.stdin.buffer.read(_HELD_BYTES):
                kept.write(piece)
            kept.seek(0)
            yield cast("BinaryIO", kept)
        return
    try:
        opened_file = open(path, "rb")  # noqa: SIM115, PTH123 - closed below; a path as it was typed
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    with opened_file:
        yield opened_file


def _writer(path: str | None) -> Callable[[Iterator[str]], None]:
    """Return what writes a report. That its place cannot be written is told before anything is done."""
    if path is None:
        return lambda _pieces: None
    if not path.endswith((".csv", ".json")):
        raise UsageError("--report takes a path that ends in .csv or .json")
    try:
        with open(path, "w", encoding="utf-8"):  # noqa: PTH123 - as above
            pass
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None

    def write(pieces: Iterator[str]) -> None:
        with open(path, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - as above
            file.writelines(pieces)

    return write


@contextlib.contextmanager
def _progress(*, hidden: bool) -> Iterator[Callable[[str, int, int | None], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=hidden or not console.is_terminal, transient=True) as bar:
        task = bar.add_task(_STEPS["reading"], total=None)
        yield lambda step, rows, total: bar.update(task, description=_STEPS[step], completed=rows, total=total)


def _tell(told: dict[str, Any], refusals: Sequence[str]) -> None:
    counted = ", ".join(f"{count} {outcome}" for outcome, count in told["outcomes"].items()) or "no rows"
    click.echo(f"{'would be: ' if told['dry_run'] else ''}{counted}")
    for refusal in refusals:
        click.echo(f"  {refusal}")
    if (more := told["outcomes"].get("refused", 0) - len(refusals)) > 0:
        click.echo(f"  and {more} more; --report FILE.csv writes what became of every row")
    for reason in (told["reason"], told["nobody_missing_because"]):
        if reason:
            click.echo(reason)
    if told["status"] == "waiting":
        click.echo("the source is paused: the rows are kept, and applied when it is paused no more")
    click.echo(f"import {told['id']}")


COMMANDS = (hr,)
