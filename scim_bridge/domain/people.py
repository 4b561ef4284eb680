"""A person as the directory has them, the record that a target should hold, and the steps from one to the other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Step(StrEnum):
    """One kind of thing that a call does for a person (or, for groups, for a group)."""

    LOOK_UP = "look_up"
    CREATE_GROUP = "create_group"
    CREATE = "create"
    UPDATE = "update"
    DEACTIVATE = "deactivate"
    REACTIVATE = "reactivate"
    JOIN = "join"
    LEAVE = "leave"
    ENROL = "enrol"


class Priority:
    """The order of a lane: smaller goes first."""

    LEAVER = 0
    GROUP = 1
    NORMAL = 5


class Doubt(StrEnum):
    """Why a link must be read back before anything is sent for its person."""

    CONFLICT = "conflict"
    AMBIGUOUS = "ambiguous"
    LATE = "late"
    TOLD = "told"
    """The target says that something was done to the account."""
    RELEASED = "released"
    """An operator lets the account that was there before us become this person's."""
    REFUSED = "refused"
    """An operator has decided that the account that was there before us stays as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a target holds, or should hold, of one person, in parts.

    `attributes` are in the target's own names; `groups` and `courses` are names or ids in the target as text.
    """

    active: bool
    attributes: Mapping[str, Any] = field(repr=False)
    groups: frozenset[str] = frozenset()
    courses: frozenset[str] = frozenset()
    required_courses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """One account as a target shows it in a listing or a look-up.

    `known` has the same parts as a desired record. `matching` are the folded values by which it can be recognised,
    by matching attribute (externalId, email, userName). `protected` marks owners and administrators.
    """

    account_id: str
    known: Record
    matching: Mapping[str, str] = field(repr=False)
    protected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Which account is which person, and what the account was last known to hold. `known` None: nothing is known."""

    account_id: str | None = None
    known: Record | None = None
    matching: Mapping[str, str] = field(default_factory=dict, repr=False)
    doubt: Doubt | None = None
    known_at: int | None = None
    """When the account was last known to hold `known`, in milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why no record can be made of a person: a code of the catalogue and the field it is about. Holds no value."""

    code: str
    field: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A resource of the directory that is owed something by a lane, with all that deciding needs."""

    operation_id: int
    resource_id: int
    """The store's own number of the resource."""
    scim_id: str
    kind: str
    """User or Group."""
    document: Mapping[str, Any] = field(repr=False)
    """The SCIM document as last accepted; of a deleted resource, its matching values."""
    deleted: bool = False
    groups: tuple[str, ...] = ()
    """displayName of every directory group that the person is in."""
    priority: int = Priority.NORMAL
    attempts: int = 0
    due_at: int = 0
    received_at: int = 0
    reason: str | None = None
    """The code of what happened to the operation last; None for a new one."""
    cap: int | None = None
    """At most this many people may share a call with this one (isolation of a refused batch)."""
    link: Link = field(default_factory=Link)
