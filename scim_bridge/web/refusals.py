"""What is said to a request that never reaches the application: SCIM under /scim/v2, JSON elsewhere, never HTML."""

import json
from http import HTTPStatus

import structlog
from gunicorn.http import errors
from scim2_models import Error
from scim2_server.responses import SCIM_MEDIA_TYPE

from scim_bridge import metrics

_log = structlog.get_logger(__name__)

SCIM_PREFIX = b"/scim/v2"
RETRY_AFTER_S = 2

_FAULT = "The bridge failed to answer. Its operator finds the reason in its log."
_BAD_LINE = (
    "The request's first line must be METHOD, address and HTTP/1.1; percent-encode blanks and what is not ASCII."
)
_BAD_HEADERS = "The request's headers are not as HTTP asks (RFC 9112 section 5). Mend or leave out the one that is not."
_BAD_CHUNKS = "The request's body is not chunked as HTTP asks (RFC 9112 section 7.1). Send it again."
_MANY_HEADERS = "The request has too many headers, or one that is too long. Send fewer and shorter ones."

_OF_GUNICORN: tuple[tuple[tuple[type[Exception], ...], int, str], ...] = (
    # Headers of our own answer; these are kinds of InvalidHeader, so they come first.
    ((errors.InvalidResponseHeader, errors.InvalidResponseHeaderName), 500, _FAULT),
    ((errors.InvalidRequestLine, errors.InvalidRequestMethod, errors.InvalidHTTPVersion), 400, _BAD_LINE),
    ((errors.InvalidHeader, errors.InvalidHeaderName), 400, _BAD_HEADERS),
    ((errors.ObsoleteFolding, errors.InvalidSchemeHeaders), 400, _BAD_HEADERS),
    ((errors.InvalidChunkSize, errors.InvalidChunkExtension, errors.ChunkMissingTerminator), 400, _BAD_CHUNKS),
    ((errors.ExpectationFailed,), 417, "Expect may only be 100-continue. Leave the header out."),
    ((errors.LimitRequestHeaders,), 431, _MANY_HEADERS),
)


class RequestRefused(errors.ParseException):  # type: ignore[misc] # gunicorn tells no types
    """A request that is answered without being served. `detail` says what to do."""

    def __init__(self, status: int, detail: str, *, retry_after_s: int | None = None) -> None:
        """Refuse it with this status."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.retry_after_s = retry_after_s


def too_much() -> RequestRefused:
    """Return what is answered to a request that others leave no room for."""
    return RequestRefused(
        503, f"Too much is arriving at once; retry in {RETRY_AFTER_S} s.", retry_after_s=RETRY_AFTER_S
    )


def refusal_of(error: Exception) -> RequestRefused:
    """Return what is answered to a request that gunicorn could not read, or that broke the application."""
    if isinstance(error, RequestRefused):
        return error
    for kinds, status, detail in _OF_GUNICORN:
        if isinstance(error, kinds):
            return RequestRefused(status, detail)
    return RequestRefused(500, _FAULT)


def note(refusal: RequestRefused) -> None:
    """Log and count a request that the application never sees."""
    _log.warning("request_refused", status=refusal.status)
    metrics.HTTP_REQUESTS.labels(route="none", method="other", status=refusal.status).inc()


def render(refusal: RequestRefused, *, request_line: bytes) -> bytes:
    """Return the whole answer as it goes over the wire; the connection is closed behind it."""
    if SCIM_PREFIX in request_line:
        body = json.dumps(Error(status=refusal.status, detail=refusal.detail).model_dump())
        content_type = SCIM_MEDIA_TYPE
    else:
        body = json.dumps({"status": refusal.status, "detail": refusal.detail})
        content_type = "application/json"
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        "Connection: close",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
    ]
    if refusal.retry_after_s is not None:
        lines.append(f"Retry-After: {refusal.retry_after_s}")
    return "\r\n".join([*lines, "", body]).encode("ascii")
