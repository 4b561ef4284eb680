"""Applies dates of employment that have come: whoever starts is active from now on, whoever has left is not."""

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.recording import rows
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.store import identities
from scim_bridge.store.engine import StoreUnavailable
from workers.runtime import Runtime

_log = structlog.get_logger(__name__)

EVERY_MS = 5_000
"""A date that is said and due within this time is applied this late at most."""

AT_ONCE = 500


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Apply what is due and return when to come again."""
    with runtime.store.across_tenants("relay: dates of employment") as tx:
        due = identities.due(tx, limit=AT_ONCE)
        next_at = identities.next_due(tx)
    is_stuck = False
    people: dict[tuple[str, str], list[int]] = {}
    for tenant, source, person in due:
        people.setdefault((tenant, source), []).append(person)
    for (tenant, source), numbers in people.items():
        try:
            _apply(runtime, tenant, source, numbers)
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one tenant's dates must not keep those of the others
            _log.warning("dates_put_off", tenant=tenant, source=source, kind=type(error).__name__)
            is_stuck = True
    if due and not is_stuck:
        return now
    return now + EVERY_MS if next_at is None else min(next_at, now + EVERY_MS)


def _apply(runtime: Runtime, tenant: str, source: str, numbers: list[int]) -> None:
    settings = runtime.settings.tenant(tenant)
    owns = {} if settings is None else {each.name: each.owns for each in settings.sources}
    with runtime.store.begin(tenant) as tx:
        recorded = rows.reckon_anew(
            tx,
            numbers,
            source=source,
            owns=owns,
            scopes=scopes_of(settings),
            origin=Origin(source=source, correlation_id="date"),
        )
    for target, urgent in recorded.wakes.items():
        runtime.dispatcher.wake(tenant, target, urgent=urgent)
