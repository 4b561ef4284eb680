"""Requests that all want the same row: whoever comes first records for all who wait by then, in one transaction.

One after the other they would wait for as many commits as there are requests. A request that comes alone is recorded by
itself. What cannot be recorded together is recorded one by one, so that a fault reaches only its sender.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from scim_bridge.store.engine import Contended, StoreUnavailable

Asked = TypeVar("Asked")
Told = TypeVar("Told")

MOST_REQUESTS = 64
"""Requests that share a transaction."""

MOMENT_S = 0.02
"""For so long it is remembered how many were served together last: who was just answered may ask again at once."""


@dataclass(slots=True, eq=False)
class Place(Generic[Asked, Told]):
    """One request in a queue, and what became of it."""

    asked: Asked
    called: threading.Event = field(default_factory=threading.Event)
    told: Told | None = None
    error: Exception | None = None
    is_served: bool = False

    def tell(self, told: Told) -> None:
        """Say what became of the request, once that is committed."""
        self.told = told
        self.is_served = True


class Turn(Generic[Asked, Told]):
    """Whose turn it is: the requests that were taken from a queue, to be recorded together."""

    def __init__(self, line: "_Line[Asked, Told]", places: Sequence[Place[Asked, Told]] = ()) -> None:
        """Begin with these; with any, nobody else is taken."""
        self._line = line
        self.places = list(places)
        self.is_closed = bool(places)
        """Whether this is one request by itself, because it could not be recorded with others."""
        self.before = line.served
        """How many were served in the turn right before, while the first of this one waited, or a moment ago if they
        were several; 0: there was no such turn."""

    def company(self) -> int:
        """Return how many wait to be taken, the first among them."""
        return len(self._line.waiting)

    def take(self, count_of: Callable[[Sequence[Asked]], int] = len) -> list[Place[Asked, Told]]:
        """Take who waits, of whom `count_of` tells how many from the first on go together; return all of the turn."""
        if not self.is_closed:
            self.places += self._line.taken(count_of)
        return self.places


class Turns(Generic[Asked, Told]):
    """Queues of the requests of this process, by what they want."""

    def __init__(self, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with nobody."""
        self._lock = threading.Lock()
        self._lines: dict[Hashable, _Line[Asked, Told]] = {}
        self._monotonic_s = monotonic_s
        self._ended: dict[Hashable, tuple[int, float]] = {}
        """Of queues that have come to their end a moment ago: how many were served last, and when; oldest first."""

    def ask(self, key: Hashable, asked: Asked, serve: Callable[[Turn[Asked, Told]], None]) -> Told | None:
        """Have a request served with others of the same key; return what its place was told.

        `serve` takes requests, records them, and tells each place. It may be called by any of their threads.

        Raises:
            Exception: what `serve` raised when it had this request only.
            StoreUnavailable: what it raised for all.
        """
        place = Place[Asked, Told](asked)
        with self._lock:
            line = self._lines.get(key)
            leads = line is None
            if line is None:
                line = self._lines[key] = _Line(self._lock, served=self._served_a_moment_ago(key))
            line.waiting.append(place)
        if not leads:
            place.called.wait()
        if not place.is_served:
            self._lead(key, line, serve)
        if place.error is not None:
            raise place.error
        return place.told

    def _lead(self, key: Hashable, line: "_Line[Asked, Told]", serve: Callable[[Turn[Asked, Told]], None]) -> None:
        """Serve the first of a queue, with all who wait once it is their turn; then call who leads next."""
        turn = Turn(line)
        try:
            _serve(turn, line, serve)
        finally:
            # Only if this thread is being ended: nobody may be left waiting, be led by it, nor take up what was begun.
            served = turn.places + ([] if turn.places else line.taken(_one))
            _refuse([each for each in served if not each.is_served], StoreUnavailable("the process is ending"))
            called = served
            try:
                with self._lock:
                    line.served = sum(each.error is None for each in served)
                    if line.waiting:
                        called = [*served, line.waiting[0]]
                    else:
                        del self._lines[key]
                        self._remember(key, line.served)
            finally:
                for each in called:
                    each.called.set()

    def _remember(self, key: Hashable, served: int) -> None:
        """Keep how many were served last, and forget what is too old to matter."""
        now = self._monotonic_s()
        self._ended.pop(key, None)
        if served > 1:
            self._ended[key] = served, now
        for oldest, (_, at) in list(itertools.islice(self._ended.items(), 2)):
            if now - at > MOMENT_S:
                del self._ended[oldest]

    def _served_a_moment_ago(self, key: Hashable) -> int:
        served, at = self._ended.pop(key, (0, 0.0))
        return served if self._monotonic_s() - at <= MOMENT_S else 0


class _Line(Generic[Asked, Told]):
    """Who waits for the same."""

    def __init__(self, lock: threading.Lock, *, served: int) -> None:
        self._lock = lock
        self.waiting: deque[Place[Asked, Told]] = deque()
        self.served = served
        """How many were served in the last turn."""

    def taken(self, count_of: Callable[[Sequence[Asked]], int]) -> list[Place[Asked, Told]]:
        """Remove the first who wait, and return them."""
        with self._lock:
            count = min(count_of([place.asked for place in self.waiting]), len(self.waiting), MOST_REQUESTS)
            return [self.waiting.popleft() for _ in range(count)]


def _serve(turn: Turn[Any, Any], line: _Line[Any, Any], serve: Callable[[Turn[Any, Any]], None]) -> None:
    try:
        serve(turn)
    except Contended as error:
        # In somebody's way are only those who were to be recorded: each tries once more by itself.
        turn.places += [] if turn.places else line.taken(_one)
        _serve_one_by_one(turn, line, serve, error)
    except StoreUnavailable as error:
        # What keeps the first from being recorded keeps all: nobody is to find out after a wait of their own.
        turn.places += line.taken(len)
        _refuse(turn.places, error)
    except Exception as error:  # noqa: BLE001 - whose fault it is, is seen when each is alone
        turn.places += [] if turn.places else line.taken(_one)
        _serve_one_by_one(turn, line, serve, error)


def _serve_one_by_one(
    turn: Turn[Any, Any], line: _Line[Any, Any], serve: Callable[[Turn[Any, Any]], None], error: Exception
) -> None:
    """Serve each of a turn that failed by itself; who was alone in it has failed by that error."""
    if len(turn.places) == 1:
        _refuse(turn.places, error)
        return
    for place in turn.places:
        try:
            serve(Turn(line, [place]))
        except Exception as its_own:  # noqa: BLE001 - told to its sender
            _refuse([place], its_own)


def _refuse(places: Sequence[Place[Any, Any]], error: Exception) -> None:
    """Give each request an exception of its own: one object raised in many threads would gather their traces."""
    for place in places:
        place.error = error if len(places) == 1 else type(error)(*error.args)
        place.is_served = True


def _one(_asked: Sequence[Any]) -> int:
    return 1
