"""The target's groups on one shift: what was seen of them, and who waits until more is known."""

from collections.abc import Collection, Mapping, Sequence

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Person, Step
from scim_bridge.domain.replies import Answer
from scim_bridge.domain.states import State
from scim_bridge.planning.calls import Call
from scim_bridge.planning.needs import Needs
from scim_bridge.store import batches, due, lanes, outbox
from scim_bridge.store.engine import Store
from workers.delivery.post import Post
from workers.seen_groups import SeenGroups
from workers.targets import port

READ_LAG_MS = 10_000
"""So long after a write a listing may still not show it."""

LOOKED_BACK = 1_000
"""Among so many calls of a lane one that made a group may be so young that a listing does not show it."""


def catch_up(store: Store, tenant: str, *, lane_id: int, seen: SeenGroups) -> None:
    """Give up what was seen on earlier shifts if another worker has begun to make a group since.

    What it made is in the store; what it could not hear the answer of is in the target, perhaps.
    """
    if not seen.batches:
        # Where this worker left the lane is not known, so neither is what was done since.
        seen.forget_all()
        return
    with store.begin(tenant, write=False) as tx:
        if batches.of_step_since(tx, lane_id, str(Step.CREATE_GROUP), number=seen.batches):
            seen.forget_all()


def _is_in_doubt(made: batches.Made, *, epoch: int) -> bool:
    if made.status == "open":
        return made.epoch < epoch
    return made.status == "failed" and (made.http_status is None or made.http_status >= 500)


def _shown_from(made: batches.Made) -> Millis:
    ended_at = made.settled_at if made.settled_at is not None else made.deadline_at + due.OPEN_BATCH_GRACE_MS
    return ended_at + READ_LAG_MS


def note_opened(post: Post, call: Call) -> None:
    """Note that a call goes out: however it ends, a group that it makes is listed before it is made again."""
    if call.step is Step.CREATE_GROUP:
        post.seen_groups.no_longer_absent(call.groups)


def note_listing(post: Post, call: Call, answer: Answer) -> None:
    """Note of which groups a listing has told whether the target has them; the others are asked for later."""
    told = set(call.groups) if answer.complete else set(call.groups) & answer.group_ids.keys()
    post.seen_groups.note_listed(told, post.now(), found=answer.group_ids)
    post.seen_groups.note_failed(set(call.groups) - told, post.now())


def note_failure(post: Post, call: Call, failure: port.CallFailed) -> None:
    """Note what a call that failed as a whole says of the groups that it names."""
    is_refused = isinstance(failure, port.BatchRefused)
    if call.step is Step.CREATE_GROUP:
        post.seen_groups.forget(call.groups)
    if is_refused and (call.step is Step.CREATE_GROUP or (call.step is Step.LOOK_UP and not call.items)):
        post.seen_groups.note_failed(call.groups, post.now())
    elif is_refused and call.step is not Step.LOOK_UP and not post.has_groups(call.groups):
        post.seen_groups.suspect(call.groups)


def put_off(
    post: Post, wanted: Sequence[Needs], groups_wanted: Sequence[tuple[Person, str]], *, known_groups: Collection[str]
) -> frozenset[int]:
    """Let people wait whose group could not be made, or of whose group nobody can tell yet; return their operations."""
    needed = [(need.person, (need.groups | need.leaves) - set(known_groups)) for need in wanted]
    needed += [(person, frozenset({name}) - set(known_groups)) for person, name in groups_wanted]
    needed = [(person, names) for person, names in needed if names]
    if not needed:
        return frozenset()
    in_doubt_until = _in_doubt_until(post)
    failed = post.seen_groups.failed(post.now())
    until: dict[Millis, list[int]] = {}
    for person, names in needed:
        at = max((failed.get(name, 0) for name in names), default=0)
        at = max(at, in_doubt_until)
        if at:
            until.setdefault(at, []).append(person.operation_id)
    _wait(post, until)
    return frozenset(number for numbers in until.values() for number in numbers)


def _in_doubt_until(post: Post) -> Millis:
    """Return until when a listing may not show a group that was made; 0 when it shows all.

    Making a group is not idempotent: while a dead worker's call may be out, and for a while after an answer that was
    lost, none is listed and none is made.
    """
    with post.store.begin(post.tenant, write=False) as tx:
        lane = lanes.by_target(tx, post.target_name)
        since = lane.batches - LOOKED_BACK if lane is not None else 0
        made = batches.of_step_since(tx, post.lane_id, str(Step.CREATE_GROUP), number=since)
        until = [_shown_from(each) for each in made if _is_in_doubt(each, epoch=post.epoch)]
        return max((at for at in until if at > tx.now), default=0)


def _wait(post: Post, until: Mapping[Millis, Sequence[int]]) -> None:
    if not until:
        return
    with post.store.begin(post.tenant) as tx:
        for at, operation_ids in until.items():
            outbox.move(tx, operation_ids, before=State.WAITING, values={"due_at": at, "reason": "blocked_by_group"})
