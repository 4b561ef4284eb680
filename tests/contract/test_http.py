"""The way out against servers that misbehave on purpose, over real sockets."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from workers.http import ForbiddenDestination, HttpClient
from workers.targets.port import AnswerLost, CallFailed, Unreachable

SECRET = "key-that-nobody-may-see"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Script = Callable[[socket.socket], None]


class Server:
    """Accepts connections and lets a script answer each request; counts both."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.requests: list[bytes] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            while request := _whole_request(connection):
                self.requests.append(request)
                self._script(connection)

    def close(self) -> None:
        self._listener.close()
        for connection in self._open:
            connection.close()


def _whole_request(connection: socket.socket) -> bytes:
    """Read one request, head and body, however many pieces it comes in."""
    received = b""
    while True:
        head, ended, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: *(\d+)", head)
        if ended and len(body) >= (int(length.group(1)) if length else 0):
            return received
        piece = connection.recv(65_536)
        if not piece:
            return received
        received += piece


@contextmanager
def served(script: Script, **options: int) -> Iterator[tuple[Server, HttpClient]]:
    server = Server(script)
    client = HttpClient((server.url,), headers={"X-Key": SECRET}, **options)
    try:
        yield server, client
    finally:
        client.close()
        server.close()


def reset(connection: socket.socket) -> None:
    # A linger of nothing makes the close a reset.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def then_close(answer: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.close()

    return script


def drip(head: bytes) -> Script:
    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(100):
            connection.sendall(b" ")
            time.sleep(0.02)

    return script


def test_an_answer_of_any_status_is_returned() -> None:
    answer = b"HTTP/1.1 418 Teapot\r\nContent-Length: 3\r\nRetry-After: 7\r\n\r\nno!"
    with served(lambda c: c.sendall(answer)) as (server, client):
        response = client.send("POST", f"{server.url}/user", body=b"{}", deadline_s=5)
    assert (response.status, response.body, response.headers["retry-after"]) == (418, b"no!", "7")
    assert SECRET.encode() in server.requests[0]


def test_connections_are_kept() -> None:
    with served(lambda c: c.sendall(OK)) as (server, client):
        for _ in range(3):
            client.send("GET", f"{server.url}/", deadline_s=5)
    assert (server.connections, len(server.requests)) == (1, 3)


def test_a_redirect_is_returned_and_not_followed() -> None:
    with served(lambda c: c.sendall(OK)) as (elsewhere, _):
        moved = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n".encode()
        with served(lambda c: c.sendall(moved)) as (server, client):
            assert client.send("GET", f"{server.url}/", deadline_s=5).status == 302
        assert elsewhere.requests == []


def test_a_cookie_is_not_kept() -> None:
    with served(lambda c: c.sendall(OK.replace(b"OK\r\n", b"OK\r\nSet-Cookie: a=b\r\n"))) as (server, client):
        for _ in range(2):
            client.send("GET", f"{server.url}/", deadline_s=5)
    assert b"Cookie" not in server.requests[1]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/user",  # another port
        "https://127.0.0.1/user",
        "http://example.com/user",
        "http://user:password@127.0.0.1/",
        "file:///etc/passwd",
        "/user",
        "",
    ],
)
def test_only_configured_addresses_are_called(url: str) -> None:
    with served(lambda c: c.sendall(OK)) as (server, client):
        with pytest.raises(ForbiddenDestination):
            client.send("GET", url, deadline_s=5)
        with pytest.raises(ForbiddenDestination):
            client.send("GET", f"{server.url}@example.com/", deadline_s=5)
    assert server.connections == 0


@pytest.mark.parametrize("base", ["ftp://x", "example.com", "", "https://user:password@example.com"])
def test_a_base_that_is_no_plain_address_is_refused(base: str) -> None:
    with pytest.raises(ValueError, match="http"):
        HttpClient((base,), headers={})


def test_nobody_listening_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = HttpClient((url,), headers={})
    with pytest.raises(Unreachable):
        client.send("POST", f"{url}/user", body=b"{}", deadline_s=5)


