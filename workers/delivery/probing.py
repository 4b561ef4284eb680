"""One cheap read that decides whether a target is well again, counted against the quota like every call."""

from dataclasses import dataclass

from scim_bridge.domain.instants import Millis
from scim_bridge.planning import estimate
from scim_bridge.store import batches, lanes, quota
from workers.delivery import gate
from workers.delivery.post import MARGIN_MS, Post
from workers.targets import port

DEADLINE_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A target was asked; `failure` is None when it is well."""

    failure: port.CallFailed | None


def probe(post: Post) -> Millis | None:
    """Ask the target once and note the result; return when to look at the lane again."""
    asked = ask(post)
    return post.now() if isinstance(asked, Asked) else asked


def ask(post: Post) -> Asked | Millis | None:
    """Ask the target once and note the result; returns instead when there will be room, or None: the lane is gone."""
    with post.store.begin(post.tenant) as tx:
        if not lanes.holds_lease(tx, post.lane_id, epoch=post.epoch):
            return None
        quota.lock(tx, post.quota)
        room = quota.room(tx, quota=post.quota, klass="read", windows=post.windows, margin_ms=MARGIN_MS)
        if room.next_at > tx.now:
            return room.next_at
        opened = batches.open_batch(
            tx,
            lane_id=post.lane_id,
            epoch=post.epoch,
            step="probe",
            operation_ids=(),
            method="GET",
            path="",
            request={},
            quota_name=post.quota,
            klass="read",
            deadline_ms=DEADLINE_MS,
        )
    failure: port.CallFailed | None = None
    try:
        post.target.probe()
    except port.CallFailed as error:
        failure = error
    figures = estimate.people_a_call(post.target.abilities())
    with post.store.begin(post.tenant) as tx:
        lane = lanes.by_target(tx, post.target_name)
        if lane is None or not lanes.has_epoch(tx, post.lane_id, epoch=post.epoch):
            return None
        answered = failure is None or failure.status is not None
        batches.close_batch(
            tx,
            opened.id,
            status="finished" if failure is None else "failed",
            # What a call carries is recorded for those who tell how long the backlog takes, and call nobody.
            answer={"failure": type(failure).__name__} if failure else {"people_a_call": figures.to_json()},
            http_status=failure.status if failure else 200,
            answered_at=tx.now if answered else None,
        )
        if failure is None:
            gate.note_success(tx, lane)
        elif isinstance(failure, port.BatchRefused):
            # A probe that is refused tells nothing of anybody's data: it waits like one that was not answered.
            gate.note_failure(tx, lane, port.Unreachable(str(failure), status=failure.status))
        else:
            gate.note_failure(tx, lane, failure)
    return Asked(failure=failure)
