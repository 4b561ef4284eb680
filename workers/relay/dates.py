"""Applies dates of employment that have come: whoever starts is active from now on, whoever has left is not.

Of a source that is not configured any more only last days count, and of a tenant that is not, nothing.
"""

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.recording import rows
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import TenantSettings
from scim_bridge.store import identities
from scim_bridge.store.engine import StoreUnavailable
from workers.runtime import Runtime

_log = structlog.get_logger(__name__)

EVERY_MS = 5_000
"""A date that is said and due within this time is applied this late at most."""

AT_ONCE = 500


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Apply what is due and return when to come again."""
    tenants = {tenant.id: tenant for tenant in runtime.settings.tenants}
    configured = {name: [source.name for source in tenant.sources] for name, tenant in tenants.items()}
    with runtime.store.across_tenants("relay: dates of employment") as tx:
        due = identities.due(tx, configured=configured, limit=AT_ONCE)
        next_at = identities.next_due(tx)
    people: dict[tuple[str, str], list[int]] = {}
    for tenant, source, person in due:
        people.setdefault((tenant, source), []).append(person)
    is_done = [_apply(runtime, tenants[tenant], source, numbers) for (tenant, source), numbers in people.items()]
    if due and all(is_done):
        return now
    return now + EVERY_MS if next_at is None else min(next_at, now + EVERY_MS)


def _apply(runtime: Runtime, tenant: TenantSettings, source: str, numbers: list[int]) -> bool:
    """Apply what is due of people, or of those of them of whom it can be done; tell whether it was of all."""
    try:
        _reckon(runtime, tenant, source, numbers)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one person's dates must not keep those of the others
        if len(numbers) > 1:
            middle = len(numbers) // 2
            # Both are tried, whatever comes of the first.
            first = _apply(runtime, tenant, source, numbers[:middle])
            return _apply(runtime, tenant, source, numbers[middle:]) and first
        _log.warning("dates_put_off", tenant=tenant.id, source=source, kind=type(error).__name__)
        return False
    return True


def _reckon(runtime: Runtime, tenant: TenantSettings, source: str, numbers: list[int]) -> None:
    with runtime.store.begin(tenant.id) as tx:
        recorded = rows.reckon_anew(
            tx,
            numbers,
            source=source,
            owns={each.name: each.owns for each in tenant.sources},
            scopes=scopes_of(tenant),
            origin=Origin(source=source, correlation_id="date"),
        )
    for target, urgent in recorded.wakes.items():
        runtime.dispatcher.wake(tenant.id, target, urgent=urgent)
