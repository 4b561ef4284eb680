"""The threads that serve requests take calls in turn, survive what those raise, and end."""

import threading
from queue import SimpleQueue

import pytest

from scim_bridge.web.threads import Threads


def test_as_many_calls_as_there_are_threads_are_made_at_once() -> None:
    threads, all_there = Threads(3), threading.Barrier(4)
    for _ in range(3):
        threads.submit(lambda: all_there.wait(10) and None)
    all_there.wait(10)
    assert not all_there.broken
    threads.shutdown()


@pytest.mark.parametrize("fault", [RuntimeError, SystemExit])
def test_a_call_that_raises_costs_no_thread(fault: type[BaseException]) -> None:
    threads, made = Threads(1), SimpleQueue[int]()

    def fail() -> None:
        raise fault

    threads.submit(fail)
    threads.submit(lambda: made.put(1))
    assert made.get(timeout=10) == 1
    threads.shutdown()


def test_what_was_submitted_is_done_before_the_threads_end() -> None:
    before = set(threading.enumerate())
    threads, made = Threads(2), SimpleQueue[int]()
    started = set(threading.enumerate()) - before
    assert len(started) == 2
    for number in range(20):
        threads.submit(lambda number=number: made.put(number))
    threads.shutdown()
    assert {made.get(timeout=10) for _ in range(20)} == set(range(20))
    for thread in started:
        thread.join(10)
    assert not any(thread.is_alive() for thread in started)
