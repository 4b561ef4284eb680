"""One person's timeline."""

from typing import Any

from scim_bridge.errors import NotThere
from scim_bridge.operators import timeline
from scim_bridge.web.api import shapes
from scim_bridge.web.api.operations import Asked, Desk, Operation, Parameter, Role

_WHO = Parameter(name="who", tells="A userName, e-mail, externalId, id, or account id in a target.", required=True)

_PERSON = shapes.record(
    tenant=shapes.TEXT,
    id=shapes.TEXT,
    user=shapes.TEXT,
    external_id=shapes.TEXT_OR_NONE,
    active=shapes.TRUTH,
    held_inactive_by=shapes.TEXTS,
    deleted_at=shapes.INSTANT_OR_NONE,
    sources=shapes.list_of(
        shapes.record(
            source=shapes.TEXT,
            active=shapes.TRUTH_OR_NONE,
            said_at=shapes.INSTANT,
            deleted_at=shapes.INSTANT_OR_NONE,
        )
    ),
    links=shapes.list_of(
        shapes.record(
            target=shapes.TEXT,
            account=shapes.TEXT_OR_NONE,
            active=shapes.TRUTH_OR_NONE,
            known_at=shapes.INSTANT_OR_NONE,
            doubt=shapes.TEXT_OR_NONE,
        )
    ),
    changes=shapes.list_of(
        shapes.record(
            number=shapes.NUMBER,
            kind=shapes.TEXT,
            source=shapes.TEXT,
            received_at=shapes.INSTANT,
            correlation_id=shapes.TEXT,
            request=shapes.OBJECT,
            operations=shapes.list_of(
                shapes.record(
                    operation=shapes.NUMBER,
                    target=shapes.TEXT,
                    state=shapes.TEXT,
                    code=shapes.TEXT,
                    advice=shapes.TEXT,
                    attempts=shapes.COUNT,
                    due_at=shapes.INSTANT_OR_NONE,
                    carried_by=shapes.NUMBER_OR_NONE,
                    fate=shapes.TEXT,
                    entries=shapes.list_of(shapes.OBJECT),
                )
            ),
        )
    ),
    batches=shapes.list_of(shapes.OBJECT),
)


def _show(desk: Desk, asked: Asked) -> dict[str, Any]:
    owns = {each.id: {source.name: source.owns for source in each.sources} for each in desk.settings.tenants}
    found = timeline.show(desk.store, asked.query["who"], asked.tenant, owns=owns)
    if not found["people"]:
        raise NotThere("Nobody is known by that name, address or id.")
    return found


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
)
