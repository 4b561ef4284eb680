"""A receiver of notices on this machine: verifies each, keeps what is new, and misbehaves when it is told to."""

import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

from scim_bridge.sandbox.receivers.verifying import NotGenuine, verify

PATH = "/notices"
MOST_BYTES = 65_536
HANG_S = 30.0

Mood = int | Literal["hang", "drip", "redirect", "cut", "lose"]
"""What it does with a request: answers this status, hangs, drips its answer, sends elsewhere, hangs up, or takes it and
then hangs up."""


class Receiver:
    """A receiver, to be used as a context manager. Raises ValueError for any but a loopback address.

    `moods` are taken one a request, in order; then it is well again. `on_notice` is called with each new one.
    """

    def __init__(
        self,
        secret: str,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        on_notice: Callable[[dict[str, Any]], None] | None = None,
        now_s: Callable[[], float] | None = None,
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"a receiver serves loopback addresses only, not {host}")
        self._secret = secret
        self._on_notice = on_notice
        self._now_s = now_s
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.moods: list[Mood] = []
        self.notices: list[dict[str, Any]] = []
        """What was taken, each once."""
        self.duplicates = 0
        self.refused = 0
        """Requests that were not genuine."""
        self.paths: list[str] = []
        self._server = ThreadingHTTPServer((host, port), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where it takes notices."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}{PATH}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, headers: Any, path: str, body: bytes, connection: socket.socket) -> tuple[int, dict[str, str]]:
        """Return status and headers of the answer to a request; status 0: none."""
        with self._lock:
            self.paths.append(path)
            mood = self.moods.pop(0) if self.moods else 200
        if mood == "redirect":
            return 307, {"Location": self.url.replace(PATH, "/elsewhere")}
        if mood in ("hang", "drip"):
            self._dawdle(connection, drips=mood == "drip")
        if mood == "lose":
            self._take(headers, body, 200)
        if not isinstance(mood, int):
            return 0, {}
        return (mood, {}) if mood >= 300 else (self._take(headers, body, mood), {})

    def _take(self, headers: Any, body: bytes, status: int) -> int:
        try:
            notice = verify(
                self._secret, dict(headers.items()), body, now_s=None if self._now_s is None else self._now_s()
            )
        except (NotGenuine, ValueError):
            with self._lock:
                self.refused += 1
            return 401
        with self._lock:
            if any(notice["id"] == each["id"] for each in self.notices):
                self.duplicates += 1
                return status
            self.notices.append(notice)
        if self._on_notice is not None:
            self._on_notice(notice)
        return status

    def _dawdle(self, connection: socket.socket, *, drips: bool) -> None:
        for _ in range(round(HANG_S / 0.05)):
            if self._stopping.wait(0.05):
                return
            if drips:
                with contextlib.suppress(OSError):
                    connection.sendall(b"H")


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = min(int(self.headers.get("Content-Length", "0")), MOST_BYTES)
            body = self.rfile.read(length)
            status, headers = receiver.answer(self.headers, self.path, body, self.connection)
            self.close_connection = True
            if not status:
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's signature
            """Write nothing."""

    return Handler
