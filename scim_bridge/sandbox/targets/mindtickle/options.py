"""What the simulated MindTickle may do one way or the other: its documents contradict each other or say nothing."""

from dataclasses import dataclass, field
from typing import Literal

from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.scim.options import ScimOptions
from scim_bridge.settings import addresses

USER_WRITE = "user_write"
"""The class of calls that change users or groups; a bulk call counts once."""

DOCUMENTED_LIMITS = (
    Window(requests=60, per_s=60.0),
    Window(requests=30, per_s=60.0, applies_to=USER_WRITE),
)
"""60 calls a minute in all and 30 that change users: the two figures of the documents, both held."""

_ALLOWED: dict[str, tuple[object, ...]] = {
    "company_header": ("X-Company-Id", "Company-Id", None),
    "bulk": ("scim", "rest", "none"),
    "retry_after": ("seconds", "date", "milliseconds", "absent"),
    "limit_scope": ("key", "account"),
    "scim_errors": ("rfc", "vendor", "text"),
    "filters": ("or", "eq", "none"),
    "rest_existing": ("update", "conflict"),
    "scim_path": ("/scim/v2", "/scim"),
    "webhook_scheme": ("A", "B"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MindTickleOptions:
    """Switches of the simulator. Raises ValueError for a value that is not offered."""

    company_header: Literal["X-Company-Id", "Company-Id"] | None = "X-Company-Id"
    """The header that must name the company on every call; None: no such header is asked for."""
    bulk: Literal["scim", "rest", "none"] = "scim"
    """Which bulk call there is; the others answer 501."""
    max_operations: int = 100
    max_payload_bytes: int = 1_048_576
    rest_bulk_users: int = 50
    bulk_references: bool = True
    """Whether an operation may name a user by the bulkId of the one that makes them."""
    shuffle: bool = False
    """Whether bulk answers come in another order than the operations."""
    retry_after: Literal["seconds", "date", "milliseconds", "absent"] = "seconds"
    """How a 429 says when to come back."""
    limit_scope: Literal["key", "account"] = "key"
    """Whether the SCIM token and the API key have limits of their own or share them."""
    scim_errors: Literal["rfc", "vendor", "text"] = "rfc"
    """RFC 7644's error, `{error: {type, description}}`, or plain text that contains the word SCIM."""
    filters: Literal["or", "eq", "none"] = "or"
    """`eq` joined by `or` and `and`, a single `eq`, or no filter at all."""
    search: bool = True
    """Whether POST /.search exists."""
    patch: bool = True
    groups: bool = True
    """Whether /Groups exists."""
    rest_existing: Literal["update", "conflict"] = "update"
    """What the REST bulk call does with a user who exists."""
    max_results: int = 200
    """The largest page of a SCIM list."""
    max_url: int = 8000
    """Characters of path and query above which a call is answered with 414."""
    read_lag_s: float = 0.0
    """How long a new user is missing from listings and look-ups."""
    scim_path: Literal["/scim/v2", "/scim"] = "/scim/v2"
    webhook_url: str | None = None
    """Where it is told whose account came or went: an http URL on this machine; None: nowhere."""
    webhook_secret: str = field(default="", repr=False)
    webhook_scheme: Literal["A", "B"] = "A"
    """How that is signed: over `time.body` or `time:body`."""

    @property
    def scim(self) -> ScimOptions:
        """The switches of the SCIM side."""
        return ScimOptions(
            bulk=self.bulk == "scim",
            max_operations=self.max_operations,
            max_payload_bytes=self.max_payload_bytes,
            bulk_references=self.bulk_references,
            shuffle=self.shuffle,
            errors=self.scim_errors,
            filters=self.filters,
            search=self.search,
            patch=self.patch,
            groups=self.groups,
            max_results=self.max_results,
            read_lag_s=self.read_lag_s,
            path=self.scim_path,
        )

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}")
        least = min(self.max_operations, self.max_payload_bytes, self.rest_bulk_users, self.max_results, self.max_url)
        if least < 1 or self.read_lag_s < 0:
            raise ValueError("sizes are at least 1 and read_lag_s is not negative")
        url = self.webhook_url
        if url is not None and not (url.startswith("http://") and addresses.is_loopback_url(url)):
            raise ValueError("webhook_url must be an http URL on this machine")
        if url is not None and not self.webhook_secret:
            raise ValueError("a webhook_url needs a webhook_secret")
