"""Works off the files that HR systems sent, a piece each time round; what is left the next round finds in the store."""

import contextlib

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.recording import imports as recording
from scim_bridge.recording.imports import Source
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.store import imports
from scim_bridge.store.engine import StoreUnavailable
from workers.runtime import Runtime

_log = structlog.get_logger(__name__)

EVERY_MS = 1_000

BROKEN_OFF_MS = 600_000
"""A file of which nothing has come for so long never arrives."""

KEPT_MS = 90 * 86_400_000
"""An import and its report are kept for this long after its end."""

ROUNDS = 10
"""Slices of old imports that are removed each time round; the rest can wait."""


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Do one piece of one import and return when to come again: at once when there may be more."""
    with runtime.store.across_tenants("relay: imports that wait") as tx:
        waiting = imports.to_work_on(tx)
    for found in waiting:
        source = _source(runtime, found.tenant, found.source)
        if source is None or source.settings.paused:
            continue
        try:
            wakes = recording.work(runtime.store, source, found)
        except StoreUnavailable:
            # Where it fails at this file alone, the others go first the next time.
            with contextlib.suppress(StoreUnavailable):
                _put_behind_others(runtime, found)
            raise
        except Exception as error:  # noqa: BLE001 - one tenant's file must not stop those of the others
            _log.warning("import_put_off", tenant=found.tenant, number=found.name, kind=type(error).__name__)
            _put_behind_others(runtime, found)
            continue
        if wakes is None:
            continue
        if not wakes:
            # It may have been in somebody's way, and come no further.
            _put_behind_others(runtime, found)
        for target, urgent in wakes.items():
            runtime.dispatcher.wake(found.tenant, target, urgent=urgent)
        return now
    with runtime.store.across_tenants("relay: imports that broke off", write=True) as tx:
        imports.give_up_broken_off(tx, before=now - BROKEN_OFF_MS)
    for _ in range(ROUNDS):
        with runtime.store.across_tenants("relay: old imports, a slice each time", write=True) as tx:
            if not imports.forget(tx, before=now - KEPT_MS):
                break
    return now + EVERY_MS


def _put_behind_others(runtime: Runtime, found: imports.Import) -> None:
    with runtime.store.begin(found.tenant) as tx:
        imports.note(tx, found.id)


def _source(runtime: Runtime, tenant: str, name: str) -> Source | None:
    """Return a source of rows as it is configured, None where it is not."""
    if (tenant, name) not in runtime.row_sources:
        settings = runtime.settings.tenant(tenant)
        found = None if settings is None else next((each for each in settings.sources if each.name == name), None)
        if settings is None or found is None:
            return None
        runtime.row_sources[tenant, name] = Source(tenant=settings, settings=found, scopes=scopes_of(settings))
    return runtime.row_sources[tenant, name]
