"""What a call's end means for each of its people, and writing all of it in one transaction."""

import dataclasses
from collections.abc import Mapping, Sequence

import structlog

from scim_bridge import metrics
from scim_bridge.domain.people import Doubt, Link, Person, Problem, Step
from scim_bridge.domain.replies import Answer, Outcome, Reply, Verdict
from scim_bridge.domain.states import State
from scim_bridge.planning import needs
from scim_bridge.planning.calls import Call, Item
from scim_bridge.store import batches, lanes, links, settlement
from scim_bridge.store.engine import Transaction
from workers.delivery import gate, grouping, readback, repairs
from workers.delivery.post import Post
from workers.delivery.submitting import Ended
from workers.policy import isolation, retries
from workers.targets import port

log = structlog.get_logger(__name__)


def settle(post: Post, ended: Ended) -> bool:
    """Write what became of a call: batch, slot, operations, entries, links, lane. One transaction.

    Returns False when the lease was lost: then only `late` is written, and each of its people is owed a read-back.
    """
    call, batch = ended.opened.call, ended.opened.batch
    with post.store.begin(post.tenant) as tx:
        if not lanes.has_epoch(tx, post.lane_id, epoch=post.epoch):
            repairs.owe_read_back(tx, post.lane_id, batches.mark_late(tx, batch.id))
            log.warning("answer_came_late", tenant=post.tenant, target=post.target_name, batch=batch.id)
            return False
        lane = lanes.by_target(tx, post.target_name)
        if lane is None:
            return False
        _close(tx, ended)
        if ended.answer is not None:
            gate.note_success(tx, lane)
            outcomes = _answered(tx, post, ended, ended.answer)
        else:
            failure = ended.failure or port.AnswerLost()
            if not isinstance(failure, port.BatchRefused):
                gate.note_failure(tx, lane, failure)
            outcomes = _failed(post, ended, failure, others_answered=lane.failures == 0)
            if isinstance(failure, port.BatchRefused) and not _is_about_people(post, call):
                # It may be a group that the target no longer has: list them again before the next call that names one.
                links.forget_groups(tx, post.lane_id, call.groups)
        settlement.settle(tx, lane_id=post.lane_id, outcomes=outcomes, before=State.SENDING, batch_id=batch.id)
    if ended.failure is not None:
        grouping.note_failure(post, call, ended.failure)
    for outcome in outcomes:
        metrics.OUTCOMES.labels(
            tenant=post.tenant, target=post.target_name, state=outcome.state, code=outcome.code
        ).inc()
    return True


def close_only(post: Post, ended: Ended) -> None:
    """Write the end of a call that held no operations: batch, slot and lane."""
    with post.store.begin(post.tenant) as tx:
        _close(tx, ended)
        lane = lanes.by_target(tx, post.target_name)
        if lane is None or not lanes.has_epoch(tx, post.lane_id, epoch=post.epoch):
            return
        if ended.failure is None:
            gate.note_success(tx, lane)
        else:
            gate.note_failure(tx, lane, ended.failure)


def _close(tx: Transaction, ended: Ended) -> None:
    batches.close_batch(
        tx,
        ended.opened.batch.id,
        status="finished" if ended.answer is not None else "failed",
        answer=dict(ended.answer.redacted) if ended.answer is not None else {"failure": _told(ended.failure)},
        http_status=ended.answer.status if ended.answer is not None else _status(ended.failure),
        answered_at=ended.answered_at,
    )


def _answered(tx: Transaction, post: Post, ended: Ended, answer: Answer) -> list[Outcome]:
    call = ended.opened.call
    if call.step is Step.LOOK_UP and not call.items:
        grouping.note_listing(post, call, answer)
        links.save_groups(tx, post.lane_id, answer.group_ids)
        return []
    if call.step is Step.LOOK_UP:
        links.save_groups(tx, post.lane_id, answer.group_ids)
        return readback.outcomes_of(tx, post, call, answer)
    links.save_groups(tx, post.lane_id, answer.group_ids)
    post.seen_groups.note_made(answer.group_ids)
    if call.step is Step.CREATE_GROUP and not answer.group_ids:
        post.seen_groups.note_failed(call.groups, post.now())
    by_operation: dict[int, Item] = {item.person.operation_id: item for item in call.items}
    people = _as_linked_now(tx, post, by_operation)
    stale = {
        name
        for operation_id, reply in answer.replies.items()
        if reply.code == "blocked_by_group" and operation_id in by_operation
        for name in (by_operation[operation_id].group, *call.groups)
        if name
    }
    if stale:
        # The ids that we keep lead nowhere: the groups are listed, or made, before anybody goes there again.
        links.forget_groups(tx, post.lane_id, stale)
        post.seen_groups.forget(stale)
    done = [op for op, reply in answer.replies.items() if reply.verdict is Verdict.DONE and op in by_operation]
    entered = {name for op in done for name in (by_operation[op].group, *call.groups) if name}
    links.claim_groups(tx, post.lane_id, entered)
    elsewhere = _linked_elsewhere(tx, post, people, answer)
    rules = post.rules(frozenset())
    return [
        _outcome(people[operation_id], State.WAITING, "conflict", link={"doubt": Doubt.CONFLICT})
        if operation_id in elsewhere
        else _outcome_of(post, item, people[operation_id], answer.replies.get(operation_id), rules=rules)
        for operation_id, item in by_operation.items()
    ]


