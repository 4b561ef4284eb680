"""Lets hypothesis choose so many requests and no fewer, in shifts, with the memory watched where there are many."""

import gc
from collections.abc import Callable
from typing import Any

import hypothesis
from fuzz.options import Effort
from fuzz.watched import SHIFT, WatchedDoor, resident_bytes
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

RUN = 600
"""So many requests hypothesis chooses in one run: it remembers all of a run, which would look like memory of ours."""

MOST_GROWTH_BYTES = 32 * 1024 * 1024
"""Thousands of requests may leave so much more behind than the first runs did, which fill what is kept on purpose."""

WARM_RUNS = 3


class Drawn:
    """Makes requests of what a strategy gives, until there were enough."""

    def __init__(self, door: WatchedDoor, effort: Effort) -> None:
        self._door = door
        self._effort = effort
        self._made = 0

    def run(self, strategy: st.SearchStrategy[Any], make: Callable[[WatchedDoor, Any], object], *, times: int) -> None:
        """Make a request of each drawn value. What hypothesis finds to fail it makes as small as it can."""
        runs = [RUN] * (times // RUN) + ([times % RUN] if times % RUN else [])
        held_bytes: list[int] = []
        for number, examples in enumerate(runs):
            self._one_run(strategy, make, examples=examples, seed=(self._effort.seed or 0) + number)
            gc.collect()
            held_bytes.append(resident_bytes())
        assert self._made >= times, f"{self._made} of {times} requests were made: the strategy has no more to give"
        grown_bytes = [held - held_bytes[WARM_RUNS] for held in held_bytes[WARM_RUNS:]]
        assert not grown_bytes or grown_bytes[-1] < MOST_GROWTH_BYTES, f"memory is not flat: {grown_bytes}"

    def _one_run(
        self,
        strategy: st.SearchStrategy[Any],
        make: Callable[[WatchedDoor, Any], object],
        *,
        examples: int,
        seed: int,
    ) -> None:
        def once(value: Any) -> None:
            if self._made and self._made % SHIFT == 0:
                self._door.begin_shift()
            self._made += 1
            make(self._door, value)

        test = hypothesis.seed(seed)(hypothesis.given(strategy)(once))
        hypothesis.settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )(test)()
