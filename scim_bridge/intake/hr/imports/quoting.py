"""The records of a CSV file, such that a stray quotation mark costs the line that holds it and no other.

A quotation mark that opens a cell and is never closed takes the lines behind it for text, up to the next mark. Where
that shows, the first line is given up and those behind it are read anew.
"""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

LONGEST_CELL = 131_072
"""Characters, as the parser has it."""

MOST_MISQUOTED = 100
"""So many lines are given up; a file with more of them is no CSV, and each might have much read anew."""


@dataclass(frozen=True, slots=True)
class Misquoted:
    """A line that is given up."""

    number: int
    """Which line of the file it is, from 1."""

    @property
    def sentence(self) -> str:
        """Say what is wrong."""
        return f"Line {self.number} of the file has a quotation mark too many, or one too few."


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more comes."""

    why: str = ""
    """Why the file is taken for cut off; empty when it is whole."""


class Records:
    """The cells of one record after the other."""

    def __init__(self, text: TextIO, *, delimiter: str, first: str, number: int) -> None:
        """Read on from a line that was taken already, and its number in the file."""
        self.width = 0
        """How many cells a record has, once that is known."""
        self.begins_at = number
        """The line at which the record at hand begins."""
        self._text = text
        self._delimiter = delimiter
        self._again: deque[str] = deque([first])
        self._read: list[str] = []
        self._next_number = number
        self._given_up = 0
        self._parser = csv.reader(self._lines(), delimiter=delimiter, strict=True)

    def next(self) -> list[str] | Misquoted | Ended:
        """Return the next record."""
        self._read.clear()
        self.begins_at = self._next_number
        try:
            cells = next(self._parser)
        except StopIteration:
            return Ended()
        except csv.Error as error:
            return self._mended(str(error))
        if len(self._read) > 1 and self._may_be_several():
            return self._give_up()
        return cells

    def _lines(self) -> Iterator[str]:
        while line := self._again.popleft() if self._again else self._text.readline():
            self._read.append(line)
            self._next_number += 1
            yield line

    def _mended(self, fault: str) -> list[str] | Misquoted | Ended:
        """Go on behind a record that is no CSV, in the strict sense."""
        if "unexpected end" in fault:
            # The parser has seen the file's end, and asks for no line any more.
            self._parser = csv.reader(self._lines(), delimiter=self._delimiter, strict=True)
        if len(self._read) > 1:
            return self._give_up()
        if "unexpected end" in fault:
            return Ended(f"line {self.begins_at} ends within a quoted cell")
        if "field limit" in fault:
            return Ended(f"a cell in line {self.begins_at} is longer than {LONGEST_CELL} characters")
        # Something behind a closing mark, which many programs read over; nothing but this line is concerned.
        lenient = next(csv.reader(self._read, delimiter=self._delimiter))
        return lenient if len(lenient) == self.width else self._give_up()

    def _may_be_several(self) -> bool:
        """Tell whether each line of a record could be one by itself; where a text is broken, they share the delimiters.

        With two columns one delimiter in the text would look like it, so there nothing is taken for granted.
        """
        needed = self.width - 1
        return needed > 1 and all(line.count(self._delimiter) >= needed for line in self._read if line.strip())

    def _give_up(self) -> Misquoted | Ended:
        self._given_up += 1
        if self._given_up > MOST_MISQUOTED:
            return Ended(f"line {self.begins_at} is not the first whose quotation marks cannot be right, by far")
        again = self._read[1:]
        self._again.extendleft(reversed(again))
        self._next_number -= len(again)
        return Misquoted(self.begins_at)
