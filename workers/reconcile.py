"""Directory against target: what differs, and owing the difference when asked. One listing, not one call a user."""

import threading
from collections.abc import Mapping

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Account, Doubt, Person, Priority, Problem, Record
from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import State
from scim_bridge.planning import needs
from scim_bridge.recording import repairs
from scim_bridge.store import comparing, directory, holds, lanes, links, settlement, takeovers, versions
from scim_bridge.store.engine import Transaction
from workers import listing, probes, visits
from workers.delivery import choosing, submitting
from workers.delivery.post import Post
from workers.drift import Difference, Drift, Report
from workers.policy import conflicts
from workers.runtime import Runtime
from workers.visits import CannotReconcile

OWED_AT_A_TIME = 500

SKIPPED = "conflict_skipped"
"""The reason of an operation that linked an account and left it as it was (`on_conflict = "skip"`)."""


def reconcile(
    runtime: Runtime,
    tenant: str,
    target: str,
    *,
    repair: bool,
    max_calls: int | None = None,
    patience_s: float = visits.PATIENCE_S,
    lost: threading.Event | None = None,
) -> Report:
    """Compare the directory with one listing of the target; with `repair`, adopt who is there and owe the difference.

    Extra accounts are reported and left alone. The first load of a new target is this with `repair`. Once `lost` is
    set, somebody else does it: nothing more is asked or written.

    Raises:
        LaneAtWork: another worker has the lane.
        CannotReconcile: another worker took the lane meanwhile, the target did not show its accounts, or it would take
            more calls than `max_calls`.
    """
    report, lost = Report(), lost or threading.Event()
    try:
        with visits.at(runtime, tenant, target, patience_s=patience_s) as post:
            if post.target.needs_probe():
                # What the target has against it, the listing itself will tell.
                probes.ask(post)
        began_at = runtime.clock()
        known = [person for person, _ in comparing.users(runtime.store, tenant, post.lane_id)]
        accounts = listing.accounts_of(post, known, max_calls=max_calls, lost=lost)
        with visits.at(runtime, tenant, target, patience_s=patience_s) as post:
            people = list(comparing.users(runtime.store, tenant, post.lane_id))
            _compare(post, people, accounts, since=began_at, report=report, repair=repair, lost=lost)
    except submitting.LeaseGone:
        raise CannotReconcile(_interrupted(report)) from None
    return report


def _interrupted(report: Report) -> str:
    done = "Nothing was changed"
    if report.adopted or report.owed:
        done = (
            f"Before that {report.adopted} accounts were linked and {report.owed} operations owed, each of them whole"
        )
    return (
        f"Another worker has taken the lane meanwhile, because this one stood still for too long. {done}; run it again."
    )


def _compare(
    post: Post,
    people: list[tuple[Person, bool]],
    accounts: tuple[Account, ...],
    *,
    since: Millis,
    report: Report,
    repair: bool,
    lost: threading.Event,
) -> None:
    """Compare people, as they are now, with accounts as they were listed `since` an instant, beside delivery."""
    with post.store.begin(post.tenant, write=False) as tx:
        managed = choosing.managed_groups(post, tx)
        held = _held(tx, post, [person.resource_id for person, _ in people])
        succeeded = _succeeded(tx, [person for person, _ in people])
        skipped = _skipped(tx, post, [person.resource_id for person, _ in people])
    people = [(person, is_open) for person, is_open in people if person.resource_id not in succeeded]
    rules = post.rules(managed)
    wanted = {
        person.resource_id: conflicts.Wanted(
            account_id=person.link.account_id, matching={**person.link.matching, **post.target.matching(person)}
        )
        for person, _ in people
    }
    matched = conflicts.match_accounts(wanted, accounts, match_by=post.settings.match_by)
    found, contested = _share_out([person for person, _ in people], matched)
    doubtful = conflicts.ambiguous(wanted, accounts, match_by=post.settings.match_by)
    adopting: dict[int, Mapping[str, object]] = {}
    leaving_alone: dict[int, Mapping[str, object]] = {}
    for person, is_open in people:
        if is_open or (person.link.known_at or 0) > since:
            # Something is to be delivered, or was since: the listing may not have shown it.
            report.on_their_way += 1
            continue
        if _is_kept(post, person):
            report.equal += 1
            continue
        if person.resource_id in contested:
            _add(report, Drift.UNCLEAR, person, matched[person.resource_id], ("account of another person",))
            continue
        account = found.get(person.resource_id)
        if person.resource_id in held and (waits_for := _waiting_for(post, person, account, rules)):
            _add(report, Drift.HELD, person, account, waits_for)
            continue
        if account is not None and _is_left_alone(post, person, account, is_skipped=person.resource_id in skipped):
            report.equal += 1
            if person.link.account_id != account.account_id:
                leaving_alone[person.resource_id] = _adoption(person, account)
            continue
        if account is not None and _may_take_over(post, person, account):
            adopting[person.resource_id] = _adoption(person, account)
        _judge(report, post, person, account, rules=rules, is_doubtful=person.resource_id in doubtful)
    _add_extra(report, accounts, found)
    if repair:
        _link_only(post, report, leaving_alone, lost=lost)
        _repair(post, report, adopting, lost=lost)


