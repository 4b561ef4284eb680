"""Taking a slot, writing the batch, making the call: in this order, the first two in one commit."""

import time
from collections.abc import Collection
from dataclasses import dataclass

import structlog

from scim_bridge import metrics
from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Answer
from scim_bridge.planning.calls import Call
from scim_bridge.store import batches, due, lanes, quota
from workers.delivery.counting import Counter
from workers.delivery.post import MARGIN_MS, Post
from workers.targets import port

log = structlog.get_logger(__name__)

LEASE_SPARE_MS = 500
"""A send needs this much of the lease left."""

TRICKLE_MS = 1_000
"""Somebody came this short a while ago, so a call that is not full may carry more if it waits a moment."""


class LeaseGone(Exception):  # noqa: N818 - a fact
    """A successor has the lane; nothing may be sent under this epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A call whose slots and batch row are written; it may go out now."""

    call: Call
    batch: batches.OpenBatch
    deadline_s: float
    counter: Counter
    """Counts the requests that the call makes beside its first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A call that is over: with an answer, or with the way in which it failed."""

    opened: Opened
    answer: Answer | None
    failure: port.CallFailed | None
    answered_at: Millis | None


def earliest(room: quota.Room, call: Call, *, now: Millis, is_paced: bool) -> Millis:
    """Return when a call may go: now or earlier when there is room for it.

    One of a long backlog `is_paced`: calls go evenly, so that a leaver waits one slot, and not one window.
    """
    at = room.next_at
    last = room.last_sent_at
    if last is None or not room.width_ms or call.urgent:
        return at
    gap = 0
    if is_paced:
        gap = room.width_ms // room.requests
    if not call.full and now - max(item.person.received_at for item in call.items) < TRICKLE_MS:
        gap = max(gap, room.width_ms // max(1, room.requests - room.kept))
        if room.free <= room.kept:
            gap = max(gap, TRICKLE_MS)
    return max(at, last + gap)


def klass_of(post: Post, call: Call) -> str:
    """Return the quota class of a call."""
    return "read" if call.step is Step.LOOK_UP else post.target.abilities().write_class


def open_call(
    post: Post,
    call: Call,
    *,
    is_paced: bool = False,
    holds_operations: bool = True,
    needs_lease: bool = True,
    leavers: Collection[int] | None = None,
) -> Opened | Millis:
    """Write slot, batch and `sending` in one commit, or say when there will be room.

    A look-up that nobody's operation waits for (`holds_operations` False) is counted and written like every call. It
    may go beside delivery, without the lane (`needs_lease` False).
    `leavers` are the operations of those leavers that the plan knows of; None: whoever came since may wait.

    Raises:
        LeaseGone: the lane belongs to a successor.
        batches.Overtaken: somebody in the call has a newer operation, or somebody left meanwhile; plan again.
    """
    method, path, request = post.target.describe(call)
    deadline_s = post.target.deadline_s(call)
    klass = klass_of(post, call)
    reads = quota.reads_that_fit(post.windows, klass=klass, reads=post.target.reads_beside(call))
    with post.store.begin(post.tenant) as tx:
        if needs_lease and not lanes.holds_lease(tx, post.lane_id, epoch=post.epoch, spare_ms=LEASE_SPARE_MS):
            raise LeaseGone
        quota.lock(tx, post.quota)
        room = quota.room(tx, quota=post.quota, klass=klass, windows=post.windows, margin_ms=MARGIN_MS, reads=reads)
        at = earliest(room, call, now=tx.now, is_paced=is_paced)
        if at > tx.now:
            return at
        if leavers is not None and not call.urgent and due.has_other_leavers(tx, post.lane_id, leavers):
            raise batches.Overtaken
        batch = batches.open_batch(
            tx,
            lane_id=post.lane_id,
            epoch=post.epoch,
            step=str(call.step or "mixed"),
            operation_ids=call.operation_ids if holds_operations else (),
            method=method,
            path=path,
            request=request,
            quota_name=post.quota,
            klass=klass,
            deadline_ms=round(deadline_s * 1000),
        )
        booked = [
            quota.take(tx, quota=post.quota, klass=quota.READ, deadline_at=batch.deadline_at) for _ in range(reads)
        ]
    counter = Counter(post, call, batch, klass=klass, booked=booked, needs_lease=needs_lease)
    return Opened(call=call, batch=batch, deadline_s=deadline_s, counter=counter)


def make_call(post: Post, opened: Opened, group_ids: dict[str, str]) -> Ended:
    """Make a call and return how it ended. No transaction is open meanwhile."""
    started = time.monotonic()
    answer: Answer | None = None
    failure: port.CallFailed | None = None
    try:
        if post.now() >= opened.batch.deadline_at:
            # The process stood still since the commit: a successor may have read these people back already.
            raise port.Unreachable("too late to send")  # noqa: TRY301 - one place decides how a call ended
        answer = post.target.submit(
            opened.call,
            group_ids=group_ids,
            batch_number=opened.batch.number,
            deadline_s=opened.deadline_s,
            count=opened.counter.count,
        )
    except port.CallFailed as error:
        failure = error
    except Exception as error:  # our own fault must not leave a batch open for ever
        log.exception("target_code_failed", batch=opened.batch.id, kind=type(error).__name__)
        failure = port.BridgeFault(type(error).__name__)
    duration_s = time.monotonic() - started
    _count(post, opened, "answered" if failure is None else type(failure).__name__, duration_s)
    is_over = isinstance(failure, (port.Unreachable, port.NoRoom))
    answered_at = post.now() if failure is None or failure.status is not None or is_over else None
    opened.counter.close(answered_at)
    log.info(
        "call_ended",
        tenant=post.tenant,
        target=post.target_name,
        batch=opened.batch.id,
        step=opened.batch.step,
        people=len(opened.batch.operation_ids),
        failure=type(failure).__name__ if failure else None,
        duration_ms=round(duration_s * 1000),
    )
    return Ended(opened=opened, answer=answer, failure=failure, answered_at=answered_at)


def _count(post: Post, opened: Opened, end: str, duration_s: float) -> None:
    metrics.CALLS.labels(tenant=post.tenant, target=post.target_name, step=opened.batch.step, end=end).inc()
    metrics.CALL_SECONDS.labels(target=post.target_name).observe(duration_s)
