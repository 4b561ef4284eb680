"""Tidies up after sources that are not configured any more: what waits is forgotten, and who is replaced gives way."""

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.recording import rows
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import WITHOUT_SECRET
from scim_bridge.store import directory_users, leftovers
from workers.runtime import Runtime

EVERY_MS = 60_000

AT_ONCE = 500

_DAY_MS = 86_400_000

_log = structlog.get_logger(__name__)


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Do some of it and return when to come again: at once when there may be more."""
    is_done = _forget(runtime, before=now - runtime.settings.evidence_days * _DAY_MS)
    is_done &= _let_give_way(runtime)
    return now + EVERY_MS if is_done else now


def _forget(runtime: Runtime, *, before: Millis) -> bool:
    """Forget events and files that have waited long enough, and say so."""
    tenants = runtime.settings.tenants
    sources = {each.id: [source.name for source in each.sources] for each in tenants}
    senders = {
        each.id: [source.name for source in each.sources if source.kind not in WITHOUT_SECRET] for each in tenants
    }
    with runtime.store.across_tenants("relay: what sources left that are not configured", write=True) as tx:
        events = leftovers.forget_events(tx, configured=senders, before=before, limit=AT_ONCE)
        files = leftovers.refuse_imports(tx, configured=sources, before=before)
    for (tenant, source), number in events.items():
        _log.warning("kept_events_forgotten", tenant=tenant, source=source, events=number)
    for tenant, source, name in files:
        _log.warning("import_forgotten", tenant=tenant, source=source, number=name)
    return sum(events.values()) < AT_ONCE


def _let_give_way(runtime: Runtime) -> bool:
    """Take back the words of replaced sources about people of whom those in their place have spoken."""
    tenants = {tenant.id: tenant for tenant in runtime.settings.tenants}
    successions = [
        (name, former, source.name)
        for name, tenant in tenants.items()
        for source in tenant.sources
        for former in source.replaces
    ]
    if not successions:
        return True
    with runtime.store.across_tenants("relay: sources in the place of others") as tx:
        found = leftovers.succeeded(tx, successions, limit=AT_ONCE)
    people: dict[tuple[str, str, str], list[int]] = {}
    for tenant, former, successor, person in found:
        people.setdefault((tenant, former, successor), []).append(person)
    for (tenant, former, successor), numbers in people.items():
        _retract(runtime, tenants[tenant], former, successor, numbers)
    return len(found) < AT_ONCE


def _retract(runtime: Runtime, tenant: TenantSettings, former: str, successor: str, numbers: list[int]) -> None:
    with runtime.store.begin(tenant.id) as tx:
        # In the order of whoever records rows.
        directory_users.take_turns(tx, successor)
        directory_users.lock(tx, numbers)
        leftovers.retract(tx, former, numbers)
        recorded = rows.reckon_anew(
            tx,
            numbers,
            source=successor,
            owns={each.name: each.owns for each in tenant.sources},
            scopes=scopes_of(tenant),
            origin=Origin(source=successor, correlation_id="replaces"),
        )
    _log.info("source_replaced", tenant=tenant.id, source=successor, former=former, people=len(numbers))
    for target, urgent in recorded.wakes.items():
        runtime.dispatcher.wake(tenant.id, target, urgent=urgent)
