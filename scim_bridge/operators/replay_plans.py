"""Replay plans: see what a replay would do, approve it by name, watch it, and stop it."""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, get_args

from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.errors import NotThere, OutOfDate, UsageError
from scim_bridge.operators import existing, failed, replay_figures, replay_preview
from scim_bridge.settings.models import Settings
from scim_bridge.store import audits, dead_letters, histories, plan_items, plans
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.plan_items import AsOf, Difference
from scim_bridge.store.plans import Fate, Plan, Policy, Status
from scim_bridge.store.reports import Chosen

POLICIES: Mapping[str, Policy] = {each: each for each in get_args(Policy)}

A_PAGE = 50
MOST_A_PAGE = 500

MOST_NAMED = 10_000
"""Operations that may be chosen by their numbers."""

MOST_TOLD = 20
"""People of whom a refused plan tells what has changed."""

MOST_NUMBER = 2**63 - 1
"""What both databases take as a number."""

AS_OF, CONFIGURED = "as_of", "configured"
"""Beside a plan's figures: how far the books had come, and digests of targets. For the approval; shown to nobody."""

_TOLD_BY = {"mode", "mapping", "fields", "groups", "scope", "on_unscope", "on_conflict"}
"""Settings of a target that decide what it is told of somebody, and so what was seen before the approval."""

_ENDED = (Status.DONE, Status.CANCELLED, Status.STALE)


class StalePlan(OutOfDate):
    """The world is not the one that the plan was made for: nothing was put back, and it has to be planned again."""

    def __init__(self, number: int, difference: Mapping[str, Any]) -> None:
        """Keep the difference: operations that are no longer dead, people who changed, the first ones, and targets."""
        super().__init__(f"things have changed since replay {number} was planned: {_in_words(difference)}; plan again")
        self.difference = difference


def plan(
    store: Store,
    settings: Settings,
    *,
    tenant: str,
    who: str,
    target: str | None = None,
    code: str | None = None,
    klass: str | None = None,
    since: Millis | None = None,
    until: Millis | None = None,
    user: str | None = None,
    operations: Collection[int] | None = None,
    policy: str | None = None,
) -> dict[str, Any]:
    """Plan the replay of the dead operations that all given filters choose, and return it as `status` does.

    `operations` are numbers; where the ones that were named stand that are not dead is in `not_dead`, by state.
    `policy` (update, skip or hold) is what becomes of accounts that this replay finds there already, in place of the
    target's on_conflict. When nothing is dead there is no plan: `replay` is None.

    Raises:
        UsageError: no such tenant, target, code, class, policy or number.
    """
    existing.check(store, settings, tenant=tenant, target=target)
    codes, named = failed.codes_of(code, klass), _named(operations)
    if policy is not None and policy not in POLICIES:
        raise UsageError(f"there is no conflict policy {policy[:40]!r}; the policies are {', '.join(POLICIES)}")
    with store.begin(tenant, write=False) as tx:
        people = failed.people_named(tx, user)
        not_dead = _not_dead(tx, named)
    chosen = Chosen(tenant=tenant, target=target, codes=codes, since=since, until=until, resource_ids=people)
    asked = asked_for(target=target, code=code, klass=klass, since=since, until=until, by_user=user is not None)
    if named is not None:
        asked["operations"] = len(named)
    with store.begin(tenant) as tx:
        number = plans.make(
            tx, chosen, who=who, asked=asked, policy=None if policy is None else POLICIES[policy], operation_ids=named
        )
        as_of = None if number is None else plan_items.as_of(tx, number)
    if number is None or as_of is None:
        return {"replay": None, "tenant": tenant, "status": "nothing", "not_dead": not_dead, "figures": None}
    with store.begin(tenant, write=False) as tx:
        figures = replay_figures.figures(tx, settings, number)
    configured = _configured(settings, tenant, [each["target"] for each in figures["targets"]])
    with store.begin(tenant) as tx:
        plans.note(tx, number, figures={**figures, AS_OF: asdict(as_of), CONFIGURED: configured})
        told = {"replay": number, "filter": asked, "policy": policy}
        told |= {name: figures[name] for name in ("people", "operations", "calls", "held")}
        audits.append(tx, who=who, what="replay plan", after=told)
        made = _fetched(tx, number)
    return {**shown(made), "not_dead": not_dead}


def preview(
    store: Store, settings: Settings, *, tenant: str, number: int, after: int = 0, limit: int = A_PAGE
) -> dict[str, Any]:
    """Return people of a plan before and after, a page of them; see `replay_preview`. `after` is `next` of a page.

    Raises:
        NotThere: the tenant has no such replay.
        UsageError: no such limit.
    """
    _check_page(limit)
    with store.begin(tenant, write=False) as tx:
        _fetched(tx, number)
        return replay_preview.page(tx, settings, number, after=min(after, MOST_NUMBER), limit=limit)


