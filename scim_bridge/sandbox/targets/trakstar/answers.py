"""The simulated Trakstar Learn's answers, in the document's form and in the vendor's."""

from typing import Any

from werkzeug.wrappers import Response

from scim_bridge.domain import instants
from scim_bridge.sandbox.targets import bodies
from scim_bridge.sandbox.targets.trakstar.options import TrakstarOptions
from scim_bridge.sandbox.targets.trakstar.state import TYPES, Group, TrakstarState, User

ACCOUNT_ID = 1_662_000_001
ACTIVE, ARCHIVED = 109000200, 109000700
UNGROUPED = "Ungrouped"


class RefusedError(Exception):
    """The call is refused as a whole."""

    def __init__(self, status: int, message: str, errors: tuple[str, ...] = (), code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.code = code


def error(refused: RefusedError, options: TrakstarOptions) -> Response:
    """Return an error: `{message, errors}`, or the vendor's `{type, message, param, code}`."""
    if options.error_style == "document":
        return bodies.write_json({"message": refused.message, "errors": list(refused.errors)}, refused.status)
    kinds = {400: "invalid_request", 401: "api_key_validation", 404: "not_found", 429: "rate_limit"}
    return bodies.write_json(
        {
            "type": kinds.get(refused.status, "api_error"),
            "message": "; ".join((refused.message, *refused.errors)),
            "param": None,
            "code": refused.code,
        },
        refused.status,
    )


def done() -> Response:
    """Return a success that the document gives no body."""
    return Response(b"", status=200)


def user(record: User, state: TrakstarState, options: TrakstarOptions) -> dict[str, Any]:
    """Return one user as listings show it."""
    is_vendor = options.list_style == "vendor"
    status: object = "Archived" if record.is_archived else "Active"
    if is_vendor:
        status = ARCHIVED if record.is_archived else ACTIVE
    names = {"userName" if is_vendor else "username": record.username, "email": record.email}
    return {
        "id": record.user_id,
        "name": f"{record.last_name}, {record.first_name}",
        "firstName": record.first_name,
        "lastName": record.last_name,
        **{name: value for name, value in names.items() if value is not None},
        "status": status,
        "type": TYPES[record.permissions],
        "isOwner": int(record.is_owner),
        "groups": [{"id": each, "name": state.groups[each].name} for each in sorted(record.groups)],
    }


def user_detail(record: User, state: TrakstarState, options: TrakstarOptions) -> dict[str, Any]:
    """Return one user with courses."""
    courses = [
        {
            "id": course_id,
            "name": state.courses[course_id].name,
            "status": "Not Started",
            "required": is_required,
            "enrolledAt": instants.to_iso(since_ms),
            "completedAt": None,
        }
        for course_id, (is_required, since_ms) in sorted(record.courses.items())
    ]
    return {**user(record, state, options), "courses": courses}


def group(record: Group) -> dict[str, Any]:
    """Return one group as listings show it."""
    return {"id": record.group_id, "name": record.name, "userCount": len(record.members)}


def group_array(record: Group) -> list[Any]:
    """Return one group as the vendor's POST /group does: account, nothing, name, nothing, id."""
    return [ACCOUNT_ID, None, record.name, None, record.group_id]
