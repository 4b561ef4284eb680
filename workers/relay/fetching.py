"""Looks up whom HR events only named, each source by a thread of its own: a slow HR system holds up nobody."""

import threading

import structlog

from scim_bridge import secrets
from scim_bridge.domain.instants import Millis
from scim_bridge.recording import hr_events as recording
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import FetchSettings, SourceSettings
from scim_bridge.store import hr_fetches
from scim_bridge.store.engine import StoreUnavailable
from scim_bridge.store.quota import Window
from workers.fetchers import registry, work
from workers.fetchers.asker import Asker
from workers.runtime import Runtime

EVERY_MS = 1_000

log = structlog.get_logger(__name__)


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Let every source be asked about whom it is to be asked, and return when to come again. Never waits for one."""
    configured = {
        (tenant.id, source.name): (tenant, source, source.fetch)
        for tenant in runtime.settings.tenants
        for source in tenant.sources
        if source.fetch is not None and not source.paused
    }
    if not configured:
        return now + EVERY_MS
    with runtime.store.across_tenants("relay: people whom HR events only named") as tx:
        due = hr_fetches.sources_due(tx, configured)
    for key in due:
        if key not in runtime.askers:
            runtime.askers[key] = _asker(runtime, *configured[key])
        asker = runtime.askers[key]
        is_busy = asker.thread is not None and asker.thread.is_alive()
        if not is_busy and asker.rests_until <= now:
            # A daemon: whom a process that ends leaves unanswered, another asks for when the lease is over.
            asker.thread = threading.Thread(target=_ask, args=(runtime, asker), name=f"fetch-{key[1]}", daemon=True)
            asker.thread.start()
    return now + EVERY_MS


def finish(runtime: Runtime, *, patience_s: float) -> None:
    """Wait for calls that are out, as long as that at the most for each source."""
    for asker in runtime.askers.values():
        if asker.thread is not None:
            asker.thread.join(patience_s)


def _asker(runtime: Runtime, tenant: TenantSettings, source: SourceSettings, fetch: FetchSettings) -> Asker:
    secret = "" if fetch.secret is None else fetch.secret.get_secret_value()
    credential = f"{fetch.base_url}|{fetch.user}|{secret}"
    return Asker(
        tenant=tenant.id,
        source=recording.sources_of(tenant)[source.name],
        scopes=scopes_of(tenant),
        fetcher=registry.build(source, fetch, clock=runtime.clock),
        quota=f"fetch:{source.kind}:{secrets.fingerprint(runtime.fingerprint_key, credential)}",
        window=Window(requests=fetch.requests, width_ms=round(fetch.per_s * 1000)),
    )


def _ask(runtime: Runtime, asker: Asker) -> None:
    """Ask until nobody is due, or nobody may be asked for."""
    try:
        while not runtime.stopping.is_set() and work.ask_once(runtime, asker):
            pass
    except StoreUnavailable as error:
        # Whoever was taken comes again when the lease is over.
        log.warning("hr_fetch_unrecorded", tenant=asker.tenant, source=asker.source.name, reason=str(error))
    except Exception:
        # This is the thread's outermost place; the duty starts another one.
        log.exception("hr_fetch_broke", tenant=asker.tenant, source=asker.source.name)
