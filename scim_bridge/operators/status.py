"""Where every lane stands: how many people it owes, the calls and the time that they need, and what stops it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.planning import estimate
from scim_bridge.planning.assumed import ASKED, people_a_call
from scim_bridge.planning.estimate import PeopleACall, Shares
from scim_bridge.settings.models import Settings, TargetSettings
from scim_bridge.store import reports
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.lanes import Lane
from scim_bridge.store.reports import Backlog

DRY_RUN = "dry-run"
"""The state of a lane that only records what it would send."""

_NOBODY_KNOWS_WHEN = frozenset({"paused", "quarantined", "unreachable"})


def report(store: Store, settings: Settings, *, tenant: str | None = None, target: str | None = None) -> dict[str, Any]:
    """Return the figures of all lanes, or of a tenant's or a target's only, in the form of `status --json`.

    `pending`, `held` and `dead` are people. `calls` and `eta_s` are lower bounds; `eta_s` is None for a lane that
    stands still until somebody acts or its target answers again. `why` tells what its target had against the last
    call. `next_try_at` is None for a lane that nothing keeps back, and for one that only a person sets going again.
    """
    configured = {(each.id, lane.name): lane for each in settings.tenants for lane in each.targets}
    with store.across_tenants("report where every lane stands") as tx:
        clock = tx.lease_clock()
        wanted = [
            (backlog, configured.get((backlog.lane.tenant, backlog.lane.target)))
            for backlog in reports.backlogs(tx)
            if tenant in (None, backlog.lane.tenant) and target in (None, backlog.lane.target)
        ]
        # Only these kinds say of themselves what they can do, and only who has work needs the figures.
        asking = [each.lane.id for each, lane in wanted if each.pending and lane is not None and lane.kind in ASKED]
        told = {lane_id: _told(answer) for lane_id, answer in reports.last_probes(tx, asking).items()} if asking else {}
        return {
            "lanes": [
                _figures(each, lane, told.get(each.lane.id) or people_a_call(lane), now=tx.now, clock=clock)
                for each, lane in wanted
            ]
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What it takes to bring more people to a lane's target."""

    state: str
    """As `status` names it."""
    calls: int
    """The fewest that these people need."""
    eta_s: int | None
    """Until the last call for them, or for what waits already, may go; None while nobody knows when."""


def foretell(tx: Transaction, settings: Settings, more: Mapping[int, Shares]) -> dict[int, Prospect]:
    """Return what it takes for more people to be brought to lanes, by the lanes' ids; none of a lane not configured."""
    configured = {(each.id, lane.name): lane for each in settings.tenants for lane in each.targets}
    wanted = [backlog for backlog in reports.backlogs(tx) if backlog.lane.id in more]
    lane_of = {each.lane.id: configured.get((each.lane.tenant, each.lane.target)) for each in wanted}
    asking = [number for number, lane in lane_of.items() if lane is not None and lane.kind in ASKED]
    told = {lane_id: _told(answer) for lane_id, answer in reports.last_probes(tx, asking).items()} if asking else {}
    clock = tx.lease_clock()
    found: dict[int, Prospect] = {}
    for backlog in wanted:
        lane_id, target = backlog.lane.id, lane_of[backlog.lane.id]
        if target is None:
            continue
        size = told.get(lane_id) or people_a_call(target)
        found[lane_id] = _prospect(backlog, target, more[lane_id], size, now=tx.now, clock=clock)
    return found


def _prospect(
    backlog: Backlog, target: TargetSettings, more: Shares, size: PeopleACall, *, now: Millis, clock: Millis
) -> Prospect:
    state = _state(backlog, target, now=now, clock=clock)
    if target.mode == DRY_RUN:
        return Prospect(state=state, calls=0, eta_s=0)
    # Who waits for a later time of their own keeps nobody who is due now.
    due = replace(
        backlog,
        to_create=backlog.to_create + more.to_create,
        to_look_up=backlog.to_look_up + more.to_look_up,
        others=backlog.others + more.others,
        last_due_at=None,
    )
    together = Shares(to_create=due.to_create, to_look_up=due.to_look_up, others=due.others)
    calls = estimate.fewest_calls(together, size)
    return Prospect(
        state=state,
        calls=estimate.fewest_calls(more, size),
        eta_s=None if state in _NOBODY_KNOWS_WHEN else _eta_s(due, target, calls=calls, now=now),
    )


