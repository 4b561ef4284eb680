"""What HR systems sent: files of rows, events that are kept, and what a mapping does with a sample."""

from typing import Any

from scim_bridge.errors import UsageError
from scim_bridge.operators import hr_imports, kept_events, trying
from scim_bridge.web.api import reading, shapes
from scim_bridge.web.api.operations import (
    AFTER,
    LIMIT,
    REASON,
    Asked,
    Desk,
    Operation,
    Parameter,
    Reply,
    Role,
    number,
    page_of,
)

MOST_SAMPLE_CHARACTERS = 262_144

_SOURCE = Parameter(name="source", tells="Only this source's.")
_IMPORT = Parameter(name="name", tells="What the import is known by.")
_EVENT = number("event", "The event's number.")
_STATE = Parameter(name="state", tells="Only those in this state.", schema=shapes.one_of(*kept_events.STATES))
_REFUSED = Parameter(name="refused", tells="Only rows that were refused.", schema={"type": "boolean", "default": False})

_HEADING = {
    "id": shapes.TEXT,
    "source": shapes.TEXT,
    "mode": shapes.one_of("snapshot", "delta"),
    "dry_run": shapes.TRUTH,
    "status": shapes.TEXT,
    "rows": shapes.COUNT,
    "reason": shapes.TEXT,
    "nobody_missing_because": shapes.TEXT,
    "said_at": shapes.INSTANT,
    "received_at": shapes.INSTANT,
    "finished_at": shapes.INSTANT_OR_NONE,
}

_ROW = shapes.record(
    row=shapes.COUNT,
    id=shapes.TEXT,
    outcome=shapes.TEXT,
    code=shapes.TEXT_OR_NONE,
    field=shapes.TEXT_OR_NONE,
    advice=shapes.TEXT_OR_NONE,
    change=shapes.NUMBER_OR_NONE,
)

_KEPT = shapes.record(
    event=shapes.NUMBER,
    tenant=shapes.TEXT,
    source=shapes.TEXT,
    state=shapes.TEXT,
    person=shapes.TEXT,
    since=shapes.INSTANT,
    age_s=shapes.COUNT,
    code=shapes.TEXT,
    field=shapes.TEXT,
    advice=shapes.TEXT,
    attempts=shapes.COUNT,
    next_try_at=shapes.INSTANT_OR_NONE,
)

_TRIED_AGAIN = shapes.record(tenant=shapes.TEXT, source=shapes.TEXT, events=shapes.COUNT)


def _imports(desk: Desk, asked: Asked) -> dict[str, Any]:
    kept_events.check(desk.store, desk.settings, tenant=asked.tenant, source=asked.query.get("source"))
    return hr_imports.listed(desk.store, asked.tenant, **asked.given("source", "after", "limit"))


def _import(desk: Desk, asked: Asked) -> dict[str, Any]:
    return hr_imports.show(desk.store, asked.tenant, asked.path["name"])


def _rows(desk: Desk, asked: Asked) -> dict[str, Any]:
    name = asked.path["name"]
    return hr_imports.rows(desk.store, asked.tenant, name, **asked.given("after", "limit", "refused"))


def _report(desk: Desk, asked: Asked) -> Reply:
    name = asked.path["name"]
    pieces = hr_imports.as_csv(desk.store, asked.tenant, name)
    return Reply(text=pieces, headers={"Content-Disposition": 'attachment; filename="import.csv"'})


def _events(desk: Desk, asked: Asked) -> dict[str, Any]:
    found = kept_events.report(
        desk.store,
        desk.settings,
        tenant=asked.tenant,
        **asked.given("source", "state", "after", "limit"),
    )
    return {"items": found["events"], "next": found["next"], "counts": found["counts"]}


def _retry(desk: Desk, asked: Asked) -> dict[str, Any]:
    return kept_events.retry(desk.store, number=asked.path["event"], who=asked.who, tenant=asked.tenant)


def _retry_source(desk: Desk, asked: Asked) -> dict[str, Any]:
    source = asked.body["source"]
    return kept_events.retry_source(desk.store, desk.settings, tenant=asked.tenant, source=source, who=asked.who)


def _drop(desk: Desk, asked: Asked) -> dict[str, Any]:
    reason = reading.reason_of(asked)
    event = asked.path["event"]
    return kept_events.drop(desk.store, number=event, who=asked.who, reason=reason, tenant=asked.tenant)


