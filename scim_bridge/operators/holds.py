"""Deciding about people who are held: listing them, letting them go, leaving them, allowing a planned day."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain.catalogue import code_named
from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.domain.people import Priority
from scim_bridge.domain.states import State
from scim_bridge.errors import UsageError
from scim_bridge.operators import failed
from scim_bridge.recording import repairs
from scim_bridge.store import audits, held, histories, holds, lanes, replays, takeovers
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.holds import Standing

PEOPLE_A_TRANSACTION = 500
"""So that a decision about many never keeps senders waiting for long."""

RELEASED_FOR_MS = 28 * 86_400_000
"""So long nobody is asked again about somebody who was released and whose target could not be reached."""


class Kind(StrEnum):
    """What somebody is held from."""

    DEACTIVATION = "deactivation"
    """Leaving: more did at once than the guard lets through."""
    TAKEOVER = "takeover"
    """Having an account that was there before us: it is protected, or on_conflict = "hold"."""


def list_held(
    store: Store,
    *,
    tenant: str | None = None,
    target: str | None = None,
    user: str | None = None,
    kind: Kind | None = None,
    rejected: bool = False,
) -> list[dict[str, Any]]:
    """Return who waits for a decision, the first held in front; with `rejected`, those about whom it was no.

    Without `kind`, of both kinds.
    """
    status = Standing.REJECTED if rejected else Standing.OPEN
    with store.across_tenants("list who is held") as tx:
        choice: dict[str, Any] = {"tenant": tenant, "target": target, "resource_ids": failed.people_named(tx, user)}
        leaving = [] if kind is Kind.TAKEOVER else held.chosen(tx, statuses=(status,), **choice)
        meeting = [] if kind is Kind.DEACTIVATION else takeovers.chosen(tx, rejected=rejected, **choice)
    shown = [_shown(row) for row in leaving] + [_shown_takeover(row, rejected=rejected) for row in meeting]
    return sorted(shown, key=lambda row: row["since"])


def page(
    store: Store,
    *,
    tenant: str,
    kind: Kind,
    target: str | None = None,
    user: str | None = None,
    rejected: bool = False,
    after: int = 0,
    limit: int = 50,
) -> dict[str, Any]:
    """Return some of those whom `list_held` returns, of one tenant and kind, and where the next page begins.

    `after` is the `next` of the page before; it is None when there is none.
    """
    with store.begin(tenant, write=False) as tx:
        choice: dict[str, Any] = {
            "target": target,
            "resource_ids": failed.people_named(tx, user),
            "after": after,
            # One more than is shown tells whether there is another page.
            "limit": limit + 1,
        }
        if kind is Kind.TAKEOVER:
            rows = takeovers.chosen(tx, rejected=rejected, **choice)
        else:
            rows = held.chosen(tx, statuses=(Standing.REJECTED if rejected else Standing.OPEN,), **choice)
    place = "entry_id" if kind is Kind.TAKEOVER else "id"
    shown = [_shown_takeover(row, rejected=rejected) if kind is Kind.TAKEOVER else _shown(row) for row in rows[:limit]]
    return {"items": shown, "next": rows[limit - 1][place] if len(rows) > limit else None}


def release(
    store: Store,
    dispatcher: Dispatcher,
    *,
    tenant: str,
    who: str,
    reason: str = "",
    target: str | None = None,
    user: str | None = None,
    kind: Kind = Kind.DEACTIVATION,
    rejected: bool = False,
) -> dict[str, Any]:
    """Let held people go on, and return how many these are: be deactivated, or have the account that was there.

    With `rejected`, those are meant about whom the decision was no before.
    """
    chosen = _chosen(store, tenant=tenant, target=target, user=user, kind=kind, rejected=rejected)
    people = 0
    for lane_target, lane_id, numbers in chosen:
        with store.begin(tenant) as tx:
            # The lane's row first, as the guard does: so neither decides about somebody whom the other is at.
            lanes.note(tx, lane_id, wake_at=tx.now)
            if kind is Kind.TAKEOVER:
                released = _still(tx, lane_target, numbers, rejected=rejected)
                takeovers.release(tx, lane_id, released, who=who)
            else:
                released = _let_go(tx, lane_id, numbers, who=who, rejected=rejected)
            if rejected:
                repairs.owe(tx, lane_id, released, kind="release", source="operator", priority=Priority.LEAVER)
            was = Standing.REJECTED if rejected else Standing.OPEN
            _note(tx, "hold release", lane_target, released, who=who, reason=reason, kind=kind, was=was)
        people += len(released)
        dispatcher.wake(tenant, lane_target, urgent=True)
    return {"people": people}


def _let_go(tx: Transaction, lane_id: int, numbers: Sequence[int], *, who: str, rejected: bool = False) -> list[int]:
    """Release the guard's hold of people, as far as it still stands; return whose it was."""
    before = Standing.REJECTED if rejected else Standing.OPEN
    closed = holds.close(tx, lane_id, numbers, status="released", who=who, before=(before,))
    holds.let_go(tx, lane_id, closed, good_until=tx.now + RELEASED_FOR_MS, is_counted=False)
    if not rejected:
        pairs = [(lane_id, number) for number in closed]
        replays.put_back(tx, pairs, who=who, stuck=State.HELD, reason=holds.HELD, code="hold_released")
        held.hasten(tx, lane_id, closed)
    return closed


