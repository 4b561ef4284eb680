"""Stopping a lane and letting it go on. Nothing is lost meanwhile: what is owed waits, what is out is settled."""

from typing import Any

from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain.instants import to_iso
from scim_bridge.errors import NotThere, OutOfDate, UsageError
from scim_bridge.operators import status
from scim_bridge.settings.models import Settings
from scim_bridge.store import audits, lanes
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.lanes import Lane


class NoLane(NotThere, UsageError):  # noqa: N818 - read as a sentence
    """The tenant has no lane to the target yet."""


class LaneIsSo(OutOfDate, UsageError):  # noqa: N818 - read as a sentence
    """The lane already is as it was to become."""


def pause(store: Store, *, tenant: str, target: str, who: str, reason: str) -> dict[str, Any]:
    """Stop a lane before its next call and return since when it is paused.

    Raises:
        NoLane: there is no such lane.
        LaneIsSo: it is paused already.
    """
    with store.begin(tenant) as tx:
        lane = _lane(tx, target)
        if lane.paused_at is not None:
            raise LaneIsSo(f"{tenant}/{target} is paused already, since {to_iso(lane.paused_at)} by {lane.paused_by}")
        lanes.note(tx, lane.id, paused_at=tx.now, paused_by=who, pause_reason=reason)
        after = {"target": target, "reason": reason, "paused": True}
        audits.append(tx, who=who, what="lane pause", before={"paused": False}, after=after)
        return {"tenant": tenant, "target": target, "paused_at": to_iso(tx.now)}


def resume(
    store: Store, dispatcher: Dispatcher, *, tenant: str, target: str, who: str, reason: str = ""
) -> dict[str, Any]:
    """Let a lane go on; one that is quarantined has its credential tried again at once.

    Raises:
        NoLane: there is no such lane.
        LaneIsSo: it is neither paused nor quarantined.
    """
    with store.begin(tenant) as tx:
        lane = _lane(tx, target)
        was_paused, is_quarantined = lane.paused_at is not None, lane.quarantined_at is not None
        if not was_paused and not is_quarantined:
            raise LaneIsSo(f"{tenant}/{target} is neither paused nor quarantined")
        again = {"quarantine_check_at": tx.now} if is_quarantined else {}
        lanes.note(tx, lane.id, paused_at=None, paused_by=None, pause_reason=None, wake_at=tx.now, **again)
        # Whether it works again, only a call can tell.
        is_failing = lane.breaker_until is not None
        told = {"was_paused": was_paused, "is_quarantined": is_quarantined, "is_failing": is_failing}
        paused = {"paused_by": lane.paused_by, "pause_reason": lane.pause_reason} if was_paused else {}
        before = {"paused": was_paused, **paused}
        audits.append(
            tx, who=who, what="lane resume", before=before, after={"target": target, "reason": reason, **told}
        )
    dispatcher.wake(tenant, target, urgent=False)
    return {"tenant": tenant, "target": target, **told}


def report(
    store: Store, settings: Settings, *, tenant: str | None = None, target: str | None = None
) -> list[dict[str, Any]]:
    """Return what stops each lane, why, since when and by whom; as `status` names it."""
    figures = status.report(store, settings, tenant=tenant, target=target)["lanes"]
    with store.across_tenants("report what stops lanes") as tx:
        by_name = {(lane.tenant, lane.target): lane for lane in lanes.configured(tx)}
    return [_shown(row, by_name[row["tenant"], row["target"]]) for row in figures]


def _shown(figures: dict[str, Any], lane: Lane) -> dict[str, Any]:
    since = {"paused": lane.paused_at, "quarantined": lane.quarantined_at}.get(figures["state"])
    return {
        **{name: figures[name] for name in ("tenant", "target", "state", "pending", "why", "next_try_at")},
        "since": None if since is None else to_iso(since),
        "by": lane.paused_by,
    }


def _lane(tx: Transaction, target: str) -> Lane:
    lane = lanes.by_target(tx, target)
    if lane is None:
        raise NoLane(f"the tenant {tx.tenant} has no lane to {target} yet; run scim-bridge migrate first")
    return lane