def _try(desk: Desk, asked: Asked) -> dict[str, Any]:
    tenant = desk.settings.tenant(asked.tenant)
    if tenant is None:
        raise UsageError("The tenant is not in the configuration any more.")
    source = trying.source_named(tenant, asked.body["source"])
    return trying.report(tenant, source, trying.encoded(source, asked.body["sample"]))


OPERATIONS = (
    Operation(
        method="GET",
        path="/hr/imports",
        name="hr_import_list",
        role=Role.VIEWER,
        tells="Files of rows that came in, the newest in front.",
        handler=_imports,
        command="hr imports",
        parameters=(_SOURCE, AFTER, LIMIT),
        answer=page_of(shapes.record_of({"tenant": shapes.TEXT, **_HEADING})),
    ),
    Operation(
        method="GET",
        path="/hr/imports/{name}",
        name="hr_import_show",
        role=Role.VIEWER,
        tells="Where an import stands, and how many of its rows came to which outcome.",
        handler=_import,
        command="hr imports show",
        parameters=(_IMPORT,),
        answer=shapes.record_of({**_HEADING, "outcomes": shapes.COUNTS}),
    ),
    Operation(
        method="GET",
        path="/hr/imports/{name}/rows",
        name="hr_import_rows",
        role=Role.VIEWER,
        tells="What became of each row, in the order of the file.",
        handler=_rows,
        command="hr imports rows",
        parameters=(_IMPORT, _REFUSED, AFTER, LIMIT),
        answer=page_of(_ROW),
    ),
    Operation(
        method="GET",
        path="/hr/imports/{name}/report.csv",
        name="hr_import_report",
        role=Role.VIEWER,
        tells="What became of every row, as CSV.",
        handler=_report,
        command="hr imports report",
        parameters=(_IMPORT,),
        answer=shapes.TEXT,
        media_type="text/csv; charset=utf-8",
    ),
    Operation(
        method="GET",
        path="/hr/events",
        name="hr_event_list",
        role=Role.VIEWER,
        tells="Events that wait, are refused, or need a fetch: whose, since when, why, and what to do about it.",
        handler=_events,
        command="hr events",
        parameters=(_SOURCE, _STATE, AFTER, LIMIT),
        answer=shapes.record_of({**page_of(_KEPT)["properties"], "counts": shapes.COUNTS}),
    ),
    Operation(
        method="POST",
        path="/hr/events/retry",
        name="hr_event_retry_source",
        role=Role.OPERATOR,
        tells="Apply all refused events of a source once more, and look people up now.",
        handler=_retry_source,
        command="hr events retry",
        body=shapes.body(source=_SOURCE.schema),
        answer=_TRIED_AGAIN,
    ),
    Operation(
        method="POST",
        path="/hr/events/{event}/retry",
        name="hr_event_retry",
        role=Role.OPERATOR,
        tells="Apply a refused event once more, or look its person up now.",
        handler=_retry,
        command="hr events retry",
        parameters=(_EVENT,),
        answer=_TRIED_AGAIN,
    ),
    Operation(
        method="POST",
        path="/hr/events/{event}/drop",
        name="hr_event_drop",
        role=Role.OPERATOR,
        tells="Give an event up: nothing is made of it any more.",
        handler=_drop,
        command="hr events drop",
        parameters=(_EVENT,),
        body=shapes.body(reason=REASON),
        answer=shapes.record(
            tenant=shapes.TEXT, event=shapes.NUMBER, source=shapes.TEXT, state=shapes.TEXT, person=shapes.TEXT
        ),
    ),
    Operation(
        method="POST",
        path="/mapping/try",
        name="mapping_try",
        role=Role.OPERATOR,
        tells="The user that each row of a sample becomes, what every target would get, what each rule did.",
        handler=_try,
        command="mapping try",
        body=shapes.body(
            source=_SOURCE.schema, sample={"type": "string", "minLength": 1, "maxLength": MOST_SAMPLE_CHARACTERS}
        ),
        answer=shapes.record(
            tenant=shapes.TEXT,
            source=shapes.TEXT,
            mapping=shapes.TEXT,
            rows=shapes.list_of(
                shapes.record(
                    row=shapes.COUNT,
                    says=shapes.TEXT,
                    said_at=shapes.INSTANT_OR_NONE,
                    refused={"type": ["object", "null"]},
                    user={"type": ["object", "null"]},
                    targets=shapes.OBJECT,
                    rules=shapes.list_of(shapes.OBJECT),
                    dropped=shapes.TEXTS,
                    timezone=shapes.TEXT,
                )
            ),
        ),
    ),
)
