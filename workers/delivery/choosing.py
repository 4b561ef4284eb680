"""Who is due on a lane and which calls they need; ends what needs no call."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Person, Priority, Problem, Record, Step
from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import State
from scim_bridge.mapping import records
from scim_bridge.planning import batching, needs, rehearsing
from scim_bridge.planning.calls import Call
from scim_bridge.store import directory_groups, due, holds, lanes, links, outbox, settlement
from scim_bridge.store.engine import Transaction
from workers.delivery import grouping, guarding
from workers.delivery.post import Post

log = structlog.get_logger(__name__)

PEOPLE_AT_A_TIME = 1_000
LOOK_UP_PATIENCE_MS = 30_000
"""How long a person may wait for a look-up while creates keep coming."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The calls to make next, most pressing first, and the ids that they need."""

    calls: tuple[Call, ...]
    group_ids: dict[str, str]
    backlog: int
    """People who are due, counted no further than what is looked at."""
    leavers: frozenset[int] | None = None
    """The operations of all leavers who were due; None when there may be more."""


def choose(post: Post, *, only_urgent: bool = False) -> Plan:
    """Read who is due, decide for each, settle those who need no call, and plan the calls of the others."""
    with post.store.begin(post.tenant, write=False) as tx:
        people = due.people_due(tx, post.lane_id, limit=PEOPLE_AT_A_TIME, only_urgent=only_urgent)
        standing = holds.standing(tx, post.lane_id, [person.resource_id for person in people]) if people else {}
        group_ids = links.group_ids(tx, post.lane_id)
        managed = managed_groups(post, tx) if people else frozenset()
    post.note_absent_groups(group_ids)
    if not people:
        return Plan(calls=(), group_ids=group_ids, backlog=0)
    rules = post.rules(managed)
    wanted: list[needs.Needs] = []
    ended: list[Outcome] = []
    groups_wanted: list[tuple[Person, str]] = []
    oldest_look_up: Millis = post.now()
    for person in people:
        if person.kind == "Group":
            _decide_group(post, person, group_ids, ended=ended, wanted=groups_wanted)
            continue
        verdict = _decide_safely(post, person, rules)
        if isinstance(verdict, needs.Decided):
            ended.append(_ended(person, verdict, absent_groups=post.absent_groups))
            continue
        wanted.append(verdict)
        if verdict.items[0].step is Step.LOOK_UP:
            oldest_look_up = min(oldest_look_up, person.due_at)
    if post.is_dry_run:
        _end(post, ended)
        calls = rehearsing.plan(wanted, groups_wanted, abilities=rules.abilities)
        return Plan(calls=tuple(calls), group_ids=group_ids, backlog=len(people))
    wanted = guarding.let_through(post, wanted, people=people, standing=standing, rules=rules)
    _end(post, ended)
    waiting = grouping.put_off(post, wanted, groups_wanted, known_groups=group_ids.keys())
    calls = batching.plan_calls(
        [need for need in wanted if need.person.operation_id not in waiting],
        abilities=rules.abilities,
        known_groups=group_ids.keys(),
        absent_groups=post.absent_groups,
        look_up_first=post.now() - oldest_look_up > LOOK_UP_PATIENCE_MS,
        groups_wanted=[each for each in groups_wanted if each[0].operation_id not in waiting],
    )
    leavers = frozenset(person.operation_id for person in people if person.priority == Priority.LEAVER)
    return Plan(
        calls=tuple(calls),
        group_ids=group_ids,
        backlog=len(people),
        leavers=leavers if len(leavers) < PEOPLE_AT_A_TIME else None,
    )


def desired_of(post: Post, person: Person) -> Record | Problem:
    """Return what the target should hold of a person, by today's directory, mapping and scope.

    Who has left the scope is wanted inactive, like somebody who has left altogether.
    """
    desired = post.target.desired(person)
    if isinstance(desired, Record) and desired.active and not post.scope.takes(person.document):
        return dataclasses.replace(desired, active=False)
    return desired


