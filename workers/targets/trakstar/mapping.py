"""From our words to Trakstar's: the record as it is held there, and the requests of each call."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scim_bridge.domain.people import Problem, Record, Step
from scim_bridge.planning.calls import Call, Item
from workers.policy.conflicts import fold
from workers.targets.trakstar.options import TrakstarOptions

MATCHING = {"email": "email", "userName": "username"}
"""Trakstar's attributes by matching attribute. It keeps no externalId of ours."""

_COLLECTIONS: dict[Step | None, str] = {Step.CREATE: "/user", Step.CREATE_GROUP: "/group"}
_SINGLE: dict[Step | None, tuple[str, str]] = {
    Step.UPDATE: ("POST", "/user/{user}"),
    Step.DEACTIVATE: ("POST", "/user/{user}/archive"),
    Step.REACTIVATE: ("POST", "/user/{user}/unarchive"),
    Step.JOIN: ("POST", "/group/{group}/user/{user}"),
    Step.LEAVE: ("DELETE", "/group/{group}/user/{user}"),
}
_BULK: dict[Step | None, str] = {
    Step.DEACTIVATE: "/user/archive",
    Step.JOIN: "/group/{group}/user",
    Step.LEAVE: "/group/{group}/user/action/delete",
}

_CUSTOM_FIELD = re.compile(r"customfield(\d)", re.IGNORECASE)
_TRAINEE = 169000100


def finish(record: Record, *, permissions: Mapping[str, int]) -> Record | Problem:
    """Return a mapped record with the types that Trakstar wants: codes for permissions, text for everything else.

    Somebody active needs an email or a username (document, NewUser). Of a leaver's record, what does not fit is left
    out instead of refused.
    """
    attributes: dict[str, Any] = {}
    for name, value in record.attributes.items():
        wanted = _permission(value, permissions) if name == "permissions" else _text(name, value)
        if not isinstance(wanted, Problem):
            attributes[name] = wanted
        elif record.active:
            return wanted
    if record.active and not {"email", "username"} & set(attributes):
        return Problem(code="missing_field", field="email", detail="email or username is required; both are empty")
    return replace(record, attributes=attributes)


def matching_of(attributes: Mapping[str, Any], match_by: Sequence[str]) -> dict[str, str]:
    """Return the folded values by which Trakstar can recognise an account, in configured order."""
    return {
        attribute: fold(attribute, str(value))
        for attribute in match_by
        if attribute in MATCHING and (value := attributes.get(MATCHING[attribute]))
    }


def route_of(call: Call, options: TrakstarOptions, *, group_id: str = "{groupId}") -> tuple[str, str]:
    """Return method and path of a call. One item takes the document's path for one, even where there is a bulk one."""
    if call.step is Step.LOOK_UP:
        return "GET", "/user" if call.items or call.everybody else "/group"
    if call.step in _COLLECTIONS:
        return "POST", _COLLECTIONS[call.step]
    if call.step is Step.ENROL:
        return "POST", f"/course/{call.items[0].course}/{'invite' if options.invite_path == 'vendor' else 'user'}"
    if len(call.items) > 1:
        return "POST", _BULK[call.step].format(group=group_id)
    method, path = _SINGLE[call.step]
    return method, path.format(group=group_id, user=call.items[0].account_id)


def body_of(
    call: Call, options: TrakstarOptions, *, group_ids: Mapping[str, str], batch_number: int, today: str
) -> dict[str, Any] | None:
    """Return the body of a call, None for a call without one. `today` is the date as YYYY-MM-DD."""
    match call.step:
        case Step.CREATE:
            return {
                "users": [_new_user(item, options) for item in call.items],
                "groupIds": [int(group_ids[name]) for name in call.groups],
                "courseIds": [int(course) for course in call.courses],
                "requiredCourseIds": [int(course) for course in call.required_courses],
                "clientDatestamp": today,
                "batchId": batch_number,
            }
        case Step.UPDATE:
            return _edit(call.items[0].changes, options)
        case Step.ENROL:
            return {"userIds": _user_ids(call), "clientDatestamp": today, "required": call.items[0].required}
        case Step.CREATE_GROUP:
            return {"groupName": call.groups[0]}
        case Step.DEACTIVATE | Step.JOIN | Step.LEAVE if len(call.items) > 1:
            return {"userIds": _user_ids(call)}
    return None


def redacted_of(call: Call) -> dict[str, object]:
    """Return what may be kept of a request: how many, which fields, which groups and courses; no value of a person."""
    fields = {name for item in call.items for name in (item.changes or getattr(item.desired, "attributes", {}))}
    kept = {
        "users": len(call.items),
        "fields": sorted(fields) if call.step in {Step.CREATE, Step.UPDATE} else [],
        "groups": list(call.groups),
        "courses": list(call.courses),
        "requiredCourses": list(call.required_courses),
    }
    return {name: value for name, value in kept.items() if value}


def _new_user(item: Item, options: TrakstarOptions) -> dict[str, Any]:
    attributes = item.desired.attributes if item.desired is not None else {}
    return {_wire_name(name, options): value for name, value in attributes.items()}


def _edit(changes: Mapping[str, Any], options: TrakstarOptions) -> dict[str, Any]:
    # A field cannot be taken away, only emptied; a role falls back to the least.
    emptied = {"permissions": options.permissions.get("Trainee", _TRAINEE)}
    return {
        _wire_name(name, options): emptied.get(name, "") if value is None else value for name, value in changes.items()
    }


def _wire_name(name: str, options: TrakstarOptions) -> str:
    custom = _CUSTOM_FIELD.fullmatch(name)
    if custom is None:
        return name
    return f"{'customField' if options.custom_field_style == 'camel' else 'customfield'}{custom[1]}"


def _user_ids(call: Call) -> list[int]:
    return [int(item.account_id) for item in call.items if item.account_id is not None]


def _permission(value: Any, permissions: Mapping[str, int]) -> int | Problem:
    by_name = {name.casefold(): code for name, code in permissions.items()}
    code = by_name.get(str(value).strip().casefold(), value)
    text = str(code)
    if isinstance(code, (int, str)) and not isinstance(code, bool) and text.isdecimal():
        return int(text)
    return Problem(code="invalid_value", field="permissions", detail="permissions names no user type and is no code")


def _text(name: str, value: Any) -> str | Problem:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float)):
        return str(value)
    return Problem(
        code="invalid_value", field=name, detail=f"{name} must be text; the mapping gives a list or an object"
    )
