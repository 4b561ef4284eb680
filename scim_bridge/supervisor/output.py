"""Children's output, line by line, with the name of the process in front."""

import codecs
import contextlib
import os
from collections.abc import Sequence
from typing import TextIO

NAME_WIDTH = 9
MAX_LINE_CHARS = 65_536
READ_BYTES = 65_536


class LinePipe:
    """The reading end of one child's stdout or stderr; passes whole lines on."""

    def __init__(self, descriptor: int, name: str, sink: TextIO, *, muted: Sequence[str] = ()) -> None:
        """Own the descriptor from here on; lines that hold a muted text are dropped."""
        os.set_blocking(descriptor, False)
        self.descriptor = descriptor
        self._name = name
        self._sink = sink
        self._muted = muted
        self._rest = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def pump(self) -> bool:
        """Pass on what has arrived; False at the end of the output."""
        while True:
            try:
                received = os.read(self.descriptor, READ_BYTES)
            except BlockingIOError:
                return True
            if not received:
                return False
            self._pass_on(self._decoder.decode(received))

    def close(self) -> None:
        """Pass on a last line that has no end, and close."""
        if self._rest:
            self._write(self._rest)
            self._rest = ""
        os.close(self.descriptor)

    def _pass_on(self, text: str) -> None:
        *lines, rest = (self._rest + text).split("\n")
        for line in lines:
            self._write(line)
        while len(rest) > MAX_LINE_CHARS:
            self._write(rest[:MAX_LINE_CHARS])
            rest = rest[MAX_LINE_CHARS:]
        self._rest = rest

    def _write(self, line: str) -> None:
        if not any(text in line for text in self._muted):
            write_line(self._sink, self._name, line)


def write_line(sink: TextIO, name: str, line: str) -> None:
    """Write one line with the process's name in front. Nobody reading any more is no reason to stop."""
    with contextlib.suppress(BrokenPipeError):
        sink.write(f"{name:<{NAME_WIDTH}} | {line}\n")
        sink.flush()
