"""Lets hypothesis choose so many requests and no fewer, in shifts, with the memory watched where there are many."""

from collections.abc import Callable
from typing import Any

import hypothesis
from fuzz.options import Effort
from fuzz.watched import SHIFT, WatchedDoor, resident_bytes
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

MOST_GROWTH_BYTES = 48 * 1024 * 1024
"""A run of thousands of requests may hold so much more at its end than after its first fifth."""


class Drawn:
    """Makes requests of what a strategy gives, until there were enough."""

    def __init__(self, door: WatchedDoor, effort: Effort) -> None:
        self._door = door
        self._effort = effort

    def run(self, strategy: st.SearchStrategy[Any], make: Callable[[WatchedDoor, Any], object], *, times: int) -> None:
        """Make a request of each drawn value. What hypothesis finds to fail it makes as small as it can."""
        made = 0
        held_bytes: list[int] = []

        def once(value: Any) -> None:
            nonlocal made
            if made % SHIFT == 0 and made:
                self._door.begin_shift()
                held_bytes.append(resident_bytes())
            made += 1
            make(self._door, value)

        test = hypothesis.given(strategy)(once)
        if self._effort.seed is not None:
            test = hypothesis.seed(self._effort.seed)(test)
        hypothesis.settings(
            max_examples=times,
            deadline=None,
            database=None,
            derandomize=self._effort.seed is None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(test)()
        assert made >= times, f"{made} of {times} requests were made: the strategy has no more to give"
        settled = held_bytes[len(held_bytes) // 5 :]
        if len(settled) > 10:
            assert settled[-1] - settled[0] < MOST_GROWTH_BYTES, "memory is not flat"
