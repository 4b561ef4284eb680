"""What a person becomes for each target: what today's mapping makes of what the directory says."""

from collections.abc import Mapping
from typing import Any

from scim_bridge.domain.people import Person, Problem, Record
from scim_bridge.mapping.records import RecordMapping
from scim_bridge.recording import scopes
from scim_bridge.settings.models import Settings

_NOTHING = Record(active=False, attributes={})


def by_target(history: Mapping[str, Any], settings: Settings) -> list[dict[str, Any]]:
    """Return for each target of a person's tenant what it should hold, or why nothing can be made of them."""
    resource = history["resource"]
    tenant = settings.tenant(resource["tenant"])
    if tenant is None:
        return []
    person = Person(
        operation_id=0,
        resource_id=resource["id"],
        scim_id=resource["scim_id"],
        kind=resource["kind"],
        document={"active": bool(resource["active"]), **resource["document"]},
        deleted=resource["deleted_at"] is not None,
        groups=tuple(history["groups"]),
    )
    return [
        {
            "target": each.name,
            "in_scope": scopes.scope_of(each).takes(person.document),
            **_told(RecordMapping(each.mapping, each.fields, each.groups).record_of(person)),
        }
        for each in tenant.targets
    ]


def _told(made: Record | Problem) -> dict[str, Any]:
    refused, record = (made, _NOTHING) if isinstance(made, Problem) else (None, made)
    return {
        "refused": None
        if refused is None
        else {"code": refused.code, "field": refused.field, "detail": refused.detail},
        "active": None if refused is not None else record.active,
        "attributes": dict(record.attributes),
        "groups": sorted(record.groups),
        "courses": sorted(record.courses),
        "required_courses": sorted(record.required_courses),
    }
