"""What the simulated Trakstar Learn may do one way or the other: as the document says, or as the vendor's pages do."""

from dataclasses import dataclass, fields
from typing import Any, Literal, Self, get_args, get_origin

from scim_bridge.sandbox.targets.limits import Window

DOCUMENTED_LIMITS = (Window(requests=10, per_s=10.0),)
"""The document: 10 requests per 10 seconds and API key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrakstarOptions:
    """Switches; the defaults follow the OpenAPI document. Where nobody says, the harsher way is the default."""

    invalid_user: Literal["call", "row"] = "call"
    """Whether a user that breaks the schema fails the call with 400, or only itself in `errors`."""
    unknown_fields: Literal["refuse", "ignore"] = "refuse"
    """Members and query parameters that the document does not declare."""
    create_semantics: Literal["add_only", "upsert"] = "add_only"
    """Whether POST /user updates a user whom it knows by email or username."""
    create_answer: Literal["document", "vendor", "batch_only"] = "document"
    """`{batchId, usersAdded, errors}`, `{batchId, added, updated, errors}`, or `{batchId}` alone."""
    error_email: Literal["empty", "username", "omit"] = "empty"
    """What `errors[].email` is for a user who has none."""
    error_style: Literal["document", "vendor"] = "document"
    """`{message, errors}` or `{type, message, param, code}`."""
    auth_absent: Literal[404, 401] = 404
    """What /auth says of a user who is not there; 401 carries the code user_not_exist."""
    custom_field_style: Literal["lower", "camel"] = "lower"
    """customfield0 or customField0."""
    list_style: Literal["document", "vendor"] = "document"
    """Status by name and `username`, or 109000200 / 109000700 and `userName`."""
    edit_answer: Literal["user", "empty"] = "user"
    group_answer: Literal["object", "array"] = "object"
    """What POST /group answers unless responseFormat=json is sent."""
    group_detail: Literal["object", "list"] = "object"
    """What GET /group/{g} answers."""
    invite_path: Literal["document", "vendor"] = "document"
    """/course/{c}/user[/{u}] or /course/{c}/invite and /course/{c}/user/{u}/invite."""
    bulk_archive: bool = False
    """POST /user/archive {userIds}."""
    bulk_groups: bool = False
    """POST /group/{g}/user and /group/{g}/user/action/delete {userIds}."""
    unarchive: bool = False
    """POST /user/{id}/unarchive."""
    seats: int | None = None
    """How many users may be active; None: no end."""
    account_problem: Literal["api_not_available", "account_inactive"] | None = None
    """A state of the whole account that answers every call with 400 of type api_key_validation."""
    read_lag_s: float = 0.0
    """How long a new user is missing from listings and look-ups."""

    def __post_init__(self) -> None:
        for each in fields(self):
            allowed = get_args(each.type) if get_origin(each.type) is Literal else None
            if allowed and getattr(self, each.name) not in allowed:
                raise ValueError(f"{each.name} must be one of {allowed}")
        if self.account_problem not in {None, "api_not_available", "account_inactive"}:
            raise ValueError("account_problem must be api_not_available, account_inactive or nothing")
        if self.read_lag_s < 0 or (self.seats is not None and self.seats < 0):
            raise ValueError("read_lag_s and seats cannot be negative")

    @classmethod
    def vendor(cls, **changes: Any) -> Self:
        """Return what the vendor's own newer pages describe, with changes."""
        described: dict[str, Any] = {
            "unknown_fields": "ignore",
            "create_semantics": "upsert",
            "create_answer": "vendor",
            "error_style": "vendor",
            "auth_absent": 401,
            "custom_field_style": "camel",
            "list_style": "vendor",
            "edit_answer": "empty",
            "group_answer": "array",
            "group_detail": "list",
            "invite_path": "vendor",
            "bulk_archive": True,
            "bulk_groups": True,
            "unarchive": True,
        }
        return cls(**{**described, **changes})
