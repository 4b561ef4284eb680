"""Deciding about people whom the guard holds: listing them, letting them go, keeping them, allowing a planned day."""

from collections.abc import Iterable, Mapping
from typing import Any

from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.domain.people import Priority
from scim_bridge.domain.states import State
from scim_bridge.errors import UsageError
from scim_bridge.operators import failed
from scim_bridge.recording import repairs
from scim_bridge.store import audits, held, histories, holds, lanes, replays
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.holds import Standing

PEOPLE_A_TRANSACTION = 500
"""So that a decision about many never keeps senders waiting for long."""

RELEASED_FOR_MS = 28 * 86_400_000
"""So long nobody is asked again about somebody who was released and whose target could not be reached."""


def list_held(
    store: Store,
    *,
    tenant: str | None = None,
    target: str | None = None,
    user: str | None = None,
    rejected: bool = False,
) -> list[dict[str, Any]]:
    """Return whom the guard holds, the first held in front; with `rejected`, those who are kept as a stated drift."""
    with store.across_tenants("list whom the guard holds") as tx:
        rows = held.chosen(
            tx,
            statuses=(Standing.REJECTED if rejected else Standing.OPEN,),
            tenant=tenant,
            target=target,
            resource_ids=failed.people_named(tx, user),
        )
    return [_shown(row) for row in rows]


def release(
    store: Store,
    dispatcher: Dispatcher,
    *,
    tenant: str,
    who: str,
    reason: str = "",
    target: str | None = None,
    user: str | None = None,
    rejected: bool = False,
) -> dict[str, Any]:
    """Let the deactivations of held people be sent, and return how many people these are.

    With `rejected`, those are meant whose deactivation was rejected before.
    """
    status = Standing.REJECTED if rejected else Standing.OPEN
    people = 0
    for lane_target, lane_id, numbers in _chosen(store, tenant=tenant, target=target, user=user, status=status):
        with store.begin(tenant) as tx:
            # The lane's row first, as the guard does: so neither decides about somebody whom the other is at.
            lanes.note(tx, lane_id, wake_at=tx.now)
            closed = holds.close(tx, lane_id, numbers, status="released", who=who, before=(status,))
            holds.let_go(tx, lane_id, closed, good_until=tx.now + RELEASED_FOR_MS, is_counted=False)
            if rejected:
                repairs.owe(tx, lane_id, closed, kind="release", source="operator", priority=Priority.LEAVER)
            else:
                pairs = [(lane_id, number) for number in closed]
                replays.put_back(tx, pairs, who=who, stuck=State.HELD, reason=holds.HELD, code="hold_released")
            _note(tx, "hold release", lane_target, closed, who=who, reason=reason)
        people += len(closed)
        dispatcher.wake(tenant, lane_target, urgent=True)
    return {"people": people}


def reject(
    store: Store,
    dispatcher: Dispatcher,
    *,
    tenant: str,
    who: str,
    reason: str,
    target: str | None = None,
    user: str | None = None,
) -> dict[str, Any]:
    """Keep the accounts of held people active, as a stated drift, and return how many people these are.

    It holds until the directory says active again, or until it is released after all.
    """
    people = 0
    for lane_target, lane_id, numbers in _chosen(store, tenant=tenant, target=target, user=user, status=Standing.OPEN):
        with store.begin(tenant) as tx:
            lanes.note(tx, lane_id, wake_at=tx.now)
            rejected = holds.close(
                tx, lane_id, numbers, status=Standing.REJECTED.value, who=who, before=(Standing.OPEN,)
            )
            holds.discard(tx, lane_id, rejected, code="deactivation_rejected", who=who)
            _note(tx, "hold reject", lane_target, rejected, who=who, reason=reason)
        people += len(rejected)
        dispatcher.wake(tenant, lane_target, urgent=False)
    return {"people": people}


def allow(
    store: Store, *, tenant: str, target: str, count: int, for_ms: Millis, who: str, reason: str
) -> dict[str, Any]:
    """Raise a lane's threshold once, by so many people for so long; returns until when.

    It is used up by deactivations that the threshold alone would have held. Who is held already stays held.

    Raises:
        UsageError: the tenant has no lane to the target yet.
    """
    with store.begin(tenant) as tx:
        lane = lanes.by_target(tx, target)
        if lane is None:
            raise UsageError(f"the tenant {tenant} has no lane to {target} yet; run scim-bridge migrate first")
        good_until = tx.now + for_ms
        number = holds.allow(tx, lane.id, people=count, good_until=good_until, reason=reason, who=who)
        told = {"allowance": number, "target": target, "count": count, "until": to_iso(good_until)}
        audits.append(tx, who=who, what="hold allow", after={**told, "reason": reason})
    return {"tenant": tenant, **told}


def _chosen(
    store: Store, *, tenant: str, target: str | None, user: str | None, status: Standing
) -> Iterable[tuple[str, int, list[int]]]:
    """Return whom an operator means, by target and lane, few enough for a transaction each time."""
    with store.begin(tenant, write=False) as tx:
        named = failed.people_named(tx, user)
        rows = held.chosen(tx, statuses=(status,), target=target, resource_ids=named)
    by_lane: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        by_lane.setdefault((row["target"], row["lane_id"]), []).append(row["resource_id"])
    return [
        (name, lane_id, numbers[start : start + PEOPLE_A_TRANSACTION])
        for (name, lane_id), numbers in by_lane.items()
        for start in range(0, len(numbers), PEOPLE_A_TRANSACTION)
    ]


def _note(tx: Transaction, what: str, target: str, numbers: list[int], *, who: str, reason: str) -> None:
    if numbers:
        audits.append(tx, who=who, what=what, after={"target": target, "resources": numbers, "reason": reason})


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "hold": row["id"],
        "tenant": row["tenant"],
        "target": row["target"],
        "status": row["status"],
        "id": row["scim_id"],
        "user": histories.label_of(histories.document_of(row["document"])),
        "since": to_iso(row["opened_at"]),
        "reason": row["reason"],
        "operation": row["operation_id"],
        "decided_at": None if row["closed_at"] is None else to_iso(row["closed_at"]),
        "decided_by": row["closed_by"],
    }
