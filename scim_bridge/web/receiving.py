"""One sender's connection: what has arrived of its next request, and what of the last answer is still to leave."""

import contextlib
import io
import socket
import tempfile
from collections.abc import Iterator
from enum import Enum, auto
from typing import IO, Any

from scim_bridge.web.framing import Framing, Limits
from scim_bridge.web.refusals import RequestRefused, render

IN_MEMORY_BYTES = 1 << 21
"""What is longer waits on the disk, while it arrives and until the application has read it."""

_ROOM = memoryview(bytearray(262_144))
"""What has just been read. One loop reads, a connection at a time; to make as much room each time costs more than all
else that is done to receive a short request."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Stage(Enum):
    """What a connection is at."""

    IDLE = auto()
    """No byte of a request has arrived."""

    RECEIVING = auto()
    SERVED = auto()
    """A thread has the request, or will soon."""

    ANSWERING = auto()
    """The sender is slow to take its answer."""

    CLOSING = auto()
    """All is said; what the sender still sends is read away, so that it is not reset before it has read the answer."""

    CLOSED = auto()


class Filed:
    """A long request on its way to the disk: all of it up to an end that its head has told."""

    def __init__(self, begun: bytearray, end: int) -> None:
        """Take what has arrived, which is no more than the request.

        Raises:
            OSError: there is no room.
        """
        self.request_line = _first_line(begun)
        self._end, self._size = end, 0
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` gives it back
        self.take(begun)

    def __len__(self) -> int:
        """Return how many bytes there are."""
        return self._size

    def take(self, data: bytearray | memoryview) -> bytearray | memoryview:
        """Write what belongs to the request; return the rest.

        Raises:
            OSError: there is no room.
        """
        mine = data[: self._end - self._size]
        self._file.write(mine)
        self._size += len(mine)
        return data[len(mine) :]

    def is_whole(self) -> bool:
        """Tell whether the end is reached."""
        return self._size == self._end

    def rewind(self) -> None:
        """Make ready for reading.

        Raises:
            OSError: there is no room.
        """
        self._file.seek(0)

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        return self._file.read(size)

    def close(self) -> None:
        """Give the room back."""
        with contextlib.suppress(OSError):
            self._file.close()


class Exchange:
    """A request that has arrived whole and its answer, as the socket that gunicorn reads and writes in a thread.

    Neither ever waits for the network.
    """

    def __init__(self, server: Any) -> None:
        """Hold nothing yet. `server` is the address that was knocked at."""
        self.answer = bytearray()
        self._server = server
        self.request_line = b""
        """The request's first line."""
        self._request: bytes | bytearray | Filed = b""
        self._read = 0

    def offer(self, request: "bytes | bytearray | Filed") -> None:
        """Lay the bytes of one request ready for the parser; they are ours from now on."""
        self._let_go()
        self._request = request
        self.request_line = request.request_line if isinstance(request, Filed) else _first_line(request)

    def _let_go(self) -> None:
        if isinstance(self._request, Filed):
            self._request.close()
        self._request, self._read = b"", 0

    def is_read(self) -> bool:
        """Tell whether all of the request was taken."""
        return self._read == len(self._request)

    def weigh(self) -> int:
        """Return how many bytes are held, on the disk too."""
        return len(self._request) + len(self.answer)

    def recv(self, size: int) -> bytes:
        """Return the next bytes of the request.

        Raises:
            RequestRefused: there are no more; it was taken for whole and is not.
        """
        if self.is_read():
            raise RequestRefused(400, "The request ends before its body does. Send it again, with its true length.")
        if isinstance(self._request, Filed):
            piece = self._request.read(size)
        else:
            piece = bytes(self._request[self._read : self._read + size])
        self._read += len(piece)
        if self.is_read():
            # The application has it by now; a large one is not held twice.
            self._let_go()
        return piece

    def sendall(self, data: bytes) -> None:
        """Add to the answer; it leaves once it is complete."""
        self.answer += data

    def getsockname(self) -> Any:
        """Return the address that was knocked at."""
        return self._server

    def shutdown(self, _how: int) -> None:
        """Refuse: an answer that broke off is not ended here but replaced by an error."""
        raise OSError

    def close(self) -> None:
        """Leave closing to the loop."""


