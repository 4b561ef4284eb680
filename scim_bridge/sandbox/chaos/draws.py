"""What is done in which round. It follows from the seed and the round's number alone, so any round can be had again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from scim_bridge.sandbox.chaos import points
from scim_bridge.sandbox.chaos.points import Order

WAYS: tuple[tuple[int, bool], ...] = (
    *((point, False) for point in points.POINTS),
    (points.BEFORE_CALL, True),
    (points.ANSWERED, True),
)
"""A point, and whether the process stands still there for a while instead of ending. Only outside a transaction: who
stands still inside one keeps everybody waiting who wants to write to an SQLite database."""

STRIKES = ("nothing else", "queue flushed", "queue restarted", "queue killed", "relay killed")
CUT = "database's connections cut"
MOMENTS = ("before", "amid", "after")
"""When the strike comes: before people are pushed, amid the pushes, after the process broke."""

SHORTEST_CALL_S = 0.02
"""The simulated targets take at least so long for a call."""

_Card = TypeVar("_Card")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: what is done to whom."""

    number: int
    seed: int
    order: Order
    strike: str
    moment: str
    lease_is_freed: bool

    @property
    def way(self) -> str:
        """Return at which step a process is struck, and how."""
        how = "stopped" if self.order.stops else "killed"
        return f"{how} at {self.order.point} ({points.POINTS[self.order.point]})"

    @property
    def told(self) -> str:
        """Return what is done, as the command prints it."""
        return f"{self.way}; {self.strike}"


def drawn(number: int, *, seed: int, store: str) -> Round:
    """Return the round of a number (from 1): ways and strikes are dealt from shuffled decks, so that all come round."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - to be had again by its seed
    point, stops = _dealt(WAYS, number, seed=seed, deck="ways")
    strikes = (*STRIKES, CUT) if store == "postgresql" else STRIKES
    return Round(
        number=number,
        seed=seed,
        order=Order(point=point, stops=stops, after_s=round(chance.uniform(0, SHORTEST_CALL_S * 0.7), 4)),
        strike=_dealt(strikes, number, seed=seed, deck="strikes"),
        moment=chance.choice(MOMENTS),
        lease_is_freed=chance.random() < 0.5,
    )


def _dealt(cards: Sequence[_Card], number: int, *, seed: int, deck: str) -> _Card:
    times_round, place = divmod(number - 1, len(cards))
    shuffled = list(cards)
    random.Random(f"{seed}:{deck}:{times_round}").shuffle(shuffled)  # noqa: S311 - as above
    return shuffled[place]
