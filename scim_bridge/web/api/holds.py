"""Holds: who waits for a decision, letting them go, leaving them as they are, allowing a planned day."""

from typing import Any

from scim_bridge.errors import NotThere, UsageError
from scim_bridge.operators import holds
from scim_bridge.operators.holds import Kind
from scim_bridge.web.api import reading, shapes
from scim_bridge.web.api.lanes import check_target
from scim_bridge.web.api.operations import (
    AFTER,
    LIMIT,
    REASON,
    TARGET,
    USER,
    Asked,
    Desk,
    Operation,
    Parameter,
    Role,
    Schema,
    page_of,
)

LONGEST_S = 365 * 86_400

KIND: Schema = {**shapes.one_of(*(kind.value for kind in Kind)), "default": Kind.DEACTIVATION.value}

_REJECTED = Parameter(
    name="rejected",
    tells="Those whose account was left as it is instead.",
    schema={"type": "boolean", "default": False},
)
_WHICH = Parameter(
    name="kind", tells="Held from leaving, or from having an account that was there before us.", schema=KIND
)

_HELD = shapes.record(
    hold=shapes.NUMBER_OR_NONE,
    kind=shapes.TEXT,
    tenant=shapes.TEXT,
    target=shapes.TEXT,
    status=shapes.TEXT,
    id=shapes.TEXT,
    user=shapes.TEXT,
    since=shapes.INSTANT,
    reason=shapes.TEXT,
    operation=shapes.NUMBER_OR_NONE,
    decided_at=shapes.INSTANT_OR_NONE,
    decided_by=shapes.TEXT_OR_NONE,
)

_WHOM: dict[str, Schema] = {"target": TARGET.schema, "user": USER.schema, "all": shapes.TRUTH, "kind": KIND}


def _list(desk: Desk, asked: Asked) -> dict[str, Any]:
    check_target(desk, asked)
    return holds.page(
        desk.store,
        tenant=asked.tenant,
        kind=Kind(asked.query["kind"]),
        **asked.given("target", "user", "rejected", "after", "limit"),
    )


def _release(desk: Desk, asked: Asked) -> dict[str, Any]:
    choice = _choice(desk, asked)
    told = holds.release(desk.store, desk.dispatcher, **choice, rejected=asked.body.get("rejected", False))
    return _if_anybody(asked, told)


def _reject(desk: Desk, asked: Asked) -> dict[str, Any]:
    return _if_anybody(asked, holds.reject(desk.store, desk.dispatcher, **_choice(desk, asked)))


def _choice(desk: Desk, asked: Asked) -> dict[str, Any]:
    if ("user" in asked.body) == asked.body.get("all", False):
        raise UsageError("Say whom you mean: user for one person, or else all: true.")
    check_target(desk, asked)
    return {
        "tenant": asked.tenant,
        "who": asked.who,
        "reason": reading.reason_of(asked),
        "target": asked.body.get("target"),
        "user": asked.body.get("user"),
        "kind": Kind(asked.body.get("kind", Kind.DEACTIVATION.value)),
    }


def _if_anybody(asked: Asked, told: dict[str, Any]) -> dict[str, Any]:
    if "user" in asked.body and not told["people"]:
        # Whoever mistypes a name must not believe that a leaver is out.
        raise NotThere("Nobody of this kind is held by this name; GET /holds shows who is.")
    return told


def _allow(desk: Desk, asked: Asked) -> dict[str, Any]:
    check_target(desk, asked)
    given = {
        "tenant": asked.tenant,
        "target": asked.body["target"],
        "count": asked.body["count"],
        "for_ms": asked.body["for_s"] * 1000,
        "who": asked.who,
        "reason": reading.reason_of(asked),
    }
    if asked.body.get("now", False):
        return holds.allow_now(desk.store, desk.dispatcher, **given)
    return holds.allow(desk.store, **given)


OPERATIONS = (
    Operation(
        method="GET",
        path="/holds",
        name="hold_list",
        role=Role.VIEWER,
        tells="Who waits for a decision, of one kind, the first held in front.",
        handler=_list,
        command="hold list",
        parameters=(TARGET, USER, _WHICH, _REJECTED, AFTER, LIMIT),
        answer=page_of(_HELD),
    ),
    Operation(
        method="POST",
        path="/holds/release",
        name="hold_release",
        role=Role.OPERATOR,
        tells="Let held deactivations be sent; of the kind takeover, let people have the accounts that were there.",
        handler=_release,
        command="hold release",
        body=shapes.body(optional={**_WHOM, "rejected": shapes.TRUTH}, reason=REASON),
        answer=shapes.record(people=shapes.COUNT),
    ),
    Operation(
        method="POST",
        path="/holds/reject",
        name="hold_reject",
        role=Role.OPERATOR,
        tells="Keep accounts active until the directory says so again; of the kind takeover, as they are for good.",
        handler=_reject,
        command="hold reject",
        body=shapes.body(optional=_WHOM, reason=REASON),
        answer=shapes.record(people=shapes.COUNT),
    ),
    Operation(
        method="POST",
        path="/holds/allow",
        name="hold_allow",
        role=Role.OPERATOR,
        tells="Raise a lane's threshold once, for a planned day; with now, release who is held as far as that goes.",
        handler=_allow,
        command="hold allow",
        body=shapes.body(
            optional={"now": shapes.TRUTH},
            target=TARGET.schema,
            count={"type": "integer", "minimum": 1, "maximum": 1_000_000},
            for_s={"type": "integer", "minimum": 60, "maximum": LONGEST_S},
            reason=REASON,
        ),
        answer=shapes.record(
            tenant=shapes.TEXT,
            target=shapes.TEXT,
            allowance=shapes.NUMBER,
            count=shapes.NUMBER,
            until=shapes.INSTANT,
            released=shapes.COUNT,
            still_held=shapes.COUNT,
        ),
    ),
)
