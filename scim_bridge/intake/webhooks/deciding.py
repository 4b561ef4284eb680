"""What an event makes us owe: a read-back, once for many events, and none for what we have just done ourselves."""

from enum import StrEnum

from scim_bridge.domain.instants import Millis
from scim_bridge.store.webhooks import Subject

ECHO_MS = 600_000
"""So long after we wrote or read an account, an event that agrees with what we know is taken for its echo."""


class Owed(StrEnum):
    """What becomes of an event about one person."""

    READ_BACK = "read_back"
    DOUBT = "doubt"
    """Work of theirs waits already; it begins with a read-back."""
    FOLDED = "folded"
    """Work of theirs is on its way to just that, or begins with a read-back anyway."""
    ECHO = "echo"


def decide(subject: Subject, *, active: bool, now: Millis) -> Owed:
    """Return what an event owes that says whether somebody's account is active.

    Events come late, twice and in any order, so that none is believed: it can only make us look.
    """
    agrees = subject.known_active is active and not subject.in_doubt
    if agrees and subject.known_at is not None and now - subject.known_at < ECHO_MS:
        return Owed.ECHO
    is_intended = subject.wanted_active is active
    if subject.waits:
        return Owed.FOLDED if subject.in_doubt or is_intended or subject.known_active is None else Owed.DOUBT
    return Owed.FOLDED if subject.is_sent and is_intended else Owed.READ_BACK


def is_urgent(subject: Subject, *, active: bool) -> bool:
    """Tell whether somebody who should be out may be in again: that is read back before anything else."""
    return active and not subject.wanted_active