def _add_extra(report: Report, accounts: tuple[Account, ...], found: Mapping[int, Account]) -> None:
    known = {account.account_id for account in found.values()}
    report.differences += [
        Difference(drift=Drift.EXTRA, scim_id=None, resource_id=None, account_id=account.account_id)
        for account in accounts
        if account.account_id not in known and account.known.active
    ]


def _succeeded(tx: Transaction, people: list[Person]) -> frozenset[int]:
    """Return who is deleted without an account of ours and lives on under another record: what is there is that one's.

    The look-up of delivery goes by the same rule.
    """
    never_linked = [p.resource_id for p in people if p.deleted and p.link.account_id is None and p.link.known is None]
    return directory.living_namesakes(tx, never_linked)


def _held(tx: Transaction, post: Post, resource_ids: list[int]) -> frozenset[int]:
    """Return whose deactivation, or whose taking of an account, a person must decide about, or has refused."""
    standing = holds.standing(tx, post.lane_id, resource_ids)
    leaving = {number for number, what in standing.items() if what is not holds.Standing.LET_GO}
    return takeovers.standing(tx, post.lane_id, resource_ids) | leaving


def _skipped(tx: Transaction, post: Post, resource_ids: list[int]) -> frozenset[int]:
    """Return whose account was linked and left as it was, and nothing has been sent since."""
    if post.settings.on_conflict != "skip":
        return frozenset()
    return comparing.skipped_last(tx, post.lane_id, resource_ids, reason=SKIPPED)


def _waiting_for(post: Post, person: Person, account: Account | None, rules: needs.Rules) -> tuple[str, ...]:
    """Return what differs of somebody who is held and waits for the decision; nothing when they differ in nothing."""
    desired = choosing.desired_of(post, person)
    if account is None or isinstance(desired, Problem):
        return ()
    if person.link.account_id != account.account_id:
        return ("account",)
    known = _adoption(person, account)["known"]
    parts = tuple(_differing(desired, known, rules)) if isinstance(known, Record) else ()
    return parts if parts == ("status",) and not desired.active else ()


def _share_out(people: list[Person], matched: Mapping[int, Account]) -> tuple[dict[int, Account], frozenset[int]]:
    """Give each account to one person: to the living before the deleted, then to who holds it, or has been there.

    Also returns those who live and whose account another person has. Somebody deleted without one has nothing to lose.
    """

    def rank(person: Person) -> tuple[bool, bool, bool]:
        is_another = person.link.account_id != matched[person.resource_id].account_id
        return person.deleted, is_another, person.link.known is None

    given: dict[int, Account] = {}
    contested, taken = set[int](), set[str]()
    for person in sorted((each for each in people if each.resource_id in matched), key=rank):
        account = matched[person.resource_id]
        if account.account_id not in taken:
            taken.add(account.account_id)
            given[person.resource_id] = account
        elif not person.deleted:
            contested.add(person.resource_id)
    return given, frozenset(contested)


