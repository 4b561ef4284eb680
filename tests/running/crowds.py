"""Requests that come while what they want is held: they wait together, and are let go together."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.resources import GROUP
from scim_bridge.intake.turns import Turns
from scim_bridge.store import directory, tables
from scim_bridge.store.engine import Store, Transaction

Changes = list[Any]

LONGEST_S = 20.0
"""How long a test waits for a thread before it says that it is stuck."""

_LOOK_S = 0.005
_WAITS = {"begin", "fetch", "take_turns", "wait", "_received"}
"""The functions in which a request waits: to write, for the group's row or the source's turn, for who records it."""


def waiting() -> int:
    """Return how many threads wait for a group or a source, or for another's transaction on it."""
    return sum(_is_waiting(frame) for frame in sys._current_frames().values())


def _is_waiting(frame: FrameType | None) -> bool:
    names = set()
    while frame is not None:
        if frame.f_code is Turns.ask.__code__:
            return not names.isdisjoint(_WAITS)
        names.add(frame.f_code.co_name)
        frame = frame.f_back
    return False


def await_waiting(count: int) -> None:
    """Return once at least so many threads wait."""
    deadline = time.monotonic() + LONGEST_S
    while (found := waiting()) < count:
        assert time.monotonic() < deadline, f"{found} requests wait, not {count}"
        time.sleep(_LOOK_S)


@contextmanager
def held(store: Store, tenant: str, *scim_ids: str) -> Iterator[Transaction]:
    """Keep everybody else from changing these groups."""
    with store.begin(tenant) as tx:
        for scim_id in scim_ids:
            directory.fetch(tx, GROUP, scim_id, lock=True)
        yield tx


def together(
    jobs: Sequence[Callable[[], Any]],
    hold: AbstractContextManager[Any],
    *,
    then: Callable[[Any], None] = lambda _held: None,
    wait_for: int | None = None,
) -> list[Any]:
    """Start jobs while something is held, let go once all wait, and return what came of them in their order.

    `then` is done right before letting go, with what is held; `wait_for` is how many wait, if not all. A job that
    raises gives its exception.
    """
    results: dict[int, Any] = {}

    def run(number: int) -> None:
        try:
            results[number] = jobs[number]()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            results[number] = error

    # Threads that are stuck must not keep the run from ending.
    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(len(jobs))]
    with hold as what:
        for thread in threads:
            thread.start()
        await_waiting(len(jobs) if wait_for is None else wait_for)
        then(what)
    deadline = time.monotonic() + LONGEST_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    stuck = sum(thread.is_alive() for thread in threads)
    assert not stuck, f"{stuck} of {len(jobs)} requests still wait"
    return [results[number] for number in range(len(jobs))]


def changes_of(store: Store, tenant: str, scim_id: str) -> Changes:
    """Return the changes of a group, oldest first, without that which made it."""
    change, resource = tables.change, tables.resource
    number = sa.select(resource.c.id).where(resource.c.tenant == tenant, resource.c.scim_id == scim_id)
    query = sa.select(change).where(change.c.resource_id.in_(number), change.c.previous != 0)
    with store.begin(tenant, write=False) as tx:
        return list(tx.connection.execute(query.order_by(change.c.number)))


def transactions(*changes: Changes) -> int:
    """Return how many transactions recorded these changes: the clock of these tests ticks with each."""
    return len({each.received_at for some in changes for each in some})
