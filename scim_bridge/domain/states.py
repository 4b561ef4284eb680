"""The states of an operation and the one table of legal transitions. README.md draws it."""

from enum import StrEnum


class State(StrEnum):
    """Where an operation stands. Exactly one, always named."""

    WAITING = "waiting"
    SENDING = "sending"
    DELIVERED = "delivered"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    HELD = "held"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    DISCARDED = "discarded"


OPEN = frozenset({State.WAITING, State.SENDING})
"""Work that the bridge itself will still do."""

CLOSED = frozenset({State.DELIVERED, State.UNCHANGED, State.SKIPPED, State.SUPERSEDED, State.DISCARDED})
"""States that nothing leaves."""

# Waiting goes straight to an end where no call is needed: nothing differs, the mapping refuses, the guard holds.
TRANSITIONS: dict[State, frozenset[State]] = {
    State.WAITING: frozenset(
        {State.SENDING, State.UNCHANGED, State.SKIPPED, State.HELD, State.DEAD, State.SUPERSEDED},
    ),
    State.SENDING: frozenset(
        {State.DELIVERED, State.UNCHANGED, State.SKIPPED, State.WAITING, State.HELD, State.DEAD},
    ),
    State.DEAD: frozenset({State.WAITING, State.SUPERSEDED, State.DISCARDED}),
    State.HELD: frozenset({State.WAITING, State.SUPERSEDED, State.DISCARDED}),
    State.DELIVERED: frozenset(),
    State.UNCHANGED: frozenset(),
    State.SKIPPED: frozenset(),
    State.SUPERSEDED: frozenset(),
    State.DISCARDED: frozenset(),
}


def is_legal(before: State, after: State) -> bool:
    """Tell whether an operation may go from one state to the other."""
    return after in TRANSITIONS[before]