def _is_kept(post: Post, person: Person) -> bool:
    """Tell whether somebody has left the scope and is left as they are, as `on_unscope = "keep"` says."""
    is_here = not person.deleted and bool(person.document.get("active", True))
    return is_here and not post.scope.deactivates_on_unscope and not post.scope.takes(person.document)


def _is_left_alone(post: Post, person: Person, account: Account, *, is_skipped: bool) -> bool:
    """Tell whether an account is linked and left as it is, as delivery would: met for the first time under `skip`.

    A leaver's is not, nor one whose person cannot be mapped; of a doubtful one, delivery decides.
    """
    desired = choosing.desired_of(post, person)
    if isinstance(desired, Problem):
        return False
    if person.link.account_id == account.account_id:
        return is_skipped and desired.active
    if person.link.account_id is not None or person.link.known is not None or person.link.doubt not in _UNMET:
        return False
    decision = conflicts.decide(post.settings.on_conflict, is_protected=account.protected, is_leaver=not desired.active)
    return decision is conflicts.Decision.SKIP


_UNMET = (None, Doubt.CONFLICT)
"""Somebody in one of these doubts was never given an account by us."""


def _may_take_over(post: Post, person: Person, account: Account) -> bool:
    if person.link.account_id == account.account_id:
        return True
    decision = conflicts.decide(post.settings.on_conflict, is_protected=account.protected)
    return decision is not conflicts.Decision.HOLD


def _adoption(person: Person, account: Account) -> dict[str, object]:
    known = person.link.known
    attributes = {**known.attributes, **account.known.attributes} if known is not None else account.known.attributes
    return {
        "account_id": account.account_id,
        "known": Record(
            active=account.known.active,
            attributes=attributes,
            groups=account.known.groups,
            courses=account.known.courses or (known.courses if known else frozenset()),
            required_courses=account.known.required_courses or (known.required_courses if known else frozenset()),
        ),
        "matching": dict(account.matching),
        "doubt": None,
    }


def _judge(
    report: Report, post: Post, person: Person, account: Account | None, *, rules: needs.Rules, is_doubtful: bool
) -> None:
    desired = choosing.desired_of(post, person)
    if isinstance(desired, Problem):
        _add(report, Drift.UNCLEAR, person, account, (desired.field,))
    elif account is None:
        if is_doubtful:
            _add(report, Drift.UNCLEAR, person, None, ("several accounts match",))
        elif desired.active:
            _add(report, Drift.MISSING, person, None)
        else:
            report.equal += 1
    else:
        known = _adoption(person, account)["known"]
        parts = tuple(_differing(desired, known, rules)) if isinstance(known, Record) else ()
        if parts:
            _add(report, Drift.DIFFERING, person, account, parts, is_leaver=not desired.active)
        else:
            report.equal += 1


def _differing(desired: Record, known: Record, rules: needs.Rules) -> list[str]:
    if not desired.active:
        return ["status"] if known.active else []
    parts = [] if known.active else ["status"]
    parts += needs.changed_attributes(desired, known, rules=rules)
    if desired.groups - known.groups or (known.groups - desired.groups) & set(rules.managed_groups):
        parts.append("groups")
    if desired.courses - known.courses or desired.required_courses - known.required_courses:
        parts.append("courses")
    return parts


def _add(
    report: Report,
    drift: Drift,
    person: Person,
    account: Account | None,
    parts: tuple[str, ...] = (),
    *,
    is_leaver: bool = False,
) -> None:
    report.differences.append(
        Difference(
            drift=drift,
            scim_id=person.scim_id,
            resource_id=person.resource_id,
            account_id=account.account_id if account is not None else None,
            parts=parts,
            is_leaver=is_leaver,
        )
    )


