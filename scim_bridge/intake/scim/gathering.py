"""Requests that change the members of one group while another does: the next transaction takes all of them along.

An identity provider that assigns a department sends a request for each person, many at once, and all want the same
row. One after the other they would wait for as many commits as there are requests; so whoever comes first records for
all who wait by then. A request that comes alone is recorded by itself, and at once, unless a crowd was there a moment
ago: only in a crowd is more waited for.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from scim_bridge.domain.resources import GROUP
from scim_bridge.intake.turns import MOST_REQUESTS, Turn, Turns
from scim_bridge.recording import joint, moving
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.joint import Asked, Outcome
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.store import directory, trips
from scim_bridge.store.engine import Store

__all__ = ["MOST_REQUESTS", "Gathered", "Gathering", "is_gathered"]

COMPANY = 2
REST_S = 0.001
MOST_RESTS = 6
"""While trips take at least so many requests, the next is put off until as many have come again, for so long and so
many times at most: fewer trips are made, and each keeps the group from the other processes."""

MOST_NAMED = 100
"""Members that one of them may name: who brings thousands keeps the others waiting, and gains nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What became of a request; `wakes` are the targets for its caller to wake, on behalf of all."""

    outcome: Outcome
    wakes: frozenset[str] = frozenset()


def is_gathered(edits: Sequence[MemberEdit]) -> bool:
    """Tell whether such edits may be recorded together with others: few people, by name."""
    return all(edit.how is not Membership.ONLY for edit in edits) and (
        sum(len(edit.scim_ids) for edit in edits) <= MOST_NAMED
    )


class Gathering:
    """Records member edits of groups for the requests of this process."""

    def __init__(
        self,
        store: Store,
        *,
        rest: Callable[[float], None] = time.sleep,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """Record in this store; `rest` passes so many seconds."""
        self._store = store
        self._rest = rest
        self._turns = Turns[Asked, Gathered | None](monotonic_s=monotonic_s)

    def edit(self, tenant: str, scim_id: str, asked: Asked, *, scopes: Mapping[str, TargetScope]) -> Gathered | None:
        """Record a request's edits of a group, perhaps with others'; None where there is no such group.

        Raises:
            UnknownMembers: users who are to join do not exist; nothing was recorded for this request.
            StoreUnavailable: nothing was recorded.
        """

        def serve(turn: Turn[Asked, Gathered | None]) -> None:
            if trips.are_made(self._store) and not turn.is_closed:
                self._send(tenant, scim_id, turn, scopes)
            else:
                self._record(tenant, scim_id, turn, scopes)

        gathered = self._turns.ask((tenant, scim_id), asked, serve)
        if gathered is not None:
            gathered.outcome.checked()
        return gathered

    def _record(
        self, tenant: str, scim_id: str, turn: Turn[Asked, Gathered | None], scopes: Mapping[str, TargetScope]
    ) -> None:
        """Record the requests of a turn: all who wait when the group is locked."""
        with self._store.begin(tenant) as tx:
            group = directory.fetch(tx, GROUP, scim_id, lock=True)
            places = turn.take()
            if group is None:
                outcomes, wakes = None, frozenset[str]()
            else:
                outcomes, wakes = joint.record(tx, group, [place.asked for place in places], scopes=scopes)
        _tell(turn, outcomes, wakes)

    def _send(
        self, tenant: str, scim_id: str, turn: Turn[Asked, Gathered | None], scopes: Mapping[str, TargetScope]
    ) -> None:
        """Record who waits in one trip to the database. Who comes while it is under way goes on the next."""
        if turn.before >= COMPANY:
            self._await_company(turn)
        asked = [place.asked for place in turn.take(moving.apart)]
        recorded = moving.record(self._store, tenant, scim_id, asked, scopes=scopes)
        _tell(turn, *(recorded or (None, frozenset[str]())))

    def _await_company(self, turn: Turn[Asked, Gathered | None]) -> None:
        for _ in range(MOST_RESTS):
            if turn.company() >= turn.before:
                return
            self._rest(REST_S)


def _tell(turn: Turn[Asked, Gathered | None], outcomes: Sequence[Outcome] | None, wakes: frozenset[str]) -> None:
    """Tell each request what became of it, once that is committed; None: there is no such group."""
    if outcomes is None:
        for place in turn.places:
            place.tell(None)
        return
    # Whoever is refused wakes nobody, so a request that was carried out is to.
    waking = next((number for number, outcome in enumerate(outcomes) if outcome.change is not None), None)
    for number, (place, outcome) in enumerate(zip(turn.places, outcomes, strict=True)):
        place.tell(Gathered(outcome=outcome, wakes=wakes if number == waking else frozenset()))
