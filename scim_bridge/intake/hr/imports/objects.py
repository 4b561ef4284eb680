"""JSON files: a list of objects, an object a line, or an object whose only list are the rows. Read as they come."""

import json
import re
from collections.abc import Iterator
from typing import TextIO

from scim_bridge.intake.hr.imports.reading import FileRefused, Line, Lines

_PIECE = 1 << 16
LONGEST_OBJECT = 1 << 20
"""Characters that one row may have."""

_BETWEEN = re.compile(r"[\s,\ufeff]*")
_INTO_ROWS = re.compile(r'\s*\{\s*"(?:rows|employees|people|data|Resources)"\s*:\s*\[')


class _Text:
    """A file's text, of which as much is held as the value at hand needs."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.held = ""
        self.at = 0
        self.is_whole = False

    def more(self) -> bool:
        """Read on; False at the end of the file."""
        piece = self._text.read(_PIECE)
        self.held, self.at = self.held[self.at :] + piece, 0
        self.is_whole = not piece
        return bool(piece)

    def pass_over(self, pattern: re.Pattern[str]) -> None:
        """Go behind what matches."""
        while True:
            found = pattern.match(self.held, self.at)
            assert found is not None  # noqa: S101 - the pattern matches nothing too
            self.at = found.end()
            if self.at < len(self.held) or not self.more():
                return


def read(text: TextIO) -> Lines:
    """Return the rows of a JSON file.

    Raises:
        FileRefused: it is none, or holds no rows.
    """
    source = _Text(text)
    source.more()
    source.pass_over(_BETWEEN)
    if source.at >= len(source.held):
        raise FileRefused("The file is empty.")
    is_list = True
    if source.held[source.at] == "[":
        source.at += 1
    elif into := _INTO_ROWS.match(source.held, source.at):
        source.at = into.end()
    elif source.held[source.at] == "{":
        is_list = False
    else:
        raise FileRefused("The file is no JSON: it must be a list of objects, or an object a line.")
    lines = Lines(iter(()))
    lines._lines = _rows(source, lines, is_list=is_list)  # noqa: SLF001 - they tell each other when it ends
    return lines


def _rows(source: _Text, lines: Lines, *, is_list: bool) -> Iterator[Line]:
    decoder, position = json.JSONDecoder(), 0
    while True:
        source.pass_over(_BETWEEN)
        if source.at >= len(source.held):
            if is_list:
                lines.truncated = f"the list is not closed behind row {position}"
            return
        if is_list and source.held[source.at] == "]":
            return
        try:
            value, end = decoder.raw_decode(source.held, source.at)
            if end == len(source.held) and not source.is_whole:
                # A number may go on in the next piece.
                source.more()
                continue
        except (ValueError, RecursionError):  # a number of thousands of digits is no JSON error
            is_short = len(source.held) - source.at < LONGEST_OBJECT
            if is_short and (is_list or "\n" not in source.held[source.at :]) and source.more():
                continue
            line_end = -1 if is_list else source.held.find("\n", source.at)
            if line_end >= 0:
                # An object a line: the next one begins behind it.
                source.at = line_end
                position += 1
                yield Line(position=position, fields=None)
                continue
            lines.truncated = f"what follows row {position} is no JSON"
            return
        source.at = end
        position += 1
        yield Line(position=position, fields=value if isinstance(value, dict) else None)
