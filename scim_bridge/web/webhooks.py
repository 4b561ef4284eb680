"""/webhooks/<tenant>/<target>: what targets tell us. It knows no token; the signature says who sends."""

import io
from typing import IO

from flask import Blueprint, Response, g, jsonify, request
from scim2_models import Error

from scim_bridge.intake.webhooks.receiving import HEADERS, MOST_BYTES, Receiver
from scim_bridge.intake.webhooks.refusals import WebhookRefused
from scim_bridge.web import errors

_PIECE_BYTES = 1 << 18


def webhook_endpoint(receiver: Receiver, *, most_bytes: int) -> Blueprint:
    """Return the endpoint; a body has at most `most_bytes`, or what any webhook may have when that is less."""
    blueprint = Blueprint("webhooks", __name__)
    most = min(most_bytes, MOST_BYTES)

    @blueprint.post("/webhooks/<tenant>/<target>")
    def receive(tenant: str, target: str) -> Response:
        body = body_within(most)
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        outcome = receiver.receive(tenant, target, headers=headers, body=body, correlation_id=g.correlation_id)
        return jsonify(status=outcome)

    @blueprint.errorhandler(WebhookRefused)
    def refuse(refused: WebhookRefused) -> Response:
        return errors.answer(Error(status=refused.status, detail=refused.detail))

    return blueprint


def body_within(most: int) -> bytes:
    """Return the body's bytes as they came.

    Raises:
        WebhookRefused: it is too long, or packed.
    """
    body = io.BytesIO()
    keep_body(body, most)
    return body.getvalue()


def keep_body(file: IO[bytes], most: int) -> None:
    """Write the body's bytes to a file as they came, a piece at a time, and rewind it.

    Raises:
        WebhookRefused: it is too long, or packed.
    """
    if request.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise WebhookRefused(415, "The body must come as it is, without a Content-Encoding.")
    too_long = WebhookRefused(413, f"The body has at most {most} bytes.")
    if request.content_length is not None and request.content_length > most:
        raise too_long
    size = 0
    while piece := request.stream.read(_PIECE_BYTES):
        size += len(piece)
        if size > most:
            raise too_long
        file.write(piece)
    file.seek(0)