def _told(answer: str) -> PeopleACall | None:
    """Return what a probe noted of a target's abilities, None when it noted none."""
    noted = json.loads(answer)
    return estimate.read_people_a_call(noted.get("people_a_call")) if isinstance(noted, dict) else None


def _figures(
    backlog: Backlog, target: TargetSettings | None, size: PeopleACall, *, now: Millis, clock: Millis
) -> dict[str, Any]:
    lane = backlog.lane
    state = _state(backlog, target, now=now, clock=clock)
    shares = Shares(to_create=backlog.to_create, to_look_up=backlog.to_look_up, others=backlog.others)
    calls = estimate.fewest_calls(shares, size)
    return {
        "tenant": lane.tenant,
        "target": lane.target,
        "pending": backlog.pending,
        "held": backlog.held,
        "dead": backlog.dead,
        "oldest_s": 0 if backlog.oldest_at is None else max(0, (now - backlog.oldest_at) // 1000),
        "calls": calls,
        "eta_s": None if state in _NOBODY_KNOWS_WHEN else _eta_s(backlog, target, calls=calls, now=now),
        "state": state,
        "why": (lane.pause_reason if state == "paused" else None)
        or lane.quarantine_reason
        or ("last call failed" if lane.failures else None),
        "next_try_at": _next_try_at(backlog, state, now=now),
    }


def _state(backlog: Backlog, target: TargetSettings | None, *, now: Millis, clock: Millis) -> str:
    """Return what a lane does or what stops it, in this order of precedence.

    paused, dry-run, quarantined, breaker, unreachable, quota, working, idle.
    """
    lane = backlog.lane
    works = lane.owner is not None and lane.lease_until > clock
    if lane.paused_at is not None:
        return "paused"
    if target is not None and target.mode == DRY_RUN:
        return DRY_RUN
    if lane.quarantined_at is not None:
        return "quarantined"
    if lane.breaker_until is not None:
        return "breaker"
    if (lane.patience_until or 0) > now:
        # A target that asks for patience answers; one that fails is given some unasked.
        return "unreachable" if lane.failures else "quota"
    if _waits_for_room(backlog, now) and not works:
        return "quota"
    return "working" if works else "idle"


def _next_try_at(backlog: Backlog, state: str, *, now: Millis) -> str | None:
    """Return when the lane's next call may go, a probe included; as the delivering side's gate decides."""
    lane = backlog.lane
    patience = lane.patience_until or 0
    if state == "paused":
        return None
    if state == "quarantined":
        return to_iso(max(lane.quarantine_check_at or 0, patience, now))
    if state == "breaker":
        return to_iso(max(lane.breaker_until or 0, patience, now))
    room_at = (lane.wake_at or 0) if _waits_for_room(backlog, now) else 0
    try_at = max(patience, room_at, backlog.first_due_at or 0)
    return to_iso(try_at) if try_at > now else None


def _waits_for_room(backlog: Backlog, now: Millis) -> bool:
    lane = backlog.lane
    return lane.wake_at is not None and lane.wake_at > now and _is_due(backlog, now)


def _is_due(backlog: Backlog, now: Millis) -> bool:
    return backlog.last_due_at is not None and backlog.last_due_at <= now


def _eta_s(backlog: Backlog, target: TargetSettings | None, *, calls: int, now: Millis) -> int:
    """Return the seconds until the last call may go: as the limits allow, not before anybody's time has come."""
    if calls == 0:
        return 0
    windows = [(limit.requests, limit.per_s) for limit in target.limits] if target is not None else []
    lane: Lane = backlog.lane
    not_before = max(backlog.last_due_at or 0, lane.breaker_until or 0, lane.patience_until or 0)
    return math.ceil(max(estimate.shortest_time_s(calls, windows), (not_before - now) / 1000))
