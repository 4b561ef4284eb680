"""CSV files (RFC 4180) as HR systems export them: any of three delimiters, blank trailer lines, quoted line breaks.

Cells are text, always: ids keep their leading zeros, and what looks like a formula stays what it is.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import TextIO

from scim_bridge.intake.hr.imports.quoting import Ended, Misquoted, Records
from scim_bridge.intake.hr.imports.reading import FileRefused, Line, Lines

DELIMITERS = (",", ";", "\t")

_LONGEST_HEADING = 65_536


def read(text: TextIO, *, delimiter: str | None, wanted: Collection[str] | None = None) -> Lines:
    """Return the rows of a CSV file; of their cells only those under headings that are wanted (None: all).

    Raises:
        FileRefused: it has no heading, or one that names a column twice.
    """
    first, number = _first_line(text)
    delimiter = delimiter or _delimiter_of(first)
    records = Records(text, delimiter=delimiter, first=first, number=number)
    heading = _heading(records)
    records.width = len(heading)
    lines = Lines(iter(()), headings=frozenset(name for name in heading if name))
    lines._lines = _rows(records, heading, wanted, lines)  # noqa: SLF001 - they tell each other when it ends
    return lines


def _first_line(text: TextIO) -> tuple[str, int]:
    """Return the first line that is not blank, and which one it is."""
    number = 1
    while line := text.readline(_LONGEST_HEADING):
        if line.strip("\ufeff\r\n\t ;,"):
            return line.lstrip("\ufeff"), number
        number += 1
    raise FileRefused("The file is empty: it has no heading that names the columns.")


def _delimiter_of(heading: str) -> str:
    return max(DELIMITERS, key=heading.count)


def _heading(records: Records) -> list[str]:
    found = records.next()
    if not isinstance(found, list):
        raise FileRefused("The file's first line cannot be read as a heading that names the columns.")
    names = [name.strip() for name in found]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise FileRefused(f"The heading names a column twice: {twice[0][:64]!r}. Give each a name of its own.")
    return names


def _rows(records: Records, heading: Sequence[str], wanted: Collection[str] | None, lines: Lines) -> Iterator[Line]:
    places = [(name, place) for place, name in enumerate(heading) if wanted is None or name in wanted]
    position, width, short = 0, len(heading), False
    while not isinstance(cells := records.next(), Ended):
        if isinstance(cells, Misquoted):
            position, short = position + 1, False
            yield Line(position=position, fields=None, fault=cells.sentence)
            continue
        if not "".join(cells).strip():
            continue
        position += 1
        short = len(cells) < width
        if short or (len(cells) > width and any(cells[width:])):
            yield Line(position=position, fields=None, fault=f"It begins in line {records.begins_at} of the file.")
        else:
            yield Line(position=position, fields={name: cells[place] for name, place in places})
    if cells.why:
        lines.truncated = cells.why
    elif short:
        lines.truncated = f"the last row, {position}, has fewer cells than the heading"
