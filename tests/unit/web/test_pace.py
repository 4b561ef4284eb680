"""How many requests a token may make."""

import os
import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_bridge.web import pace
from scim_bridge.web.pace import Pace

SECOND = 1_000_000_000
ANN, BOB = "00000000000000aa", "00000000000000bb"


class Nanoseconds:
    """A clock that the test moves."""

    def __init__(self, now: int = 5 * SECOND) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def now() -> Nanoseconds:
    return Nanoseconds()


def test_entra_at_25_requests_in_a_second_is_never_refused(now: Nanoseconds) -> None:
    counted = Pace(100, clock_ns=now)
    for number in range(25 * 60):
        # All of a second's requests at once, as many connections send them.
        now.now = (5 + number // 25) * SECOND
        assert counted.wait_s(ANN) == 0


def test_a_steady_sender_at_the_limit_is_never_refused(now: Nanoseconds) -> None:
    counted = Pace(100, clock_ns=now)
    for _ in range(1_000):
        assert counted.wait_s(ANN) == 0
        now.now += SECOND // 100


def test_a_burst_of_as_much_as_a_second_allows_passes_at_once(now: Nanoseconds) -> None:
    counted = Pace(100, clock_ns=now)
    assert [counted.wait_s(ANN) for _ in range(101)] == [0] * 100 + [1]


def test_after_the_told_wait_a_request_passes(now: Nanoseconds) -> None:
    counted = Pace(2, clock_ns=now)
    while not (wait_s := counted.wait_s(ANN)):
        pass
    assert wait_s == 1
    now.now += wait_s * SECOND
    assert counted.wait_s(ANN) == 0


def test_refused_requests_are_not_counted(now: Nanoseconds) -> None:
    counted = Pace(10, clock_ns=now)
    refused = [counted.wait_s(ANN) for _ in range(10_000)][10:]
    assert set(refused) == {1}
    now.now += SECOND // 10
    assert counted.wait_s(ANN) == 0


@given(st.integers(1, 30), st.lists(st.integers(0, SECOND // 8), max_size=50))
def test_no_stretch_of_time_holds_more_than_it_and_a_burst_allow(per_s: int, gaps: list[int]) -> None:
    now = Nanoseconds()
    counted = Pace(per_s, clock_ns=now)
    passed = []
    for gap in gaps:
        now.now += gap
        if counted.wait_s(ANN) == 0:
            passed.append(now.now)
    for first, began in enumerate(passed):
        for last in range(first, len(passed)):
            assert last - first + 1 <= per_s + (passed[last] - began) // (SECOND // per_s)


def test_one_tokens_requests_are_not_anothers(now: Nanoseconds) -> None:
    counted = Pace(1, clock_ns=now)
    assert counted.wait_s(ANN) == 0
    assert counted.wait_s(ANN) == 1
    assert counted.wait_s(BOB) == 0


def test_tokens_that_meet_in_the_same_place_are_still_told_apart(now: Nanoseconds) -> None:
    counted = Pace(1, clock_ns=now)
    same_place = [f"{7 + number * pace.SLOTS:016x}" for number in range(8)]
    assert [counted.wait_s(each) for each in same_place] == [0] * 8
    assert [counted.wait_s(each) for each in same_place] == [1] * 8


def test_where_there_is_no_room_to_count_nobody_is_refused(now: Nanoseconds) -> None:
    counted = Pace(1, clock_ns=now)
    crowd = [f"{7 + number * pace.SLOTS:016x}" for number in range(9)]
    assert [counted.wait_s(each) for each in crowd * 2] == [0] * 9 + [1] * 8 + [0]


def test_a_place_is_given_on_once_its_token_rests(now: Nanoseconds) -> None:
    counted = Pace(1, clock_ns=now)
    tokens = [f"{7 + number * pace.SLOTS:016x}" for number in range(16)]
    assert [counted.wait_s(each) for each in tokens[:8]] == [0] * 8
    now.now += 2 * SECOND
    assert [counted.wait_s(each) for each in tokens[8:] * 2] == [0] * 8 + [1] * 8


def test_nought_allows_any_number(now: Nanoseconds) -> None:
    counted = Pace(0, clock_ns=now)
    assert {counted.wait_s(ANN) for _ in range(10_000)} == {0}


def test_thousands_of_tokens_hardly_ever_go_uncounted(now: Nanoseconds) -> None:
    seed = 7
    ids = [f"{random.Random(seed + number).getrandbits(64):016x}" for number in range(1_000)]
    counted = Pace(1, clock_ns=now)
    assert {counted.wait_s(each) for each in ids} == {0}
    assert [counted.wait_s(each) for each in ids] == [1] * 1_000


FORKED = """
import os
from scim_bridge.web.pace import Pace, shared_counts
counts = shared_counts()
for _ in range(2):
    if os.fork() == 0:
        counted = Pace(50, counts=counts, clock_ns=lambda: 5_000_000_000)
        os.write(1, b"%d " % sum(counted.wait_s("00000000000000aa") == 0 for _ in range(2_000)))
        os._exit(0)
    # One after the other: processes that do nothing but count at once would count one request instead of two.
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="gunicorn needs fork as well")
def test_processes_that_were_forked_afterwards_count_together() -> None:
    told = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=30, check=True)
    assert told.stdout.split() == ["50", "0"]