def _link_only(
    post: Post, report: Report, adopting: Mapping[int, Mapping[str, object]], *, lost: threading.Event
) -> None:
    """Link accounts that are left as they are, each with an operation in the books that says so, as delivery does.

    Raises:
        LeaseGone: the lane belongs to a successor; the report says what had been written by then.
    """
    for start in range(0, len(adopting), OWED_AT_A_TIME):
        part = dict(list(adopting.items())[start : start + OWED_AT_A_TIME])
        with post.store.begin(post.tenant) as tx:
            _require_lane(tx, post, lost)
            # Locked, so that nobody's change comes between: what is on its way since goes its own way.
            versions.of(tx, part)
            on_their_way = comparing.open_operations(tx, post.lane_id, part)
            mine = _free(tx, post.lane_id, {number: c for number, c in part.items() if number not in on_their_way})
            repairs.owe(tx, post.lane_id, list(mine), kind="repair", source="reconcile", priority=Priority.NORMAL)
            owed = comparing.open_operations(tx, post.lane_id, mine)
            outcomes = [
                Outcome(
                    operation_id=owed[number],
                    resource_id=number,
                    state=State.SKIPPED,
                    code=SKIPPED,
                    link_changes=change,
                )
                for number, change in mine.items()
            ]
            settlement.settle(tx, lane_id=post.lane_id, outcomes=outcomes, before=State.WAITING, batch_id=None)
        report.adopted += len(mine)


def _repair(post: Post, report: Report, adopting: Mapping[int, Mapping[str, object]], *, lost: threading.Event) -> None:
    """Write the links of who is there, then owe what is missing or differs; delivery does the rest, as always.

    Raises:
        LeaseGone: the lane belongs to a successor; the report says what had been written by then.
    """
    for start in range(0, len(adopting), OWED_AT_A_TIME):
        part = dict(list(adopting.items())[start : start + OWED_AT_A_TIME])
        with post.store.begin(post.tenant) as tx:
            _require_lane(tx, post, lost)
            adopted = _adopt(tx, post.lane_id, part)
        report.adopted += adopted
    owed = [each for each in report.differences if each.drift in (Drift.MISSING, Drift.DIFFERING)]
    for priority, is_leaver in ((Priority.LEAVER, True), (Priority.NORMAL, False)):
        alike = [each for each in owed if each.is_leaver is is_leaver]
        for start in range(0, len(alike), OWED_AT_A_TIME):
            report.owed += _owe(post, alike[start : start + OWED_AT_A_TIME], priority=priority, lost=lost)


def _owe(post: Post, differences: list[Difference], *, priority: int, lost: threading.Event) -> int:
    ids = {each.resource_id: each.drift for each in differences if each.resource_id is not None}
    nothing_known = {"account_id": None, "known": None, "doubt": None}
    unlinked = {number: nothing_known for number, drift in ids.items() if drift is Drift.MISSING}
    with post.store.begin(post.tenant) as tx:
        _require_lane(tx, post, lost)
        if unlinked:
            links.save(tx, post.lane_id, unlinked)
        return repairs.owe(tx, post.lane_id, list(ids), kind="repair", source="reconcile", priority=priority)


def _require_lane(tx: Transaction, post: Post, lost: threading.Event) -> None:
    if lost.is_set() or not lanes.has_epoch(tx, post.lane_id, epoch=post.epoch):
        raise submitting.LeaseGone


def _adopt(tx: Transaction, lane_id: int, adopting: Mapping[int, Mapping[str, object]]) -> int:
    """Link accounts to their people, save those that a living other person holds."""
    mine = _free(tx, lane_id, adopting)
    links.save(tx, lane_id, mine)
    return len(mine)


def _free(
    tx: Transaction, lane_id: int, adopting: Mapping[int, Mapping[str, object]]
) -> dict[int, Mapping[str, object]]:
    """Return what may be linked: no living other person holds it. From somebody deleted it is taken."""
    ids = [str(change["account_id"]) for change in adopting.values()]
    owners = links.owners(tx, lane_id, ids)
    mine: dict[int, Mapping[str, object]] = {}
    moving: list[int] = []
    for resource_id, change in adopting.items():
        owner, is_deleted = owners.get(str(change["account_id"]), (resource_id, False))
        if owner != resource_id:
            if not is_deleted:
                continue
            moving.append(owner)
        mine[resource_id] = change
    if moving:
        links.release(tx, lane_id, moving)
    return mine
