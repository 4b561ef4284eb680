"""Where a request ends, found as its bytes arrive. Only sizes are judged here: what it means is gunicorn's to say."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from scim_bridge.web.refusals import RequestRefused

_HEAD_END = b"\r\n\r\n"
_LINE_END = b"\r\n"
_CHUNK_LINE_BYTES = 8190

_TELLING = re.compile(rb"^(content-length|transfer-encoding|expect):[ \t]*(.*?)[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_IMPORT = re.compile(rb"POST /hr/v1/imports[ ?]")
_CHUNK_SIZE = re.compile(rb"[0-9a-fA-F]{1,15}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large the parts of a request may be, in bytes, and into how many chunks its body may be cut."""

    body: int
    import_body: int = 0
    """Of a file of HR rows, where that is more."""
    # A filter of 8,000 characters needs 96,000 bytes when each is one of four bytes, percent-encoded.
    request_line: int = 131_072
    headers: int = 65_536
    chunks: int = 65_536


class Framing:
    """The way through the bytes of one request, from one arrival to the next.

    What is malformed ends where that shows, so that gunicorn's parser says at once what is wrong with it. Nothing rests
    on both reading alike: the parser gets the bytes up to this end and no others, and the request is refused unless it
    takes them all.
    """

    def __init__(self, limits: Limits) -> None:
        """Begin before the first byte."""
        self.expects_continue = False
        """The head has arrived, and the sender waits for a sign before it sends the body (RFC 9110 section 10.1.1)."""

        self._limits = limits
        self._most = limits.body
        self._step: Callable[[bytearray], bool] = self._read_request_line
        self._at = 0
        self._line_end = 0
        self._body = 0
        self._chunks = 0
        self._is_whole = False

    @property
    def plain_end(self) -> int | None:
        """Return the offset at which the request ends, once that is known without reading its body; else None."""
        return self._at if self._step == self._read_plain_body else None

    def end_in(self, received: bytearray) -> int | None:
        """Return the offset at which the request ends, None as long as more of it must come.

        Raises:
            RequestRefused: it is larger than allowed, or coded as nobody here can read it.
        """
        while not self._is_whole:
            if not self._step(received):
                return None
        return self._at

    def _end_at(self, offset: int) -> bool:
        self._at, self._is_whole = offset, True
        return True

    def _read_request_line(self, received: bytearray) -> bool:
        most = self._limits.request_line
        end = received.find(_LINE_END, max(0, self._at - 1), most + len(_LINE_END))
        if _BARE_LINE_FEED.search(received, self._at, len(received) if end < 0 else end):
            return self._end_at(len(received))
        if end < 0 and len(received) >= most + len(_LINE_END):
            raise RequestRefused(
                414,
                f"The request's first line is longer than {most} bytes. Send a long filter in the body of a POST to "
                ".search (RFC 7644 section 3.4.3).",
            )
        if end < 0:
            self._at = len(received)
            return False
        self._at = self._line_end = end
        self._step = self._read_headers
        return True

    def _read_headers(self, received: bytearray) -> bool:
        most = self._limits.headers
        end = received.find(_HEAD_END, self._at, self._line_end + most)
        if _BARE_LINE_FEED.search(received, self._at, len(received) if end < 0 else end):
            return self._end_at(len(received))
        if end < 0 and len(received) - self._line_end >= most:
            raise RequestRefused(
                431, f"The request's headers are longer than {most} bytes. Send fewer and shorter ones."
            )
        if end < 0:
            self._at = max(self._line_end, len(received) - len(_HEAD_END) + 1)
            return False
        self._at = end + len(_HEAD_END)
        self._choose_body(bytes(received[: end + len(_LINE_END)]))
        return True

    def _choose_body(self, head: bytes) -> None:
        """Find out how the body's length is told (RFC 9112 section 6.3); there is none when nothing tells it."""
        if _IMPORT.match(head):
            self._most = max(self._limits.body, self._limits.import_body)
        told: dict[bytes, list[bytes]] = {}
        for name, value in _TELLING.findall(head):
            told.setdefault(name.lower(), []).append(value)
        lengths = [each for each in told.get(b"content-length", ()) if each.isdigit()]
        codings, expectations = told.get(b"transfer-encoding", []), told.get(b"expect", [])
        if any(each.lower() != b"100-continue" for each in expectations) or len(lengths) + len(codings) != 1:
            self._is_whole = True
            return
        if codings and codings[0].lower() != b"chunked":
            raise RequestRefused(501, "Transfer-Encoding may only be chunked. Send the body as it is.")
        if lengths:
            self._take(int(lengths[0]) if len(lengths[0]) < 16 else self._most + 1)
            self._at += self._body
            self._step = self._read_plain_body
        else:
            self._step = self._read_chunk_size
        self.expects_continue = bool(expectations) and not head[: self._line_end].endswith(b"HTTP/1.0")

    def _take(self, size: int) -> None:
        self._body += size
        if self._body > self._most:
            raise RequestRefused(
                413, f"The request's body is longer than {self._most} bytes. Send it in several requests."
            )

    def _read_plain_body(self, received: bytearray) -> bool:
        self._is_whole = len(received) >= self._at
        return self._is_whole

    def _read_chunk_size(self, received: bytearray) -> bool:
        end = received.find(_LINE_END, self._at, self._at + _CHUNK_LINE_BYTES)
        if end < 0 and (len(received) - self._at >= _CHUNK_LINE_BYTES or received.find(b"\n", self._at) >= 0):
            return self._end_at(len(received))
        if end < 0:
            return False
        text = bytes(received[self._at : end]).partition(b";")[0].rstrip(b" \t")
        if not _CHUNK_SIZE.fullmatch(text):
            return self._end_at(len(received))
        size = int(text, 16)
        self._chunks += 1
        if self._chunks > self._limits.chunks:
            raise RequestRefused(413, f"The body comes in more than {self._limits.chunks} chunks. Send larger ones.")
        self._take(size)
        self._at = end if size == 0 else end + len(_LINE_END) + size + len(_LINE_END)
        self._line_end = end
        self._step = self._read_trailers if size == 0 else self._read_chunk_size
        return True

    def _read_trailers(self, received: bytearray) -> bool:
        """The end is an empty line after the last chunk's size, or after trailers (RFC 9112 section 7.1)."""
        most = self._limits.headers
        end = received.find(_HEAD_END, self._at, self._line_end + most)
        if end < 0 and len(received) - self._line_end >= most:
            raise RequestRefused(431, f"The trailers behind the body are longer than {most} bytes. Leave them out.")
        if end < 0:
            self._at = max(self._line_end, len(received) - len(_HEAD_END) + 1)
            return False
        return self._end_at(end + len(_HEAD_END))
