"""Replays: a plan first, then its approval by a name, its progress, and its end."""

from typing import Any

from scim_bridge.operators import replay_plans
from scim_bridge.web.api import choosing, shapes
from scim_bridge.web.api.operations import AFTER, LIMIT, Asked, Desk, Operation, Reply, Role, Schema, number, page_of
from scim_bridge.web.api.problems import PREFIX

_REPLAY = number("replay", "The replay's number.")

_BY_TARGET: dict[str, Schema] = {
    **dict.fromkeys(("people", "operations", "calls", "leavers", "deactivations", "held"), shapes.COUNT),
    "eta_s": shapes.COUNT_OR_NONE,
}
_FIGURES: Schema = {
    **shapes.record_of(
        {
            **_BY_TARGET,
            "targets": shapes.list_of(shapes.record_of({**_BY_TARGET, "target": shapes.TEXT, "state": shapes.TEXT})),
        }
    ),
    "type": ["object", "null"],
}

_PLAN: dict[str, Schema] = {
    "replay": shapes.NUMBER,
    "tenant": shapes.TEXT,
    "status": shapes.TEXT,
    "who": shapes.TEXT,
    "at": shapes.INSTANT,
    "filter": shapes.OBJECT,
    "policy": shapes.TEXT_OR_NONE,
    "approved_by": shapes.TEXT_OR_NONE,
    "approved_at": shapes.INSTANT_OR_NONE,
    "ended_at": shapes.INSTANT_OR_NONE,
    "put_back": shapes.COUNT,
    "figures": _FIGURES,
}

_PERSON = shapes.record(
    operation=shapes.NUMBER,
    target=shapes.TEXT,
    kind=shapes.TEXT,
    id=shapes.TEXT,
    user=shapes.TEXT,
    is_deleted=shapes.TRUTH,
    code=shapes.TEXT_OR_NONE,
    state=shapes.TEXT,
    account=shapes.TEXT_OR_NONE,
    before={"type": ["object", "null"]},
    after={"type": ["object", "null"]},
    refused={"type": ["object", "null"]},
    changes=shapes.TEXTS,
    does=shapes.TEXT,
)


def _plan(desk: Desk, asked: Asked) -> Reply:
    choosing.check_choice(asked, "operations")
    filters = choosing.filters_of_body(desk, asked)
    made = replay_plans.plan(
        desk.store,
        desk.settings,
        tenant=asked.tenant,
        who=asked.who,
        target=filters.target,
        code=filters.code,
        klass=filters.klass,
        since=filters.since,
        until=filters.until,
        user=filters.user,
        operations=asked.body.get("operations"),
        policy=asked.body.get("policy"),
    )
    if made["replay"] is None:
        return Reply(body=made)
    return Reply(body=made, headers={"Location": f"{PREFIX}/replays/{made['replay']}"})


def _list(desk: Desk, asked: Asked) -> dict[str, Any]:
    return replay_plans.list_plans(desk.store, tenant=asked.tenant, **asked.given("after", "limit"))


def _show(desk: Desk, asked: Asked) -> dict[str, Any]:
    return replay_plans.status(desk.store, desk.settings, tenant=asked.tenant, number=asked.path["replay"])


def _people(desk: Desk, asked: Asked) -> dict[str, Any]:
    number = asked.path["replay"]
    return replay_plans.preview(
        desk.store, desk.settings, tenant=asked.tenant, number=number, **asked.given("after", "limit")
    )


def _approve(desk: Desk, asked: Asked) -> Reply:
    number = asked.path["replay"]
    approved = replay_plans.approve(desk.store, desk.settings, tenant=asked.tenant, number=number, who=asked.who)
    return Reply(body=approved, status=202, headers={"Location": f"{PREFIX}/replays/{number}"})


def _cancel(desk: Desk, asked: Asked) -> dict[str, Any]:
    return replay_plans.cancel(desk.store, tenant=asked.tenant, number=asked.path["replay"], who=asked.who)


OPERATIONS = (
    Operation(
        method="POST",
        path="/replays",
        name="replay_plan",
        role=Role.OPERATOR,
        tells="Plan the replay of dead operations. When nothing is dead there is no plan: `replay` is null.",
        handler=_plan,
        command="replay plan",
        body=shapes.body(
            optional={
                **choosing.KEYS,
                "operations": choosing.NUMBERS,
                "all": shapes.TRUTH,
                "policy": shapes.one_of(*replay_plans.POLICIES),
            }
        ),
        answer=shapes.record(
            replay=shapes.NUMBER_OR_NONE,
            tenant=shapes.TEXT,
            status=shapes.TEXT,
            not_dead=shapes.COUNTS,
            figures=_FIGURES,
        ),
    ),
    Operation(
        method="GET",
        path="/replays",
        name="replay_list",
        role=Role.VIEWER,
        tells="Replays, the newest in front.",
        handler=_list,
        command="replay status",
        parameters=(AFTER, LIMIT),
        answer=page_of(shapes.record_of(_PLAN)),
    ),
    Operation(
        method="GET",
        path="/replays/{replay}",
        name="replay_status",
        role=Role.VIEWER,
        tells="How far a replay has come: operations put back, where their people stand now, what it still takes.",
        handler=_show,
        command="replay status",
        parameters=(_REPLAY,),
        answer=shapes.record_of(
            {
                **_PLAN,
                "progress": shapes.COUNTS,
                "standing": shapes.COUNTS,
                "waiting": shapes.COUNT,
                "eta_s": shapes.COUNT_OR_NONE,
            }
        ),
    ),
    Operation(
        method="GET",
        path="/replays/{replay}/people",
        name="replay_preview",
        role=Role.VIEWER,
        tells="The people of a replay before and after: what their accounts hold, and what they are to hold.",
        handler=_people,
        command="replay preview",
        parameters=(_REPLAY, AFTER, LIMIT),
        answer=page_of(_PERSON),
    ),
    Operation(
        method="POST",
        path="/replays/{replay}/approve",
        name="replay_approve",
        role=Role.OPERATOR,
        tells="Let a plan run. One whose people have changed since is refused with 409 and the difference.",
        handler=_approve,
        command="replay approve",
        parameters=(_REPLAY,),
        answer=shapes.record_of(_PLAN),
        status=202,
    ),
    Operation(
        method="POST",
        path="/replays/{replay}/cancel",
        name="replay_cancel",
        role=Role.OPERATOR,
        tells="Stop a replay: what it has not put back stays dead.",
        handler=_cancel,
        command="replay cancel",
        parameters=(_REPLAY,),
        answer=shapes.record_of(_PLAN),
    ),
)
