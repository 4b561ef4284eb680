"""/hr/v1/imports: files of HR rows in, and what became of each row. The tenant and the source are the token's."""

import tempfile
from typing import BinaryIO, cast

from flask import Blueprint, Response, g, jsonify, request
from scim2_models import Error

from scim_bridge.intake.hr.imports import report
from scim_bridge.intake.hr.imports.door import PATH, ImportDoor, Sent
from scim_bridge.intake.scim.idempotency import HEADER, REPLAYED
from scim_bridge.intake.webhooks.refusals import WebhookRefused
from scim_bridge.store.engine import Store
from scim_bridge.web import errors, webhooks
from scim_bridge.web.auth import Doorkeeper

SCOPES = frozenset({"hr"})

IN_MEMORY_BYTES = 1 << 21
"""A file that is longer waits on the disk while it is read."""


def import_endpoints(door: ImportDoor, store: Store, doorkeeper: Doorkeeper, *, most_bytes: int) -> Blueprint:
    """Return the endpoints; a file has at most `most_bytes`."""
    blueprint = Blueprint("imports", __name__)

    @blueprint.before_request
    def admit() -> None:
        g.principal = doorkeeper.admit(request.headers.get("Authorization"), address=request.remote_addr, scopes=SCOPES)

    @blueprint.post(PATH)
    def take() -> Response:
        with tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as file:
            webhooks.keep_body(file, most_bytes)
            taken = door.take(
                Sent(
                    principal=g.principal,
                    query=request.args.to_dict(),
                    content_type=request.headers.get("Content-Type"),
                    key=request.headers.get(HEADER),
                    file=cast("BinaryIO", file),
                    correlation_id=g.correlation_id,
                )
            )
        response = Response(taken.text, status=202, content_type="application/json")
        response.headers["Location"] = f"{PATH}/{taken.name}"
        if taken.is_replayed:
            response.headers[REPLAYED] = "true"
        return response

    @blueprint.get(f"{PATH}/<name>")
    def show(name: str) -> Response:
        return jsonify(door.summary(door.find(g.principal, name)))

    @blueprint.get(f"{PATH}/<name>/report.csv")
    def report_as_csv(name: str) -> Response:
        found = door.find(g.principal, name)
        response = Response(report.as_csv(store, found), content_type="text/csv; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="{found.name}.csv"'
        return response

    @blueprint.get(f"{PATH}/<name>/report.json")
    def report_as_json(name: str) -> Response:
        return Response(report.as_json(store, door.find(g.principal, name)), content_type="application/json")

    @blueprint.errorhandler(WebhookRefused)
    def refuse(refused: WebhookRefused) -> Response:
        return errors.answer(Error(status=refused.status, detail=refused.detail))

    return blueprint
