"""Lanes: where they stand, pausing one, and setting it going again."""

from typing import Any

from scim_bridge.operators import alive, existing, status
from scim_bridge.web.api.operations import TARGET, Asked, Desk, Operation, Role


def _status(desk: Desk, asked: Asked) -> dict[str, Any]:
    target = asked.query.get("target")
    existing.check(desk.store, desk.settings, tenant=asked.tenant, target=target)
    report = status.report(desk.store, desk.settings, tenant=asked.tenant, target=target)
    return {**report, "processes": alive.report(desk.queue_url, now=desk.clock())}


OPERATIONS = (
    Operation(
        method="GET",
        path="/status",
        name="status",
        role=Role.VIEWER,
        tells="Where every lane stands: people pending, held and dead, and what the rest still takes.",
        handler=_status,
        command="status",
        parameters=(TARGET,),
        answer={
            "type": "object",
            "required": ["lanes", "processes"],
            "properties": {"lanes": {"type": "array", "items": {"type": "object"}}, "processes": {"type": "object"}},
        },
    ),
)