def approve(store: Store, settings: Settings, *, tenant: str, number: int, who: str) -> dict[str, Any]:
    """Let a plan run, and return it. The relay puts its people back; whatever fails is seen in `status`.

    Raises:
        NotThere: the tenant has no such replay.
        StalePlan: somebody in it has changed or is no longer dead, or a target is configured otherwise; it is used up.
        OutOfDate: it is approved already, or has ended, or whoever planned it did not come to its figures.
    """
    with store.begin(tenant) as tx:
        found = _fetched(tx, number, locks=True)
        if found.status != Status.PLANNED:
            raise OutOfDate(f"replay {number} is {_since(found)}; it cannot be approved")
        check_figures(number, found.figures)
        before = {"status": found.status}
        as_of = AsOf(**found.figures[AS_OF]) if AS_OF in found.figures else None
        differs = plan_items.difference(tx, number, most=MOST_TOLD, as_of=as_of)
        known = found.figures.get(CONFIGURED, {})
        targets = [name for name, now in _configured(settings, tenant, known).items() if now != known[name]]
        told = None if differs is None and not targets else _difference(differs or Difference(), targets)
        if told is None:
            plans.note(tx, number, status=Status.RUNNING.value, approved_by=who, approved_at=tx.now)
            after = {"replay": number, "status": Status.RUNNING.value}
            audits.append(tx, who=who, what="replay approve", before=before, after=after)
            approved = _fetched(tx, number)
        else:
            counts = {name: told[name] for name in ("no_longer_dead", "changed")}
            plans.note(tx, number, status=Status.STALE.value, ended_at=tx.now, reason=_in_words(told))
            after = {"replay": number, "status": Status.STALE.value, **counts, "targets": targets}
            audits.append(tx, who=who, what="replay approve", before=before, after=after)
    if told is not None:
        raise StalePlan(number, told)
    return shown(approved)


def check_figures(number: int, figures: Mapping[str, Any] | None) -> None:
    """Raise OutOfDate when a plan has no figures, so that nobody could know what they approve."""
    if not figures:
        raise OutOfDate(f"replay {number} was not finished; plan again")


def cancel(store: Store, *, tenant: str, number: int, who: str) -> dict[str, Any]:
    """Stop a replay and return it: what it has not put back stays dead, what waits again is delivered.

    Raises:
        NotThere: the tenant has no such replay.
        OutOfDate: it has ended.
    """
    with store.begin(tenant) as tx:
        found = _fetched(tx, number, locks=True)
        if found.status in _ENDED:
            raise OutOfDate(f"replay {number} is {_since(found)}; there is nothing to cancel")
        plans.note(tx, number, status=Status.CANCELLED.value, ended_at=tx.now)
        after = {"replay": number, "put_back": found.operations}
        audits.append(tx, who=who, what="replay cancel", before={"status": found.status}, after=after)
        return shown(_fetched(tx, number))


def status(store: Store, settings: Settings, *, tenant: str, number: int) -> dict[str, Any]:
    """Return a replay with how far it has come: `progress` in operations, `standing` in people, and `eta_s`.

    `standing` tells where those now stand whom it has put back: delivered, waiting, dead again, held.

    Raises:
        NotThere: the tenant has no such replay.
    """
    with store.begin(tenant, write=False) as tx:
        found = _fetched(tx, number)
        fates, standing = plan_items.fates(tx, number), plan_items.standing(tx, number)
        eta_s = found.figures.get("eta_s") if found.status == Status.PLANNED else 0
        if found.status == Status.RUNNING or _waiting(standing):
            eta_s = replay_figures.still_to_come(tx, settings, number)
    return {
        **shown(found),
        "progress": {fate.value: fates.get(fate, 0) for fate in Fate},
        "standing": standing,
        "waiting": _waiting(standing),
        "eta_s": eta_s,
    }


def list_plans(store: Store, *, tenant: str, after: int | None = None, limit: int = A_PAGE) -> dict[str, Any]:
    """Return the tenant's replays, the newest first, a page of them. `after` is `next` of the page before.

    Raises:
        UsageError: no such limit.
    """
    _check_page(limit)
    with store.begin(tenant, write=False) as tx:
        before = None if after is None else min(after, MOST_NUMBER)
        found = plans.page(tx, before=before, limit=limit + 1)
    return {
        "items": [shown(each) for each in found[:limit]],
        "next": found[limit - 1].id if len(found) > limit else None,
    }


