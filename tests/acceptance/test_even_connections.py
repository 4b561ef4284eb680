"""A sender's connections go to the processes of the front door in equal parts, whoever of these dies."""

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from running.bridge import children_of
from running.knocking import Answer, Door, opened

CONNECTIONS = 24


@pytest.fixture
def door(tmp_path: Path, sqlite_template: Path) -> Iterator[Door]:
    with opened(tmp_path, database=sqlite_template, settings="workers = 2\nrequests_per_s = 0") as front_door:
        yield front_door
        while front_door.opened:
            front_door.opened.pop().close()


def serving(door: Door) -> list[int]:
    assert door.bridge.process is not None
    return children_of(door.bridge.process.pid)


def accepted(door: Door, pid: int) -> int:
    """Return how many of our connections a process has; others look at the door now and then."""
    ours = {each.getsockname()[1] for each in door.opened}
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    ends = [(port(line[1]), port(line[2]), f"socket:[{line[9]}]") for line in lines]
    theirs = {socket for here, there, socket in ends if here == door.address[1] and there in ours}
    return sum(str(each.readlink()) in theirs for each in Path(f"/proc/{pid}/fd").iterdir())


def port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def ask_all(door: Door) -> Counter[int]:
    connections = [door.connect() for _ in range(CONNECTIONS)]
    for connection in connections:
        connection.sendall(door.head("GET /healthz"))
    return Counter(Answer(connection).status for connection in connections)


def test_connections_that_stay_are_spread_evenly(door: Door) -> None:
    assert ask_all(door) == {200: CONNECTIONS}
    shares = [accepted(door, pid) for pid in serving(door)]
    assert sum(shares) == CONNECTIONS
    assert max(shares) - min(shares) <= 4


def test_every_connection_is_served_while_a_process_is_replaced(door: Door) -> None:
    killed = serving(door)[0]
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while killed in serving(door) and time.monotonic() < deadline:
        time.sleep(0.005)
    assert ask_all(door) == {200: CONNECTIONS}
