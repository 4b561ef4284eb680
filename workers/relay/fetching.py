"""Looks up whom HR events only named, each source by a thread of its own: a slow HR system holds up nobody."""

import threading
from collections.abc import Sequence

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
from workers.fetchers import work
from workers.fetchers.asker import Asker
from workers.runtime import Runtime

EVERY_MS = 1_000

AT_ONCE = 8
"""So many sources are asked at the same time, each by a thread; when more are due, they take turns."""

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
    _give_turns(runtime, [runtime.askers[key] for key in due], now)
    return now + EVERY_MS


def _give_turns(runtime: Runtime, due: Sequence[Asker], now: Millis) -> None:
    """Start a thread for each of those who are due, as far as there are places: whose turn is longest ago first."""
    busy = [asker for asker in runtime.askers.values() if asker.is_busy]
    waiting = sorted(
        (asker for asker in due if not asker.is_busy and asker.rests_until <= now), key=lambda asker: asker.began_at
    )
    places = AT_ONCE - len(busy)
    for asker in waiting[:places]:
        asker.began_at, asker.gives_way = now, False
        # A daemon: whom a process that ends leaves unanswered, another asks for when the lease is over.
        name = f"fetch-{asker.source.name}"
        asker.thread = threading.Thread(target=_ask, args=(runtime, asker), name=name, daemon=True)
        asker.thread.start()
    if len(waiting) > places:
        for asker in busy:
            asker.gives_way = True


def finish(runtime: Runtime, *, patience_s: float) -> None:
    """Wait for calls that are out, as long as that at the most for each source."""
    for asker in runtime.askers.values():
        if asker.thread is not None:
            asker.thread.join(patience_s)


def _asker(runtime: Runtime, tenant: TenantSettings, source: SourceSettings, fetch: FetchSettings) -> Asker:
    from workers.fetchers import registry  # noqa: PLC0415 - few relays ask HR systems, and what calls out is slow to read

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
    """Ask until nobody is due, or nobody may be asked for; but once only while others wait for their turn."""
    try:
        while not runtime.stopping.is_set() and work.ask_once(runtime, asker) and not asker.gives_way:
            pass
    except StoreUnavailable as error:
        # Whoever was taken comes again when the lease is over.
        log.warning("hr_fetch_unrecorded", tenant=asker.tenant, source=asker.source.name, reason=str(error))
    except Exception:
        # This is the thread's outermost place; the duty starts another one.
        log.exception("hr_fetch_broke", tenant=asker.tenant, source=asker.source.name)
