"""Commands about files of HR rows that came in: which, what became of each, and of each row."""

from pathlib import Path

import click

from scim_bridge.cli import rows
from scim_bridge.cli.options import config_option, json_option, opened, print_json, tenant_option
from scim_bridge.errors import UsageError
from scim_bridge.operators import hr_imports, kept_events

MOST_AT_ONCE = 500

_FACTS = {
    **{name: name for name in ("id", "tenant", "source", "mode", "status", "rows")},
    "dry run": "dry_run",
    "received": "received_at",
    "finished": "finished_at",
}
_BELOW = {"why": "reason", "nobody is missing": "nobody_missing_because"}
_ROW = {name: name for name in ("row", "id", "outcome", "code", "field", "change")}

_after = click.option(
    "--after", type=click.IntRange(min=0), help="Go on behind this one: the `next` of the page before."
)
_limit = click.option(
    "--limit", type=click.IntRange(1, MOST_AT_ONCE), default=50, show_default=True, help="Show so many at the most."
)


@click.group(invoke_without_command=True)
@config_option
@click.option("--tenant", metavar="T", help="Only this customer's.")
@click.option("--source", metavar="S", help="Only this source's.")
@_after
@_limit
@json_option
@click.pass_context
def imports(
    ctx: click.Context,
    config: str | None,
    tenant: str | None,
    source: str | None,
    after: int | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """Show the files that came in, by hand or over HTTP, the newest in front."""
    if ctx.invoked_subcommand is not None:
        if any(value is not None for value in (config, tenant, source, after)) or as_json:
            raise UsageError(
                f"give the options behind the command: scim-bridge hr imports {ctx.invoked_subcommand} ..."
            )
        return
    with opened(config) as (settings, store):
        kept_events.check(store, settings, tenant=tenant, source=source)
        found = hr_imports.listed(store, tenant, source=source, after=after, limit=limit)
    if as_json:
        print_json(found)
        return
    if found["items"]:
        rows.print_rows(_FACTS, found["items"], below=_BELOW)
    click.echo(_counted(found, "import", "imports", older=True))


@imports.command()
@config_option
@click.argument("name")
@tenant_option
@json_option
def show(config: str | None, name: str, tenant: str, *, as_json: bool) -> None:
    """Show where the import NAME stands, and how many of its rows came to which outcome."""
    with opened(config) as (_settings, store):
        told = hr_imports.show(store, tenant, name)
    if as_json:
        print_json(told)
        return
    counted = ", ".join(f"{count} {outcome}" for outcome, count in told["outcomes"].items()) or "no rows"
    rows.print_rows({**_FACTS, "outcomes": "counted"}, [{**told, "tenant": tenant, "counted": counted}], below=_BELOW)


@imports.command("rows")
@config_option
@click.argument("name")
@tenant_option
@click.option("--refused", is_flag=True, help="Only rows that were refused.")
@_after
@_limit
@json_option
def show_rows(
    config: str | None, name: str, tenant: str, after: int | None, limit: int, *, refused: bool, as_json: bool
) -> None:
    """Show what became of the rows of the import NAME, in the order of the file."""
    with opened(config) as (_settings, store):
        found = hr_imports.rows(store, tenant, name, after=after or 0, limit=limit, refused=refused)
    if as_json:
        print_json(found)
        return
    if found["items"]:
        rows.print_rows(_ROW, found["items"], below={"what to do": "advice"})
    click.echo(_counted(found, "row", "rows", older=False))


@imports.command()
@config_option
@click.argument("name")
@tenant_option
@click.option(
    "--to", metavar="PATH", type=click.Path(dir_okay=False, path_type=Path), help="A file; else it is printed."
)
def report(config: str | None, name: str, tenant: str, to: Path | None) -> None:
    """Write what became of every row of the import NAME as CSV."""
    with opened(config) as (_settings, store):
        pieces = hr_imports.as_csv(store, tenant, name)
        if to is None:
            for piece in pieces:
                click.echo(piece, nl=False)
            return
        try:
            with to.open("w", encoding="utf-8", newline="") as file:
                file.writelines(pieces)
        except OSError as error:
            raise UsageError(f"{to} cannot be written: {error.strerror}") from None


def _counted(found: dict[str, object], one: str, many: str, *, older: bool) -> str:
    items = found["items"]
    count = len(items) if isinstance(items, list) else 0
    more = f"; {'older' if older else 'further'} ones: --after {found['next']}" if found["next"] is not None else ""
    return f"{count} {one if count == 1 else many}{more}"


COMMANDS = (imports,)