def _as_linked_now(tx: Transaction, post: Post, items: Mapping[int, Item]) -> dict[int, Person]:
    """Return the people of a call, by operation, with the links that they have by now: doubts may have come."""
    now = links.of(tx, post.lane_id, [item.person.resource_id for item in items.values()])
    found: dict[int, Person] = {}
    for operation_id, item in items.items():
        person = item.person
        link = now[person.resource_id]
        found[operation_id] = person if link == person.link else needs.with_link(person, link)
    return found


def _linked_elsewhere(tx: Transaction, post: Post, people: Mapping[int, Person], answer: Answer) -> frozenset[int]:
    """Return the operations whose answer names an account that a living other person holds.

    A deleted person's account moves to its new owner. A look-up then says what the conflict is.
    """
    told = {op: r.account_id for op, r in answer.replies.items() if r.account_id is not None and op in people}
    owners = links.owners(tx, post.lane_id, [account for account in told.values() if account is not None])
    foreign = {
        op: owners[account]
        for op, account in told.items()
        if account in owners and owners[account][0] != people[op].resource_id
    }
    links.release(tx, post.lane_id, [owner for owner, is_deleted in foreign.values() if is_deleted])
    first: dict[str | None, int] = {}
    for op, account in told.items():
        first.setdefault(account, op)
    twice = {op for op, account in told.items() if first[account] != op}
    return frozenset({op for op, (_, is_deleted) in foreign.items() if not is_deleted} | twice)


def _outcome_of(post: Post, item: Item, person: Person, reply: Reply | None, *, rules: needs.Rules) -> Outcome:
    """Return what a reply makes of one operation. `person` has the link that there is now."""
    if reply is None or reply.verdict is Verdict.UNKNOWN:
        return _doubtful(post, person, {"doubt": Doubt.AMBIGUOUS, "matching": dict(item.matching)})
    detail = reply.detail
    match reply.verdict:
        case Verdict.DONE:
            return _done(post, item, person, reply, rules=rules)
        case Verdict.CONFLICT:
            # Nothing was made, so these values say nothing of an account of this person.
            return _outcome(person, State.WAITING, "conflict", detail, link={"doubt": Doubt.CONFLICT})
        case Verdict.GONE:
            # The id leads nowhere: drop the link and look once more before anything is said of the person.
            gone = {"account_id": None, "known": None, "doubt": Doubt.AMBIGUOUS}
            return _doubtful(post, person, gone, detail)
        case Verdict.RETRY:
            return _again(post, person, reply)
        case Verdict.UNSUPPORTED:
            return _outcome(person, State.DEAD, "unsupported", detail)
        case _:
            return _outcome(person, State.DEAD, reply.code if reply.code != "ok" else "refused", detail)


def _done(post: Post, item: Item, person: Person, reply: Reply, *, rules: needs.Rules) -> Outcome:
    if item.step is Step.CREATE_GROUP:
        return _outcome(person, State.DELIVERED, "ok")
    known = reply.known if reply.known is not None else needs.after(item, person.link, rules=rules)
    known = known and needs.without_groups(known, post.absent_groups)
    account_id = reply.account_id if reply.account_id is not None else person.link.account_id
    changes: dict[str, object] = {
        "known": known,
        "account_id": account_id,
        # Nothing is sent for somebody in doubt: a doubt that is there now came meanwhile, and is still to be settled.
        "doubt": person.link.doubt,
        "matching": dict(item.matching),
    }
    if item.keeps_status:
        # The rest has arrived; what becomes of the status, the guard says when the person is looked at again.
        return _outcome(person, State.WAITING, "next_step", reply.detail, link=changes)
    link = Link(account_id=account_id, known=known, matching=item.matching)
    left = remaining(post, person, item, link, rules=rules)
    if isinstance(left, needs.Needs):
        return _outcome(person, State.WAITING, "next_step", reply.detail, link=changes)
    if left is not None and left.state is not State.UNCHANGED:
        return _outcome(person, left.state, left.code, left.detail, link=changes)
    return _outcome(person, State.DELIVERED, "ok", reply.detail, link=changes)


def remaining(
    post: Post, person: Person, item: Item, link: Link, *, rules: needs.Rules
) -> needs.Decided | needs.Needs | None:
    """Return what is left to do with a link as given, measured by what the call was meant to reach; None: unknown.

    `rules` are the lane's; which groups are ours to leave is not asked again for one person.
    """
    if item.desired is None or isinstance(item.desired, Problem):
        return None
    if link.known is not None and item.desired.groups != link.known.groups:
        rules = dataclasses.replace(rules, managed_groups=item.desired.groups | link.known.groups)
    probe = needs.with_link(person, link)
    return needs.decide(probe, item.desired, matching=item.matching, rules=rules, now=post.now())


