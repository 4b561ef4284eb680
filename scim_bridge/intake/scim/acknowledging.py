"""When a change is acknowledged: as soon as it is recorded, or once what it owes is settled in all targets.

Whatever is decided here, the change is recorded and committed; an answer that says otherwise does not exist.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from scim2_models import SCIMException
from scim2_server.requests import ScimRequest
from scim2_server.responses import ScimResponse

from scim_bridge.domain.catalogue import CATALOGUE, Trouble
from scim_bridge.domain.states import OPEN, State
from scim_bridge.store import standing
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.store.standing import Fate

HEADER = "SCIM-Bridge-Acknowledged"
ACCEPTED = "accepted"
CONFIRMED = "confirmed"

FIRST_SLEEP_S = 0.05
LONGEST_SLEEP_S = 0.25
_GROWTH = 1.5

MOST_OPERATIONS = 1000
"""A change that owes more is not waited for: it would rarely be settled in time, and every look would cost more."""

Sleep = Callable[[float], None]


class Reason(StrEnum):
    """Why a change was not waited for, or not to its end."""

    LEAVER = "leaver"
    """Somebody is deactivated or deleted: nothing must make an identity provider doubt that it was heard."""
    BULK = "bulk"
    UNCHANGED = "unchanged"
    """The request changed nothing, so it owes nothing that could be waited for."""
    BUSY = "busy"
    """As many requests wait already as may."""
    SIZE = "size"
    TIME = "time"
    HELD = "held"
    """A person must decide first."""
    UNAVAILABLE = "unavailable"
    """The store could not be read while waiting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """What a sender is told of a change: the header's value and, where a target has refused it, the error."""

    header: str
    refusal: SCIMException | None = None

    @property
    def how(self) -> str:
        """Return it in one word: confirmed, refused, or the reason why it was only accepted."""
        return "refused" if self.refusal is not None else self.header.rpartition("=")[2]


class NotDelivered(SCIMException):
    """A target has refused the change. It is recorded all the same."""

    status = 400


AT_ONCE = Acknowledgement(header=ACCEPTED)
"""For a tenant whose senders are answered as soon as a change is recorded."""


def places_among(threads: int) -> int:
    """Return how many of a process's threads may wait at once, so that enough are left for everybody else."""
    return max(1, threads // 4)


def because(reason: Reason) -> Acknowledgement:
    """Return the acknowledgement of a change that was not waited for to its end."""
    return Acknowledgement(header=f"{ACCEPTED}; reason={reason}")


def reason_of_request(request: ScimRequest) -> Reason | None:
    """Return why a write of this kind is never waited for; None: it depends on what it records."""
    if request.path.strip("/") == "Bulk":
        return Reason.BULK
    return Reason.LEAVER if request.method.upper() == "DELETE" else None


def reason_of_changes(changes: Sequence[int], *, is_leaver: bool) -> Reason | None:
    """Return why what a request recorded is not waited for; None: it is."""
    if not changes:
        return Reason.UNCHANGED
    return Reason.LEAVER if is_leaver else None


def told(response: ScimResponse, acknowledgement: Acknowledgement) -> ScimResponse:
    """Return the answer to a recorded write as it is acknowledged: with the header, or as the error."""
    headers = {HEADER: acknowledgement.header}
    if acknowledgement.refusal is None:
        response.headers |= headers
        return response
    error = acknowledgement.refusal.to_error()
    return ScimResponse(HTTPStatus(acknowledgement.refusal.status), error.model_dump(), headers)


def judge(fates: Sequence[Fate], *, number: int) -> Acknowledgement | None:
    """Return what is known of a change by where its operations stand; None while the bridge still works at it."""
    dead = [fate for fate in fates if fate.state is State.DEAD]
    if dead:
        return Acknowledgement(header=ACCEPTED, refusal=_refusal(dead, number=number))
    if sum(fate.operations for fate in fates) > MOST_OPERATIONS:
        return because(Reason.SIZE)
    if any(fate.state in OPEN for fate in fates):
        return None
    if any(fate.state in (State.HELD, State.DISCARDED) for fate in fates):
        return because(Reason.HELD)
    return Acknowledgement(header=CONFIRMED)


class WaitingRoom:
    """Lets a bounded number of requests of this process wait for their changes; whoever finds it full does not wait."""

    def __init__(self, store: Store, *, places: int, monotonic_s: Callable[[], float], sleep: Sleep) -> None:
        """Ask this store how changes stand. Time and sleep are the caller's."""
        self._store = store
        self._places = threading.Semaphore(places)
        self._monotonic_s = monotonic_s
        self._sleep = sleep

    def await_end(self, tenant: str, number: int, *, within_s: float) -> Acknowledgement:
        """Return what becomes of a committed change within some seconds. Never raises: it is recorded anyhow."""
        if not self._places.acquire(blocking=False):
            return because(Reason.BUSY)
        try:
            return self._await_end(tenant, number, deadline_s=self._monotonic_s() + within_s)
        except StoreUnavailable:
            return because(Reason.UNAVAILABLE)
        finally:
            self._places.release()

    def _await_end(self, tenant: str, number: int, *, deadline_s: float) -> Acknowledgement:
        sleep_s = FIRST_SLEEP_S
        while True:
            with self._store.begin(tenant, write=False) as tx:
                fates = standing.of_change(tx, number)
            known = judge(fates, number=number)
            if known is not None:
                return known
            left_s = deadline_s - self._monotonic_s()
            if left_s <= 0:
                return because(Reason.TIME)
            self._sleep(min(sleep_s, left_s))
            sleep_s = min(sleep_s * _GROWTH, LONGEST_SLEEP_S)


def _refusal(dead: Sequence[Fate], *, number: int) -> NotDelivered:
    first_by_target = {fate.target: fate for fate in reversed(dead)}
    sentences = [
        f"{target} has not taken this ({fate.code}): {CATALOGUE[fate.code].advice}"
        if fate.code in CATALOGUE
        else f"{target} has not taken this."
        for target, fate in sorted(first_by_target.items())
    ]
    refusal = NotDelivered(detail=" ".join([*sentences, f"The change itself is recorded as #{number}."]))
    if all(fate.code in CATALOGUE and CATALOGUE[fate.code].trouble is Trouble.DATA for fate in dead):
        refusal.scim_type = "invalidValue"
    return refusal
