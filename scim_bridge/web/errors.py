"""Every error as the door that was knocked at speaks it: SCIM errors under /scim/v2, JSON elsewhere; never HTML."""

import json
import traceback
from http import HTTPStatus

import structlog
from flask import Flask, Response, g, request
from scim2_models import Error, SCIMException
from scim2_server.errors import MethodNotAllowedException
from scim2_server.requests import ScimRequest
from scim2_server.responses import SCIM_MEDIA_TYPE
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from scim_bridge.intake.scim.service import BridgeService
from scim_bridge.store.engine import StatementTimedOut, StoreUnavailable
from scim_bridge.web import reasons
from scim_bridge.web.api import problems
from scim_bridge.web.auth import WaitFirst

SCIM_PREFIX = "/scim/v2"
RETRY_AFTER_S = 2
CHALLENGES = ('Bearer realm="SCIM Bridge"', 'Basic realm="SCIM Bridge", charset="UTF-8"')
"""A line each: not every sender reads two out of one."""

_log = structlog.get_logger(__name__)


def install(app: Flask) -> None:
    """Make the application answer every error itself."""
    app.register_error_handler(SCIMException, scim_exception)
    app.register_error_handler(StoreUnavailable, unavailable)
    app.register_error_handler(StatementTimedOut, unavailable)
    app.register_error_handler(HTTPException, http_exception)
    app.register_error_handler(Exception, bug)


def scim_exception(exception: SCIMException) -> Response:
    """Return the answer to a refused request."""
    g.is_refused_by_us = reasons.raised_by_us(exception)
    response = answer(exception.to_error())
    if exception.status == HTTPStatus.UNAUTHORIZED:
        # Operators' tokens are no passwords that a browser may keep.
        for challenge in CHALLENGES[:1] if problems.is_asked_here() else CHALLENGES:
            response.headers.add("WWW-Authenticate", challenge)
    if isinstance(exception, MethodNotAllowedException):
        response.headers["Allow"] = ", ".join(exception.allowed)
    if isinstance(exception, WaitFirst):
        response.headers["Retry-After"] = str(exception.retry_after_s)
    return response


def unavailable(exception: Exception) -> Response:
    """Return the answer when the store is busy or cannot be reached: nothing was recorded, try again."""
    _log.error("store_unavailable", reason=str(exception), correlation_id=g.get("correlation_id"))
    response = answer(
        Error(
            status=503,
            detail=f"The directory is busy or cannot be reached. Nothing was recorded; retry in {RETRY_AFTER_S} s.",
        )
    )
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def http_exception(exception: HTTPException) -> Response:
    """Return the answer to what the framework refused: routes, methods, sizes."""
    if isinstance(exception, MethodNotAllowed) and request.path.startswith(SCIM_PREFIX):
        return scim_exception(_method_refused())
    status = exception.code or 500
    response = answer(Error(status=status, detail=exception.description or HTTPStatus(status).phrase))
    for key, value in exception.get_headers():
        if key.lower() not in ("content-type", "content-length"):
            response.headers[key] = value
    return response


def _method_refused() -> SCIMException:
    """Return why a method that SCIM does not use is refused; the framework would allow what any endpoint takes."""
    asked = ScimRequest(method=request.method, base_url="", path=request.path.removeprefix(SCIM_PREFIX))
    try:
        BridgeService.match(asked)
    except SCIMException as refused:
        return refused
    return MethodNotAllowedException()


def bug(exception: Exception) -> Response:
    """Return the answer to a defect of ours, and log where it is. Messages may quote people, so they are left out."""
    frames = traceback.extract_tb(exception.__traceback__)
    _log.error(
        "request_failed",
        error=type(exception).__name__,
        method=request.method,
        route=str(request.url_rule),
        correlation_id=g.get("correlation_id"),
        frames=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    )
    return answer(
        Error(
            status=500,
            detail=f"The bridge failed; nothing was recorded. Report it with the id {g.get('correlation_id')}.",
        )
    )


def answer(error: Error) -> Response:
    """Return an error as the door speaks it."""
    if request.path.startswith(SCIM_PREFIX):
        return Response(json.dumps(error.model_dump()), status=error.status, content_type=SCIM_MEDIA_TYPE)
    if problems.is_asked_here():
        return problems.problem(error.status or 500, error.detail or "")
    body = {"status": error.status, "detail": error.detail}
    return Response(json.dumps(body), status=error.status, content_type="application/json")