def _doubtful(post: Post, person: Person, link: Mapping[str, object], detail: str = "") -> Outcome:
    """Read back before anything else: at once the first time, later and later when the doubt comes back."""
    attempts = person.attempts + 1
    if retries.is_spent(attempts, max_attempts=post.settings.max_attempts):
        return _outcome(person, State.DEAD, "attempts_spent", detail, attempts=attempts, link=link)
    wait_ms = retries.backoff_ms(attempts - 1, jitter=0.5) if attempts > 1 else 0
    return _outcome(
        person, State.WAITING, "ambiguous", detail, attempts=attempts, due_at=post.now() + wait_ms, link=link
    )


def _again(post: Post, person: Person, reply: Reply) -> Outcome:
    attempts = person.attempts + 1
    if retries.is_spent(attempts, max_attempts=post.settings.max_attempts):
        return _outcome(person, State.DEAD, "attempts_spent", reply.detail, attempts=attempts)
    wait_ms = retries.backoff_ms(attempts, jitter=post.runtime.random.random())
    return _outcome(person, State.WAITING, "unavailable", reply.detail, attempts=attempts, due_at=post.now() + wait_ms)


def _failed(post: Post, ended: Ended, failure: port.CallFailed, *, others_answered: bool) -> list[Outcome]:
    """A call that failed as a whole burns nobody's attempts; who may have been reached is read back first."""
    items = list({item.person.operation_id: item for item in ended.opened.call.items}.values())
    if isinstance(failure, port.BatchRefused):
        return _refused(post, ended, items, failure)
    if not isinstance(failure, port.AnswerLost) or ended.opened.call.step in (Step.LOOK_UP, Step.CREATE_GROUP):
        return [_outcome(item.person, State.WAITING, "call_failed", _told(failure)) for item in items]
    strikes_people = failure.status is not None or isinstance(failure, port.BridgeFault)
    lone = len(items) == 1 and others_answered and strikes_people and items[0].person.cap == 1
    if lone:
        # It fails alone again and again while other calls are answered: so it is the person, not the target.
        return [
            _with_doubt(_again(post, item.person, Reply(verdict=Verdict.RETRY, detail=_told(failure))))
            for item in items
        ]
    poisoned = others_answered and strikes_people
    return [
        _outcome(
            item.person,
            State.WAITING,
            "ambiguous",
            _told(failure),
            link={"doubt": Doubt.AMBIGUOUS, "matching": dict(item.matching)},
            cap=isolation.cap_after_failure(len(items), item.person.cap) if poisoned else item.person.cap,
        )
        for item in items
    ]


def _refused(post: Post, ended: Ended, items: Sequence[Item], failure: port.BatchRefused) -> list[Outcome]:
    call = ended.opened.call
    if call.step is Step.CREATE_GROUP:
        return [_outcome(item.person, State.DEAD, "group_refused", _told(failure)) for item in items]
    if call.step is Step.LOOK_UP and not items:
        return []
    if call.step is Step.LOOK_UP and len(items) == 1:
        return [_again(post, item.person, Reply(verdict=Verdict.RETRY, detail=_told(failure))) for item in items]
    if not _is_about_people(post, call):
        # It may be the group, not a person: once the groups have been listed, the same refusal means the people.
        return [_outcome(item.person, State.WAITING, "call_failed", _told(failure)) for item in items]
    if len(call.items) == 1:
        return [_outcome(items[0].person, State.DEAD, "refused", _told(failure))]
    cap = isolation.halved(len(items))
    return [_outcome(item.person, State.WAITING, "call_failed", _told(failure), cap=cap) for item in items]


def _is_about_people(post: Post, call: Call) -> bool:
    """Tell whether a call that was refused was refused for its people, and not for a group that is gone."""
    return call.step in (Step.LOOK_UP, Step.CREATE_GROUP) or post.has_groups(call.groups)


def _with_doubt(outcome: Outcome) -> Outcome:
    return Outcome(
        operation_id=outcome.operation_id,
        resource_id=outcome.resource_id,
        state=outcome.state,
        code=outcome.code,
        detail=outcome.detail,
        attempts=outcome.attempts,
        due_at=outcome.due_at,
        cap=1,
        link_changes={"doubt": Doubt.AMBIGUOUS},
    )


def _outcome(
    person: Person,
    state: State,
    code: str,
    detail: str = "",
    *,
    link: Mapping[str, object] | None = None,
    attempts: int | None = None,
    due_at: int | None = None,
    cap: int | None = None,
) -> Outcome:
    return Outcome(
        operation_id=person.operation_id,
        resource_id=person.resource_id,
        state=state,
        code=code,
        detail=detail[:500],
        attempts=person.attempts if attempts is None else attempts,
        due_at=due_at,
        cap=cap if cap is not None else person.cap,
        link_changes=link,
    )


def _told(failure: port.CallFailed | None) -> str:
    return "" if failure is None else f"{type(failure).__name__}: {failure}"[:300]


def _status(failure: port.CallFailed | None) -> int | None:
    return None if failure is None else failure.status
