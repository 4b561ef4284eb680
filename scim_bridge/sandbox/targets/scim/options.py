"""What a simulated SCIM service offers: RFC 7644 leaves most of it to the service."""

from dataclasses import dataclass
from typing import Literal

from scim_bridge.sandbox.targets.limits import Window

CAREFUL_LIMITS = (Window(requests=60, per_s=60.0),)
"""The limit that config/targets/scim.toml ships with: no service has told us one."""

_ALLOWED: dict[str, tuple[object, ...]] = {
    "auth": ("bearer", "basic"),
    "retry_after": ("seconds", "date", "milliseconds", "absent"),
    "errors": ("rfc", "vendor", "text"),
    "filters": ("or", "eq", "none"),
    "members": ("always", "filled", "asked", "never"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimOptions:
    """Switches of the simulator. Raises ValueError for a value that is not offered."""

    auth: Literal["bearer", "basic"] = "bearer"
    bulk: bool = True
    """Without it POST /Bulk answers 501."""
    max_operations: int = 100
    max_payload_bytes: int = 1_048_576
    bulk_references: bool = True
    """Whether an operation may name a user by the bulkId of the one that makes them."""
    shuffle: bool = False
    """Whether bulk answers come in another order than the operations."""
    patch: bool = True
    filters: Literal["or", "eq", "none"] = "or"
    """`eq` joined by `or` and `and`, a single `eq`, or no filter at all."""
    search: bool = True
    """Whether POST /.search exists."""
    groups: bool = True
    """Whether /Groups exists."""
    members: Literal["always", "filled", "asked", "never"] = "always"
    """When a group shows its members: always, only when it has some, then and only when asked for by name, or never."""
    config: bool = True
    """Whether /ServiceProviderConfig exists."""
    errors: Literal["rfc", "vendor", "text"] = "rfc"
    """RFC 7644's error, `{error: {type, description}}`, or plain text that contains the word SCIM."""
    retry_after: Literal["seconds", "date", "milliseconds", "absent"] = "seconds"
    """How a 429 says when to come back."""
    max_results: int = 200
    """The largest page of a list."""
    read_lag_s: float = 0.0
    """How long a new user is missing from listings and look-ups."""
    path: str = "/scim/v2"

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}")
        if min(self.max_operations, self.max_payload_bytes, self.max_results) < 1 or self.read_lag_s < 0:
            raise ValueError("sizes are at least 1 and read_lag_s is not negative")
        if not self.path.startswith("/"):
            raise ValueError("path begins with a slash")
