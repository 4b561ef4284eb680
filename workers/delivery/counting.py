"""Counts the requests of one call beyond its first: each has a slot of its quota before it is sent."""

from collections.abc import Sequence

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Step
from scim_bridge.planning.calls import Call
from scim_bridge.store import lanes, quota
from scim_bridge.store.batches import OpenBatch
from scim_bridge.store.engine import StoreUnavailable
from workers.delivery.post import MARGIN_MS, Post
from workers.targets import port

LONGEST_NAP_S = 1.0
"""After so long it is looked again whether there is room: slots are given back early, too."""

UNAVAILABLE_S = 1.0


class Counter:
    """The slots of one call beside its first: those booked with it, then one after another as they are needed."""

    def __init__(
        self, post: Post, call: Call, batch: OpenBatch, *, klass: str, booked: Sequence[int], needs_lease: bool = True
    ) -> None:
        """Begin with the slots that were booked in the transaction that wrote the call."""
        self._post = post
        self._needs_lease = needs_lease
        self._klass = klass
        self._unused = list(booked)
        # Slots of requests that went out, as far as nobody has noted yet that they are over.
        self._used = [] if batch.slot_id is None else [batch.slot_id]
        self._deadline_at = batch.deadline_at
        is_patient = call.step is Step.LOOK_UP and not call.urgent
        # The pages of a listing leave room for leavers.
        self._left_to_others = quota.kept(post.windows) if is_patient else 0
        self._has_further = bool(booked)
        self._allowed: int | None = None

    def allow(self, requests: int) -> None:
        """Let the call make so many requests at the most, its first included."""
        self._allowed = requests - 1

    def count(self) -> None:
        """Count one more request, which is sent at once when this returns.

        Raises:
            NoRoom: there will be no room before the call's deadline; nothing more may be sent.
            Unreachable: the lane belongs to a successor; nothing more may be sent.
        """
        if self._allowed is not None:
            if self._allowed < 1:
                raise port.NoRoom("it takes more requests than were allowed", status=None, retry_after_s=0.0)
            self._allowed -= 1
        if self._unused:
            self._used.append(self._unused.pop())
            return
        try:
            while (at := self._take()) is not None:
                self._nap_until(at)
        except StoreUnavailable as error:
            raise port.NoRoom("the request could not be counted", status=None, retry_after_s=UNAVAILABLE_S) from error

    def close(self, answered_at: Millis | None) -> None:
        """Note that the call is over, and give back what was booked and not needed."""
        if not self._has_further:
            return
        try:
            with self._post.store.begin(self._post.tenant) as tx:
                quota.settle_reads(tx, used=self._used, unused=self._unused, at=answered_at)
        except StoreUnavailable:
            # They are taken until the call's deadline, then: later than need be, and never too early.
            return

    def _take(self) -> Millis | None:
        """Take a slot; returns when there may be room instead."""
        post = self._post
        over, self._used = self._used, []
        with post.store.begin(post.tenant) as tx:
            if self._needs_lease and not lanes.holds_lease(tx, post.lane_id, epoch=post.epoch):
                raise port.Unreachable("the lane has a successor; nothing more was sent")
            quota.lock(tx, post.quota)
            # The requests of a call follow each other, so that those before are over.
            quota.settle_reads(tx, used=over, unused=(), at=tx.now)
            room = quota.room(
                tx,
                quota=post.quota,
                klass=self._klass,
                windows=post.windows,
                margin_ms=MARGIN_MS,
                reads=self._left_to_others,
            )
            if room.next_at > tx.now:
                return room.next_at
            slot_id = quota.take(tx, quota=post.quota, klass=self._klass, deadline_at=self._deadline_at)
        self._used = [slot_id]
        self._has_further = True
        return None

    def _nap_until(self, at: Millis) -> None:
        post = self._post
        wait_s = (at - post.now()) / 1000
        if at >= self._deadline_at or post.runtime.stopping.is_set():
            raise port.NoRoom("no room for a further request in time", status=None, retry_after_s=max(0.0, wait_s))
        post.runtime.pause(min(max(0.001, wait_s), LONGEST_NAP_S))
