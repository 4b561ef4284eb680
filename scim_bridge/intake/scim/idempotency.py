"""Idempotency-Key: which requests may carry one, what identifies them, and which answers are worth keeping."""

import json
from http import HTTPStatus

from scim2_models import InvalidValueException, SCIMException
from scim2_server.requests import ScimRequest
from scim2_server.routing import Operation, match

from scim_bridge import secrets
from scim_bridge.store.first_answers import Keyed

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
MAX_LENGTH = 255
RETRY_AFTER_S = 2

_WRITES = frozenset({Operation.create, Operation.replace, Operation.patch, Operation.delete, Operation.bulk})
_PASSING = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Refusals that say nothing about the request itself: the same one may well be accepted in a moment."""


class StillRunning(SCIMException):
    """The first request with this Idempotency-Key is not answered yet."""

    status = 409
    _default_detail = (
        f"The first request with this Idempotency-Key still runs. Send it again in {RETRY_AFTER_S} s for its answer."
    )


class KeyReused(SCIMException):
    """The Idempotency-Key came with another request before."""

    status = 422
    _default_detail = (
        "This Idempotency-Key came with another body, query or condition before. Give each request a key of its own."
    )


def keyed(request: ScimRequest, *, token_id: str, secret: bytes) -> Keyed | None:
    """Return what identifies a write with an Idempotency-Key; None for a read, and for a request without one.

    Raises:
        InvalidValueException: the key is empty, too long, or holds something else than printable ASCII.
    """
    key = request.header(HEADER)
    if key is None or not _is_write(request):
        return None
    if not key or len(key) > MAX_LENGTH or not (key.isascii() and key.isprintable()):
        raise InvalidValueException(detail=f"{HEADER} takes 1 to {MAX_LENGTH} printable ASCII characters")
    # A condition is part of what is asked: the same body under another one is another request.
    asked = [sorted(request.query.items()), request.header("If-Match"), request.header("If-None-Match")]
    return Keyed(
        token_id=token_id,
        # A path may be as long as a sender likes, and name people.
        route=secrets.digest(secret, "route", request.method.upper().encode(), request.path.strip("/").encode()),
        key=secrets.digest(secret, "key", key.encode()),
        body=secrets.digest(secret, "body", json.dumps(asked).encode(), request.body),
    )


def is_final(status: int) -> bool:
    """Tell whether an answer would be the same if the same request came again, so that it is kept."""
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING


def _is_write(request: ScimRequest) -> bool:
    try:
        return match(request.method.upper(), request.path).operation in _WRITES
    except SCIMException:
        return False