def tenant_of(store: Store, number: int) -> str:
    """Return whose replay it is, for somebody who works for all tenants.

    Raises:
        NotThere: there is no such replay.
    """
    with store.across_tenants("find whose replay it is") as tx:
        tenant = plans.tenant_of(tx, number) if 0 < number <= MOST_NUMBER else None
    if tenant is None:
        raise NotThere(_no_such(number))
    return tenant


def shown(found: Plan) -> dict[str, Any]:
    """Return a replay as operators see it."""
    return {
        "replay": found.id,
        "tenant": found.tenant,
        "status": found.status,
        "who": found.who,
        "at": to_iso(found.at),
        "filter": dict(found.filter),
        "policy": found.policy,
        "approved_by": found.approved_by,
        "approved_at": None if found.approved_at is None else to_iso(found.approved_at),
        "ended_at": None if found.ended_at is None else to_iso(found.ended_at),
        "reason": found.reason,
        "put_back": found.operations,
        "figures": {name: value for name, value in found.figures.items() if name not in {AS_OF, CONFIGURED}} or None,
    }


def asked_for(
    *,
    target: str | None,
    code: str | None,
    klass: str | None,
    since: Millis | None,
    until: Millis | None,
    by_user: bool,
) -> dict[str, Any]:
    """Return what was chosen as the books keep it: not who the person was."""
    return {"target": target, "code": code, "class": klass, "since": since, "until": until, "by_user": by_user}


def _named(operations: Collection[int] | None) -> frozenset[int] | None:
    if operations is None:
        return None
    if not operations or len(operations) > MOST_NAMED:
        raise UsageError(f"name from 1 to {MOST_NAMED} operations")
    if any(not 0 < each <= MOST_NUMBER for each in operations):
        raise UsageError("operations are named by their numbers, as failed list shows them")
    return frozenset(operations)


def _not_dead(tx: Transaction, named: Collection[int] | None) -> dict[str, int]:
    """Return how many of the operations that were named stand where, if they are not dead; also who is not there."""
    if named is None:
        return {}
    states = {place.id: place.state.value for place in dead_letters.places_of(tx, named)}
    counts = Counter(states.get(each, "not_there") for each in named)
    return {state: counts[state] for state in sorted(counts) if state != "dead"}


def _fetched(tx: Transaction, number: int, *, locks: bool = False) -> Plan:
    found = plans.fetch(tx, number, locks=locks) if 0 < number <= MOST_NUMBER else None
    if found is None:
        raise NotThere(_no_such(number))
    return found


def _no_such(number: int) -> str:
    return f"there is no replay {number}" if 0 < number <= MOST_NUMBER else "there is no replay of that number"


def _since(found: Plan) -> str:
    ended = f" since {to_iso(found.ended_at)}" if found.ended_at is not None else ""
    return f"{found.status}{ended}" + (f", approved by {found.approved_by}" if found.approved_by else "")


def _configured(settings: Settings, tenant: str, names: Iterable[str]) -> dict[str, str]:
    """Return a digest of what decides what targets are told, by their names; of one that is gone it is that of none."""
    found = settings.tenant(tenant)
    targets = {} if found is None else {target.name: target for target in found.targets}
    told = {name: targets[name].model_dump(mode="json", include=_TOLD_BY) if name in targets else {} for name in names}
    return {name: hashlib.sha256(json.dumps(each, sort_keys=True).encode()).hexdigest() for name, each in told.items()}


def _difference(differs: Difference, targets: Sequence[str]) -> dict[str, Any]:
    return {
        "targets": list(targets),
        "no_longer_dead": differs.ended,
        "changed": differs.changed,
        "people": [
            {
                "operation": row["operation_id"],
                "target": row["target"],
                "id": row["scim_id"],
                "user": _label(row["document"]),
                "why": "changed" if row["state"] == "dead" else row["state"] or "gone",
            }
            for row in differs.people
        ],
    }


def _in_words(difference: Mapping[str, Any]) -> str:
    ended, changed = difference["no_longer_dead"], difference["changed"]
    if difference["targets"] and not ended + changed:
        return f"{', '.join(difference['targets'])} is configured otherwise now"
    return f"{ended} of its operations are no longer dead, and of {changed} the person has changed"


def _label(document: str | None) -> str:
    return "" if document is None else histories.label_of(histories.document_of(document))


def _waiting(standing: Mapping[str, int]) -> int:
    return sum(standing.get(state, 0) for state in ("waiting", "sending"))


def _check_page(limit: int) -> None:
    if not 1 <= limit <= MOST_A_PAGE:
        raise UsageError(f"a page has from 1 to {MOST_A_PAGE} rows")
