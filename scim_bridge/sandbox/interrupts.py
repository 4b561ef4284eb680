"""What ends a program from outside, as one exception, so that everything that was set up is taken down."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class _Heard:
    """What was heard since the block began."""

    sections: int = 0
    """How many sections that are not to be disturbed the main thread is in."""
    is_put_off: bool = False
    has_ended: bool = False

    def interrupt(self) -> None:
        if self.has_ended:
            # It is being taken down already; who interrupts that leaves behind what is still to go.
            return
        if self.sections:
            self.is_put_off = True
            return
        self.has_ended = True
        raise KeyboardInterrupt


_heard = _Heard()


@contextlib.contextmanager
def signals_as_interrupts() -> Iterator[None]:
    """Let the first Ctrl-C, SIGTERM or SIGHUP end the block by KeyboardInterrupt; what comes after it is not heard.

    For the main thread only, around everything that starts something.
    """
    _heard.is_put_off = _heard.has_ended = False

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        _heard.interrupt()

    former = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put an interrupt off to the end of the block: what is made in it is also noted in it, to be taken down."""
    if threading.current_thread() is not threading.main_thread():
        # Signals are heard in the main thread alone.
        yield
        return
    _heard.sections += 1
    try:
        yield
    finally:
        _heard.sections -= 1
    if _heard.is_put_off and not _heard.sections:
        _heard.is_put_off = False
        _heard.interrupt()
