"""Requests that want the same are served together; what becomes of one is no other's concern."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from scim_bridge.intake.turns import MOMENT_S, MOST_REQUESTS, Turn, Turns
from scim_bridge.store.engine import Contended, StoreUnavailable

PATIENCE_S = 20


class Counter:
    """Serves numbers with their doubles, the first only when told to, and cannot serve some."""

    def __init__(self, fails: Callable[[Sequence[int]], Exception | None] = lambda _numbers: None) -> None:
        self.now_s = 0.0
        self.turns = Turns[int, int](monotonic_s=lambda: self.now_s)
        self.served: list[list[int]] = []
        self.before: list[int] = []
        self.company: list[int] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._fails = fails

    def serve(self, turn: Turn[int, int]) -> None:
        self.company.append(turn.company())
        numbers = [place.asked for place in turn.take()]
        self.begun.set()
        assert self.go_on.wait(PATIENCE_S)
        if (error := self._fails(numbers)) is not None:
            raise error
        self.served.append(numbers)
        self.before.append(turn.before)
        for place in turn.places:
            place.tell(2 * place.asked)

    def ask(self, *numbers: int) -> dict[int, Any]:
        """Ask for the first number, then for all others while it is served; return what each was told."""
        told: dict[int, Any] = {}

        def run(number: int) -> None:
            try:
                told[number] = self.turns.ask("key", number, self.serve)
            except Exception as error:  # noqa: BLE001 - handed to the test
                told[number] = error

        threads = [threading.Thread(target=run, args=[number], daemon=True) for number in numbers]
        threads[0].start()
        assert self.begun.wait(PATIENCE_S)
        for count, thread in enumerate(threads[1:], start=1):
            thread.start()
            while len(self.turns._lines["key"].waiting) < count:
                threading.Event().wait(0.001)
        self.go_on.set()
        for thread in threads:
            thread.join(PATIENCE_S)
        return told


def test_those_who_wait_are_served_together() -> None:
    counter = Counter()
    assert counter.ask(1, 2, 3, 4) == {1: 2, 2: 4, 3: 6, 4: 8}
    assert counter.served == [[1], [2, 3, 4]]
    assert counter.turns._lines == {}


def test_no_more_than_the_most_go_together() -> None:
    counter = Counter()
    counter.ask(*range(MOST_REQUESTS + 2))
    assert [len(each) for each in counter.served] == [1, MOST_REQUESTS, 1]


def test_a_turn_knows_how_many_were_served_while_its_first_waited() -> None:
    counter = Counter()
    counter.ask(*range(MOST_REQUESTS + 2))
    counter.ask(1)
    assert counter.before == [0, 1, MOST_REQUESTS, 0]


@pytest.mark.parametrize(("later_s", "before"), [(0.0, 3), (MOMENT_S, 3), (MOMENT_S * 1.01, 0)])
def test_a_turn_knows_how_many_were_served_together_a_moment_ago(later_s: float, before: int) -> None:
    counter = Counter()
    counter.ask(1, 2, 3, 4)
    counter.now_s += later_s
    counter.ask(5)
    counter.ask(6)  # and it does not know what was before the last
    assert counter.before == [0, 1, before, 0]


def test_a_turn_sees_who_waits_before_it_takes_them() -> None:
    counter = Counter()
    counter.ask(1, 2, 3, 4)
    assert counter.company == [1, 3]


def test_what_was_served_long_ago_is_forgotten() -> None:
    counter = Counter()
    for number in range(100):
        counter.turns._remember(f"group {number}", 2)
        counter.now_s += MOMENT_S
    assert len(counter.turns._ended) <= 2


def test_who_cannot_be_served_with_others_fails_alone() -> None:
    counter = Counter(lambda numbers: ValueError("three") if 3 in numbers else None)
    told = counter.ask(1, 2, 3, 4)
    assert isinstance(told.pop(3), ValueError)
    assert told == {1: 2, 2: 4, 4: 8}
    assert counter.served == [[1], [2], [4]]


def test_a_database_that_is_away_refuses_all_who_wait_at_once() -> None:
    counter = Counter(lambda _numbers: StoreUnavailable("away"))
    told = counter.ask(1, 2, 3)
    assert [type(each) for each in told.values()] == [StoreUnavailable] * 3
    assert len({id(each) for each in told.values()}) == 3
    assert counter.turns._lines == {}


def test_who_is_in_anothers_way_is_tried_alone_and_those_behind_are_not_touched() -> None:
    tries: list[Sequence[int]] = []

    def fails(numbers: Sequence[int]) -> Exception | None:
        tries.append(numbers)
        return Contended("deadlock") if len(numbers) > 1 or numbers == [1] else None

    counter = Counter(fails)
    told = counter.ask(1, 2, 3)
    assert type(told.pop(1)) is Contended
    assert told == {2: 4, 3: 6}
    assert tries == [[1], [2, 3], [2], [3]]


def test_whoever_comes_after_a_failure_is_served() -> None:
    counter = Counter(lambda numbers: ValueError("one") if numbers == [1] else None)
    with pytest.raises(ValueError, match="one"):
        raise counter.ask(1)[1]
    assert counter.turns.ask("key", 5, counter.serve) == 10
