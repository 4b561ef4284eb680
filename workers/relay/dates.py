"""Applies dates of employment that have come: whoever starts is active from now on, whoever has left is not.

Of a source that is not configured any more only last days count, and of a tenant that is not, nothing.
"""

from collections.abc import Collection

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.recording import rows
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import TenantSettings
from scim_bridge.store import identities
from scim_bridge.store.engine import StoreUnavailable
from scim_bridge.store.identities import DueDate
from workers.runtime import Runtime

_log = structlog.get_logger(__name__)

EVERY_MS = 5_000
"""A date that is said and due within this time is applied this late at most."""

AT_ONCE = 500

PUT_OFF_MS = 60_000
"""A date that cannot be applied is tried again after this time; until then others are asked for past it."""


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Apply what is due and return when to come again."""
    tenants = {tenant.id: tenant for tenant in runtime.settings.tenants}
    due, next_at = _due(runtime, now)
    places: dict[tuple[str, str], list[DueDate]] = {}
    for each in due:
        places.setdefault((each.tenant, each.source), []).append(each)
    is_done = [_apply(runtime, tenants[tenant], source, dates) for (tenant, source), dates in places.items()]
    if len(due) >= AT_ONCE or (due and all(is_done)):
        return now
    return now + EVERY_MS if next_at is None else min(next_at, now + EVERY_MS)


def _due(runtime: Runtime, now: Millis) -> tuple[list[DueDate], Millis | None]:
    """Return dates that have come, and when the next one comes.

    Where there are more than are applied at once, each tenant has its turn: a tenant's many dates, or those of which
    nothing comes, keep nobody else's.
    """
    configured = {tenant.id: [source.name for source in tenant.sources] for tenant in runtime.settings.tenants}
    past = _put_off(runtime, now)
    with runtime.store.across_tenants("relay: dates of employment") as tx:
        due = identities.due(tx, configured=configured, limit=AT_ONCE, past=past)
        if len(due) >= AT_ONCE:
            due = [
                each
                for tenant, sources in configured.items()
                for each in identities.due(tx, configured={tenant: sources}, limit=AT_ONCE, past=past)
            ]
        return due, identities.next_due(tx)


def _put_off(runtime: Runtime, now: Millis) -> Collection[int]:
    """Return the numbers of the dates that are not tried now: there is always room for others beside those that are."""
    put_off = runtime.dates_put_off
    rested = [number for number, at in put_off.items() if at <= now - PUT_OFF_MS]
    for number in rested[: max(1, AT_ONCE // 5)]:
        del put_off[number]
    return put_off


def _apply(runtime: Runtime, tenant: TenantSettings, source: str, dates: list[DueDate]) -> bool:
    """Apply dates, or those of them with which it can be done; tell whether it was with all."""
    try:
        _reckon(runtime, tenant, source, [each.person for each in dates])
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one person's dates must not keep those of the others
        if len(dates) > 1:
            middle = len(dates) // 2
            # Both are tried, whatever comes of the first.
            first = _apply(runtime, tenant, source, dates[:middle])
            return _apply(runtime, tenant, source, dates[middle:]) and first
        runtime.dates_put_off[dates[0].number] = runtime.clock()
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
