"""Time that passes only while somebody sleeps, and in which somebody else may work."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Sleeps:
    """Stands for time.sleep and time.monotonic; `work` is called in each sleep."""

    now_s: float = 100.0
    slept: list[float] = field(default_factory=list)
    work: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds
        self.work()

    def monotonic_s(self) -> float:
        return self.now_s

    def in_sleep(self, number: int, work: Callable[[], None]) -> None:
        """Have something done in one sleep, counted from 1."""
        self.work = lambda: work() if len(self.slept) == number else None
