"""Holds back deactivations past the guard's threshold. It judges what would be sent, whatever the change was called."""

from collections.abc import Mapping, Sequence

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.notices import Kind
from scim_bridge.domain.people import Person, Record, Step
from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import State
from scim_bridge.planning import guard, needs
from scim_bridge.recording import scopes
from scim_bridge.store import holds, lanes, outbox, settlement
from scim_bridge.store import notices as owed
from scim_bridge.store.engine import Transaction
from scim_bridge.store.holds import Standing
from workers import notices
from workers.delivery.post import Post

ACTIVE_FOR_MS = 5_000
"""So long the number of active users is believed: counting them takes longer the more there are."""

_log = structlog.get_logger(__name__)

REASON = "more deactivations at once than the guard lets through"


def let_through(
    post: Post,
    wanted: Sequence[needs.Needs],
    *,
    people: Sequence[Person],
    standing: Mapping[int, Standing],
    rules: needs.Rules,
) -> list[needs.Needs]:
    """Return what may be sent of what is wanted, in the same order; ends the operations of those who are held.

    Of somebody who is held, all but the status still flows. Who is active again in the directory is held no longer.
    """
    leaving = {need.person.resource_id: need for need in wanted if need.items[0].step is Step.DEACTIVATE}
    returned = [person.resource_id for person in people if person.resource_id in standing and _is_wanted(post, person)]
    if not returned and all(standing.get(number) is Standing.LET_GO for number in leaving):
        return list(wanted)
    kept = {number: _kept(post, need, rules) for number, need in leaving.items()}
    new = [number for number in leaving if number not in standing]
    most = _most(post, len(new)) if new else 0
    held: dict[int, int] = {}
    with post.store.begin(post.tenant) as tx:
        if not lanes.has_epoch(tx, post.lane_id, epoch=post.epoch):
            return []
        holds.end(tx, post.lane_id, returned)
        # Judged anew under the lane's lock: an operator may have decided since.
        now_standing = holds.standing(tx, post.lane_id, leaving)
        present = outbox.still_waiting(tx, [need.person.operation_id for need in leaving.values()])
        there = [number for number, need in leaving.items() if need.person.operation_id in present]
        held = _judge(tx, post, {n: leaving[n].person for n in there if n not in now_standing}, most=most)
        now_standing |= dict.fromkeys(held, Standing.OPEN)
        stopped = [n for n in there if kept[n] is None and now_standing.get(n) in (Standing.OPEN, Standing.REJECTED)]
        outcomes = [_outcome(leaving[number].person, now_standing[number]) for number in stopped]
        settlement.settle(tx, lane_id=post.lane_id, outcomes=outcomes, before=State.WAITING, batch_id=None)
        if held:
            owed.owe(tx, Kind.HOLD, target=post.target_name, count=len(held))
    if held:
        notices.tell_held(
            post.tenant, post.target_name, sorted(held.values()), most=most, window_s=post.settings.guard.window_s
        )
    return _allowed(wanted, leaving=leaving, kept=kept, standing=now_standing, present=frozenset(there))


def _allowed(
    wanted: Sequence[needs.Needs],
    *,
    leaving: Mapping[int, needs.Needs],
    kept: Mapping[int, needs.Needs | None],
    standing: Mapping[int, Standing],
    present: frozenset[int],
) -> list[needs.Needs]:
    found: list[needs.Needs] = []
    for need in wanted:
        number = need.person.resource_id
        if number not in leaving:
            found.append(need)
        elif number in present:
            is_held = standing.get(number) in (Standing.OPEN, Standing.REJECTED)
            rest = kept[number] if is_held else need
            found += [rest] if rest is not None else []
    return found


def _judge(tx: Transaction, post: Post, leaving: Mapping[int, Person], *, most: int) -> dict[int, int]:
    """Let people go as far as the threshold allows, the most pressing first; returns whom it holds, by resource id."""
    if not leaving:
        return {}
    window_ms = post.settings.guard.window_s * 1000
    counted = holds.count(tx, post.lane_id, since=tx.now - window_ms)
    room = max(0, most - counted.let_go)
    numbers = list(leaving)
    free, allowed = numbers[:room], numbers[room : room + counted.allowed]
    holds.let_go(tx, post.lane_id, free, good_until=tx.now + window_ms)
    holds.let_go(tx, post.lane_id, allowed, good_until=tx.now + window_ms, is_counted=False)
    holds.use_allowances(tx, post.lane_id, len(allowed))
    held = {number: leaving[number].operation_id for number in numbers[room + len(allowed) :]}
    holds.open_for(tx, post.lane_id, held, reason=REASON)
    return held


def _most(post: Post, new: int) -> int:
    """Return the window's threshold; the directory is only counted where the share may decide."""
    settings = post.settings.guard
    now = post.now()
    with post.store.begin(post.tenant, write=False) as tx:
        counted = holds.count(tx, post.lane_id, since=now - settings.window_s * 1000)
        gone = counted.let_go + counted.held + new
        if not guard.needs_the_share(settings, deactivations=counted.let_go + new):
            return guard.most_in_window(settings, active=0)
        # Who has just left was active when the window began: the share must not shrink while they go.
        return guard.most_in_window(settings, active=_active(tx, post, now) + gone)


def _active(tx: Transaction, post: Post, now: Millis) -> int:
    if post.active_users is None or post.active_users[0] <= now - ACTIVE_FOR_MS:
        try:
            active = scopes.count_active(tx, post.settings.scope)
        except ValueError as error:
            # Then only those count who are leaving: rather one question too many.
            _log.warning("scope_not_counted", tenant=post.tenant, target=post.target_name, reason=str(error))
            active = 0
        post.active_users = (now, active)
    return post.active_users[1]


def _kept(post: Post, need: needs.Needs, rules: needs.Rules) -> needs.Needs | None:
    item = need.items[0]
    if not isinstance(item.desired, Record):
        return None
    return needs.without_leaving(need.person, item.desired, matching=item.matching, rules=rules, now=post.now())


def _is_wanted(post: Post, person: Person) -> bool:
    """Tell whether the directory says that somebody is to be active in the target."""
    is_active = not person.deleted and person.document.get("active", True) is not False
    return is_active and post.scope.takes(person.document)


def _outcome(person: Person, standing: Standing) -> Outcome:
    is_rejected = standing is Standing.REJECTED
    return Outcome(
        operation_id=person.operation_id,
        resource_id=person.resource_id,
        state=State.SKIPPED if is_rejected else State.HELD,
        code="deactivation_rejected" if is_rejected else holds.HELD,
        attempts=person.attempts,
        cap=person.cap,
    )
