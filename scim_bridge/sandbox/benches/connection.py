"""One connection to the front door that is kept alive, as cheap as a client can be: the server is what is measured."""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from scim_bridge.errors import BridgeError

SCIM = "/scim/v2"
PATIENCE_S = 30.0

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNK = 262_144


class BenchFailed(BridgeError):  # noqa: N818 - it says what happened
    """Something was answered that makes the measuring worthless; the message says what."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes = field(repr=False)

    def document(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body)


class Connection:
    """Sends one request at a time. To be used as a context manager."""

    def __init__(self, port: int, *, patience_s: float = PATIENCE_S) -> None:
        """Connect to a port of this machine."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=patience_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor, so that many connections can be waited for at once."""
        return self._socket.fileno()

    def ask(self, request: bytes) -> Answer:
        """Send a request and wait for its answer.

        Raises:
            BenchFailed: none comes.
        """
        self.send(request)
        while (answer := self.receive()) is None:
            pass
        return answer

    def send(self, request: bytes) -> None:
        """Send a request."""
        try:
            self._socket.sendall(request)
        except OSError as error:
            raise BenchFailed(f"the front door cannot be reached ({type(error).__name__})") from error

    def receive(self) -> Answer | None:
        """Wait for the next piece of an answer; return the answer once it is whole.

        Raises:
            BenchFailed: the server hung up, or is silent.
        """
        try:
            piece = self._socket.recv(_CHUNK)
        except OSError as error:
            raise BenchFailed(f"the front door does not answer ({type(error).__name__})") from error
        if not piece:
            raise BenchFailed("the front door hung up in the middle of an answer")
        self._received += piece
        return self._whole()

    def _whole(self) -> Answer | None:
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self._received[:end])
        length = _LENGTH.search(head)
        size = end + 4 + (int(length[1]) if length else 0)
        if len(self._received) < size:
            return None
        answer = Answer(int(head[9:12]), bytes(self._received[end + 4 : size]))
        del self._received[:size]
        return answer


def request(method: str, path: str, token: str, document: Any = None) -> bytes:
    """Return the bytes of a request to the SCIM endpoints."""
    body = b"" if document is None else json.dumps(document, ensure_ascii=False).encode()
    head = [
        f"{method} {SCIM}{path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        "Accept: application/scim+json",
    ]
    if body:
        head += ["Content-Type: application/scim+json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*head, "", ""]).encode() + body


def failures(statuses: Mapping[int, int]) -> int:
    """Return how many answers are no success, of the numbers of answers by status."""
    return sum(count for status, count in statuses.items() if not 200 <= status < 300)


def wrong_answers(statuses: Mapping[int, int]) -> Iterator[str]:
    """Give a sentence for each status that is no success."""
    for status, count in sorted(statuses.items()):
        if not 200 <= status < 300:
            yield f"{count} requests were answered {status}"
