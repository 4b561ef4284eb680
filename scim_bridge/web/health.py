"""/healthz (the process is alive) and /readyz (it can accept changes)."""

from flask import Blueprint, Response, jsonify

from scim_bridge.store import readiness
from scim_bridge.store.engine import Store


def health_endpoints(store: Store) -> Blueprint:
    """Return the endpoints that a load balancer asks; they need no token and tell nothing."""
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def alive() -> Response:
        return jsonify(status="alive")

    @blueprint.get("/readyz")
    def ready() -> tuple[Response, int]:
        if not readiness.is_reachable(store):
            return jsonify(status="not ready", problem="the store cannot be reached"), 503
        if not readiness.is_migrated(store):
            return jsonify(status="not ready", problem="the store is not migrated: scim-bridge migrate"), 503
        return jsonify(status="ready"), 200

    return blueprint
