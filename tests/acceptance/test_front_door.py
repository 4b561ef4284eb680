"""Slow, silent and broken senders do not keep others waiting, and what gunicorn itself refuses is answered as SCIM.

A sender's connections go to the processes of the front door in equal parts, whoever of these dies.
"""

import http.client
import json
import os
import select
import signal
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

import pytest
from running.bridge import children_of, command_line, user
from running.knocking import Answer, Door, opened

RECEIVE_TIMEOUT_S = 2
MAX_CONNECTIONS = 260
SETTINGS = f"""
workers = 2
receive_timeout_s = {RECEIVE_TIMEOUT_S}
max_connections = {MAX_CONNECTIONS}
receive_buffer_bytes = 24000000
import_max_bytes = 5000000
requests_per_s = 0
"""

CONNECTIONS = 24

SCIM_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
ACCEPTABLE_S = 0.2
GRACEFUL_TIMEOUT_S = 12


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("door"), database=sqlite_template, settings=SETTINGS) as front_door:
        yield front_door


@pytest.fixture(autouse=True)
def _hang_up(door: Door) -> Iterator[None]:
    yield
    while door.opened:
        door.opened.pop().close()


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


class SlowSenders:
    """Half of them drip their headers, half their bodies; who is turned away comes again at once."""

    def __init__(self, door: Door, number: int) -> None:
        self.turned_away = list[Answer]()
        self._door = door
        self._openings = (door.head("GET /scim/v2/Users")[:-2] + b"X-Slow: ", door.post(user("never"))[:-60])
        self._connections = [self._begin(turn) for turn in range(number)]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._drip, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _begin(self, turn: int) -> socket.socket:
        connection = self._door.connect()
        connection.sendall(self._openings[turn % 2])
        return connection

    def _drip(self) -> None:
        while not self._ended.wait(0.5):
            for turn, connection in enumerate(self._connections):
                if select.select([connection], [], [], 0)[0]:
                    self.turned_away.append(Answer(connection))
                    connection.close()
                    self._connections[turn] = self._begin(turn)
                else:
                    connection.sendall(b"x")


def times(door: Door, *, for_s: float) -> list[float]:
    """Return the seconds that requests took, on a connection that stays and on new ones."""
    took, deadline = list[float](), time.monotonic() + for_s
    with closing(http.client.HTTPConnection(*door.address, timeout=30)) as staying:
        while time.monotonic() < deadline:
            took.append(door.time_one(staying, "/scim/v2/Users?count=1"))
            with closing(http.client.HTTPConnection(*door.address, timeout=30)) as fresh:
                took.append(door.time_one(fresh, "/healthz"))
    return sorted(took)


