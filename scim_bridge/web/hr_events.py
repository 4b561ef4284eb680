"""/hr/v1/events/<tenant>/<source>: what HR systems tell us. It knows no token; the signature says who sends."""

from dataclasses import asdict

from flask import Blueprint, Response, g, jsonify, request
from scim2_models import Error

from scim_bridge.intake.hr.receiving import MOST_BYTES, EventReceiver
from scim_bridge.intake.hr.senders import HEADERS
from scim_bridge.intake.webhooks.refusals import WebhookRefused
from scim_bridge.recording.hr_events import Fate
from scim_bridge.web import errors, webhooks


def event_endpoint(receiver: EventReceiver, *, most_bytes: int) -> Blueprint:
    """Return the endpoint; a body has at most `most_bytes`, or what any delivery may have when that is less."""
    blueprint = Blueprint("hr_events", __name__)
    most = min(most_bytes, MOST_BYTES)

    @blueprint.post("/hr/v1/events/<tenant>/<source>")
    def receive(tenant: str, source: str) -> Response:
        body = webhooks.body_within(most)
        headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
        answer = receiver.receive(
            (tenant, source),
            headers=headers,
            content_type=request.headers.get("Content-Type"),
            body=body,
            correlation_id=g.correlation_id,
        )
        # Always 200: senders take 4xx for a refusal of the whole, and some set a webhook aside after a few.
        return jsonify(status=answer.status, events=[shown(fate) for fate in answer.fates])

    @blueprint.errorhandler(WebhookRefused)
    def refuse(refused: WebhookRefused) -> Response:
        return errors.answer(Error(status=refused.status, detail=refused.detail))

    return blueprint


def shown(fate: Fate) -> dict[str, str | int]:
    """Return what became of an event as its sender sees it; without what there is nothing to say about."""
    return {name: value for name, value in asdict(fate).items() if value != ""}
