"""HR events that are kept: which, why, and putting them back or giving them up. Ids and reasons, no personal data."""

from typing import Any

from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.errors import NotThere, OutOfDate, UsageError
from scim_bridge.operators import existing
from scim_bridge.settings.models import Settings
from scim_bridge.store import audits, hr_events, kept_events, reports
from scim_bridge.store.engine import Store
from scim_bridge.store.kept_events import Placed

STATES = {"kept": hr_events.WAITING, "needs_fetch": hr_events.FETCH, "refused": hr_events.REFUSED}
"""What senders are told became of an event, and what the store calls it."""

_TOLD = {kept: told for told, kept in STATES.items()}

_WHY = {
    hr_events.WAITING: "It is applied, in its order, when its source is paused no more.",
    hr_events.FETCH: "It names the person only: they are looked up where the source has a [fetch] table.",
    hr_events.REFUSED: "",
}


class NoSuchEvent(NotThere, UsageError):  # noqa: N818 - read as a sentence
    """There is no such event, or not any more."""


def report(
    store: Store,
    settings: Settings,
    *,
    tenant: str | None = None,
    source: str | None = None,
    state: str | None = None,
    limit: int,
    after: int = 0,
) -> dict[str, Any]:
    """Return the first of the kept events behind the event `after`, and how many there are in all of each state.

    `next` is what `after` is to be for those that come then, None when these are the last.

    Raises:
        UsageError: no such tenant or source.
    """
    check(store, settings, tenant=tenant, source=source)
    with store.across_tenants("list HR events that are kept") as tx:
        found, counts = kept_events.chosen(
            tx,
            tenant=tenant,
            source=source,
            state=None if state is None else STATES[state],
            limit=limit + 1,
            after=after,
        )
        now = tx.now
    return {
        "events": [_shown(each, now=now) for each in found[:limit]],
        "next": found[limit - 1].kept.number if len(found) > limit else None,
        "counts": {told: counts.get(kept, 0) for told, kept in STATES.items()},
    }


def check(store: Store, settings: Settings, *, tenant: str | None, source: str | None) -> None:
    """Raise UsageError, naming those there are, when neither configuration nor store has the tenant or the source.

    The tenants are named to the command line only, as in `existing.check`.
    """
    with store.across_tenants("look up whose events an operator named") as tx:
        pairs = kept_events.sources(tx) | {(each.id, own.name) for each in settings.tenants for own in each.sources}
        tenants = reports.tenants(tx) | {of for of, _ in pairs} | {each.id for each in settings.tenants}
    if tenant is not None and tenant not in tenants:
        raise existing.no_tenant(tenant, tenants)
    sources = {name for of, name in pairs if tenant in (None, of)}
    if source is not None and source not in sources:
        raise UsageError(f"there is no source {source} (there: {', '.join(sorted(sources)) or 'none yet'})")


def retry(store: Store, *, number: int, who: str, tenant: str | None = None) -> dict[str, Any]:
    """Have one event (of a tenant) applied, or its person looked up, now.

    Raises:
        NoSuchEvent: there is none of this number.
        OutOfDate: it waits for its source to be paused no more.
    """
    placed = _find(store, number, tenant)
    if placed.kept.state == hr_events.WAITING:
        raise OutOfDate(f"the event {number} waits in its order; it is applied when {placed.source} is not paused")
    with store.begin(placed.tenant) as tx:
        again = hr_events.try_again(tx, placed.source, [number])
        if again:
            before = {"state": _TOLD[placed.kept.state]}
            after = {"event": number, "source": placed.source, "events": again}
            audits.append(tx, who=who, what="hr events retry", before=before, after=after)
    if not again:
        raise _unknown(number)
    return {"tenant": placed.tenant, "source": placed.source, "events": again}


def retry_source(store: Store, settings: Settings, *, tenant: str, source: str, who: str) -> dict[str, Any]:
    """Have all refused events of a source applied once more, and whom it only named looked up, now.

    Raises:
        UsageError: no such tenant or source.
    """
    check(store, settings, tenant=tenant, source=source)
    with store.begin(tenant) as tx:
        again = hr_events.try_again(tx, source)
        if again:
            audits.append(tx, who=who, what="hr events retry", after={"source": source, "events": again})
    return {"tenant": tenant, "source": source, "events": again}


def drop(store: Store, *, number: int, who: str, reason: str, tenant: str | None = None) -> dict[str, Any]:
    """Give one event (of a tenant) up: nothing is made of it any more.

    Raises:
        NoSuchEvent: there is none of this number.
    """
    placed = _find(store, number, tenant)
    kept = placed.kept
    told = {"event": number, "source": placed.source, "state": _TOLD[kept.state]}
    with store.begin(placed.tenant) as tx:
        if not hr_events.drop(tx, [number]):
            raise _unknown(number)
        before = {"correlation_id": kept.correlation_id, "code": kept.refusal.code if kept.refusal else ""}
        audits.append(tx, who=who, what="hr events drop", before=before, after={**told, "reason": reason})
    # The audit is kept for good: it does not say who the person is.
    return {"tenant": placed.tenant, **told, "person": kept.row.external_id}


def _find(store: Store, number: int, tenant: str | None = None) -> Placed:
    with store.across_tenants("look up an HR event that an operator named") as tx:
        placed = kept_events.find(tx, number)
    if placed is None or tenant not in (None, placed.tenant):
        raise _unknown(number)
    return placed


def _unknown(number: int) -> NoSuchEvent:
    return NoSuchEvent(f"there is no event {number}; it may have been applied since. See scim-bridge hr events")


def _shown(placed: Placed, *, now: Millis) -> dict[str, Any]:
    kept = placed.kept
    is_put_off = kept.state == hr_events.FETCH and kept.due_at > now
    return {
        "event": kept.number,
        "tenant": placed.tenant,
        "source": placed.source,
        "state": _TOLD[kept.state],
        "person": kept.row.external_id,
        "since": to_iso(kept.at),
        "age_s": max(0, (now - kept.at) // 1000),
        "code": kept.refusal.code if kept.refusal else "",
        "field": kept.refusal.field if kept.refusal else "",
        "advice": kept.refusal.advice if kept.refusal else _WHY[kept.state],
        "attempts": kept.attempts,
        "next_try_at": to_iso(kept.due_at) if is_put_off else None,
    }
