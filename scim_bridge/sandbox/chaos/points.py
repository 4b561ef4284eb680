"""The numbered steps of an accepted change and of its delivery, and a process that ends or stands still at one.

A process that was started here strikes when it is ordered to: the order is a file that names a point, and whoever
comes to that point first takes the file away. So one process can be struck after it has done rounds of honest work, and
a file that is still there tells that nobody ever came.
"""

import contextlib
import http.client
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scim_bridge.domain.people import Step
from scim_bridge.store import batches, lanes, ledger
from scim_bridge.store.engine import Store, Transaction

VARIABLE = "SANDBOX_CRASH_ORDER"
"""Names the file in which the order will be. Read by the sandbox's own entries alone."""

AFTER_LEASE = 2
BEFORE_CALL = 4
CALL_OUT = 5
ANSWERED = 6
BEFORE_SETTLED = 7
SETTLED = 8
GIVEN_BACK = 9
POINTS: dict[int, str] = {
    1: "before the lease is committed",
    AFTER_LEASE: "after the lease is committed",
    3: "before the batch is committed",
    BEFORE_CALL: "after the batch is committed, before the call",
    CALL_OUT: "while the call is out",
    ANSWERED: "after the answer, before it is settled",
    BEFORE_SETTLED: "before the settlement is committed",
    SETTLED: "after it is settled",
    GIVEN_BACK: "after the lane is given back",
    10: "before a change is committed",
    11: "after a change is committed, before its answer",
}
AT_THE_DOOR = frozenset({10, 11})
"""To these points the front door comes, to the others a worker."""

_PLACES = {
    ("lease", "before"): 1,
    ("lease", "after"): AFTER_LEASE,
    ("batch", "before"): 3,
    ("batch", "after"): BEFORE_CALL,
    ("settle", "before"): BEFORE_SETTLED,
    ("settle", "after"): SETTLED,
    ("release", "after"): GIVEN_BACK,
    ("change", "before"): 10,
    ("change", "after"): 11,
}

_marks = threading.local()


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Where a process is to be struck, and whether it stands still there instead of ending."""

    point: int
    stops: bool
    after_s: float = 0.0
    """How long a call has been out when its process is struck; of point 5 alone."""

    def write(self, path: Path) -> None:
        """Give the order."""
        draft = path.with_suffix(".draft")
        draft.write_text(f"{self.point} {int(self.stops)} {self.after_s}", encoding="ascii")
        draft.replace(path)


def take_back(path: Path) -> bool:
    """Withdraw an order; False when somebody has carried it out."""
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def install() -> None:
    """Let this process carry out the order that will be in the file which the environment names, if it names one."""
    named = os.environ.get(VARIABLE)
    if not named:
        return
    _note(lanes, "take_lease", "lease")
    _note(lanes, "release_lease", "release")
    _note(batches, "open_batch", "batch", if_=_changes_somebody)
    _note(batches, "close_batch", "settle")
    _note(ledger, "append_change", "change")
    striker = _Striker(Path(named))
    begin = Store.begin

    @contextlib.contextmanager
    def begin_noting(store: Store, tenant: str, **how: Any) -> Iterator[Transaction]:
        _marks.seen = []
        with begin(store, tenant, **how) as tx:
            yield tx
            striker.reach("before", _marks.seen)
        striker.reach("after", _marks.seen)

    plain_answer = http.client.HTTPConnection.getresponse

    def answer_noting(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
        # The request has left; its answer is not here yet.
        striker.come_to_call(CALL_OUT)
        answer = plain_answer(connection)
        striker.come_to_call(ANSWERED)
        return answer

    for owner, name, noting in (
        (Store, "begin", begin_noting),
        (http.client.HTTPConnection, "getresponse", answer_noting),
    ):
        setattr(owner, name, noting)


def _changes_somebody(batch: Mapping[str, Any]) -> bool:
    """Tell whether a call is more than a look: only of such a one anything can be lost, or done twice."""
    return bool(batch.get("operation_ids")) and batch.get("step") not in {Step.LOOK_UP, Step.CREATE_GROUP}


class _Striker:
    """Compares where this process is with what is ordered."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_out = threading.Event()
        """A call that changes somebody is out."""
        self._is_settling = threading.Event()
        self._has_worked = threading.Event()
        """Such a call was made on this shift."""

    def reach(self, moment: str, marks: Sequence[str]) -> None:
        """Come to the end of a transaction in which all this was done."""
        for mark in marks:
            place = _PLACES.get((mark, moment))
            if place is not None and self._counts(place):
                self._carry_out(place)

    def _counts(self, place: int) -> bool:
        """Note where this process is; False where nobody was being changed, so that striking there proves nothing."""
        if place == AFTER_LEASE:
            self._has_worked.clear()
        elif place == BEFORE_CALL:
            self._has_worked.set()
            self._is_out.set()
        elif place == BEFORE_SETTLED:
            if not self._is_out.is_set():
                return False
            self._is_out.clear()
            self._is_settling.set()
        elif place == SETTLED:
            was_settling = self._is_settling.is_set()
            self._is_settling.clear()
            return was_settling
        return place != GIVEN_BACK or self._has_worked.is_set()

    def come_to_call(self, place: int) -> None:
        """Come to a moment of a call."""
        if self._is_out.is_set():
            self._carry_out(place)

    def _carry_out(self, place: int) -> None:
        try:
            point, stops, after_s = self._path.read_text(encoding="ascii").split()
        except FileNotFoundError:
            return
        if int(point) != place or not take_back(self._path):
            return
        if place == CALL_OUT:
            time.sleep(float(after_s))
        os.kill(os.getpid(), signal.SIGSTOP if int(stops) else signal.SIGKILL)


def _note(module: Any, name: str, mark: str, *, if_: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
    plain = getattr(module, name)

    def noting(*arguments: Any, **how: Any) -> Any:
        if if_(how):
            seen: Sequence[str] = getattr(_marks, "seen", ())
            _marks.seen = [*seen, mark]
        return plain(*arguments, **how)

    setattr(module, name, noting)
