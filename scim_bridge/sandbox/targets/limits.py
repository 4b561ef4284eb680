"""Call limits as strict sliding windows: at most so many admitted arrivals in any stretch of so many seconds."""

import threading
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

ALL = "all"
"""The class that every call belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One limit: `requests` admitted calls of a class in any `per_s` seconds, counted for each credential alone."""

    requests: int
    per_s: float
    applies_to: str = ALL

    def __post_init__(self) -> None:
        if self.requests < 1 or self.per_s <= 0:
            raise ValueError(f"a limit needs at least 1 request in more than 0 seconds: {self.requests}/{self.per_s:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What the limiter said of one arrival; `wait_s` is 0 when it was admitted."""

    arrived_s: float
    wait_s: float = 0.0

    @property
    def is_refused(self) -> bool:
        """Whether the call is over a limit."""
        return self.wait_s > 0


class Limiter:
    """Counts arrivals by window and credential. A refused call counts in no window."""

    def __init__(self, windows: Sequence[Window], monotonic_s: Callable[[], float]) -> None:
        self.windows = tuple(windows)
        self._monotonic_s = monotonic_s
        self._arrivals: dict[tuple[Window, str], deque[float]] = {}
        self._lock = threading.Lock()

    def admit(self, credential: str, classes: Collection[str]) -> Admission:
        """Count one arrival now, in every window that applies, or in none when any of them is full.

        The time is read under the lock, so that arrivals are judged in the order of their times.
        """
        with self._lock:
            now = self._monotonic_s()
            applying = [self._open(w, credential, now) for w in self.windows if w.applies_to in {ALL, *classes}]
            waits = [seen[0] + w.per_s - now for w, seen in applying if len(seen) >= w.requests]
            if waits:
                return Admission(arrived_s=now, wait_s=max(waits))
            for _, seen in applying:
                seen.append(now)
            return Admission(arrived_s=now)

    def forget(self) -> None:
        """Empty every window, as if nobody had called yet."""
        with self._lock:
            self._arrivals.clear()

    def _open(self, window: Window, credential: str, now: float) -> tuple[Window, deque[float]]:
        seen = self._arrivals.setdefault((window, credential), deque())
        while seen and seen[0] <= now - window.per_s:
            seen.popleft()
        return window, seen


def parse_windows(text: str) -> tuple[Window, ...]:
    """Read limits as `10/10` or `60/60,30/60:user_write` (requests/seconds[:class]); `off` means none.

    Raises ValueError with what is wrong.
    """
    if text.strip() == "off":
        return ()
    return tuple(_parse_window(part.strip()) for part in text.split(","))


def _parse_window(text: str) -> Window:
    figures, _, applies_to = text.partition(":")
    requests, _, per_s = figures.partition("/")
    try:
        return Window(requests=int(requests), per_s=float(per_s), applies_to=applies_to or ALL)
    except ValueError as exc:
        raise ValueError(f"a limit reads REQUESTS/SECONDS[:CLASS] or off, not {text!r}") from exc
