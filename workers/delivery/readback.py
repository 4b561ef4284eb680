"""What a look-up means for the people who waited for it, and what is left of a call whose worker died."""

from collections.abc import Mapping, Sequence

from scim_bridge.domain.people import Account, Doubt, Link, Person, Record
from scim_bridge.domain.replies import Answer, Outcome
from scim_bridge.domain.states import State
from scim_bridge.planning import needs
from scim_bridge.planning.calls import Call, Item
from scim_bridge.store import batches, directory, due, lanes, links, plans, settlement
from scim_bridge.store.engine import Transaction
from workers.delivery import contested, settle
from workers.delivery.post import Post
from workers.policy import conflicts, retries

READ_LAG_MS = 10_000
"""So long after a write a listing may still not show it (targets answer reads from copies)."""


def recover(post: Post) -> int | None:
    """Close the open batches of older epochs whose deadline has passed; their people are read back first.

    Returns when the next of those that are left may be closed, None when there are none.
    """
    with post.store.begin(post.tenant, write=False) as tx:
        if not batches.open_before(tx, post.lane_id, epoch=post.epoch):
            return None
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
    # The living come first: of two records of one person, the account is the present one's.
    # Of two records of one person the account is the present one's; of two people, his whom we gave it.
    people = sorted(
        due.people_of(tx, items),
        key=lambda person: (person.deleted, person.link.known is None, person.operation_id),
    )
    _learn_ids(tx, post, answer, except_for=[person.resource_id for person in people])
    found, doubtful = _match(post, people, items, answer)
    owners = links.owners(tx, post.lane_id, [account.account_id for account in found.values()])
    succeeded = directory.living_namesakes(tx, [p.resource_id for p in people if p.deleted])
    policies = plans.policies(tx, items)
    outcomes, taken, moving = [], set[str](), set[int]()
    for person in people:
        item, account = items[person.operation_id], found.get(person.resource_id)
        if account is None:
            several = person.resource_id in doubtful
            outcomes.append(
                _end(person, State.DEAD, "several_match") if several else _absent(post, person, item, answer)
            )
            continue
        owner, owner_is_deleted = owners.get(account.account_id, (None, False))
        is_linked = owner == person.resource_id
        if person.deleted and (account.account_id in taken or (person.resource_id in succeeded and not is_linked)):
            outcomes.append(_end(person, State.UNCHANGED, "taken_over", link=_NOTHING_KNOWN))
        elif account.account_id in taken or (owner is not None and not is_linked and not owner_is_deleted):
            outcomes.append(_end(person, State.DEAD, "linked_elsewhere", link={"doubt": None}))
        else:
            on_conflict = policies.get(person.operation_id, post.settings.on_conflict)
            outcome = _present(post, person, item, account, on_conflict=on_conflict)
            if outcome.link_changes and "account_id" in outcome.link_changes:
                taken.add(account.account_id)
                moving |= {owner} if owner is not None and not is_linked else set()
            outcomes.append(outcome)
    if moving:
        links.release(tx, post.lane_id, moving)
    leaving = {person.resource_id for person in people if _is_leaving(person, items[person.operation_id])}
    return contested.put_off(tx, post, outcomes, leaving=leaving)


_NOTHING_KNOWN: Mapping[str, object] = {"account_id": None, "known": None, "doubt": None}


def _learn_ids(tx: Transaction, post: Post, answer: Answer, *, except_for: Sequence[int]) -> None:
    """Give everybody whose account we made, and whose id nobody told us, the id that this answer shows.

    Without it an account of ours would look like nobody's to the next person who bears one of its values.
    """
    waiting = links.unresolved(tx, post.lane_id, except_for=except_for)
    wanted = {number: conflicts.Wanted(matching=matching) for number, matching in waiting.items()}
    found = conflicts.match_accounts(wanted, answer.accounts, match_by=post.settings.match_by)
    owned = links.owners(tx, post.lane_id, [account.account_id for account in found.values()])
    fresh: dict[str, int] = {}
    for number, account in found.items():
        if account.account_id not in owned:
            fresh.setdefault(account.account_id, number)
    links.save(tx, post.lane_id, {number: {"account_id": account_id} for account_id, number in fresh.items()})


