"""Standing at a lane for something other than delivery, such as an operator's errand. Delivery waits meanwhile."""

import contextlib
from collections.abc import Iterator

from scim_bridge.domain.instants import Millis
from workers.delivery.lease import LeaseKeeper
from workers.delivery.post import Post
from workers.delivery.round import leave_post, take_post
from workers.runtime import Runtime

PATIENCE_S = 30.0
"""So long another worker's shift at the lane is waited for."""

ROOM_WAIT_S = 120.0
"""So long a call waits for room in the quota."""


class CannotReconcile(Exception):  # noqa: N818 - it says what is so
    """What was wanted of the target cannot be done just now; the message says why. It holds no personal data."""


class LaneAtWork(CannotReconcile):
    """Another worker has the lane just now."""

    def __init__(self) -> None:
        """Say what to do."""
        super().__init__("The lane is at work; try again in a moment, or pause it first.")


@contextlib.contextmanager
def at(runtime: Runtime, tenant: str, target: str, *, patience_s: float = PATIENCE_S) -> Iterator[Post]:
    """Give a lane under a lease of its own, and let it go on when the visit is over.

    Raises:
        LaneAtWork: another worker has it, for longer than `patience_s`.
    """
    post = take_post(runtime, tenant, target, patience_s=patience_s)
    if post is None:
        raise LaneAtWork
    try:
        with LeaseKeeper(runtime.store, tenant=tenant, lane_id=post.lane_id, epoch=post.epoch):
            yield post
    finally:
        leave_post(post, runtime.clock())


def wait_for_room(post: Post, *, until: Millis, waited_s: float) -> float:
    """Wait until an instant when there is room for a call; returns for how long that has been waited for in all.

    Raises:
        CannotReconcile: that is too long.
    """
    wait_s = max(0.05, (until - post.now()) / 1000)
    if waited_s > ROOM_WAIT_S:
        raise CannotReconcile("The target's quota is used up; try again when the lane is idle.")
    post.runtime.pause(wait_s)
    return waited_s + wait_s
