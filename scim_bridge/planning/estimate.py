"""How many calls a backlog still needs at the least, and how long they take when nothing goes wrong. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from scim_bridge.domain.people import Step
from scim_bridge.planning.calls import Abilities


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleACall:
    """How many people one call carries, at the most."""

    create: int = 1
    look_up: int = 1
    other: int = 1
    mixed: bool = False
    """New and known people go in the same call."""
    requests: int = 1
    """Requests that one call for known people makes; each counts."""

    def to_json(self) -> dict[str, int | bool]:
        """Return the figures as they are recorded."""
        return asdict(self)


def people_a_call(abilities: Abilities) -> PeopleACall:
    """Return how many people a call to a target of these abilities carries."""
    return PeopleACall(
        create=abilities.sizes.get(Step.CREATE, 1),
        look_up=abilities.sizes.get(Step.LOOK_UP, 1),
        other=abilities.sizes.get(Step.UPDATE, 1),
        mixed=bool(abilities.mixed) and {Step.CREATE, Step.UPDATE} <= abilities.mixable,
        requests=1 + abilities.reads_beside.get(Step.UPDATE, 0),
    )


def read_people_a_call(recorded: Any) -> PeopleACall | None:
    """Return figures that were recorded; None when it is something else, or was recorded by another version."""
    kinds = {each.name: bool if each.name == "mixed" else int for each in fields(PeopleACall)}
    if not isinstance(recorded, Mapping) or recorded.keys() != kinds.keys():
        return None
    if any(type(recorded[name]) is not kind for name, kind in kinds.items()):
        return None
    return PeopleACall(**recorded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """A backlog by what each person needs next."""

    to_create: int = 0
    to_look_up: int = 0
    others: int = 0


def fewest_calls(shares: Shares, size: PeopleACall) -> int:
    """Return how many requests are still needed if every person needs a call, and who is looked up a second.

    A lower bound: several groups or courses, several steps of one person, and failures make more.
    """
    look_ups = _calls(shares.to_look_up, size.look_up)
    known = shares.others + shares.to_look_up
    if size.mixed:
        return look_ups + _calls(shares.to_create + known, size.other)
    return look_ups + _calls(shares.to_create, size.create) + _calls(known, size.other) * size.requests


def shortest_time_s(calls: int, windows: Sequence[tuple[int, float]]) -> float:
    """Return how many seconds pass until the last of the calls may go, by (requests, seconds) windows all empty now."""
    if calls <= 0:
        return 0.0
    return max(((calls - 1) // requests * seconds for requests, seconds in windows), default=0.0)


def _calls(people: int, size: int) -> int:
    return -(-people // max(1, size))
