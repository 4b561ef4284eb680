"""Reading modules without a search for garbage among what is read, which would take a tenth of the time."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Let nothing be searched for garbage while the block reads modules; what they consist of stays anyway.

    Who lives long freezes it afterwards (`gc.freeze`), and no later search goes through it either.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
