"""Lanes: where they stand, pausing one, and setting it going again."""

from typing import Any

from scim_bridge.errors import NotThere, UsageError
from scim_bridge.operators import alive, calls, existing, pausing, status
from scim_bridge.web.api import reading, shapes
from scim_bridge.web.api.operations import REASON, TARGET, Asked, Desk, Operation, Parameter, Role

TARGET_IN_PATH = Parameter(name="target", tells="The target's name in the configuration.")

_LANE = shapes.record(
    tenant=shapes.TEXT,
    target=shapes.TEXT,
    pending=shapes.COUNT,
    held=shapes.COUNT,
    dead=shapes.COUNT,
    oldest_s=shapes.COUNT,
    calls=shapes.COUNT,
    eta_s=shapes.COUNT_OR_NONE,
    state=shapes.TEXT,
    why=shapes.TEXT_OR_NONE,
    next_try_at=shapes.INSTANT_OR_NONE,
)

_STOPPED = shapes.record(
    tenant=shapes.TEXT,
    target=shapes.TEXT,
    state=shapes.TEXT,
    pending=shapes.COUNT,
    why=shapes.TEXT_OR_NONE,
    next_try_at=shapes.INSTANT_OR_NONE,
    since=shapes.INSTANT_OR_NONE,
    by=shapes.TEXT_OR_NONE,
)

_LIMIT = shapes.record_of(
    {"requests": shapes.COUNT, "per_s": {"type": "number"}, "class": shapes.TEXT_OR_NONE, "used": shapes.COUNT}
)

_CALLS = shapes.record_of(
    {
        "target": shapes.TEXT,
        "span_s": shapes.COUNT,
        "width_s": {"type": "number"},
        "limit": shapes.COUNT_OR_NONE,
        "class": shapes.TEXT_OR_NONE,
        "bars": shapes.list_of(shapes.COUNT),
        "limits": shapes.list_of(_LIMIT),
    }
)


def check_target(desk: Desk, asked: Asked) -> None:
    """Raise UsageError, naming those there are, when the tenant has no such target as the query or the body names."""
    target = asked.body.get("target", asked.query.get("target"))
    existing.check(desk.store, desk.settings, tenant=asked.tenant, target=target)


def target_in_path(desk: Desk, asked: Asked) -> str:
    """Return the target that the path names.

    Raises:
        NotThere: the tenant has none of this name.
    """
    target = str(asked.path["target"])
    try:
        existing.check(desk.store, desk.settings, tenant=asked.tenant, target=target)
    except UsageError as error:
        raise NotThere(str(error)) from None
    return target


def _status(desk: Desk, asked: Asked) -> dict[str, Any]:
    check_target(desk, asked)
    report = status.report(desk.store, desk.settings, tenant=asked.tenant, **asked.given("target"))
    return {**report, "processes": alive.report(desk.queue_url, now=desk.clock())}


def _lanes(desk: Desk, asked: Asked) -> dict[str, Any]:
    check_target(desk, asked)
    return {"lanes": pausing.report(desk.store, desk.settings, tenant=asked.tenant, **asked.given("target"))}


def _calls(desk: Desk, asked: Asked) -> dict[str, Any]:
    return calls.report(desk.store, desk.settings, tenant=asked.tenant)


def _pause(desk: Desk, asked: Asked) -> dict[str, Any]:
    target = target_in_path(desk, asked)
    reason = reading.reason_of(asked)
    return pausing.pause(desk.store, tenant=asked.tenant, target=target, who=asked.who, reason=reason)


def _resume(desk: Desk, asked: Asked) -> dict[str, Any]:
    target = target_in_path(desk, asked)
    reason = reading.reason_of(asked)
    return pausing.resume(desk.store, desk.dispatcher, tenant=asked.tenant, target=target, who=asked.who, reason=reason)


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
        answer=shapes.record(lanes=shapes.list_of(_LANE), processes=shapes.OBJECT),
    ),
    Operation(
        method="GET",
        path="/lanes",
        name="lane_status",
        role=Role.VIEWER,
        tells="What stops each lane: since when, by whom, and why.",
        handler=_lanes,
        command="lane status",
        parameters=(TARGET,),
        answer=shapes.record(lanes=shapes.list_of(_STOPPED)),
    ),
    Operation(
        method="GET",
        path="/lanes/calls",
        name="lane_calls",
        role=Role.VIEWER,
        tells="The calls of the last minutes against what each target allows, to be charted.",
        handler=_calls,
        command=None,
        answer=shapes.record(lanes=shapes.list_of(_CALLS)),
    ),
    Operation(
        method="POST",
        path="/lanes/{target}/pause",
        name="lane_pause",
        role=Role.OPERATOR,
        tells="Stop a lane before its next call. Nothing is lost: everything owed waits.",
        handler=_pause,
        command="lane pause",
        parameters=(TARGET_IN_PATH,),
        body=shapes.body(reason=REASON),
        answer=shapes.record(tenant=shapes.TEXT, target=shapes.TEXT, paused_at=shapes.INSTANT),
    ),
    Operation(
        method="POST",
        path="/lanes/{target}/resume",
        name="lane_resume",
        role=Role.OPERATOR,
        tells="Let a lane go on; the credential of a quarantined one is tried again at once.",
        handler=_resume,
        command="lane resume",
        parameters=(TARGET_IN_PATH,),
        body=shapes.body(optional={"reason": REASON}),
        answer=shapes.record(
            tenant=shapes.TEXT,
            target=shapes.TEXT,
            was_paused=shapes.TRUTH,
            is_quarantined=shapes.TRUTH,
            is_failing=shapes.TRUTH,
        ),
    ),
)
