"""The dead-letter inbox: groups, pages, an export, notes, and giving up."""

from typing import Any

from scim_bridge.operators import discarding, inbox, notes
from scim_bridge.web.api import choosing, shapes
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
    Schema,
    page_of,
)

OLDEST_FIRST = Parameter(
    name="oldest_first", tells="Those that ended first in front.", schema={"type": "boolean", "default": False}
)

NOTE = shapes.record(who=shapes.TEXT, text=shapes.TEXT, at=shapes.INSTANT)

_ABOUT_A_CODE: dict[str, Schema] = {
    "code": shapes.TEXT,
    "class": shapes.TEXT_OR_NONE,
    "advice": shapes.TEXT,
    "owner": shapes.TEXT,
}

_ITEM = shapes.record_of(
    {
        **_ABOUT_A_CODE,
        "operation": shapes.NUMBER,
        "tenant": shapes.TEXT,
        "target": shapes.TEXT,
        "kind": shapes.TEXT,
        "id": shapes.TEXT,
        "user": shapes.TEXT,
        "detail": shapes.TEXT,
        "attempts": shapes.COUNT,
        "at": shapes.INSTANT,
        "age_s": shapes.COUNT,
        "batch": shapes.NUMBER_OR_NONE,
        "change": shapes.NUMBER,
        "source": shapes.TEXT_OR_NONE,
        "correlation_id": shapes.TEXT_OR_NONE,
        "notes": shapes.list_of(NOTE),
    }
)

_GROUP = shapes.record_of(
    {
        **_ABOUT_A_CODE,
        "tenant": shapes.TEXT,
        "target": shapes.TEXT,
        "operations": shapes.COUNT,
        "people": shapes.COUNT,
        "oldest_at": shapes.INSTANT,
        "newest_at": shapes.INSTANT,
        "oldest_s": shapes.COUNT,
    }
)


def _list(desk: Desk, asked: Asked) -> dict[str, Any]:
    filters = choosing.filters_of_query(desk, asked)
    return inbox.items(
        desk.store,
        asked.tenant,
        filters,
        newest_first=not asked.query["oldest_first"],
        **asked.given("after", "limit"),
    )


def _groups(desk: Desk, asked: Asked) -> dict[str, Any]:
    return inbox.groups(desk.store, asked.tenant, choosing.filters_of_query(desk, asked))


def _export(desk: Desk, asked: Asked) -> Reply:
    pieces = inbox.as_csv(desk.store, asked.tenant, choosing.filters_of_query(desk, asked))
    return Reply(text=pieces, headers={"Content-Disposition": 'attachment; filename="failed.csv"'})


def _note(desk: Desk, asked: Asked) -> dict[str, Any]:
    operations, text = asked.body["operations"], asked.body["text"]
    return notes.note(desk.store, asked.tenant, operations, who=asked.who, text=text)


def _discard(desk: Desk, asked: Asked) -> dict[str, Any]:
    choosing.check_choice(asked, "operations")
    operations = asked.body.get("operations")
    return discarding.discard(
        desk.store,
        asked.tenant,
        choosing.filters_of_body(desk, asked) if operations is None else None,
        operations=operations,
        who=asked.who,
        reason=asked.body["reason"],
        dry_run=asked.body.get("dry_run", False),
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/failed",
        name="failed_list",
        role=Role.VIEWER,
        tells="What is no longer tried: who, where, why, and what to do about it.",
        handler=_list,
        command="failed list",
        parameters=(*choosing.PARAMETERS, OLDEST_FIRST, AFTER, LIMIT),
        answer=page_of(_ITEM),
    ),
    Operation(
        method="GET",
        path="/failed/groups",
        name="failed_groups",
        role=Role.VIEWER,
        tells="What is no longer tried, by target and code, with counts, ages, advice and owner.",
        handler=_groups,
        command="failed groups",
        parameters=choosing.PARAMETERS,
        answer=shapes.record(groups=shapes.list_of(_GROUP)),
    ),
    Operation(
        method="GET",
        path="/failed.csv",
        name="failed_export",
        role=Role.VIEWER,
        tells="All that is no longer tried, as CSV.",
        handler=_export,
        command="failed export",
        parameters=choosing.PARAMETERS,
        answer=shapes.TEXT,
        media_type="text/csv; charset=utf-8",
    ),
    Operation(
        method="POST",
        path="/failed/notes",
        name="failed_note",
        role=Role.OPERATOR,
        tells="Write a remark beside operations; it is shown here and in the person's timeline.",
        handler=_note,
        command="failed note",
        body=shapes.body(
            operations=choosing.NUMBERS, text={"type": "string", "minLength": 1, "maxLength": notes.MOST_CHARACTERS}
        ),
        answer=shapes.record(operations=shapes.COUNT),
    ),
    Operation(
        method="POST",
        path="/failed/discard",
        name="failed_discard",
        role=Role.OPERATOR,
        tells="Give dead operations up: chosen by filters, named, or all of them. A later change is sent as ever.",
        handler=_discard,
        command="failed discard",
        body=shapes.body(
            optional={
                **choosing.KEYS,
                "operations": choosing.NUMBERS,
                "all": shapes.TRUTH,
                "dry_run": shapes.TRUTH,
            },
            reason=REASON,
        ),
        answer=shapes.record(
            operations=shapes.COUNT,
            discarded=shapes.COUNT,
            passed=shapes.list_of(shapes.record(operation=shapes.NUMBER, state=shapes.TEXT, says=shapes.TEXT)),
            dry_run=shapes.TRUTH,
        ),
    ),
)