def _match(
    post: Post, people: Sequence[Person], items: Mapping[int, Item], answer: Answer
) -> tuple[dict[int, Account], frozenset[int]]:
    """Find each person's account.

    What an account of ours was made under proves whose it is, so it comes before what its person is called now.
    """
    found: dict[int, Account] = {}
    doubtful: frozenset[int] = frozenset()
    made = {p.resource_id for p in people if p.link.known is not None or p.link.doubt in (Doubt.AMBIGUOUS, Doubt.LATE)}
    stored = {p.resource_id: p.link.matching for p in people if p.resource_id in made}
    present = {p.resource_id: items[p.operation_id].matching for p in people}
    for values in (stored, present):
        wanted = {
            person.resource_id: conflicts.Wanted(account_id=person.link.account_id, matching=values[person.resource_id])
            for person in people
            if person.resource_id in values and person.resource_id not in found
        }
        found |= conflicts.match_accounts(wanted, answer.accounts, match_by=post.settings.match_by)
        doubtful |= conflicts.ambiguous(wanted, answer.accounts, match_by=post.settings.match_by)
    return found, doubtful - found.keys()


def _absent(post: Post, person: Person, item: Item, answer: Answer) -> Outcome:
    """Nobody in the target looks like this person."""
    if not answer.complete or _may_not_show_yet(post, person):
        return _later(post, person)
    if _is_leaving(person, item):
        return _end(person, State.UNCHANGED, "already_gone", link=_NOTHING_KNOWN)
    if person.link.doubt is Doubt.CONFLICT and person.reason == "conflict":
        return _end(person, State.DEAD, "merge_needed", link={"doubt": None})
    if person.link.doubt is Doubt.TOLD and person.link.known is not None:
        return _end(person, State.WAITING, "drift", link=_NOTHING_KNOWN, detail="account")
    # What was sent (or linked once) is not there: make it.
    return _end(person, State.WAITING, "next_step", link=_NOTHING_KNOWN)


def _may_not_show_yet(post: Post, person: Person) -> bool:
    """Tell whether the account was written so lately that a listing may not show it: absence is no proof then."""
    link = person.link
    was_written = link.known is not None or link.doubt in (Doubt.AMBIGUOUS, Doubt.LATE)
    return was_written and link.known_at is not None and post.now() - link.known_at < READ_LAG_MS


def _later(post: Post, person: Person) -> Outcome:
    attempts = person.attempts + 1
    spent = retries.is_spent(attempts, max_attempts=post.settings.max_attempts)
    return Outcome(
        operation_id=person.operation_id,
        resource_id=person.resource_id,
        state=State.DEAD if spent else State.WAITING,
        code="attempts_spent" if spent else "ambiguous",
        attempts=attempts,
        cap=person.cap,
        # The same for all of a look-up: who is asked about together goes on together, in few calls.
        due_at=post.now() + retries.backoff_ms(attempts, jitter=0.5),
    )


def _present(post: Post, person: Person, item: Item, account: Account, *, on_conflict: plans.Policy) -> Outcome:
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
    if met and person.link.doubt is Doubt.REFUSED:
        return _end(person, State.SKIPPED, "takeover_rejected")
    if met and person.link.doubt is not Doubt.RELEASED:
        decision = conflicts.decide(
            on_conflict,
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
    left = settle.remaining(post, person, item, link, rules=post.rules(frozenset()))
    is_told = is_ours and person.link.doubt is Doubt.TOLD
    if isinstance(left, needs.Needs):
        drifted = _drifted(post, person.link.known, known) if is_told else ""
        code = "adopted" if met else "drift" if drifted else "linked"
        return _end(person, State.WAITING, code, link=changes, detail=drifted)
    if left is not None and left.state is not State.UNCHANGED:
        return _end(person, left.state, left.code, link=changes)
    if is_told:
        return _end(person, State.UNCHANGED, "already_so", link=changes)
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


def _drifted(post: Post, before: Record | None, shown: Record) -> str:
    """Return which parts of an account are not as they were last known to be, without values."""
    if before is None:
        return ""
    parts = [] if shown.active == before.active else ["status"]
    parts += needs.changed_attributes(before, shown, rules=post.rules(frozenset()))
    return ", ".join(parts if shown.groups == before.groups else [*parts, "groups"])


def _is_leaving(person: Person, item: Item) -> bool:
    """Tell whether the target is to hold nobody active: one who has left, or is out of the lane's scope."""
    is_out = isinstance(item.desired, Record) and not item.desired.active
    return person.deleted or is_out or not person.document.get("active", True)


def _end(
    person: Person, state: State, code: str, *, link: Mapping[str, object] | None = None, detail: str = ""
) -> Outcome:
    return Outcome(
        operation_id=person.operation_id,
        resource_id=person.resource_id,
        state=state,
        code=code,
        detail=detail,
        attempts=person.attempts,
        cap=person.cap,
        link_changes=link,
    )
