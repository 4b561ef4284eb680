"""How many requests a token may make in a second, counted over all web processes of this machine.

The count of a token is one number in memory that processes share: the instant at which it would be back at nought,
were nothing more to come (the generic cell rate algorithm). A request moves it on by its share of a second; one that
would move it too far ahead is refused. Processes do not wait for each other: two that write at once count one request
instead of two, never more than there were.
"""

import math
import mmap
import time
from collections.abc import Callable

SLOTS = 4_096
"""Tokens that can be told apart at once, out of those that sent something within the last seconds."""

_PROBES = 8
_SECOND_NS = 1_000_000_000


def shared_counts() -> memoryview:
    """Return room for the counts. Processes that are forked afterwards share it, and so count together."""
    return memoryview(mmap.mmap(-1, SLOTS * 16)).cast("Q")


class Pace:
    """Tells of each request of a token whether it comes too soon."""

    def __init__(
        self,
        requests_per_s: int,
        *,
        counts: memoryview | None = None,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """Allow so many requests in a second, and in a burst as many again; 0 allows any number.

        `clock_ns` must be one that all processes share, as the machine's monotonic clock is.
        """
        self.requests_per_s = requests_per_s
        self._share_ns = _SECOND_NS // requests_per_s if requests_per_s else 0
        self._ahead_ns = self._share_ns * (requests_per_s - 1)
        self._counts = shared_counts() if counts is None else counts
        self._clock_ns = clock_ns

    def wait_s(self, token_id: str) -> int:
        """Count a request of a token and return 0; when it comes too soon, the whole seconds to wait, uncounted."""
        if not self._share_ns:
            return 0
        now = self._clock_ns()
        # The public part of a token is random, so it need not be hashed.
        key = int(token_id, 16)
        place = self._place_of(key, now)
        if place is None:
            return 0
        free_at = max(self._counts[place + 1], now)
        too_soon_ns = free_at - now - self._ahead_ns
        if too_soon_ns > 0:
            return math.ceil(too_soon_ns / _SECOND_NS)
        self._counts[place] = key
        self._counts[place + 1] = free_at + self._share_ns
        return 0

    def _place_of(self, key: int, now: int) -> int | None:
        """Return where a token is counted: its own place, else one whose count is back at nought, else none."""
        idle = None
        for probe in range(_PROBES):
            place = (key + probe) % SLOTS * 2
            if self._counts[place] == key:
                return place
            if idle is None and self._counts[place + 1] <= now:
                idle = place
        return idle
