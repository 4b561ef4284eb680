"""One person's timeline, and the calls in which people went."""

from typing import Any

from scim_bridge.errors import NotThere
from scim_bridge.operators import batches, timeline
from scim_bridge.web.api import shapes
from scim_bridge.web.api.failed import NOTE
from scim_bridge.web.api.operations import Asked, Desk, Operation, Parameter, Role, Schema, number

_WHO = Parameter(name="who", tells="A userName, e-mail, externalId, id, or account id in a target.", required=True)

_BATCH = number("batch", "The batch's id, as timelines name it.")

_CALL: dict[str, Schema] = {
    "batch": shapes.NUMBER,
    "target": shapes.TEXT,
    "number": shapes.NUMBER,
    "step": shapes.TEXT,
    "method": shapes.TEXT,
    "path": shapes.TEXT,
    "status": shapes.TEXT,
    "http_status": shapes.COUNT_OR_NONE,
    "opened_at": shapes.INSTANT,
    "settled_at": shapes.INSTANT_OR_NONE,
    "request": shapes.ANYTHING,
    "answer": shapes.ANYTHING,
}

_ENTRY = shapes.record(
    at=shapes.INSTANT,
    outcome=shapes.TEXT,
    code=shapes.TEXT,
    detail=shapes.TEXT,
    batch=shapes.NUMBER_OR_NONE,
    superseded_by=shapes.NUMBER_OR_NONE,
    who=shapes.TEXT,
)

_OPERATION = shapes.record(
    operation=shapes.NUMBER,
    target=shapes.TEXT,
    state=shapes.TEXT,
    code=shapes.TEXT,
    advice=shapes.TEXT,
    attempts=shapes.COUNT,
    calls=shapes.COUNT,
    replayed=shapes.list_of(shapes.record(who=shapes.TEXT, at=shapes.INSTANT)),
    due_at=shapes.INSTANT_OR_NONE,
    carried_by=shapes.NUMBER_OR_NONE,
    fate=shapes.TEXT,
    entries=shapes.list_of(_ENTRY),
    notes=shapes.list_of(NOTE),
)

_CHANGE = shapes.record(
    number=shapes.NUMBER,
    kind=shapes.TEXT,
    source=shapes.TEXT,
    token_id=shapes.TEXT_OR_NONE,
    token_name=shapes.TEXT,
    received_at=shapes.INSTANT,
    correlation_id=shapes.TEXT,
    request=shapes.OBJECT,
    operations=shapes.list_of(_OPERATION),
)

_PERSON = shapes.record(
    tenant=shapes.TEXT,
    id=shapes.TEXT,
    user=shapes.TEXT,
    external_id=shapes.TEXT_OR_NONE,
    active=shapes.TRUTH,
    held_inactive_by=shapes.TEXTS,
    deleted_at=shapes.INSTANT_OR_NONE,
    groups=shapes.TEXTS,
    holds=shapes.list_of(
        shapes.record(
            target=shapes.TEXT,
            status=shapes.TEXT,
            reason=shapes.TEXT,
            since=shapes.INSTANT,
            decided_by=shapes.TEXT_OR_NONE,
        )
    ),
    mapped=shapes.list_of(shapes.OBJECT),
    sources=shapes.list_of(
        shapes.record(
            source=shapes.TEXT,
            active=shapes.TRUTH_OR_NONE,
            said_at=shapes.INSTANT,
            deleted_at=shapes.INSTANT_OR_NONE,
            attributes=shapes.TEXTS,
        )
    ),
    links=shapes.list_of(
        shapes.record(
            target=shapes.TEXT,
            account=shapes.TEXT_OR_NONE,
            active=shapes.TRUTH_OR_NONE,
            known_at=shapes.INSTANT_OR_NONE,
            doubt=shapes.TEXT_OR_NONE,
            known={"type": ["object", "null"]},
        )
    ),
    changes=shapes.list_of(_CHANGE),
    batches=shapes.list_of(shapes.record_of({**_CALL, "people": shapes.COUNT, "position": shapes.NUMBER_OR_NONE})),
)

_IN_BATCH = shapes.record(
    position=shapes.NUMBER,
    operation=shapes.NUMBER,
    id=shapes.TEXT_OR_NONE,
    user=shapes.TEXT_OR_NONE,
    kind=shapes.TEXT_OR_NONE,
    outcome=shapes.TEXT_OR_NONE,
    code=shapes.TEXT_OR_NONE,
    detail=shapes.TEXT_OR_NONE,
    advice=shapes.TEXT,
    state=shapes.TEXT_OR_NONE,
)


def _show(desk: Desk, asked: Asked) -> dict[str, Any]:
    owns = {each.id: {source.name: source.owns for source in each.sources} for each in desk.settings.tenants}
    found = timeline.show(desk.store, asked.query["who"], asked.tenant, owns=owns, settings=desk.settings)
    if not found["people"]:
        raise NotThere("Nobody is known by that name, address or id.")
    return found


def _batch(desk: Desk, asked: Asked) -> dict[str, Any]:
    return batches.show(desk.store, asked.tenant, asked.path["batch"])


OPERATIONS = (
    Operation(
        method="GET",
        path="/users",
        name="user_show",
        role=Role.VIEWER,
        tells="All that happened to one person; several people may have borne a name one after the other.",
        handler=_show,
        command="user show",
        parameters=(_WHO,),
        answer=shapes.record(people=shapes.list_of(_PERSON)),
    ),
    Operation(
        method="GET",
        path="/batches/{batch}",
        name="batch_show",
        role=Role.VIEWER,
        tells="One call to a target: its request and answer, redacted, and what became of each person in it.",
        handler=_batch,
        command="batch show",
        parameters=(_BATCH,),
        answer=shapes.record_of(
            {
                **_CALL,
                "tenant": shapes.TEXT,
                "late": shapes.TRUTH,
                "deadline_at": shapes.INSTANT,
                "took_ms": shapes.COUNT_OR_NONE,
                "outcomes": shapes.COUNTS,
                "people": shapes.list_of(_IN_BATCH),
            }
        ),
    ),
)
