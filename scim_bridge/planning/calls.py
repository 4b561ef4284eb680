"""The values that planning hands to delivery: what a target can do, and the calls to make."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_bridge.domain.people import Person, Record, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What one target can do, as far as planning cares."""

    sizes: Mapping[Step, int]
    """How many people one call of a step carries; a step that is absent is unsupported."""
    mixed: int = 0
    """How many items of any of the `mixable` steps go together in one call; 0: steps never mix."""
    mixable: frozenset[Step] = frozenset()
    payload_limit: int | None = None
    """Bytes that the items of one mixed call may have."""
    weigh: "Callable[[Item], int] | None" = None
    """Returns the bytes that an item takes of a mixed call, at the most; None: nobody knows."""
    together: bool = False
    """All that one person needs may go in one mixed call, memberships of new users too; its reply tells of all."""
    unfolded: frozenset[str] = frozenset()
    """Groups of which each member is an operation of its own, because one of them spoiled the others'."""
    creates_carry_groups: bool = False
    """A create call places all its people in one set of groups and courses (so calls are made per set)."""
    keeps_groups: bool = True
    """Groups exist in the target and can be created there."""
    reads_beside: Mapping[Step, int] = field(default_factory=dict)
    """How many requests a call of a step needs beside its main one; a step that is absent needs none."""
    listing: int | None = None
    """How many accounts a page of a listing of all shows; None: a look-up is all there is, or shows everybody."""
    write_class: str = "user_write"
    """Quota class of calls that write; look-ups have the class 'read'."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One person's part of a call."""

    step: Step
    person: Person
    desired: Record | None = None
    """None: nothing could be mapped (a leaver who is only looked up and deactivated)."""
    changes: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Attributes that differ, in the target's names; for an update."""
    matching: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Folded values by which the account can be recognised, by matching attribute."""
    account_id: str | None = None
    group: str | None = None
    """Name of the target's group, for a join or a leave."""
    course: str | None = None
    required: bool = False
    keeps_status: bool = False
    """The guard holds the person: `desired` has the last known status, not the directory's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call to make. Its items share a step unless the target mixes steps (`step` None).

    A LOOK_UP without items lists the target's groups.
    """

    step: Step | None
    items: tuple[Item, ...]
    groups: tuple[str, ...] = ()
    """Names of groups: of a create, where its people go; of CREATE_GROUP, the one to make."""
    courses: tuple[str, ...] = ()
    required_courses: tuple[str, ...] = ()
    full: bool = False
    """No more people could go in it, so nothing is gained by waiting."""
    urgent: bool = False
    """Carries a leaver."""
    everybody: bool = False
    """A look-up that shows all accounts there are, whoever its people are; only where the target has a `listing`."""

    @property
    def operation_ids(self) -> tuple[int, ...]:
        """Return the operations that the call is for, each once."""
        return tuple(dict.fromkeys(item.person.operation_id for item in self.items))