def _decide_safely(post: Post, person: Person, rules: needs.Rules) -> needs.Decided | needs.Needs:
    """Decide for one person; a fault of ours about one never stops the others of the lane, nor keeps a leaver in."""
    try:
        return _decide(post, person, rules)
    except Exception as error:  # noqa: BLE001 - the last line of defence for everybody else in the lane
        log.warning("deciding_failed", operation=person.operation_id, kind=type(error).__name__)
        bug = needs.Decided(state=State.DEAD, code="bug", detail=type(error).__name__)
    try:
        return _decide_to_close(post, person, rules) or bug
    except Exception as error:  # noqa: BLE001 - the same fault again: of the scope, or of deciding itself
        log.warning("closing_failed", operation=person.operation_id, kind=type(error).__name__)
        return bug


def _decide_to_close(post: Post, person: Person, rules: needs.Rules) -> needs.Decided | needs.Needs | None:
    """Decide without the mapping for one who should be out, by what is known of the account; None: that cannot be."""
    is_out = person.deleted or person.document.get("active") is False
    if not is_out and not (post.scope.deactivates_on_unscope and not post.scope.takes(person.document)):
        return None
    # Of who is out, nothing else is wanted.
    gone = Record(active=False, attributes={})
    verdict = needs.decide(person, gone, matching=person.link.matching, rules=rules, now=post.now())
    is_look_up = isinstance(verdict, needs.Needs) and verdict.items[0].step is Step.LOOK_UP
    return None if is_look_up and not person.link.matching else verdict


def _decide(post: Post, person: Person, rules: needs.Rules) -> needs.Decided | needs.Needs:
    is_out = not person.deleted and not post.scope.takes(person.document)
    if is_out and not post.scope.deactivates_on_unscope and person.document.get("active", True):
        # What is kept is somebody who is still here; who has left is closed in scope or out of it.
        return needs.Decided(state=State.SKIPPED, code="out_of_scope")
    desired = desired_of(post, person)
    if isinstance(desired, Problem) and is_out:
        # A mapping that fails must not keep somebody in who is out.
        desired = Record(active=False, attributes={})
    return needs.decide(person, desired, matching=post.target.matching(person), rules=rules, now=post.now())


def managed_groups(post: Post, tx: Transaction) -> frozenset[str]:
    """Return the names of the target's groups that are ours to leave.

    These are the groups that the configuration names, those that stand for groups of the directory, and those that we
    have put people into under a name that is gone since. Groups that somebody made by hand in the target are not.
    """
    named = {places.group for places in post.settings.groups.values() if places.group and "{" not in places.group}
    present = {records.target_group(post.settings.groups, group) for group in directory_groups.names(tx)}
    return frozenset(name for name in named | present if name is not None) | links.claimed_groups(tx, post.lane_id)


def _decide_group(
    post: Post, person: Person, group_ids: dict[str, str], *, ended: list[Outcome], wanted: list[tuple[Person, str]]
) -> None:
    """A directory group's own operation: its counterpart must exist. It is never taken away: others may use it."""
    name = records.target_group(post.settings.groups, str(person.document.get("displayName", "")))
    if person.deleted or name is None or not post.target.abilities().keeps_groups:
        ended.append(_ended(person, needs.Decided(state=State.SKIPPED, code="unsupported")))
    elif name in group_ids:
        ended.append(_ended(person, needs.Decided(state=State.UNCHANGED, code="already_so")))
    else:
        wanted.append((person, name))


def _ended(person: Person, verdict: needs.Decided, *, absent_groups: frozenset[str] = frozenset()) -> Outcome:
    known = person.link.known
    has_lost = verdict.state is State.UNCHANGED and known is not None and known.groups & absent_groups
    return Outcome(
        operation_id=person.operation_id,
        resource_id=person.resource_id,
        state=verdict.state,
        code=verdict.code,
        detail=verdict.detail,
        attempts=person.attempts,
        cap=person.cap,
        link_changes={"known": needs.without_groups(known, absent_groups)} if known is not None and has_lost else None,
    )


def _end(post: Post, outcomes: Sequence[Outcome]) -> None:
    """Write the ends that need no call; what has been superseded meanwhile is simply looked at again."""
    if not outcomes:
        return
    with post.store.begin(post.tenant) as tx:
        if not lanes.has_epoch(tx, post.lane_id, epoch=post.epoch):
            return
        present = outbox.still_waiting(tx, [outcome.operation_id for outcome in outcomes])
        settlement.settle(
            tx,
            lane_id=post.lane_id,
            outcomes=[outcome for outcome in outcomes if outcome.operation_id in present],
            before=State.WAITING,
            batch_id=None,
        )
