"""The API's endpoints: who may, what was asked, the operation, and its answer or its problem."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from flask import Blueprint, Response, g, request
from scim2_models import UnauthorizedException
from werkzeug.exceptions import RequestEntityTooLarge

from scim_bridge.dispatch import QueueSilent
from scim_bridge.errors import BridgeError, NotAllowed, NotThere, OutOfDate, UsageError
from scim_bridge.intake.webhooks.refusals import WebhookRefused
from scim_bridge.operators.replay_plans import StalePlan
from scim_bridge.store.tokens import Principal
from scim_bridge.web import webhooks
from scim_bridge.web.api import reading
from scim_bridge.web.api.catalogue import OPERATIONS
from scim_bridge.web.api.description import describe
from scim_bridge.web.api.operations import Asked, Desk, Operation, Reply, Role
from scim_bridge.web.api.problems import PREFIX, problem
from scim_bridge.web.auth import Doorkeeper

SCOPES = frozenset(role.value for role in Role)

_STATUSES: tuple[tuple[type[BridgeError], int], ...] = (
    (NotThere, 404),
    (OutOfDate, 409),
    (NotAllowed, 403),
    (UsageError, 400),
    (QueueSilent, 503),
)

RETRY_AFTER_S = 2


def api_endpoints(desk: Desk, doorkeeper: Doorkeeper, *, operations: Sequence[Operation] = OPERATIONS) -> Blueprint:
    """Return the endpoints of the API. The tenant is the token's, so nobody can ask about another's."""
    blueprint = Blueprint("api", __name__)

    @blueprint.before_request
    def admit() -> None:
        if request.endpoint != f"{blueprint.name}.description":
            g.principal = doorkeeper.admit(_bearer(), address=request.remote_addr, scopes=SCOPES)

    for operation in operations:
        blueprint.add_url_rule(
            PREFIX + operation.path.replace("{", "<").replace("}", ">"),
            endpoint=operation.name,
            methods=[operation.method],
            view_func=_view(desk, operation),
        )

    @cache
    def described() -> str:
        return json.dumps(describe(operations, public_url=desk.settings.web.public_url), ensure_ascii=False)

    @blueprint.get(f"{PREFIX}/openapi.json")
    def description() -> Response:
        return Response(described(), content_type="application/json")

    @blueprint.errorhandler(BridgeError)
    def refuse(error: BridgeError) -> Response:
        more = {"difference": error.difference} if isinstance(error, StalePlan) else None
        response = problem(status_of(error), str(error), more=more)
        if isinstance(error, QueueSilent):
            response.headers["Retry-After"] = str(RETRY_AFTER_S)
        return response

    @blueprint.errorhandler(WebhookRefused)
    def refuse_body(refused: WebhookRefused) -> Response:
        return problem(refused.status, refused.detail)

    return blueprint


def status_of(error: BridgeError) -> int:
    """Return the HTTP status that tells what an error means."""
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 409)


def who_is(principal: Principal) -> str:
    """Return a token's bearer as the books name them."""
    return f"{principal.name} (token {principal.token_id})" if principal.name else f"token {principal.token_id}"


def _view(desk: Desk, operation: Operation) -> Callable[..., Response]:
    def view(**parts: str) -> Response:
        principal: Principal = g.principal
        if not operation.role.is_in(principal.scopes):
            return problem(403, f"This needs a token with the scope {operation.role.value}.")
        now = desk.clock()
        asked = Asked(
            tenant=principal.tenant,
            who=who_is(principal),
            path=reading.path_of(operation, parts, now=now),
            query=reading.query_of(operation, request.args.to_dict(flat=False), now=now),
            body=reading.body_of(operation, _body(), request.headers.get("Content-Type")),
            scopes=principal.scopes,
        )
        return answer_of(operation, operation.handler(desk, asked))

    return view


def answer_of(operation: Operation, given: Any) -> Response:
    """Return what a handler gave as an answer."""
    reply = given if isinstance(given, Reply) else Reply(body=given, status=operation.status)
    if reply.text is not None:
        response = Response(reply.text, status=reply.status, content_type=operation.media_type)
    else:
        # Escaped, for what somebody gave us may hold halves of characters, which no encoding has.
        body = json.dumps(reply.body, default=str)
        response = Response(body, status=reply.status, content_type="application/json")
    response.headers.update(reply.headers)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _bearer() -> str | None:
    """Return the Authorization header.

    Raises:
        UnauthorizedException: it is HTTP Basic, which a browser remembers and sends with the forms of other sites too.
    """
    authorization = request.headers.get("Authorization")
    if (authorization or "").lstrip()[:6].lower() == "basic ":
        raise UnauthorizedException(
            detail="Send the token in the header 'Authorization: Bearer ...', not by HTTP Basic."
        )
    return authorization


def _body() -> bytes:
    try:
        return webhooks.body_within(reading.MOST_BODY_BYTES)
    except RequestEntityTooLarge:
        raise WebhookRefused(413, f"The body has at most {reading.MOST_BODY_BYTES} bytes.") from None
