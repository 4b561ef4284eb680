"""A request on its way in: what is long waits on the disk, and comes out as it was sent."""

import errno
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from scim_bridge.web import receiving
from scim_bridge.web.framing import Limits
from scim_bridge.web.receiving import IN_MEMORY_BYTES, Connection
from scim_bridge.web.refusals import RequestRefused

LIMITS = Limits(body=1 << 20, import_body=1 << 24)
BODY = bytes(range(256)) * (IN_MEMORY_BYTES // 100)
LONG = b"POST /hr/v1/imports?mode=snapshot HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
NEXT = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Connection]]:
    near, far = socket.socketpair()
    far.settimeout(5)
    with near, far:
        connection = Connection(near, ("127.0.0.1", 1), ("127.0.0.1", 80), limits=LIMITS)
        yield far, connection
        connection.forget()
        connection.sock.offer(b"")


def arrive(far: socket.socket, connection: Connection, content: bytes) -> bool:
    """Send a content in pieces; tell whether a request became whole."""
    is_whole = False
    for at in range(0, len(content), 50_000):
        far.sendall(content[at : at + 50_000])
        assert connection.receive()
        is_whole = connection.take_request() or is_whole
    return is_whole


def all_of(connection: Connection) -> bytes:
    read = bytearray()
    while not connection.sock.is_read():
        read += connection.sock.recv(8192)
        if connection.sock.weigh() == 0:
            break
    return bytes(read)


def test_a_long_request_comes_out_as_it_was_sent(ends: tuple[socket.socket, Connection]) -> None:
    far, connection = ends
    assert arrive(far, connection, LONG)
    assert connection.weigh() == len(LONG)
    assert connection.sock.request_line == LONG.partition(b"\r\n")[0]
    assert all_of(connection) == LONG


def test_the_most_of_a_long_request_is_not_in_memory(ends: tuple[socket.socket, Connection]) -> None:
    far, connection = ends
    arrive(far, connection, LONG[:-1])
    assert len(connection._received) <= IN_MEMORY_BYTES
    assert connection.weigh() == len(LONG) - 1


def test_what_follows_a_long_request_is_the_next_one(ends: tuple[socket.socket, Connection]) -> None:
    far, connection = ends
    assert arrive(far, connection, LONG + NEXT[:10])
    assert all_of(connection) == LONG
    connection.sock.offer(b"")
    assert arrive(far, connection, NEXT[10:])
    assert all_of(connection) == NEXT


def test_a_disk_without_room_refuses_the_request_with_a_sentence(
    ends: tuple[socket.socket, Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "no space")

    far, connection = ends
    monkeypatch.setattr(receiving.tempfile, "TemporaryFile", full)
    with pytest.raises(RequestRefused, match="no room") as refused:
        arrive(far, connection, LONG)
    connection.refuse(refused.value)
    assert b" 503 " in far.recv(65_536).partition(b"\r\n")[0]
    assert connection.weigh() == 0


def test_a_long_request_that_is_dropped_gives_its_room_back(ends: tuple[socket.socket, Connection]) -> None:
    far, connection = ends
    arrive(far, connection, LONG[:-1])
    connection.forget()
    assert connection.weigh() == 0
