"""What a look-up means for the people who waited for it, and what is left of a call whose worker died."""

from collections.abc import Mapping

from scim_bridge.domain.people import Account, Doubt, Link, Person, Record
from scim_bridge.domain.replies import Answer, Outcome
from scim_bridge.domain.states import State
from scim_bridge.planning.calls import Call, Item
from scim_bridge.store import batches, due, lanes, links, settlement
from scim_bridge.store.engine import Transaction
from workers.delivery import settle
from workers.delivery.post import Post
from workers.policy import conflicts


def recover(post: Post) -> int | None:
    """Close the open batches of older epochs whose deadline has passed; their people are read back first.

    Returns when the next of those that are left may be closed, None when there are none.
    """
    with post.store.begin(post.tenant) as tx:
        if not lanes.has_epoch(tx, post.lane_id, epoch=post.epoch):
            return None
        left = batches.open_before(tx, post.lane_id, epoch=post.epoch)
        over = [batch for batch in left if batch.deadline_at + due.OPEN_BATCH_GRACE_MS <= tx.now]
        for batch in over:
            batches.close_batch(
                tx, batch.id, status="failed", answer={"failure": "worker lost"}, http_status=None, answered_at=None
            )
            doubtful = batch.step not in ("look_up", "create_group")
            outcomes = [
                Outcome(
                    operation_id=person.operation_id,
                    resource_id=person.resource_id,
                    state=State.WAITING,
                    code="ambiguous" if doubtful else "call_failed",
                    attempts=person.attempts,
                    cap=person.cap,
                    link_changes={"doubt": Doubt.AMBIGUOUS} if doubtful else None,
                )
                for person in due.people_of(tx, batch.operation_ids)
            ]
            settlement.settle(tx, lane_id=post.lane_id, outcomes=outcomes, before=State.SENDING, batch_id=batch.id)
    waiting = [batch.deadline_at + due.OPEN_BATCH_GRACE_MS for batch in left if batch not in over]
    return min(waiting, default=None)


def outcomes_of(tx: Transaction, post: Post, call: Call, answer: Answer) -> list[Outcome]:
    """Decide for each person of a look-up what the accounts that it showed (or did not show) mean."""
    items = {item.person.operation_id: item for item in call.items}
    people = due.people_of(tx, items)
    wanted = {
        person.resource_id: conflicts.Wanted(
            account_id=person.link.account_id,
            matching={**person.link.matching, **items[person.operation_id].matching},
        )
        for person in people
    }
    found = conflicts.match_accounts(wanted, answer.accounts, match_by=post.settings.match_by)
    doubtful = conflicts.ambiguous(wanted, answer.accounts, match_by=post.settings.match_by)
    owners = links.owners(tx, post.lane_id, [account.account_id for account in found.values()])
    freed = [owner for owner, deleted in owners.values() if deleted]
    outcomes, taken = [], set[str]()
    for person in people:
        item, account = items[person.operation_id], found.get(person.resource_id)
        if account is None:
            several = person.resource_id in doubtful
            outcomes.append(_end(person, State.DEAD, "several_match") if several else _absent(person, answer))
            continue
        owner, owner_is_deleted = owners.get(account.account_id, (person.resource_id, False))
        if account.account_id in taken or (owner != person.resource_id and not owner_is_deleted):
            outcomes.append(_end(person, State.DEAD, "linked_elsewhere"))
            continue
        taken.add(account.account_id)
        outcomes.append(_present(post, person, item, account))
    adopted = {found[o.resource_id].account_id for o in outcomes if o.link_changes and o.resource_id in found}
    moving = [owners[account][0] for account in adopted & owners.keys() if owners[account][0] in freed]
    moving = [owner for owner in moving if owner not in wanted]
    if moving:
        links.release(tx, post.lane_id, moving)
    return outcomes


def _absent(person: Person, answer: Answer) -> Outcome:
    """Nobody in the target looks like this person."""
    if not answer.complete:
        return _end(person, State.WAITING, "ambiguous", due_in=True)
    cleared: Mapping[str, object] = {"account_id": None, "known": None, "doubt": None}
    if person.deleted or not _is_active(person):
        return _end(person, State.UNCHANGED, "already_gone", link=cleared)
    if person.link.doubt is Doubt.CONFLICT:
        return _end(person, State.DEAD, "merge_needed", link={"doubt": None})
    # What was sent (or linked once) is not there: make it.
    return _end(person, State.WAITING, "next_step", link=cleared)


def _present(post: Post, person: Person, item: Item, account: Account) -> Outcome:
    """Somebody is there: ours already, ours by an answer that was lost, or met for the first time."""
    desired = item.desired
    known = _merged(person.link.known, account.known)
    changes: dict[str, object] = {
        "account_id": account.account_id,
        "known": known,
        "doubt": None,
        "matching": {**item.matching, **account.matching},
    }
    is_ours = person.link.account_id == account.account_id or (
        person.link.doubt is not Doubt.CONFLICT and person.link.known is not None
    )
    looks_sent = desired is not None and _agrees(account.known, desired)
    met = not is_ours and not (person.link.doubt in (Doubt.AMBIGUOUS, Doubt.LATE) and looks_sent)
    if met:
        decision = conflicts.decide(
            post.settings.on_conflict,
            is_protected=account.protected,
            is_leaver=desired is not None and not desired.active,
        )
        if account.protected:
            return _end(person, State.HELD, "protected", link={"doubt": Doubt.CONFLICT})
        if decision is conflicts.Decision.SKIP:
            return _end(person, State.SKIPPED, "conflict_skipped", link=changes)
        if decision is conflicts.Decision.HOLD:
            return _end(person, State.HELD, "conflict_held", link={"doubt": Doubt.CONFLICT})
    link = Link(account_id=account.account_id, known=known, matching=account.matching)
    if desired is not None and settle.more_to_do(post, person, item, link):
        return _end(person, State.WAITING, "adopted" if met else "linked", link=changes)
    doubted = person.link.doubt in (Doubt.AMBIGUOUS, Doubt.LATE)
    return _end(person, State.DELIVERED if doubted else State.UNCHANGED, "ok" if doubted else "adopted", link=changes)


def _merged(before: Record | None, shown: Record) -> Record:
    """Return what is known now: what the target shows, over what we knew of parts that it does not show."""
    if before is None:
        return shown
    return Record(
        active=shown.active,
        attributes={**before.attributes, **shown.attributes},
        groups=shown.groups,
        courses=shown.courses or before.courses,
        required_courses=shown.required_courses or before.required_courses,
    )


def _agrees(shown: Record, desired: Record) -> bool:
    """Tell whether everything that the target shows is what we sent."""
    return shown.active == desired.active and all(
        desired.attributes.get(name) == value for name, value in shown.attributes.items() if name in desired.attributes
    )


def _is_active(person: Person) -> bool:
    return bool(person.document.get("active", True))


def _end(
    person: Person, state: State, code: str, *, link: Mapping[str, object] | None = None, due_in: bool = False
) -> Outcome:
    return Outcome(
        operation_id=person.operation_id,
        resource_id=person.resource_id,
        state=state,
        code=code,
        attempts=person.attempts,
        cap=person.cap,
        due_at=None if not due_in else person.due_at + due.OPEN_BATCH_GRACE_MS,
        link_changes=link,
    )