def test_two_hundred_slow_senders_keep_nobody_waiting(door: Door) -> None:
    undisturbed = times(door, for_s=0.7)
    with SlowSenders(door, 200) as senders:
        took = times(door, for_s=RECEIVE_TIMEOUT_S + 1)
    # On a busy machine the undisturbed ones are slow too.
    assert took[len(took) * 99 // 100] < max(ACCEPTABLE_S, 3 * undisturbed[len(undisturbed) * 99 // 100])
    assert {answer.status for answer in senders.turned_away} == {408}
    for answer in senders.turned_away:
        assert_is_scim_error(answer)
        assert answer.headers["connection"] == "close"
    assert not door.is_known("never")


def test_idle_connections_hold_no_thread(door: Door) -> None:
    idle = [door.connect() for _ in range(200)]
    for connection in idle:
        connection.sendall(door.head("GET /healthz"))
    assert {Answer(connection).headers["connection"] for connection in idle} == {"keep-alive"}
    assert times(door, for_s=0.5)
    for connection in idle[::20]:
        connection.sendall(door.head("GET /healthz"))
        assert Answer(connection).status == 200


def test_the_oldest_idle_connection_gives_way_to_a_new_one(door: Door) -> None:
    idle = [door.connect() for _ in range(2 * MAX_CONNECTIONS + 100)]
    assert door.bridge.request("GET", "/Users?count=0", door.token)[0] == 200
    # Each process ends its own oldest, and who was passed on to the other counts as younger there.
    older, youngest = idle[:-100], idle[-100:]
    deadline = time.monotonic() + 10
    while len(ended := select.select(older, [], [], 0.1)[0]) < 100:
        assert time.monotonic() < deadline
    assert {connection.recv(1) for connection in ended} == {b""}
    assert not select.select(youngest, [], [], 0)[0]


def test_who_does_not_read_keeps_nobody_waiting(door: Door) -> None:
    """Each asks for more than the buffers of its connection hold."""
    status, created = door.bridge.request("POST", "/Users", door.token, user("long", title="x" * 900_000))
    assert status == 201
    deaf = [door.connect(buffer_bytes=4096) for _ in range(20)]
    for connection in deaf:
        connection.sendall(door.head(f"GET /scim/v2/Users/{created['id']}") * 10)
    deadline = time.monotonic() + 10
    while statistics.median(times(door, for_s=0.2)) > ACCEPTABLE_S:  # while their buffers fill, it has much to do
        assert time.monotonic() < deadline
    received = bytearray()
    assert {(answer := Answer(deaf[0], received)).status for _ in range(10)} == {200}
    assert json.loads(answer.body)["title"] == created["title"]


def test_the_longest_requests_give_way_when_too_much_is_held(door: Door) -> None:
    half = door.head("POST /scim/v2/Bulk", "Content-Length: 5000000") + b"x" * 4_500_000
    senders = [door.connect() for _ in range(14)]
    for connection in senders:
        with suppress(ConnectionError):  # refused while it sends
            connection.sendall(half)
    assert door.bridge.request("GET", "/Users?count=0", door.token)[0] == 200
    refused = [Answer(connection) for connection in senders if select.select([connection], [], [], 0)[0]]
    assert refused
    for answer in refused:
        assert answer.status == 503
        assert answer.headers["retry-after"] == "2"
        assert_is_scim_error(answer)


def test_pipelined_requests_are_answered_in_their_order(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(
            door.head("GET /scim/v2/Users/nobody")
            + door.post(user("piped"))
            + b"\r\n"  # some clients end a body so
            + door.head("GET /healthz")
            + door.head("GET /scim/v2/Users?count=0", "Connection: close")
        )
        received = bytearray()
        answers = [Answer(connection, received) for _ in range(4)]
        assert [answer.status for answer in answers] == [404, 201, 200, 200]
        assert [answer.headers["connection"] for answer in answers] == ["keep-alive"] * 3 + ["close"]
        assert connection.recv(1) == b""


@pytest.mark.parametrize("at_once", [1, 2])
def test_whoever_goes_on_at_once_is_answered_at_once(door: Door, at_once: int) -> None:
    """The next request may come before the thread that answered the last one is done with it; nobody else is there."""
    request, took = door.head("GET /healthz"), list[float]()
    with door.connect() as connection:
        # Else the second piece waits until the first one's arrival is confirmed.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received, deadline = bytearray(), time.monotonic() + 1
        while time.monotonic() < deadline:
            began = time.monotonic()
            connection.sendall(request * (at_once - 1) + request[:7])
            connection.sendall(request[7:])
            assert {Answer(connection, received).status for _ in range(at_once)} == {200}
            took.append(time.monotonic() - began)
    # The loop of a process turns by itself once a second: whoever is forgotten waits for that, or for good.
    assert max(took) < 0.8
    assert len(took) > 50


def test_a_sender_that_expects_a_sign_gets_one(door: Door) -> None:
    """Paylocity sends Expect: 100-continue with Connection: close."""
    request = door.post(user("asked"), "Expect: 100-continue", "Connection: close")
    head, body = request.split(b"\r\n\r\n")
    with door.connect() as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert Answer(connection).status == 100
        connection.sendall(body)
        answer = Answer(connection)
        assert (answer.status, answer.headers["connection"]) == (201, "close")


def test_a_sender_that_expects_a_sign_before_too_long_a_body_is_refused_at_once(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(door.head("POST /scim/v2/Users", "Expect: 100-continue", "Content-Length: 99999999"))
        answer = Answer(connection)
        assert answer.status == 413
        assert_is_scim_error(answer)


@pytest.mark.parametrize("whole_close", [True, False])
def test_a_sender_that_leaves_in_the_middle_of_a_body_leaves_nothing(door: Door, *, whole_close: bool) -> None:
    name = f"gone{whole_close}".lower()
    with door.connect() as connection:
        connection.sendall(door.post(user(name))[:-2])
        if not whole_close:
            connection.shutdown(socket.SHUT_WR)
            answer = Answer(connection)
            assert answer.status == 400
            assert_is_scim_error(answer)
    assert not door.is_known(name)


def test_every_connection_is_served_while_a_process_is_replaced(door: Door) -> None:
    killed = serving(door)[0]
    os.kill(killed, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while killed in serving(door) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert ask_all(door) == {200: CONNECTIONS}
    while len(serving(door)) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)


REFUSED = (
    ("GET /scim/v2/Users?filter=" + "x" * 140_000, (), 414),
    ("GET /scim/v2/Users", ("X-Long: " + "x" * 9_000,), 431),
    ("GET /scim/v2/Users", ("X-Long: " + "x" * 70_000,), 431),
    ("GET /scim/v2/Users", ("X-Many: x",) * 110, 431),
    ("GET /scim/v2/Users", ("no colon",), 400),
    ("GET /scim/v2/Users", ("Content-Length: 1", "Content-Length: 2"), 400),
    ("GET /scim/v2/Us ers", (), 400),
    ("GET /scim/v2/Users\xe9", (), 400),
    ("POST /scim/v2/Users", ("Expect: a miracle", "Content-Length: 1"), 417),
    ("POST /scim/v2/Users", ("Transfer-Encoding: strange, chunked",), 501),
    ("POST /scim/v2/Users", ("Content-Length: 99999999999",), 413),
)


@pytest.mark.parametrize(("start", "lines", "status"), REFUSED)
def test_what_gunicorn_refuses_is_refused_as_the_door_speaks(
    door: Door, start: str, lines: tuple[str, ...], status: int
) -> None:
    for path, check in (("/scim/v2/", assert_is_scim_error), ("/elsewhere/", assert_is_json_error)):
        with door.connect() as connection:
            connection.sendall(door.head(start.replace("/scim/v2/", path), *lines))
            answer = Answer(connection)
            assert answer.status == status
            assert answer.headers["connection"] == "close"
            check(answer)


def test_a_body_in_chunks_that_are_none_is_refused(door: Door) -> None:
    with door.connect() as connection:
        connection.sendall(door.head("POST /scim/v2/Users", "Transfer-Encoding: chunked") + b'5\r\n{"use\r\nZZ\r\n')
        answer = Answer(connection)
        assert answer.status == 400
        assert_is_scim_error(answer)


def test_the_longest_filter_fits_in_the_address(door: Door) -> None:
    status, found = door.find("\N{GRINNING FACE}" * 7_900)
    assert (status, found["totalResults"]) == (200, 0)


def test_a_stop_finishes_what_runs(door: Door) -> None:
    """The last test: it ends the front door, under 200 idle connections and a request that takes a while."""
    create = {"method": "POST", "path": "/Users"}
    operations = [{**create, "bulkId": str(n), "data": user(f"bulk{n}")} for n in range(20)]
    bulk = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
    for _ in range(200):
        door.connect()
    connection = door.connect()
    connection.sendall(door.post(bulk, path="/scim/v2/Bulk"))
    time.sleep(0.1)
    master = door.bridge.process
    assert master is not None
    pids = serving(door)
    assert len(pids) == 2
    began = time.monotonic()
    master.send_signal(signal.SIGTERM)
    answer = Answer(connection)
    assert answer.status == 200
    assert [each["status"] for each in json.loads(answer.body)["Operations"]] == ["201"] * 20
    assert master.wait(30) == 0
    assert time.monotonic() - began < GRACEFUL_TIMEOUT_S
    assert not [pid for pid in pids if command_line(pid)]


def assert_is_scim_error(answer: Answer) -> None:
    error = json.loads(answer.body)
    assert answer.headers["content-type"].startswith("application/scim+json")
    assert (error["schemas"], error["status"]) == ([SCIM_ERROR], str(answer.status))
    assert error["detail"]


def assert_is_json_error(answer: Answer) -> None:
    error = json.loads(answer.body)
    assert answer.headers["content-type"] == "application/json"
    assert error["status"] == answer.status
    assert error["detail"]
