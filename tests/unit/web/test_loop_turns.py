"""In one turn of the front door's loop, one connection's event may bring another further whose event comes later."""

import os
import selectors
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from scim_bridge.settings.models import WebSettings
from scim_bridge.web.front_door import FrontDoor
from scim_bridge.web.receiving import Connection, Stage

GET = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
LONG = b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n"
MUCH = b"x" * 8_000_000


class Calls(list[Any]):
    """Threads that do what was submitted when the test says so."""

    def submit(self, call: Any) -> None:
        self.append(call)


class Loop:
    """A front door with real sockets, whose loop turns when the test says so."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        config = Config()
        self.door = FrontDoor(1, os.getppid(), [self.listener], None, 30, config, Logger(config))
        self.door.prepare(WebSettings())
        self.door.poller = selectors.DefaultSelector()
        self.door.tpool = self.calls = Calls()
        self.door.method_queue.init()
        self.door.wsgi = self.answer
        self.asked: list[str] = []

    def answer(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        self.asked.append(environ["PATH_INFO"])
        body = MUCH if environ["PATH_INFO"] == "/long" else b"done"
        start("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    def connect(self) -> tuple[socket.socket, Connection]:
        known = set(self.door.connections)
        far = socket.create_connection(self.listener.getsockname(), timeout=5)
        self.door.accept(self.listener)
        (near,) = self.door.connections - known
        return far, near

    def ask(self, *requests: tuple[socket.socket, bytes]) -> None:
        """Send requests, and have all of them served; the loop has not heard of that yet."""
        for far, request in requests:
            far.sendall(request)
        while len(self.asked) < len(requests):
            self.turn()
            self.serve()

    def serve(self) -> None:
        """Let the threads do all that they have been handed."""
        while self.calls:
            self.calls.pop(0)()

    def turn(self, *, first: Connection | None = None) -> None:
        """Turn once, and begin with one of the events."""
        events = [key for key, _ in self.door.poller.select(5)]
        assert events
        for key in sorted(events, key=lambda key: first is None or key.fileobj is not first.socket):
            key.data(key.fileobj)

    def close(self) -> None:
        for connection in list(self.door.connections):
            connection.socket.close()
        self.door.poller.close()
        self.door.method_queue.close()
        self.door.tmp.close()
        self.listener.close()


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


def test_no_request_is_taken_behind_the_last_answer(loop: Loop) -> None:
    """The sender was told that the connection ends; what it has sent meanwhile must not be done unheard."""
    (far, near), (other_far, other) = loop.connect(), loop.connect()
    with far, other_far:
        loop.ask((far, LAST), (other_far, GET))
        far.sendall(GET)
        other_far.sendall(GET)
        loop.turn(first=other)
        loop.serve()
        assert loop.asked.count("/last") == 1
        assert loop.asked.count("/next") == 2
        assert near.stage in {Stage.CLOSING, Stage.CLOSED}


def test_whoever_has_sent_all_still_gets_all_of_a_long_answer(loop: Loop) -> None:
    (far, near), (other_far, other) = loop.connect(), loop.connect()
    with far, other_far:
        loop.ask((far, LONG), (other_far, GET))
        far.shutdown(socket.SHUT_WR)
        other_far.sendall(GET)
        loop.turn(first=other)
        assert near.stage is Stage.ANSWERING
        loop.serve()
        received = 0
        far.settimeout(0.05)
        while received < len(MUCH):
            try:
                received += len(far.recv(1 << 20))
            except TimeoutError:
                loop.turn()
        assert received >= len(MUCH)
