"""CSV files (RFC 4180) as HR systems export them: any of three delimiters, blank trailer lines, quoted line breaks.

Cells are text, always: ids keep their leading zeros, and what looks like a formula stays what it is.
"""

import csv
from collections.abc import Iterator, Sequence
from typing import TextIO

from scim_bridge.intake.hr.imports.reading import FileRefused, Line, Lines

DELIMITERS = (",", ";", "\t")
LONGEST_CELL = 131_072
"""Characters; a quotation mark that is never closed would make a cell of the whole file."""

_LONGEST_HEADING = 65_536


class _Source:
    """The lines of a file as the parser asks for them, with whether it is in the middle of a row."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.is_within = False
        self.is_cut = False
        """Whether the file ended in the middle of a row."""

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline():
            self.is_within = True
            yield line
        self.is_cut = self.is_within


def read(text: TextIO, *, delimiter: str | None) -> Lines:
    """Return the rows of a CSV file.

    Raises:
        FileRefused: it has no heading, or one that names a column twice.
    """
    source = _Source(text)
    first = _first_line(text)
    delimiter = delimiter or _delimiter_of(first)
    source.is_within = True
    parser = csv.reader(_joined(first, source), delimiter=delimiter)
    heading = _heading(parser)
    source.is_within = False
    lines = Lines(iter(()), headings=frozenset(name for name in heading if name))
    lines._lines = _rows(parser, heading, source, lines)  # noqa: SLF001 - they tell each other when it ends
    return lines


def _first_line(text: TextIO) -> str:
    """Return the first line that is not blank."""
    while line := text.readline(_LONGEST_HEADING):
        if line.strip("\ufeff\r\n\t ;,"):
            return line.lstrip("\ufeff")
    raise FileRefused("The file is empty: it has no heading that names the columns.")


def _delimiter_of(heading: str) -> str:
    return max(DELIMITERS, key=heading.count)


def _joined(first: str, rest: _Source) -> Iterator[str]:
    yield first
    yield from rest


def _heading(parser: Iterator[list[str]]) -> list[str]:
    try:
        names = [name.strip() for name in next(parser)]
    except (csv.Error, StopIteration):
        raise FileRefused("The file's first line cannot be read as a heading that names the columns.") from None
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise FileRefused(f"The heading names a column twice: {twice[0][:64]!r}. Give each a name of its own.")
    return names


def _rows(parser: Iterator[list[str]], heading: Sequence[str], source: _Source, lines: Lines) -> Iterator[Line]:
    position, short = 0, False
    while True:
        try:
            cells = next(parser)
        except StopIteration:
            break
        except csv.Error:
            lines.truncated = f"a cell behind row {position} is longer than {LONGEST_CELL} characters"
            return
        is_cut, source.is_within = source.is_cut, False
        if not any(cell.strip() for cell in cells):
            continue
        position += 1
        short = len(cells) < len(heading)
        if is_cut:
            lines.truncated = f"row {position} ends within a quoted cell"
            return
        fits = not short and not any(cells[len(heading) :])
        yield Line(position=position, fields=dict(zip(heading, cells, strict=False)) if fits else None)
    if short:
        lines.truncated = f"the last row, {position}, has fewer cells than the heading"
