"""The REST side of the simulated MindTickle: company, users, and users in bulk."""

from collections.abc import Mapping
from typing import Any

from werkzeug.wrappers import Response

from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.mindtickle.options import MindTickleOptions
from scim_bridge.sandbox.targets.scim import schemas
from scim_bridge.sandbox.targets.scim.answers import ScimError
from scim_bridge.sandbox.targets.scim.state import Document, Resource, ScimState, primary_email
from scim_bridge.sandbox.targets.seeds import Refusals

PAGE = 200
"""Users of one page, at most and by default."""

_TEXTS = ("username", "externalId", "firstName", "lastName", "title")
_ENTERPRISE_TEXTS = ("department", "division", "organization", "costCenter", "employeeNumber")
_FIELDS = frozenset({"email", "active", "groups", "managerId", *_TEXTS, *_ENTERPRISE_TEXTS})


class RestError(Exception):
    """One REST call is refused."""

    def __init__(self, status: int, kind: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.kind = kind
        self.description = description


def error_answer(error: RestError) -> Response:
    """Return an error of the REST side: `{error: {type, description}}`."""
    return bodies.write_json({"error": {"type": error.kind, "description": error.description}}, error.status)


def list_users(state: ScimState, options: MindTickleOptions, query: Mapping[str, str]) -> dict[str, Any]:
    """Return a page by offset and limit; raises RestError for figures that make no sense."""
    offset, limit = _figure(query, "offset", 0), _figure(query, "limit", PAGE)
    if limit > PAGE:
        raise RestError(400, "VALIDATION_ERROR", f"limit is at most {PAGE}")
    users = state.visible("User", options.read_lag_s)
    page = users[offset : offset + limit]
    return {"users": [render(each, state) for each in page], "total": len(users), "offset": offset, "limit": limit}


def write_users(
    body: Any, state: ScimState, options: MindTickleOptions, refusals: Refusals, *, at_most: int | None
) -> dict[str, Any]:
    """Create or update up to 50 users, each judged alone; raises RestError when the call is refused as a whole."""
    if options.bulk != "rest":
        raise RestError(501, "NOT_SUPPORTED", "Bulk provisioning is not enabled for this company")
    if not isinstance(body, list) or not all(isinstance(each, dict) for each in body):
        raise RestError(400, "VALIDATION_ERROR", "Send a JSON array of users")
    if len(body) > options.rest_bulk_users:
        raise RestError(400, "BATCH_TOO_LARGE", f"At most {options.rest_bulk_users} users in one call")
    with state.lock:
        return {"results": [_write_one(each, state, options, refusals) for each in body[:at_most]]}


def render(user: Resource, state: ScimState) -> dict[str, Any]:
    """Return a user in the form of the REST side."""
    document, name = user.document, user.document.get("name", {})
    enterprise = document.get(schemas.ENTERPRISE, {})
    listed = {
        "email": primary_email(document),
        "username": document["userName"],
        "externalId": document.get("externalId"),
        "firstName": name.get("givenName"),
        "lastName": name.get("familyName"),
        "title": document.get("title"),
        **{each: enterprise.get(each) for each in _ENTERPRISE_TEXTS},
        "managerId": enterprise.get("manager", {}).get("value"),
    }
    groups = [each["display"] for each in state.render(user, "")["groups"]]
    present = {key: value for key, value in listed.items() if value is not None}
    return {"id": user.resource_id, **present, "active": document.get("active", True), "groups": groups}


def _write_one(
    given: Mapping[str, Any], state: ScimState, options: MindTickleOptions, refusals: Refusals
) -> dict[str, Any]:
    email = given.get("email")
    try:
        status, user = _upsert(_checked(given), state, options, refusals)
    except RestError as error:
        return _failed(email, error.kind, error.description)
    except ScimError as error:
        return _failed(email, "SCIM_CONFLICT" if error.status == 409 else "VALIDATION_ERROR", error.detail)
    return {"email": email, "status": status, "id": user.resource_id}


def _upsert(
    given: Mapping[str, Any], state: ScimState, options: MindTickleOptions, refusals: Refusals
) -> tuple[str, Resource]:
    text = refusals.of((given["email"], given.get("username")))
    if text is not None:
        raise RestError(400, "VALIDATION_ERROR", text)
    holder = state.holder(given.get("username"), given["email"])
    if holder is None:
        status, user = "created", state.create("User", _merged({}, given))
    elif holder.is_hidden or options.rest_existing == "conflict":
        raise RestError(409, "SCIM_CONFLICT", "User already provisioned")
    else:
        status, user = "updated", holder
        state.replace(user, _merged(holder.document, given))
    if "groups" in given:
        state.set_groups(user, given["groups"])
    return status, user


def _checked(given: Mapping[str, Any]) -> Mapping[str, Any]:
    unknown = set(given) - _FIELDS
    if unknown:
        raise RestError(400, "VALIDATION_ERROR", f"Unknown fields: {', '.join(sorted(unknown))}")
    if not isinstance(given.get("email"), str) or "@" not in given["email"]:
        raise RestError(400, "VALIDATION_ERROR", "email is required")
    wrong = [name for name in (*_TEXTS, *_ENTERPRISE_TEXTS, "managerId") if not isinstance(given.get(name, ""), str)]
    groups = given.get("groups", [])
    if not isinstance(groups, list) or not all(isinstance(each, str) for each in groups):
        wrong.append("groups")
    if not isinstance(given.get("active", True), bool):
        wrong.append("active")
    if wrong:
        raise RestError(400, "VALIDATION_ERROR", f"Wrong type: {', '.join(wrong)}")
    return given


def _merged(document: Document, given: Mapping[str, Any]) -> Document:
    enterprise = {**document.get(schemas.ENTERPRISE, {}), **{n: given[n] for n in _ENTERPRISE_TEXTS if n in given}}
    if "managerId" in given:
        enterprise["manager"] = {"value": given["managerId"]}
    names = {"firstName": "givenName", "lastName": "familyName"}
    name = {**document.get("name", {}), **{scim: given[rest] for rest, scim in names.items() if rest in given}}
    merged: Document = {
        "schemas": [schemas.USER, schemas.ENTERPRISE],
        **document,
        "userName": given.get("username") or document.get("userName") or given["email"],
        "emails": [{"value": given["email"], "type": "work", "primary": True}],
        "active": given.get("active", document.get("active", True)),
        **{each: given[each] for each in ("externalId", "title") if each in given},
    }
    return {**merged, **({"name": name} if name else {}), **({schemas.ENTERPRISE: enterprise} if enterprise else {})}


def _failed(email: Any, kind: str, description: str) -> dict[str, Any]:
    return {"email": email, "status": "failed", "error": {"type": kind, "description": description}}


def _figure(query: Mapping[str, str], name: str, otherwise: int) -> int:
    text = query.get(name, str(otherwise))
    if not text.isdecimal():
        raise RestError(400, "VALIDATION_ERROR", f"{name} must be a number")
    return int(text)
