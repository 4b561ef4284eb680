"""Drift: how a target's accounts differ from the directory, mending it, and what a target says it can do.

Only the delivering side has a target's credential, so that each is an errand: it is asked for, and told of later.
"""

from typing import Any

from scim_bridge.operators import drift
from scim_bridge.store.errands import PROBE, RECONCILE
from scim_bridge.web.api import shapes
from scim_bridge.web.api.operations import (
    AFTER,
    LIMIT,
    TARGET,
    Asked,
    Desk,
    Operation,
    Parameter,
    Reply,
    Role,
    Schema,
    number,
    page_of,
)
from scim_bridge.web.api.problems import PREFIX

_ERRAND = number("errand", "The errand's number.")
_KIND = Parameter(name="kind", tells="Only drift, or only probes.", schema=shapes.one_of(RECONCILE, PROBE))
_DRIFT = Parameter(name="drift", tells="Only accounts that differ so.", schema=shapes.one_of(*drift.DRIFTS))

_SHOWN: dict[str, Schema] = {
    "errand": shapes.NUMBER,
    "tenant": shapes.TEXT,
    "target": shapes.TEXT,
    "kind": shapes.TEXT,
    "who": shapes.TEXT,
    "repair": shapes.TRUTH,
    "max_calls": shapes.NUMBER_OR_NONE,
    "status": shapes.one_of("waiting", "working", "done", "failed"),
    "reason": shapes.TEXT,
    "asked_at": shapes.INSTANT,
    "began_at": shapes.INSTANT_OR_NONE,
    "ended_at": shapes.INSTANT_OR_NONE,
    "found": {"type": ["object", "null"]},
}

_ASKED = shapes.record(errand=shapes.NUMBER, status=shapes.TEXT, is_new=shapes.TRUTH)


def _reconcile(desk: Desk, asked: Asked) -> Reply:
    given = {name: asked.body[name] for name in ("repair", "extra", "max_calls") if name in asked.body}
    return _errand(desk, asked, kind=RECONCILE, **given)


def _probe(desk: Desk, asked: Asked) -> Reply:
    return _errand(desk, asked, kind=PROBE)


def _errand(desk: Desk, asked: Asked, **what: Any) -> Reply:
    told = drift.ask(
        desk.store, desk.dispatcher, tenant=asked.tenant, target=asked.body["target"], who=asked.who, **what
    )
    return Reply(body=told, status=202, headers={"Location": f"{PREFIX}/drift/{told['errand']}"})


def _list(desk: Desk, asked: Asked) -> dict[str, Any]:
    return drift.listed(desk.store, tenant=asked.tenant, **asked.given("target", "kind", "after", "limit"))


def _show(desk: Desk, asked: Asked) -> dict[str, Any]:
    return drift.show(desk.store, tenant=asked.tenant, number=asked.path["errand"])


def _rows(desk: Desk, asked: Asked) -> dict[str, Any]:
    return drift.rows(
        desk.store,
        tenant=asked.tenant,
        number=asked.path["errand"],
        kind=asked.query.get("drift"),
        **asked.given("after", "limit"),
    )


def _export(desk: Desk, asked: Asked) -> Reply:
    number = asked.path["errand"]
    pieces = drift.as_csv(desk.store, tenant=asked.tenant, number=number)
    return Reply(text=pieces, headers={"Content-Disposition": f'attachment; filename="drift-{number}.csv"'})


OPERATIONS = (
    Operation(
        method="POST",
        path="/drift",
        name="reconcile",
        role=Role.OPERATOR,
        tells="Compare the directory with what a target holds; with repair, owe what is missing or differs.",
        handler=_reconcile,
        command="reconcile",
        body=shapes.body(
            target=TARGET.schema,
            optional={
                "repair": shapes.TRUTH,
                "max_calls": {"type": "integer", "minimum": 1, "maximum": drift.MOST_CALLS},
            },
        ),
        answer=_ASKED,
        status=202,
    ),
    Operation(
        method="POST",
        path="/probes",
        name="target_probe",
        role=Role.OPERATOR,
        tells="Ask a target what it supports.",
        handler=_probe,
        command="target probe",
        body=shapes.body(target=TARGET.schema),
        answer=_ASKED,
        status=202,
    ),
    Operation(
        method="GET",
        path="/drift",
        name="drift_list",
        role=Role.VIEWER,
        tells="What was asked of targets, the newest in front.",
        handler=_list,
        command="drift list",
        parameters=(TARGET, _KIND, AFTER, LIMIT),
        answer=page_of(shapes.record_of(_SHOWN)),
    ),
    Operation(
        method="GET",
        path="/drift/{errand}",
        name="drift_show",
        role=Role.VIEWER,
        tells="Where it stands and, once it is done, what was found in figures.",
        handler=_show,
        command="drift show",
        parameters=(_ERRAND,),
        answer=shapes.record_of(_SHOWN),
    ),
    Operation(
        method="GET",
        path="/drift/{errand}/rows",
        name="drift_rows",
        role=Role.VIEWER,
        tells="Whose account differs, and in which parts.",
        handler=_rows,
        command="drift rows",
        parameters=(_ERRAND, _DRIFT, AFTER, LIMIT),
        answer=page_of(
            shapes.record(
                row=shapes.COUNT,
                drift=shapes.TEXT,
                id=shapes.TEXT_OR_NONE,
                user=shapes.TEXT_OR_NONE,
                account=shapes.TEXT_OR_NONE,
                parts=shapes.TEXTS,
            )
        ),
    ),
    Operation(
        method="GET",
        path="/drift/{errand}.csv",
        name="drift_export",
        role=Role.VIEWER,
        tells="All of these as CSV.",
        handler=_export,
        command="drift export",
        parameters=(_ERRAND,),
        answer=shapes.TEXT,
        media_type="text/csv; charset=utf-8",
    ),
)
