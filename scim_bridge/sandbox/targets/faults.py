"""Faults as data: what goes wrong with the next calls, before or after the target applied them."""

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, Self, get_args

When = Literal["before", "after"]
Answer = Literal["status", "reset", "hang", "html", "empty", "cut", "drop", "drip", "real"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One scripted fault.

    `before` means that the call was not applied, `after` that it was. The answers: `status` an error of that status in
    the target's own form, or `body`; `reset` the connection closed without an answer; `hang` silence for `hang_s`, then
    the real answer (after) or a closed connection (before); `html` and `empty` a 200 with a page or with nothing; `cut`
    a 200 whose JSON stops half-way; `drop` the connection closed half-way through the body; `drip` the real answer a
    byte at a time, over `hang_s` seconds in all; `real` the real answer to what was applied, which with `apply` is a
    success that does not account for everybody.
    """

    answer: Answer = "status"
    when: When = "before"
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    hang_s: float = 0.0
    """Seconds of silence before any answer; for `drip`, what the body takes."""
    apply_late_s: float = 0.0
    """Seconds that pass before the call is applied: the caller may have given up by then."""
    apply: int | None = None
    """Apply only the first so many users or operations of the call; implies `after`."""
    times: int | None = 1
    """How many matching calls it meets; None: until cleared."""
    skip: int = 0
    """How many matching calls pass unharmed first."""
    method: str | None = None
    path: str | None = None
    """Regular expression that must match the whole path."""

    def __post_init__(self) -> None:
        if self.answer not in get_args(Answer) or self.when not in get_args(When):
            raise ValueError(f"answer is one of {get_args(Answer)}, when one of {get_args(When)}")
        if not 200 <= self.status <= 599:
            raise ValueError(f"status must be from 200 to 599, not {self.status}")
        if self.hang_s < 0 or self.apply_late_s < 0 or self.skip < 0:
            raise ValueError("hang_s, apply_late_s and skip cannot be negative")
        if (self.times is not None and self.times < 1) or (self.apply is not None and self.apply < 0):
            raise ValueError("times is at least 1, apply at least 0")
        if self.path is not None:
            try:
                re.compile(self.path)
            except re.error as exc:
                raise ValueError(f"path is no regular expression: {exc}") from exc

    @property
    def is_applied(self) -> bool:
        """Whether the call reaches the target's rules."""
        return self.when == "after" or self.apply is not None or self.answer in {"drip", "real"}

    @property
    def label(self) -> str:
        """What the call log says."""
        kind = f"status {self.status}" if self.answer == "status" else self.answer
        return f"{kind} {'after' if self.is_applied else 'before'} apply"

    def meets(self, method: str, path: str) -> bool:
        """Say whether a call is one that this fault is for."""
        return (self.method is None or self.method.upper() == method) and (
            self.path is None or re.fullmatch(self.path, path) is not None
        )

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Read a fault from JSON members named as the fields; raises ValueError for unknown or wrong ones."""
        unknown = set(members) - {each.name for each in fields(cls)}
        if unknown:
            raise ValueError(f"a fault has no {', '.join(sorted(unknown))}")
        try:
            return cls(**members)
        except TypeError as exc:
            raise ValueError(f"a member of the fault has the wrong type: {exc}") from exc


class Faults:
    """The script of a running simulator: faults in the order given, each used up by the calls that it meets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[Fault] = []
        self._latency_s = (0.0, 0.0)

    def add(self, *faults: Fault) -> None:
        """Append faults to the script."""
        with self._lock:
            self._queue.extend(faults)

    def clear(self) -> None:
        """Forget the script and the latency."""
        with self._lock:
            self._queue.clear()
            self._latency_s = (0.0, 0.0)

    @property
    def pending(self) -> tuple[Fault, ...]:
        """What is still to come."""
        with self._lock:
            return tuple(self._queue)

    @property
    def latency_s(self) -> tuple[float, float]:
        """The least and the most seconds that each call takes."""
        with self._lock:
            return self._latency_s

    @latency_s.setter
    def latency_s(self, span: tuple[float, float]) -> None:
        least, most = span
        if not 0 <= least <= most:
            raise ValueError("latency is a range of seconds, least first, none negative")
        with self._lock:
            self._latency_s = (float(least), float(most))

    def take(self, method: str, path: str) -> Fault | None:
        """Return the first fault that meets this call, and use it up by one; None when the call is spared."""
        with self._lock:
            for place, fault in enumerate(self._queue):
                if not fault.meets(method, path):
                    continue
                if fault.skip:
                    self._queue[place] = replace(fault, skip=fault.skip - 1)
                    return None
                if fault.times == 1:
                    del self._queue[place]
                elif fault.times is not None:
                    self._queue[place] = replace(fault, times=fault.times - 1)
                return fault
        return None