def test_a_name_that_cannot_be_looked_up_is_unreachable() -> None:
    # A label of more than 63 characters fails before any name server is asked.
    url = f"http://{'x' * 64}.invalid"
    client = HttpClient((url,), headers={})
    with pytest.raises(Unreachable):
        client.send("GET", f"{url}/", deadline_s=5)


def test_a_failed_tls_handshake_is_unreachable_because_nothing_was_sent() -> None:
    with served(lambda c: c.sendall(b"this is no TLS")) as (server, _):
        url = server.url.replace("http://", "https://")
        client = HttpClient((url,), headers={"X-Key": SECRET})
        with pytest.raises(Unreachable):
            client.send("POST", f"{url}/user", body=b"{}", deadline_s=5)
        client.close()
    assert not any(SECRET.encode() in each for each in server.requests)
    assert ssl.HAS_TLSv1_3


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

LOSSES: dict[str, Script] = {
    "reset": reset,
    "closed without a word": lambda connection: connection.close(),
    "silence": lambda _: time.sleep(2),
    "cut body": then_close(HEAD + b"{"),
    "cut head before any header": then_close(b"HTTP/1.1 200 OK\r\n"),
    "cut head": then_close(b"HTTP/1.1 200 OK\r\nConte"),
    "no HTTP": then_close(b"garbage\r\n\r\n"),
    "slow body": drip(HEAD),
    "slow head": drip(b"HTTP/1.1 200 OK\r\nX-Slow:"),
    "slow body until close": drip(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"),
    "slow chunks": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n"),
    "broken gzip": lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_whatever_happens_after_sending_is_a_lost_answer_within_the_deadline(loss: str) -> None:
    with served(LOSSES[loss]) as (server, client):
        started = time.monotonic()
        with pytest.raises(AnswerLost):
            client.send("POST", f"{server.url}/user", body=b"{}", deadline_s=0.4)
        # Nothing here ends by itself within 2 s; a machine that is shared may stand still for a while.
        assert time.monotonic() - started < 1.8
    assert len(server.requests) == 1  # never sent twice


def test_a_kept_connection_that_the_server_closed_meanwhile_is_replaced() -> None:
    def once(connection: socket.socket) -> None:
        connection.sendall(OK)
        connection.close()

    with served(once) as (server, client):
        client.send("GET", f"{server.url}/", deadline_s=5)
        time.sleep(0.05)
        assert client.send("POST", f"{server.url}/user", body=b"{}", deadline_s=5).status == 200
    assert server.connections == 2


def test_a_body_without_end_is_given_up() -> None:
    flood = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 300_000
    with (
        served(then_close(flood), max_body_bytes=100_000) as (server, client),
        pytest.raises(AnswerLost, match="larger than 100000 bytes"),
    ):
        client.send("GET", f"{server.url}/", deadline_s=5)


def test_a_call_after_one_that_ran_out_of_time_is_not_touched_by_it() -> None:
    slow = [True]

    def script(connection: socket.socket) -> None:
        if slow.pop() if slow else False:
            time.sleep(0.5)
        with suppress(OSError):
            connection.sendall(OK)

    with served(script) as (server, client):
        with pytest.raises(AnswerLost):
            client.send("GET", f"{server.url}/", deadline_s=0.1)
        assert client.send("GET", f"{server.url}/", deadline_s=5).status == 200


@pytest.mark.parametrize("loss", ["reset", "cut body", "cut head", "slow head"])
def test_no_error_or_log_tells_header_query_or_body(loss: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with served(LOSSES[loss]) as (server, client), pytest.raises(CallFailed) as caught:
        client.send(
            "POST", f"{server.url}/user", query={"email": "ann@x.example"}, body=b"ann@x.example", deadline_s=0.3
        )
    told = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r} {client!r} {caplog.text}"
    assert "ann" not in told
    assert SECRET not in told


def test_threads_do_not_share_connections() -> None:
    gate = threading.Barrier(3, timeout=5)

    def script(connection: socket.socket) -> None:
        gate.wait()
        connection.sendall(OK)

    with served(script) as (server, client):
        threads = [
            threading.Thread(target=client.send, args=("GET", f"{server.url}/"), kwargs={"deadline_s": 5})
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert server.connections == 3
