"""Requests that change the members of one group while another does: the next transaction takes all of them along.

An identity provider that assigns a department sends a request for each person, many at once, and all want the same
row. One after the other they would wait for as many commits as there are requests; so whoever comes first records for
all who wait by then. Nobody waits for company: a request that comes alone is recorded at once, by itself.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scim_bridge.domain.resources import GROUP
from scim_bridge.recording import joint, moving
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.joint import Asked, Outcome
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.store import directory, trips
from scim_bridge.store.engine import Store, StoreUnavailable

MOST_REQUESTS = 64
"""Requests that share a transaction."""

MOST_NAMED = 100
"""Members that one of them may name: who brings thousands keeps the others waiting, and gains nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What became of a request; `wakes` are the targets for its caller to wake, on behalf of all."""

    outcome: Outcome
    wakes: frozenset[str] = frozenset()


@dataclass(slots=True, eq=False)
class _Place:
    """One request in a queue."""

    asked: Asked
    called: threading.Event = field(default_factory=threading.Event)
    gathered: Gathered | None = None
    error: Exception | None = None
    is_served: bool = False


def is_gathered(edits: Sequence[MemberEdit]) -> bool:
    """Tell whether such edits may be recorded together with others: few people, by name."""
    return all(edit.how is not Membership.ONLY for edit in edits) and (
        sum(len(edit.scim_ids) for edit in edits) <= MOST_NAMED
    )


class Gathering:
    """Records member edits of groups for the requests of this process."""

    def __init__(self, store: Store) -> None:
        """Record in this store."""
        self._store = store
        self._lock = threading.Lock()
        self._queues: dict[tuple[str, str], deque[_Place]] = {}

    def edit(self, tenant: str, scim_id: str, asked: Asked, *, scopes: Mapping[str, TargetScope]) -> Gathered | None:
        """Record a request's edits of a group, perhaps with others'; None where there is no such group.

        Raises:
            UnknownMembers: users who are to join do not exist; nothing was recorded for this request.
            StoreUnavailable: nothing was recorded.
        """
        place, key = _Place(asked), (tenant, scim_id)
        with self._lock:
            queue = self._queues.get(key)
            leads = queue is None
            if queue is None:
                queue = self._queues[key] = deque()
            queue.append(place)
        if not leads:
            place.called.wait()
        if not place.is_served:
            self._lead(key, scopes)
        if place.error is not None:
            raise place.error
        if place.gathered is not None:
            place.gathered.outcome.checked()
        return place.gathered

    def _lead(self, key: tuple[str, str], scopes: Mapping[str, TargetScope]) -> None:
        """Serve the first of a queue, with all who wait once it is their turn; then call who leads next."""
        served: list[_Place] = []
        try:
            self._serve(key, scopes, served)
        finally:
            # Only if this thread is being ended: nobody may be left waiting, be led by it, nor take up what was begun.
            served += [] if served else self._take(key, most=1)
            _refuse([each for each in served if not each.is_served], StoreUnavailable("the process is ending"))
            with self._lock:
                queue = self._queues[key]
                follower = queue[0] if queue else None
                if follower is None:
                    del self._queues[key]
            for each in [*served, follower] if follower else served:
                each.called.set()

    def _serve(self, key: tuple[str, str], scopes: Mapping[str, TargetScope], served: list[_Place]) -> None:
        try:
            if trips.are_made(self._store):
                served += self._take_apart(key)
                self._send(key, scopes, served)
            else:
                self._record(key, scopes, served)
        except StoreUnavailable as error:
            # What keeps the first from being recorded keeps all: nobody is to find out after a wait of their own.
            served += self._take(key)
            _refuse(served, error)
        except Exception as error:  # noqa: BLE001 - whose fault it is, is seen when each is alone
            served += self._take(key, most=1) if not served else []
            if len(served) == 1:
                _refuse(served, error)
            else:
                self._serve_one_by_one(key, scopes, served)

    def _serve_one_by_one(self, key: tuple[str, str], scopes: Mapping[str, TargetScope], places: list[_Place]) -> None:
        for place in places:
            try:
                self._record(key, scopes, [place])
            except Exception as error:  # noqa: BLE001 - told to its sender
                _refuse([place], error)

    def _record(self, key: tuple[str, str], scopes: Mapping[str, TargetScope], places: list[_Place]) -> None:
        """Record these requests; of none, all who wait when the group is locked, who are added."""
        tenant, scim_id = key
        with self._store.begin(tenant) as tx:
            group = directory.fetch(tx, GROUP, scim_id, lock=True)
            if not places:
                places += self._take(key)
            if group is None:
                outcomes, wakes = None, frozenset[str]()
            else:
                outcomes, wakes = joint.record(tx, group, [place.asked for place in places], scopes=scopes)
        _tell(places, outcomes, wakes)

    def _send(self, key: tuple[str, str], scopes: Mapping[str, TargetScope], places: Sequence[_Place]) -> None:
        """Record these requests in one trip to the database. Who comes while it is under way goes on the next."""
        tenant, scim_id = key
        asked = [place.asked for place in places]
        recorded = moving.record(self._store, tenant, scim_id, asked, scopes=scopes)
        _tell(places, *(recorded or (None, frozenset[str]())))

    def _take_apart(self, key: tuple[str, str]) -> list[_Place]:
        with self._lock:
            return self._taken(key, moving.apart(place.asked for place in self._queues[key]))

    def _take(self, key: tuple[str, str], *, most: int = MOST_REQUESTS) -> list[_Place]:
        with self._lock:
            return self._taken(key, most)

    def _taken(self, key: tuple[str, str], most: int) -> list[_Place]:
        queue = self._queues[key]
        return [queue.popleft() for _ in range(min(len(queue), most, MOST_REQUESTS))]


def _tell(places: Sequence[_Place], outcomes: Sequence[Outcome] | None, wakes: frozenset[str]) -> None:
    """Tell each request what became of it, once that is committed; None: there is no such group."""
    if outcomes is not None:
        # Whoever is refused wakes nobody, so a request that was carried out is to.
        waking = next((number for number, outcome in enumerate(outcomes) if outcome.change is not None), None)
        for number, (place, outcome) in enumerate(zip(places, outcomes, strict=True)):
            place.gathered = Gathered(outcome=outcome, wakes=wakes if number == waking else frozenset())
    for place in places:
        place.is_served = True


def _refuse(places: Sequence[_Place], error: Exception) -> None:
    """Give each request an exception of its own: one object raised in many threads would gather their traces."""
    for place in places:
        place.error = error if len(places) == 1 else type(error)(*error.args)
        place.is_served = True
