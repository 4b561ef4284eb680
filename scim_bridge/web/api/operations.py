"""What an operation of the API is, in one value: from it come its route, its checks, its description and its tests."""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain.instants import Clock
from scim_bridge.settings.models import Settings
from scim_bridge.store.engine import Store

Schema = Mapping[str, Any]
"""A JSON schema (2020-12), as OpenAPI 3.1 has them."""


class Role(StrEnum):
    """What an operator's token may do. Each may do what those before it may."""

    VIEWER = "ops:viewer"
    OPERATOR = "ops:operator"
    ADMIN = "ops:admin"

    def is_in(self, scopes: Iterable[str]) -> bool:
        """Tell whether a token with these scopes has this role, or a higher one."""
        roles = list(Role)
        return any(role.value in scopes for role in roles[roles.index(self) :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What the operations of this process work with."""

    settings: Settings
    store: Store
    dispatcher: Dispatcher
    clock: Clock
    queue_url: str = field(default="", repr=False)
    proving: threading.Lock = field(default_factory=threading.Lock)
    """Whoever proves the books holds it: that reads all of them at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: whose it is, and what it says, checked and read as its operation's parameters have it."""

    tenant: str
    who: str
    """Who asks, as the books name them."""
    path: Mapping[str, Any]
    query: Mapping[str, Any]
    """Parameters that were not given are left out, unless they have a default."""
    body: Mapping[str, Any]
    scopes: frozenset[str]

    def may(self, role: Role) -> bool:
        """Tell whether the token has a role that only some of what this operation does needs."""
        return role.is_in(self.scopes)

    def given(self, *names: str) -> dict[str, Any]:
        """Return what was given of some parameters, to be handed on as keywords."""
        return {name: self.query[name] for name in names if name in self.query}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer that is more than a JSON object with 200."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    text: Iterable[str] | None = None
    """What is sent in place of JSON, such as CSV; its kind is in the headers."""


Handler = Callable[[Desk, Asked], Any]
"""Carries an operation out; gives a JSON value, or a Reply. Raises UsageError, NotThere or OutOfDate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter in the query, or in the path where `name` stands there in braces."""

    name: str
    tells: str
    schema: Schema = field(default_factory=lambda: {"type": "string", "minLength": 1, "maxLength": 1000})
    """`type` is string, integer or boolean; the format "moment" is read as the command line reads times."""
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation of the API."""

    method: str
    path: str
    """Below /api/v1, such as /holds/{hold}."""
    name: str
    """Its operationId."""
    role: Role
    tells: str
    """What it does, in one line."""
    handler: Handler
    command: str | None
    """The command that does the same, such as "hold release"; None only where a command has no use for it."""
    parameters: tuple[Parameter, ...] = ()
    body: Schema | None = None
    """The schema of the JSON object in the request's body; None: it has none."""
    answer: Schema = field(default_factory=lambda: {"type": "object"})
    status: int = 200
    media_type: str = "application/json"


def number(name: str, tells: str) -> Parameter:
    """Return a parameter that is one of our numbers."""
    return Parameter(name=name, tells=tells, schema={"type": "integer", "minimum": 1, "maximum": 2**53 - 1})


LONGEST_REASON = 500
REASON: Schema = {"type": "string", "minLength": 1, "maxLength": LONGEST_REASON}
"""Why something is done, in one line; kept in the audit."""

MOMENT: Schema = {
    "type": "string",
    "format": "moment",
    "minLength": 2,
    "maxLength": 40,
    "description": "An instant: 2026-01-31, 2026-01-31T08:00Z, or a span back from now: 30m, 12h, 7d.",
}

TARGET = Parameter(name="target", tells="Only this target's.")
TARGET_NEEDED = Parameter(name="target", tells="The target's name in the configuration.", required=True)
USER = Parameter(name="user", tells="Only this person's: userName, e-mail, externalId, id, or account id in a target.")
CODE = Parameter(name="code", tells="Only with this code.")
CLASS = Parameter(name="class", tells="Only of this class: data, config, conflict, transient, ...")
SINCE = Parameter(name="since", tells="Not before this instant.", schema=MOMENT)
UNTIL = Parameter(name="until", tells="Before this instant.", schema=MOMENT)
AFTER = Parameter(
    name="after",
    tells="Go on behind this one: the `next` of the page before.",
    schema={"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
)
LIMIT = Parameter(
    name="limit",
    tells="At most so many.",
    schema={"type": "integer", "minimum": 1, "maximum": 500, "default": 50},
)


def page_of(item: Schema) -> Schema:
    """Return the schema of a page: its items, and where the next one begins (null: there is none)."""
    return {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": item},
            "next": {"type": ["integer", "null"]},
        },
    }
