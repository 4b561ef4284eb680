"""The command that shows what a mapping does with a sample."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from scim_bridge import wiring
from scim_bridge.cli.options import check_tenant, config_option, json_option, print_json, tenant_option
from scim_bridge.operators import trying
from scim_bridge.settings.loading import Role


@click.group()
def mapping() -> None:
    """See what the mapping of a source makes of its rows."""


@mapping.command("try")
@config_option
@tenant_option
@click.option("--source", metavar="S", required=True, help="The source's name in the configuration.")
@click.option(
    "--sample",
    metavar="FILE",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A few rows as the source gives them: CSV, JSON, or the body of a webhook.",
)
@json_option
@click.pass_context
def try_mapping(
    ctx: click.Context, config: str | None, tenant: str, source: str, sample: Path, *, as_json: bool
) -> None:
    """Show the user that each row of a sample becomes, what every target would get, and what each rule did.

    Nothing is stored or sent. The exit code is 1 when a row is refused.
    """
    settings = wiring.load_settings(Role.OPERATOR, config)
    check_tenant(settings, tenant)
    chosen = settings.tenant(tenant)
    assert chosen is not None  # noqa: S101 - just checked
    report = trying.report(chosen, trying.source_named(chosen, source), trying.read_sample(sample))
    if as_json:
        print_json(report)
    else:
        for row in report["rows"]:
            _print_row(row)
        click.echo(f"{len(report['rows'])} rows tried; mapping {report['mapping']}")
    if any(row["refused"] for row in report["rows"]):
        ctx.exit(1)


def _print_row(row: Mapping[str, Any]) -> None:
    click.echo(f"row {row['row']}  id {_shown(row['id'])}  says {row['says']}")
    for rule in row["rules"]:
        outcome = "not stated" if not rule["stated"] else _shown(rule["value"])
        if rule["refused"]:
            outcome = f"refused ({rule['refused']['code']})"
        click.echo(f"  {rule['attribute']} = {rule['expression']}: found {_shown(rule['found'])} -> {outcome}")
    if row["dropped"]:
        click.echo(f"  not read, dropped at the door: {', '.join(map(_shown, row['dropped']))}")
    if row["refused"]:
        click.echo(f"  REFUSED {row['refused']['code']} ({row['refused']['field']}): {row['refused']['advice']}")
    else:
        for name, value in row["user"].items():
            click.echo(f"  user {name}: {_shown(value)}")
    for target, payload in row["targets"].items():
        click.echo(f"  {target}: {_shown(payload)}")
    click.echo()


def _shown(value: object) -> str:
    """Return a value on one line: as JSON, in which nothing can tell a terminal what to do."""
    return json.dumps(value, ensure_ascii=True, default=str)


COMMANDS = (mapping,)
