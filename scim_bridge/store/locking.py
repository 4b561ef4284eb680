"""A lock file in front of SQLite's own: its busy handler is not fair and lets workers starve."""

import fcntl
import os
import threading
from types import TracebackType

_locks: dict[str, "WriteLock"] = {}
_guard = threading.Lock()


PATIENCE_S = 10.0
"""How long a writer waits for the others of its process before it gives up."""


class WriteLock:
    """Makes the writers of one SQLite file take turns, over threads and processes. Not re-entrant.

    Of each process one thread at most waits for other processes. Should one of those stand still with the lock, the
    other threads give up in time and can say so.
    """

    def __init__(self, path: str, *, patience_s: float = PATIENCE_S) -> None:
        """Name the lock file; it is opened at first use, so a fork before that is harmless."""
        self._path = path
        self._patience_s = patience_s
        self._thread_lock = threading.Lock()
        self._fd: int | None = None
        self._pid: int | None = None

    def __enter__(self) -> None:
        if not self._thread_lock.acquire(timeout=self._patience_s):
            raise TimeoutError("another write takes too long")
        try:
            if self._fd is None or self._pid != os.getpid():
                # A descriptor inherited over a fork would share its lock with the parent.
                self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._pid = os.getpid()
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except BaseException:
            self._thread_lock.release()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if self._fd is not None:
                fcntl.flock(self._fd, fcntl.LOCK_UN)
        finally:
            self._thread_lock.release()


def lock_for(database: str | None) -> WriteLock | None:
    """Return this process's one lock for a SQLite file, None for a database in memory."""
    if not database or database == ":memory:":
        return None
    path = os.path.realpath(database) + ".lock"
    with _guard:
        return _locks.setdefault(path, WriteLock(path))
