"""Tidies up after sources that are not configured any more: what waits is forgotten, and who is replaced gives way."""

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.recording import rows
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import WITHOUT_SECRET
from scim_bridge.store import directory_users, leftovers
from scim_bridge.store.engine import StoreUnavailable
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
    reached = runtime.successions_reached
    successions = [
        (tenant, former, source.name)
        for tenant in runtime.settings.tenants
        for source in tenant.sources
        for former in source.replaces
    ]
    is_done = True
    for tenant, former, successor in successions:
        place = (tenant.id, former, successor)
        with runtime.store.begin(tenant.id, write=False) as tx:
            behind = reached.get(place, 0)
            found = leftovers.succeeded(tx, *place, behind=behind, limit=AT_ONCE)
        if found:
            _let_go(runtime, tenant, former, successor, found)
        # Those of whom nothing came are met again when all behind them were.
        reached[place] = found[-1] if len(found) >= AT_ONCE else 0
        is_done &= len(found) < AT_ONCE
    return is_done


def _let_go(runtime: Runtime, tenant: TenantSettings, former: str, successor: str, numbers: list[int]) -> None:
    """Take back what was said of people, or of those of them with whom it can be done."""
    try:
        _retract(runtime, tenant, former, successor, numbers)
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one person must not keep the others, nor one tenant another
        if len(numbers) > 1:
            middle = len(numbers) // 2
            _let_go(runtime, tenant, former, successor, numbers[:middle])
            _let_go(runtime, tenant, former, successor, numbers[middle:])
        else:
            kind = type(error).__name__
            _log.warning("source_not_replaced", tenant=tenant.id, source=successor, former=former, kind=kind)


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
            has_retracted=True,
        )
    _log.info("source_replaced", tenant=tenant.id, source=successor, former=former, people=len(numbers))
    for target, urgent in recorded.wakes.items():
        runtime.dispatcher.wake(tenant.id, target, urgent=urgent)