class Connection:
    """A connection between the loop, which reads and writes it, and the threads, which see its exchange."""

    def __init__(self, accepted: socket.socket, client: Any, server: Any, *, limits: Limits) -> None:
        """Take over an accepted socket. What has no underscore here, gunicorn and the loop use."""
        accepted.setblocking(False)  # noqa: FBT003 - the standard library's
        self.socket = accepted
        self.client, self.server = client, server
        self.sock = Exchange(server)
        self.stage = Stage.IDLE
        self.since = self.deadline = 0.0
        """When it came to this stage, and when that has lasted too long: seconds of the monotonic clock."""

        self.stays = True
        """Whether another request may come after this answer."""

        self.is_watched = False
        """Whether the loop waits for it."""

        self.awaited: object = None
        """What the loop does once it comes, while it is watched."""

        self.weight = 0
        """Bytes held for it when the loop last looked."""

        self._limits = limits
        self._framing = Framing(limits)
        self._received = bytearray()
        self._filed: Filed | None = None

    def receive(self) -> bool:
        """Take what has arrived; False when the sender will send no more.

        Raises:
            RequestRefused: there is no room for it.
        """
        try:
            data = _ROOM[: self.socket.recv_into(_ROOM)]
        except BlockingIOError:
            return True
        except OSError:
            return False
        if self._filed is None:
            self._received += data
        else:
            with _room_needed():
                self._received += self._filed.take(data)
        return bool(data)

    def has_all_told(self) -> bool:
        """Tell whether the answer has left, whole, and the sender has sent nothing yet behind the request."""
        return self.stays and not self.sock.answer and not self._received

    def has_begun(self) -> bool:
        """Tell whether some of a request has arrived. Empty lines before it do not count (RFC 9112 section 2.2)."""
        if self._filed is not None:
            return True
        if self._received.startswith((b"\r", b"\n")):
            self._received = self._received.lstrip(b"\r\n")
        return bool(self._received)

    def take_request(self) -> bool:
        """Lay the next request ready for a thread once it is whole, and tell so.

        Raises:
            RequestRefused: it is larger than allowed, or there is no room for it.
        """
        if self._filed is not None:
            return self._take_filed(self._filed)
        end = self._framing.end_in(self._received)
        if end is None:
            if len(self._received) > IN_MEMORY_BYTES and self._framing.plain_end is not None:
                with _room_needed():
                    self._filed = Filed(self._received, self._framing.plain_end)
                self._received = bytearray()
            if self._framing.expects_continue:
                self._framing.expects_continue = False
                self.sock.sendall(_CONTINUE)
                self.send()
            return False
        if end == len(self._received):
            # Nearly always; a long one is not copied then.
            request, self._received = self._received, bytearray()
        else:
            request = self._received[:end]
            del self._received[:end]
        self.sock.offer(request)
        self._framing = Framing(self._limits)
        return True

    def _take_filed(self, filed: Filed) -> bool:
        if not filed.is_whole():
            return False
        with _room_needed():
            filed.rewind()
        self.sock.offer(filed)
        self._filed, self._framing = None, Framing(self._limits)
        return True

    def send(self) -> None:
        """Send of the answer what goes without waiting. That a sender is gone shows at the next read."""
        answer = self.sock.answer
        try:
            while answer:
                del answer[: self.socket.send(answer)]
        except BlockingIOError:
            return
        except OSError:
            answer.clear()
            self.stays = False

    def refuse(self, refusal: RequestRefused) -> None:
        """Answer in place of the application; no other request is taken."""
        line = _first_line(self._received) if self._filed is None else self._filed.request_line
        self.sock.sendall(render(refusal, request_line=line))
        self.stays = False
        self.forget()
        self.send()

    def forget(self) -> None:
        """Drop what has arrived and will not be served."""
        self._received.clear()
        if self._filed is not None:
            self._filed.close()
            self._filed = None

    def weigh(self) -> int:
        """Return how many bytes are held for it, on the disk too."""
        return len(self._received) + len(self._filed or b"") + self.sock.weigh()


def kept(body: Any) -> IO[bytes]:
    """Return a body that is held apart from the request's bytes: a short one in memory, a long one on the disk."""
    first = body.read(IN_MEMORY_BYTES)
    if len(first) < IN_MEMORY_BYTES:
        return io.BytesIO(first)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        file.write(first)
        while piece := body.read(IN_MEMORY_BYTES):
            file.write(piece)
        file.seek(0)
        stack.pop_all()
    return file


def _first_line(request: bytes | bytearray) -> bytes:
    return bytes(request[: max(0, request.find(b"\r\n"))])


@contextlib.contextmanager
def _room_needed() -> Iterator[None]:
    """Refuse a request that the disk has no room for, in place of ending the connection without a word."""
    try:
        yield
    except OSError as error:
        refusal = RequestRefused(503, "There is no room to take so long a request. Try again later.", retry_after_s=60)
        raise refusal from error
