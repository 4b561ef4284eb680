"""How many calls a backlog still needs at the least, and how long they take when nothing goes wrong. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleACall:
    """How many people one call carries, at the most."""

    create: int = 1
    look_up: int = 1
    other: int = 1
    mixed: bool = False
    """New and known people go in the same call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """A backlog by what each person needs next."""

    to_create: int = 0
    to_look_up: int = 0
    others: int = 0


def fewest_calls(shares: Shares, size: PeopleACall) -> int:
    """Return how many calls are still needed if every person needs one, and who is looked up a second.

    A lower bound: several groups or courses, several steps of one person, and failures make more.
    """
    look_ups = _calls(shares.to_look_up, size.look_up)
    known = shares.others + shares.to_look_up
    if size.mixed:
        return look_ups + _calls(shares.to_create + known, size.other)
    return look_ups + _calls(shares.to_create, size.create) + _calls(known, size.other)


def shortest_time_s(calls: int, windows: Sequence[tuple[int, float]]) -> float:
    """Return how many seconds pass until the last of the calls may go, by (requests, seconds) windows all empty now."""
    if calls <= 0:
        return 0.0
    return max(((calls - 1) // requests * seconds for requests, seconds in windows), default=0.0)


def _calls(people: int, size: int) -> int:
    return -(-people // max(1, size))
