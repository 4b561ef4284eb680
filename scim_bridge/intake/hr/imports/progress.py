"""How far an import is, for senders that ask again and again while it runs."""

import threading
import time
from collections.abc import Callable, Mapping

from scim_bridge.store.imports import Import

SHORT_S = 0.05
"""What is counted within this is counted anew for everybody who asks."""

REST = 20
"""So many times as long as it took to count the rows of a large import, what was found is told again: however often
its sender asks, the database spends a twentieth of its time on it at the most."""

MOST = 100
"""Imports that are remembered."""

Outcomes = Mapping[str, int]


class Progress:
    """Counts the rows of imports by outcome; of one that still runs, not each time that somebody asks."""

    def __init__(self, count: Callable[[Import], Outcomes], *, timer: Callable[[], float] = time.monotonic) -> None:
        """Count with this; `timer` gives seconds that never go back."""
        self._count = count
        self._timer = timer
        self._lock = threading.Lock()
        self._found: dict[int, tuple[float, Outcomes]] = {}

    def outcomes(self, found: Import) -> Outcomes:
        """Return how many rows came to which outcome; of an import that still runs, perhaps as of a moment ago."""
        if found.finished_at is not None:
            return self._count(found)
        began = self._timer()
        until, outcomes = self._found.get(found.id, (began, {}))
        if began < until:
            return outcomes
        outcomes = self._count(found)
        now = self._timer()
        if now - began > SHORT_S:
            with self._lock:
                self._found[found.id] = now + REST * (now - began), outcomes
                while len(self._found) > MOST:
                    del self._found[next(iter(self._found))]
        return outcomes
