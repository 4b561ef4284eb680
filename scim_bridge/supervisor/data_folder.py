"""The data folder: private, and used by one `up` at a time."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from scim_bridge.errors import BridgeError

LOCK = "up.lock"


class CannotStart(BridgeError):  # noqa: N818 - read as a sentence: cannot start, because
    """`up` cannot start; the message says why and what to do."""


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Make the folder private (0700) and hold it for this process; a lock left by a killed one does not matter.

    Raises:
        CannotStart: another `up` works on it, or it cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(f"the data folder {folder} cannot be used: {error.strerror}") from error
    with os.fdopen(descriptor, "r+", encoding="ascii") as lock:
        if not take(lock.fileno(), patience_s=0):
            holder = lock.read().strip() or "unknown"
            raise CannotStart(
                f"another scim-bridge up (process {holder}) works on the data folder {folder}; "
                "stop it, or give this one a data_dir of its own"
            )
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


def take(descriptor: int, *, patience_s: float) -> bool:
    """Lock an open file for ourselves, waiting a while for who holds it; True when it is ours."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
        else:
            return True