def _still(tx: Transaction, target: str, numbers: Sequence[int], *, rejected: bool) -> list[int]:
    """Return who of these people still waits for an account (or was refused it), now that the lane is locked."""
    rows = takeovers.chosen(tx, rejected=rejected, target=target, resource_ids=numbers)
    return [row["resource_id"] for row in rows]


def reject(
    store: Store,
    dispatcher: Dispatcher,
    *,
    tenant: str,
    who: str,
    reason: str,
    target: str | None = None,
    user: str | None = None,
    kind: Kind = Kind.DEACTIVATION,
) -> dict[str, Any]:
    """Leave the accounts of held people as they are, as a stated drift, and return how many people these are.

    A deactivation is rejected until the directory says active again, a takeover until it is released after all.
    """
    chosen = _chosen(store, tenant=tenant, target=target, user=user, kind=kind, rejected=False)
    people = 0
    for lane_target, lane_id, numbers in chosen:
        with store.begin(tenant) as tx:
            lanes.note(tx, lane_id, wake_at=tx.now)
            if kind is Kind.TAKEOVER:
                rejected = _still(tx, lane_target, numbers, rejected=False)
                takeovers.reject(tx, lane_id, rejected, who=who)
            else:
                status = Standing.REJECTED.value
                rejected = holds.close(tx, lane_id, numbers, status=status, who=who, before=(Standing.OPEN,))
                holds.discard(tx, lane_id, rejected, code="deactivation_rejected", who=who)
            _note(tx, "hold reject", lane_target, rejected, who=who, reason=reason, kind=kind)
        people += len(rejected)
        dispatcher.wake(tenant, lane_target, urgent=False)
    return {"people": people}


def allow(
    store: Store, *, tenant: str, target: str, count: int, for_ms: Millis, who: str, reason: str
) -> dict[str, Any]:
    """Raise a lane's threshold once, by so many people for so long; returns until when, and how many are held already.

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
        still_held = len(held.chosen(tx, statuses=(Standing.OPEN,), target=target))
    return {"tenant": tenant, **told, "released": 0, "still_held": still_held}


def allow_now(
    store: Store,
    dispatcher: Dispatcher,
    *,
    tenant: str,
    target: str,
    count: int,
    for_ms: Millis,
    who: str,
    reason: str,
) -> dict[str, Any]:
    """Do as `allow` does, and release who is held already, the longest held in front: each uses the allowance up.

    Raises:
        UsageError: as `allow`.
    """
    told = allow(store, tenant=tenant, target=target, count=count, for_ms=for_ms, who=who, reason=reason)
    chosen = _chosen(store, tenant=tenant, target=target, user=None, kind=Kind.DEACTIVATION, rejected=False)
    people = 0
    for lane_target, lane_id, numbers in chosen:
        with store.begin(tenant) as tx:
            lanes.note(tx, lane_id, wake_at=tx.now)
            released = _let_go(tx, lane_id, numbers[: holds.left_of(tx, told["allowance"])], who=who)
            holds.use(tx, told["allowance"], len(released))
            _note(tx, "hold release", lane_target, released, who=who, reason=reason, kind=Kind.DEACTIVATION)
        people += len(released)
    if people:
        dispatcher.wake(tenant, target, urgent=True)
    return {**told, "released": people, "still_held": told["still_held"] - people}


def _chosen(
    store: Store, *, tenant: str, target: str | None, user: str | None, kind: Kind, rejected: bool
) -> Iterable[tuple[str, int, list[int]]]:
    """Return whom an operator means, by target and lane, few enough for a transaction each time."""
    with store.begin(tenant, write=False) as tx:
        choice: dict[str, Any] = {"target": target, "resource_ids": failed.people_named(tx, user)}
        if kind is Kind.TAKEOVER:
            rows = takeovers.chosen(tx, rejected=rejected, **choice)
        else:
            rows = held.chosen(tx, statuses=(Standing.REJECTED if rejected else Standing.OPEN,), **choice)
    by_lane: dict[tuple[str, int], list[int]] = {}
    for row in rows:
        by_lane.setdefault((row["target"], row["lane_id"]), []).append(row["resource_id"])
    return [
        (name, lane_id, numbers[start : start + PEOPLE_A_TRANSACTION])
        for (name, lane_id), numbers in by_lane.items()
        for start in range(0, len(numbers), PEOPLE_A_TRANSACTION)
    ]


def _note(
    tx: Transaction,
    what: str,
    target: str,
    numbers: Sequence[int],
    *,
    who: str,
    reason: str,
    kind: Kind,
    was: Standing = Standing.OPEN,
) -> None:
    if numbers:
        after = {"target": target, "kind": kind.value, "resources": list(numbers), "reason": reason}
        audits.append(tx, who=who, what=what, before={"status": was.value}, after=after)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "hold": row["id"],
        "kind": Kind.DEACTIVATION.value,
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


def _shown_takeover(row: Mapping[str, Any], *, rejected: bool) -> dict[str, Any]:
    at = to_iso(row["at"])
    return {
        "hold": None,
        "kind": Kind.TAKEOVER.value,
        "tenant": row["tenant"],
        "target": row["target"],
        "status": (Standing.REJECTED if rejected else Standing.OPEN).value,
        "id": row["scim_id"],
        "user": histories.label_of(histories.document_of(row["document"])),
        "since": at,
        "reason": code_named(row["code"]).advice,
        "operation": row["operation_id"],
        "decided_at": at if rejected else None,
        "decided_by": row["who"] if rejected else None,
    }
