"""Connections go to the process that has the fewest."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from scim_bridge.web.spread import MOST_SILENT_MS, Spread


class Watch:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
def spread(watch: Watch) -> Iterator[Spread]:
    with closing(Spread(3, now_ms=watch)) as spread:
        yield spread


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    with ExitStack() as stack:
        near, far = socket.socketpair()
        yield stack.enter_context(near), stack.enter_context(far)


def test_who_has_more_finds_who_has_the_fewest(spread: Spread) -> None:
    for place, connections in enumerate((5, 4, 2)):
        spread.tell(place, connections)
    assert spread.lighter(0) == 2
    assert spread.lighter(1) == 2
    assert spread.lighter(2) is None


def test_who_has_as_many_keeps_what_comes(spread: Spread) -> None:
    for place in range(3):
        spread.tell(place, 4)
    assert [spread.lighter(place) for place in range(3)] == [None, None, None]


def test_a_process_that_never_began_gets_nothing(spread: Spread) -> None:
    spread.tell(0, 7)
    assert spread.lighter(0) is None


def test_a_process_that_is_silent_gets_nothing(spread: Spread, watch: Watch) -> None:
    spread.tell(1, 0)
    watch.ms += MOST_SILENT_MS
    spread.tell(0, 7)
    assert spread.lighter(0) is None


def test_a_process_that_ends_gets_nothing(spread: Spread) -> None:
    spread.tell(0, 7)
    spread.tell(1, 0)
    spread.leave(1)
    assert spread.lighter(0) is None


def test_of_several_at_once_not_all_go_to_the_same(
    spread: Spread, connection: tuple[socket.socket, socket.socket]
) -> None:
    spread.tell(0, 2)
    spread.tell(1, 0)
    taken = list[int | None]()
    for _ in range(3):
        taken.append(spread.lighter(0))
        if taken[-1] is not None:
            assert spread.pass_on(connection[0], 0, to=taken[-1], listener=0)
        spread.tell(1, 0)
    assert taken == [1, 1, None]


def test_a_connection_that_is_passed_on_arrives_open_with_its_listener(
    spread: Spread, connection: tuple[socket.socket, socket.socket]
) -> None:
    near, far = connection
    assert spread.pass_on(near, 0, to=2, listener=1)
    near.close()
    [(arrived, listener)] = spread.take(2)
    with arrived:
        assert listener == 1
        far.sendall(b"hello")
        assert arrived.recv(5) == b"hello"
    assert not list(spread.take(2))


def test_a_full_inbox_leaves_the_connection_with_its_process(
    spread: Spread, connection: tuple[socket.socket, socket.socket]
) -> None:
    passed = 0
    while spread.pass_on(connection[0], 0, to=1, listener=0):
        passed += 1
        assert passed < 100_000
    taken = [arrived for arrived, _ in spread.take(1)]
    for each in taken:
        each.close()
    assert len(taken) == passed
    connection[1].sendall(b"x")
    assert connection[0].recv(1) == b"x"


def test_a_successor_gets_the_place_of_the_one_that_ended(spread: Spread) -> None:
    assert spread.free_place([]) == 0
    assert spread.free_place([0, None, 2]) == 1
    assert spread.free_place([0, 1, 2]) is None
