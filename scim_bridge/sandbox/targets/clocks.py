"""The two clocks of a simulator: one that counts seconds for limits, one that dates what is stored."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from scim_bridge.domain.instants import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Both clocks, passed in together so that a test can own them."""

    epoch_ms: Clock
    """Milliseconds since 1970 UTC: dates of what is stored."""
    monotonic_s: Callable[[], float]
    """Seconds that never jump: limits and spacing of arrivals."""


def system_clocks() -> Clocks:
    """Return the clocks of this machine."""
    return Clocks(epoch_ms=lambda: time.time_ns() // 1_000_000, monotonic_s=time.monotonic)


class ManualClocks:
    """Clocks that stand still until they are told to advance; `clocks` is what a simulator takes."""

    def __init__(self, epoch_ms: int = 1_700_000_000_000) -> None:
        self._lock = threading.Lock()
        self._started_ms = epoch_ms
        self._elapsed_s = 0.0
        self.clocks = Clocks(epoch_ms=self.epoch_ms, monotonic_s=self.monotonic_s)

    def advance(self, seconds: float) -> None:
        """Let both clocks go forward; raises ValueError for a negative step, because time does not go back."""
        if seconds < 0:
            raise ValueError("a clock only goes forward")
        with self._lock:
            self._elapsed_s += seconds

    def epoch_ms(self) -> int:
        """Return milliseconds since 1970 UTC."""
        with self._lock:
            return self._started_ms + round(self._elapsed_s * 1000)

    def monotonic_s(self) -> float:
        """Return seconds since this object was made."""
        with self._lock:
            return self._elapsed_s
