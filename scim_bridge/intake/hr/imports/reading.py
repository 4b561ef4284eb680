"""What every file of rows has in common, whatever its format: how its text is coded, and what a line of it is."""

import codecs
import contextlib
import io
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple, TextIO

_PIECE_BYTES = 1 << 18

MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""What files begin with that say themselves how they are coded."""


class FileRefused(Exception):  # noqa: N818 - it says what happened to the file
    """A file cannot be taken at all; its only argument is the sentence that says why and what to do."""


class Line(NamedTuple):
    """One row of a file."""

    position: int
    """Which one it is, from 1; blank ones are not counted."""
    fields: Mapping[str, Any] | None
    """What it holds, by heading; None: it cannot be read."""
    fault: str = ""
    """Why it cannot be read, where that is known: a sentence."""

    def __repr__(self) -> str:
        """Return which row it is, and nothing of what it holds."""
        return f"Line(position={self.position})"


class Lines:
    """The rows of a file, read as they are asked for; then `truncated` tells whether all were there."""

    def __init__(self, lines: Iterator[Line], *, headings: frozenset[str] | None = None) -> None:
        """Read through; `headings` are the columns that there are (None: each row names its own)."""
        self.headings = headings
        self.truncated = ""
        """Why the file is taken for cut off; empty when it is whole."""
        self._lines = lines

    def __iter__(self) -> Iterator[Line]:
        """Return the rows, once."""
        return self._lines


def encoding_of(file: BinaryIO) -> str:
    """Return how a file's text is coded: as its first bytes say, UTF-8 when all of it is, else Windows' cp1252.

    The file is read through and rewound.
    """
    first = file.read(4)
    file.seek(0)
    for mark, name in MARKS:
        if first.startswith(mark):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := file.read(_PIECE_BYTES):
            decoder.decode(piece)
        # A character that the end of the file cuts in two is no sign of another code.
    except UnicodeDecodeError:
        return "cp1252"
    finally:
        file.seek(0)
    return "utf-8"


@contextlib.contextmanager
def opened(file: BinaryIO, encoding: str) -> Iterator[TextIO]:
    """Give the text of a file, which stays its owner's to close. Bytes that the code does not know become U+FFFD.

    Raises:
        FileRefused: there is no such code.
    """
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise FileRefused(f"There is no encoding {encoding!r}; correct `encoding` of the source.") from None
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline="")
    try:
        yield text
    finally:
        text.detach()
