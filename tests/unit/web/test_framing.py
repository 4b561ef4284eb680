"""The end of a request is found at its last byte, however its bytes arrive, and gunicorn's parser agrees."""

import io
import itertools
from typing import Any

import pytest
from gunicorn import http
from gunicorn.config import Config
from hypothesis import given
from hypothesis import strategies as st

from scim_bridge.web.framing import Framing, Limits
from scim_bridge.web.receiving import Exchange
from scim_bridge.web.refusals import RequestRefused

LIMITS = Limits(body=1000, import_body=2000, request_line=100, headers=400, chunks=20)

WHOLE = (
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    b"POST / HTTP/1.1\r\ncontent-length:5 \r\nHost: a\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\n\r\n\r\n\r\n",  # a body that looks like the end of a head
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n\r\n\r\n\r\n0\r\nSum: 1\r\nMore: 2\r\n\r\n",
    b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
    b"POST /hr/v1/imports?mode=delta HTTP/1.1\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
)

MALFORMED = (
    b"GET / HTTP/1.1\nHost: a",  # line feeds alone
    b"GET / HTTP/1.1\r\nHost: a\nAccept: b",
    b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST / HTTP/1.1\r\nExpect: a miracle\r\nContent-Length: 5\r\n\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\n",
)

CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
REFUSED = (
    (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (b"GET /" + b"x" * 100, 414),
    (b"GET / HTTP/1.1\r\nA: " + b"x" * 400, 431),
    (b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
    (b"POST /hr/v1/imports HTTP/1.1\r\nContent-Length: 2001\r\n\r\n", 413),
    (b"POST /hr/v1/importsxyz HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", 413),
    (b"POST / HTTP/1.1\r\nContent-Length: 1" + b"0" * 30 + b"\r\n\r\n", 413),
    (CHUNKED + b"3E9\r\n", 413),
    (CHUNKED + b"1F4\r\n" + b"x" * 500 + b"\r\n1F5\r\n", 413),
    (CHUNKED + b"1\r\nx\r\n" * 21, 413),
    (CHUNKED + b"0\r\nA: " + b"x" * 400, 431),
)


def arrive(pieces: list[bytes], limits: Limits = LIMITS) -> list[int | None]:
    """Return what is known of the end after each piece."""
    framing, received, known = Framing(limits), bytearray(), list[int | None]()
    for piece in pieces:
        received += piece
        known.append(framing.end_in(received))
    return known


def parse(request: bytes) -> tuple[Any, Exchange]:
    """Return the request as gunicorn reads it."""
    exchange = Exchange(("127.0.0.1", 80))
    exchange.offer(request)
    return next(http.RequestParser(Config(), exchange, ("127.0.0.1", 1))), exchange


@pytest.mark.parametrize("request_", WHOLE)
def test_a_request_ends_at_its_last_byte(request_: bytes) -> None:
    bytewise = [request_[at : at + 1] for at in range(len(request_))]
    assert arrive(bytewise) == [None] * (len(request_) - 1) + [len(request_)]


@pytest.mark.parametrize("request_", WHOLE)
def test_what_follows_a_request_is_not_part_of_it(request_: bytes) -> None:
    assert arrive([request_ + b"GET /next HTTP/1.1\r\n"]) == [len(request_)]


@pytest.mark.parametrize("request_", MALFORMED)
def test_a_malformed_request_does_not_wait_for_more(request_: bytes) -> None:
    assert arrive([request_]) != [None]
    with pytest.raises(http.errors.ParseException):
        parse(request_)[0].body.read()


@pytest.mark.parametrize(("request_", "status"), REFUSED)
def test_a_request_is_refused_once_it_is_known_to_be_too_much(request_: bytes, status: int) -> None:
    with pytest.raises(RequestRefused) as refused:
        arrive([request_])
    assert refused.value.status == status


def test_a_request_line_may_be_exactly_as_long_as_allowed() -> None:
    line = b"GET /".ljust(LIMITS.request_line - 9, b"x") + b" HTTP/1.1"
    assert arrive([line, b"\r", b"\n\r\n"]) == [None, None, LIMITS.request_line + 4]


def test_a_sender_is_asked_to_go_on_only_while_its_body_is_awaited() -> None:
    head = b"POST / HTTP/1.%d\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n"
    for minor, expected in ((0, False), (1, True)):
        framing = Framing(LIMITS)
        assert framing.end_in(bytearray((head % minor)[:-1])) is None
        assert not framing.expects_continue
        assert framing.end_in(bytearray(head % minor)) is None
        assert framing.expects_continue is expected


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A well-formed request and its body."""
    names = st.sampled_from(["Accept", "X-Content-Length", "Contentlength", "X-Expect", "Via"])
    values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
    lines = [f"{name}: {value}" for name, value in draw(st.lists(st.tuples(names, values), max_size=4))]
    body = draw(st.binary(max_size=200))
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), f"Content-Length: {len(body)}")
        return f"POST / HTTP/1.1\r\n{''.join(line + chr(13) + chr(10) for line in lines)}\r\n".encode() + body, body
    lines.insert(draw(st.integers(0, len(lines))), "Transfer-Encoding: chunked")
    stream, wire = io.BytesIO(body), b""
    while piece := stream.read(draw(st.integers(12, 60))):
        wire += b"%x%s\r\n%s\r\n" % (len(piece), draw(st.sampled_from([b"", b";a", b" ;a=b"])), piece)
    trailers = draw(st.sampled_from([b"", b"Sum: 1\r\n", b"Sum: 1\r\nVia: 2\r\n"]))
    head = f"POST / HTTP/1.1\r\n{''.join(line + chr(13) + chr(10) for line in lines)}\r\n".encode()
    return head + wire + b"0\r\n" + trailers + b"\r\n", body


@given(made=requests(), cuts=st.lists(st.integers(1, 400), max_size=8), behind=st.binary(max_size=5))
def test_however_a_request_arrives_its_end_is_where_gunicorn_sees_it(
    made: tuple[bytes, bytes], cuts: list[int], behind: bytes
) -> None:
    request_, body = made
    wire = request_ + behind
    edges = [0, *sorted({min(cut, len(wire)) for cut in cuts}), len(wire)]
    known = arrive([wire[start:end] for start, end in itertools.pairwise(edges)])
    assert {end for end in known if end is not None} == {len(request_)}
    parsed, exchange = parse(request_)
    assert parsed.body.read() == body
    assert exchange.is_read()
