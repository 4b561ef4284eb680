"""Errors of the API as problem details (RFC 9457)."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from flask import Response, g, request

PREFIX = "/api/v1"
MEDIA_TYPE = "application/problem+json"


def is_asked_here() -> bool:
    """Tell whether the request is for the API, so that its errors are problem details."""
    return request.path == PREFIX or request.path.startswith(f"{PREFIX}/")


def problem(status: int, detail: str, *, more: Mapping[str, Any] | None = None) -> Response:
    """Return a problem. `type` is about:blank: the status and the sentence say it all (section 4.2.1)."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": f"urn:scim-bridge:request:{g.get('correlation_id', '')}",
        **(more or {}),
    }
    return Response(json.dumps(body, ensure_ascii=False), status=status, content_type=MEDIA_TYPE)
