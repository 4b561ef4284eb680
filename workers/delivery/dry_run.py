"""`mode = "dry-run"`: the calls are planned and recorded, and none is made. No link changes, for nothing is learned."""

from collections.abc import Sequence

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Link, Person, Step
from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import State
from scim_bridge.planning import needs, rehearsing
from scim_bridge.planning.calls import Call, Item
from scim_bridge.planning.needs import Decided, Needs
from scim_bridge.store import batches, lanes, settlement
from workers.delivery import choosing, settle
from workers.delivery.post import Post

CODE = "dry_run"

UNTOLD_ID = "{id}"
"""Stands for the id that the target would have given to a new account."""

MOST_STEPS = 100
"""So many calls are recorded for one person, one after another."""

LOOKED_UP = "what comes next, only this look-up could tell"


def rehearse(post: Post) -> Millis | None:
    """Record what would be sent for those who are due, step by step; return when to look again (None: nobody is due).

    Their operations end as skipped. Who is superseded meanwhile is planned anew.
    """
    calls: Sequence[Call] = choosing.choose(post).calls
    if not calls:
        return None
    for step in range(1, MOST_STEPS + 1):
        further: list[Needs] = []
        try:
            for call in calls:
                left = _record(post, call, is_last=step == MOST_STEPS)
                if left is None:
                    return None
                further += left
        except batches.Overtaken:
            return post.now()
        calls = rehearsing.plan(further, (), abilities=post.target.abilities())
    return post.now()


def _record(post: Post, call: Call, *, is_last: bool) -> list[Needs] | None:
    """Write one call and what becomes of its people; returns what they would need next, None: the lane is gone.

    Raises:
        batches.Overtaken: somebody in the call has a newer operation; nothing was written.
    """
    parts: dict[int, list[Item]] = {}
    for item in call.items:
        parts.setdefault(item.person.operation_id, []).append(item)
    fates = [_fate(post, items, is_last=is_last) for items in parts.values()]
    method, path, request = post.target.describe(call)
    with post.store.begin(post.tenant) as tx:
        if not lanes.has_epoch(tx, post.lane_id, epoch=post.epoch):
            return None
        batch_id = batches.record_dry_run(
            tx,
            lane_id=post.lane_id,
            epoch=post.epoch,
            step=str(call.step or "mixed"),
            operation_ids=call.operation_ids,
            method=method,
            path=path,
            request=request,
        )
        outcomes = [outcome for outcome, _ in fates]
        settlement.settle(tx, lane_id=post.lane_id, outcomes=outcomes, before=State.SENDING, batch_id=batch_id)
    return [left for _, left in fates if left is not None]


def _fate(post: Post, items: Sequence[Item], *, is_last: bool) -> tuple[Outcome, Needs | None]:
    """Return what becomes of a person's operation if the call goes well, and what would be next."""
    person, last = items[0].person, items[-1]
    if last.step is Step.LOOK_UP:
        return _outcome(person, State.SKIPPED, CODE, LOOKED_UP), None
    if last.step is Step.CREATE_GROUP:
        return _outcome(person, State.SKIPPED, CODE), None
    rules = post.rules(frozenset())
    link = person.link
    for item in items:
        known = needs.after(item, link, rules=rules)
        link = Link(account_id=link.account_id or UNTOLD_ID, known=known, matching=item.matching)
    left = settle.remaining(post, person, last, link, rules=rules)
    if isinstance(left, Needs) and not is_last:
        return _outcome(person, State.WAITING, "next_step"), left
    if isinstance(left, Decided) and left.state is State.DEAD:
        return _outcome(person, left.state, left.code, left.detail), None
    return _outcome(person, State.SKIPPED, CODE), None


def _outcome(person: Person, state: State, code: str, detail: str = "") -> Outcome:
    return Outcome(
        operation_id=person.operation_id,
        resource_id=person.resource_id,
        state=state,
        code=code,
        detail=detail,
        attempts=person.attempts,
        cap=person.cap,
    )
