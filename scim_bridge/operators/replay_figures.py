"""What a replay would take and do, before anybody approves it: people, calls, time, and whom the guard would hold."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scim_bridge.operators import status
from scim_bridge.operators.status import Prospect
from scim_bridge.planning import guard
from scim_bridge.planning.estimate import Shares
from scim_bridge.recording import scopes
from scim_bridge.settings.models import Settings, TargetSettings
from scim_bridge.store import holds, plan_items
from scim_bridge.store.engine import Transaction
from scim_bridge.store.holds import Standing
from scim_bridge.store.plan_items import Part

STARTS_AND_ENDS_S = 2
"""Until the relay has found an approved replay and put the first people back, and for the last call's answer."""

NOT_CONFIGURED = Prospect(state="not configured", calls=0, eta_s=None)


def figures(tx: Transaction, settings: Settings, number: int) -> dict[str, Any]:
    """Return what is expected of a plan of the tenant, in all and by target. All counts are of people but `operations`.

    `calls` is the fewest, and `eta_s` counts from the approval, behind what waits already (None: nobody knows).
    `leavers` are out by the directory, `deactivations` those of them whose accounts are known to be active, and `held`
    whom of these the guard would hold if nobody else left meanwhile.
    """
    by_lane: dict[int, list[Part]] = {}
    for part in plan_items.parts(tx, number):
        by_lane.setdefault(part.lane_id, []).append(part)
    prospects = status.foretell(tx, settings, {lane_id: shares_of(parts) for lane_id, parts in by_lane.items()})
    tenant = settings.tenant(tx.tenant or "")
    configured = {} if tenant is None else {target.name: target for target in tenant.targets}
    targets = [
        _of_lane(
            tx,
            number,
            parts,
            target=configured.get(parts[0].target),
            prospect=prospects.get(lane_id, NOT_CONFIGURED),
        )
        for lane_id, parts in by_lane.items()
    ]
    counts = ("people", "operations", "calls", "leavers", "deactivations", "held")
    return {
        **{name: sum(each[name] for each in targets) for name in counts},
        "eta_s": longest([each["eta_s"] for each in targets]),
        "targets": targets,
    }


def still_to_come(tx: Transaction, settings: Settings, number: int) -> int | None:
    """Return the seconds until a replay that runs, or has run, will have reached everybody; None: nobody knows."""
    more: dict[int, list[Part]] = {lane_id: [] for lane_id in plan_items.lanes_of(tx, number)}
    for part in plan_items.parts(tx, number, only_planned=True):
        more[part.lane_id].append(part)
    prospects = status.foretell(tx, settings, {lane_id: shares_of(parts) for lane_id, parts in more.items()})
    return longest([_eta_s(prospects.get(lane_id, NOT_CONFIGURED)) for lane_id in more])


def longest(etas: Sequence[int | None]) -> int | None:
    """Return the longest of some times, None where one of them is not known."""
    known = [each for each in etas if each is not None]
    return max(known, default=0) if len(known) == len(etas) else None


def shares_of(parts: Sequence[Part]) -> Shares:
    """Return how many people of a lane need what first."""
    counts = dict.fromkeys(("to_create", "to_look_up", "others"), 0)
    for part in parts:
        counts[part.share] += part.people
    return Shares(**counts)


def _of_lane(
    tx: Transaction, number: int, parts: Sequence[Part], *, target: TargetSettings | None, prospect: Prospect
) -> dict[str, Any]:
    leaving = _leaving(tx, number, parts, target=target)
    return {
        "target": parts[0].target,
        "people": sum(part.people for part in parts),
        "operations": sum(part.operations for part in parts),
        "calls": prospect.calls,
        "eta_s": _eta_s(prospect),
        "state": prospect.state,
        "leavers": sum(part.people for part in parts if part.is_out),
        "deactivations": len(leaving),
        "held": _held(tx, parts[0].lane_id, leaving, target=target),
    }


def _eta_s(prospect: Prospect) -> int | None:
    return None if prospect.eta_s is None else prospect.eta_s + STARTS_AND_ENDS_S


def _leaving(tx: Transaction, number: int, parts: Sequence[Part], *, target: TargetSettings | None) -> list[int]:
    """Return whose account is known to be active and is to be closed: they are out, or out of the target's scope."""
    lane_id = parts[0].lane_id
    leaving: list[int] = []
    if any(part.is_out and part.is_known_active for part in parts):
        leaving += [each for each, _ in plan_items.known_active(tx, number, lane_id, is_out=True)]
    if target is None or target.scope is None or target.on_unscope == "keep":
        return leaving
    if any(part.is_known_active and not part.is_out for part in parts):
        scope = scopes.scope_of(target)
        present = plan_items.known_active(tx, number, lane_id, is_out=False)
        leaving += [each for each, document in present if not scope.takes(_read(document))]
    return leaving


def _read(document: str) -> Mapping[str, Any]:
    read: dict[str, Any] = json.loads(document)
    return {"active": True, **read}


def _held(tx: Transaction, lane_id: int, leaving: Sequence[int], *, target: TargetSettings | None) -> int:
    """Return how many of those who leave the guard would hold, or holds already."""
    if not leaving or target is None or target.mode == "dry-run":
        return 0
    standing = holds.standing(tx, lane_id, leaving)
    held = sum(each is Standing.OPEN for each in standing.values())
    new = len(leaving) - len(standing)
    counted = holds.count(tx, lane_id, since=tx.now - target.guard.window_s * 1000)
    active = 0
    if guard.needs_the_share(target.guard, deactivations=counted.let_go + new):
        # Who leaves was active when the window began, as the guard itself reckons.
        active = _active(tx, target.scope) + counted.let_go + counted.held + new
    room = max(0, guard.most_in_window(target.guard, active=active) - counted.let_go) + counted.allowed
    return held + max(0, new - room)


def _active(tx: Transaction, scope: str | None) -> int:
    try:
        return scopes.count_active(tx, scope)
    except ValueError:
        # The guard then counts only those who leave.
        return 0
