"""How a scripted fault looks on the wire."""

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from typing import NoReturn

from werkzeug.wrappers import Request, Response

from scim_bridge.sandbox.targets.faults import Fault

PAGE = "<!DOCTYPE html><html><head><title>Service</title></head><body><h1>Please wait</h1></body></html>"


def close_without_answer(request: Request) -> NoReturn:
    """Close the caller's connection at once; raises ConnectionResetError, which ends the server's handling of it."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    with contextlib.suppress(OSError):
        # A linger time of zero makes the close a reset, as a dying proxy would cause it.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError("closed by a scripted fault")


def spoil(
    fault: Fault,
    request: Request,
    *,
    real: Response | None,
    failure: Callable[[int], Response],
    stopping: threading.Event,
) -> Response:
    """Return what the caller gets instead of `real` (None: the call was not applied); `stopping` cuts waits short.

    Raises ConnectionResetError after it closed the connection.
    """
    if fault.hang_s and fault.answer != "drip":
        stopping.wait(fault.hang_s)
    match fault.answer:
        case "status":
            response = failure(fault.status) if fault.body is None else Response(fault.body, status=fault.status)
            response.headers.extend(fault.headers)
            return response
        case "html":
            return Response(PAGE, status=200, content_type="text/html; charset=utf-8")
        case "empty":
            return Response(b"", status=200)
        case "reset":
            close_without_answer(request)
        case "hang" | "real":
            return real if real is not None else close_without_answer(request)
        case "cut":
            return _with_body(real, _half(real))
        case "drop":
            return _with_stream(real, _dropped(request, real))
        case "drip":
            return _with_stream(real, _dripped(real, fault.hang_s, stopping))


def _body(real: Response | None) -> bytes:
    # An answer of nothing cannot be cut short, so a beginning of JSON stands in for it.
    return (real.get_data() if real is not None else b"") or b'{"usersAdded": 1, "err'


def _half(real: Response | None) -> bytes:
    body = _body(real)
    return body[: max(1, len(body) // 2)]


def _with_body(real: Response | None, body: bytes) -> Response:
    status = real.status_code if real is not None else 200
    content_type = real.content_type if real is not None else "application/json"
    return Response(body, status=status, content_type=content_type)


def _with_stream(real: Response | None, stream: Iterator[bytes]) -> Response:
    response = _with_body(real, b"")
    response.response = stream
    response.content_length = len(_body(real))
    return response


def _dropped(request: Request, real: Response | None) -> Iterator[bytes]:
    yield _half(real)
    close_without_answer(request)


def _dripped(real: Response | None, total_s: float, stopping: threading.Event) -> Iterator[bytes]:
    body = _body(real)
    for place in range(len(body)):
        stopping.wait(total_s / len(body))
        yield body[place : place + 1]
