"""The numbered steps of a round of delivery, and a process that ends or stands still at one of them."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from scim_bridge.store import batches, lanes
from scim_bridge.store.engine import Store, Transaction

VARIABLE = "SANDBOX_CRASH_POINT"
"""Names the point, and of a process that is to stand still there: `4 stop`. Read by the sandbox's own entry alone."""

CALL_OUT = 5
POINTS: dict[int, str] = {
    1: "before the lease is committed",
    2: "after the lease is committed",
    3: "before the batch is committed",
    4: "after the batch is committed, before the call",
    CALL_OUT: "while the call is out",
    6: "after the answer, before it is settled",
    7: "after it is settled",
    8: "after the lane is given back",
}
STOPPING_POINT = 4

_PLACES = {
    ("lease", "before"): 1,
    ("lease", "after"): 2,
    ("batch", "before"): 3,
    ("batch", "after"): 4,
    ("settle", "before"): 6,
    ("settle", "after"): 7,
    ("release", "after"): 8,
}

_marks = threading.local()


def install(point: int, *, stops: bool) -> None:
    """Let this process end by SIGKILL, or stand still by SIGSTOP, when it first comes to a point."""
    _note(lanes, "take_lease", "lease")
    _note(lanes, "release_lease", "release")
    _note(batches, "open_batch", "batch", if_=lambda how: bool(how.get("operation_ids")))
    _note(batches, "close_batch", "settle")
    is_over = threading.Event()

    def reach(moment: str) -> None:
        for mark in getattr(_marks, "seen", ()):
            if is_over.is_set():
                return
            place = _PLACES.get((mark, moment))
            if place == point:
                is_over.set()
                os.kill(os.getpid(), signal.SIGSTOP if stops else signal.SIGKILL)
            elif place == STOPPING_POINT and point == CALL_OUT:
                is_over.set()
                threading.Thread(target=_kill_soon, daemon=True).start()

    begin = Store.begin

    @contextlib.contextmanager
    def begin_noting(store: Store, tenant: str, **how: Any) -> Iterator[Transaction]:
        _marks.seen = []
        with begin(store, tenant, **how) as tx:
            yield tx
            reach("before")
        reach("after")

    for name, instrumented in (("begin", begin_noting),):
        setattr(Store, name, instrumented)


def _kill_soon() -> None:
    # Calls to the simulated targets take about so long.
    time.sleep(int.from_bytes(os.urandom(1), "big") / 255 * 0.15)
    os.kill(os.getpid(), signal.SIGKILL)


def _note(module: Any, name: str, mark: str, *, if_: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
    plain = getattr(module, name)

    def noting(*arguments: Any, **how: Any) -> Any:
        if if_(how):
            seen: Sequence[str] = getattr(_marks, "seen", ())
            _marks.seen = [*seen, mark]
        return plain(*arguments, **how)

    setattr(module, name, noting)
