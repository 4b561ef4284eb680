"""Prints rows for people: a table where there is room, else a block of lines a row. Nothing is ever cut."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

TABLE_FROM_COLUMNS = 140
"""Below this width a table would fold e-mail addresses and reasons into slivers."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+")
"""What steers a terminal, ends a line, or turns the direction of writing (UAX #9)."""


def print_rows(
    facts: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    *,
    below: Mapping[str, str] | None = None,
    console: Console | None = None,
) -> None:
    """Print what `facts` and `below` name of each row; both map a heading to the row's key.

    A wide terminal gets a table. A pipe or a narrow terminal gets, for each row, one line of facts and one line for
    each text of `below` that is not empty.
    """
    console = console or Console()
    below = below or {}
    if console.is_terminal and console.width >= TABLE_FROM_COLUMNS:
        table = Table()
        for heading in (*facts, *below):
            table.add_column(heading, overflow="fold")
        for row in rows:
            # Text, for in a plain string brackets are rich's markup.
            table.add_row(*(Text(_shown(row[key])) for key in (*facts.values(), *below.values())))
        console.print(table)
        return
    for row in rows:
        click.echo("  ".join(f"{heading} {_shown(row[key])}" for heading, key in facts.items()))
        for heading, key in below.items():
            if row[key]:
                click.echo(f"  {heading}: {_shown(row[key])}")


def one_line(text: str) -> str:
    """Return a text on one line, without what a foreign text could tell the terminal to do."""
    return _CONTROL.sub(" ", text)


def _shown(value: object) -> str:
    return "-" if value is None or value == "" else one_line(str(value))
