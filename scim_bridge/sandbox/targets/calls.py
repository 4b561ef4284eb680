"""The record of every call that reached a simulator, in the order of arrival."""

import hashlib
import re
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

KEPT = 200_000
"""Calls that are kept; older ones are dropped, so that a demo may run for days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One arrival and what was answered; a status of None means that no answer left (yet)."""

    number: int
    arrived_s: float
    """Seconds on the simulator's monotonic clock: for spacing."""
    arrived_ms: int
    """Milliseconds since 1970 UTC."""
    method: str
    path: str
    query: str
    credential: str
    """Fingerprint of the credential that was sent; empty when there was none."""
    items: int
    """How many users or operations the call carried."""
    status: int | None = None
    fault: str | None = None
    """The scripted fault that met the call."""
    is_applied: bool = False
    """Whether the call was handed to the target's own rules (which may still have refused it)."""

    def to_json(self) -> dict[str, Any]:
        """Return the call as JSON members."""
        return asdict(self)


class CallLog:
    """Every call, readable while the simulator runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._open: dict[int, Call] = {}
        self._last = 0

    def arrive(self, call: Call) -> int:
        """Note an arrival and return its number; `call.number` is ignored."""
        with self._lock:
            self._last += 1
            self._open[self._last] = replace(call, number=self._last)
            return self._last

    def finish(self, number: int, *, status: int | None, fault: str | None = None, is_applied: bool = False) -> None:
        """Note how an arrival ended."""
        with self._lock:
            call = self._open.pop(number, None)
            if call is not None:
                self._calls.append(replace(call, status=status, fault=fault, is_applied=is_applied))

    def clear(self) -> None:
        """Forget the calls that have ended."""
        with self._lock:
            self._calls.clear()

    def calls(self, method: str | None = None, path: str | None = None, status: int | None = None) -> tuple[Call, ...]:
        """Return calls in order of arrival; `path` is a regular expression that must match the whole path.

        A call that is still under way is among them, with no status.
        """
        pattern = re.compile(path) if path is not None else None
        with self._lock:
            found = sorted((*self._calls, *self._open.values()), key=lambda call: call.number)
        return tuple(
            call
            for call in found
            if (method is None or call.method == method)
            and (pattern is None or pattern.fullmatch(call.path))
            and (status is None or call.status == status)
        )

    def count(self, method: str | None = None, path: str | None = None, status: int | None = None) -> int:
        """Return how many calls match, as in `calls`."""
        return len(self.calls(method, path, status))

    def spacing_s(self) -> tuple[float, ...]:
        """Return the seconds between each arrival and the next."""
        return tuple(after.arrived_s - before.arrived_s for before, after in pairwise(self.calls()))

    def most_within(self, per_s: float, method: str | None = None, path: str | None = None) -> int:
        """Return the largest number of arrivals in any half-open stretch of `per_s` seconds."""
        stretch: deque[float] = deque()
        most = 0
        for call in self.calls(method, path):
            stretch.append(call.arrived_s)
            while stretch[0] <= call.arrived_s - per_s:
                stretch.popleft()
            most = max(most, len(stretch))
        return most

    def __iter__(self) -> Iterator[Call]:
        return iter(self.calls())

    def __len__(self) -> int:
        with self._lock:
            return len(self._calls) + len(self._open)


def fingerprint(credential: str | None) -> str:
    """Return a short digest by which calls with the same credential are recognised; empty for none."""
    return hashlib.sha256(credential.encode()).hexdigest()[:12] if credential else ""
