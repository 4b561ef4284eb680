"""What a simulated Trakstar's log says of how a limit was used. Pure."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from scim_bridge.sandbox.benches.delivery_stage import Limit

TOO_MANY = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One call that reached the target."""

    at_s: float
    """On the target's own monotonic clock."""
    at_ms: int
    """Since 1970 UTC, to compare with what happened elsewhere."""
    method: str
    path: str
    status: int | None

    @classmethod
    def of(cls, call: Mapping[str, Any]) -> Self:
        """Return the arrival that a line of the log tells of."""
        return cls(
            at_s=call["arrived_s"],
            at_ms=call["arrived_ms"],
            method=call["method"],
            path=call["path"],
            status=call["status"],
        )

    @property
    def is_create(self) -> bool:
        """Whether it carries new users (or, where the target updates by it, known ones)."""
        return self.method == "POST" and self.path.endswith("/user")

    @property
    def is_archive(self) -> bool:
        """Whether it ends somebody's access."""
        return self.method == "POST" and self.path.endswith("/archive")


def read(calls: Iterable[Mapping[str, Any]]) -> list[Arrival]:
    """Return the arrivals of a log, in its order."""
    return [Arrival.of(call) for call in calls]


def least_s(calls: int, limit: Limit) -> float:
    """Return the shortest time in which a target with a strict sliding window takes so many calls."""
    return limit.per_s * max(0, math.ceil(calls / limit.requests) - 1)


def span_s(arrivals: Sequence[Arrival]) -> float:
    """Return the seconds from the first to the last arrival."""
    return arrivals[-1].at_s - arrivals[0].at_s if arrivals else 0.0


def turn_s(arrivals: Sequence[Arrival], limit: Limit) -> float | None:
    """Return the median time after which a place in the window is used again; None while none ever was."""
    turns = _turns_s(arrivals, limit)
    return statistics.median(turns) if turns else None


def calls_a_window(arrivals: Sequence[Arrival], limit: Limit) -> float:
    """Return how many calls a window held on average, wherever it is laid; all while no place was used again."""
    turns = _turns_s(arrivals, limit)
    return limit.requests * limit.per_s / statistics.fmean(turns) if turns else float(len(arrivals))


def refused(arrivals: Iterable[Arrival]) -> int:
    """Return how many calls were answered 429."""
    return sum(arrival.status == TOO_MANY for arrival in arrivals)


def _turns_s(arrivals: Sequence[Arrival], limit: Limit) -> list[float]:
    return [later.at_s - sooner.at_s for sooner, later in zip(arrivals, arrivals[limit.requests :], strict=False)]
