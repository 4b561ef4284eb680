"""/scim/v2/openapi.json: what the SCIM endpoints take and give, for whoever writes a client or tests one.

The name cannot meet a route of SCIM: there `openapi.json` could only be the endpoint of a resource type, and there is
none. It needs no token and tells nothing that depends on a tenant.
"""

import json
from functools import cache

from flask import Blueprint, Response

from scim_bridge.intake.scim.description import document
from scim_bridge.intake.scim.service import announced
from scim_bridge.settings.models import WebSettings
from scim_bridge.web.errors import SCIM_PREFIX


def description_endpoint(settings: WebSettings) -> Blueprint:
    """Return the endpoint that describes the SCIM endpoints."""
    blueprint = Blueprint("description", __name__)

    @cache
    def described() -> str:
        root_url = (settings.public_url or "").rstrip("/") + SCIM_PREFIX
        return json.dumps(document.describe(announced(settings), root_url=root_url), ensure_ascii=False)

    @blueprint.get(f"{SCIM_PREFIX}/openapi.json")
    def describe() -> Response:
        return Response(described(), content_type="application/json")

    return blueprint
