"""Applies HR events that were kept while their source was paused, in the order in which they came."""

from dataclasses import replace

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.rows import Refusal
from scim_bridge.recording import hr_events as recording
from scim_bridge.recording.hr_events import Event, EventSource
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.store import directory_users, hr_events
from scim_bridge.store.directory import NameTaken
from scim_bridge.store.engine import Contended, StoreUnavailable
from workers.runtime import Runtime

EVERY_MS = 2_000

AT_ONCE = 200

_OUR_FAULT = Refusal(
    code="bug", field="", advice="The bridge failed at this event. Report it with the log's line kept_event_refused."
)

_log = structlog.get_logger(__name__)


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Apply some events of each source that is paused no more; return when to come again, at once if there are more."""
    with runtime.store.across_tenants("relay: HR events that wait") as tx:
        waiting = hr_events.sources_of_state(tx, hr_events.WAITING)
    is_done = True
    for tenant, name in waiting:
        source = _source(runtime, tenant, name)
        if source is not None and not source.is_paused:
            try:
                is_done &= _apply(runtime, tenant, source, limit=AT_ONCE) < AT_ONCE
            except Contended:
                # Somebody else was there at the same moment; the next round does it.
                continue
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - one tenant's events must not keep those of the others
                _log.warning("kept_events_put_off", tenant=tenant, source=name, kind=type(error).__name__)
                is_done &= not _get_past_the_first(runtime, tenant, source)
    return now + EVERY_MS if is_done else now


def _source(runtime: Runtime, tenant: str, name: str) -> EventSource | None:
    settings = runtime.settings.tenant(tenant)
    return None if settings is None else recording.sources_of(settings).get(name)


def _get_past_the_first(runtime: Runtime, tenant: str, source: EventSource) -> bool:
    """Apply the oldest event alone, or take it for refused: what comes waits behind it. False when it is to stay."""
    tried: list[int] = []
    try:
        _apply(runtime, tenant, source, limit=1, tried=tried)
    except (NameTaken, Contended):
        return False
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001 - as above; this one is told of with all that is known
        with runtime.store.begin(tenant) as tx:
            directory_users.take_turns(tx, source.name)
            # Another relay may have come past it meanwhile: what waits in its place is not to blame.
            is_refused = [hr_events.set_aside(tx, number, _OUR_FAULT) for number in tried]
        if any(is_refused):
            _log.exception("kept_event_refused", tenant=tenant, source=source.name)
        # Without an event it was not one that failed.
        return bool(tried)
    return True


def _apply(runtime: Runtime, tenant: str, source: EventSource, *, limit: int, tried: list[int] | None = None) -> int:
    """Apply the oldest events and return how many they were; those that cannot be applied are kept as refused.

    Their numbers are added to `tried`, also when it fails.
    """
    scopes = scopes_of(runtime.settings.tenant(tenant))
    with runtime.store.begin(tenant) as tx:
        # Another relay takes the next ones only when these are applied.
        directory_users.take_turns(tx, source.name)
        kept = hr_events.of_state(tx, source.name, hr_events.WAITING, limit=limit, locks=True)
        if tried is not None:
            tried += [each.number for each in kept]
        # One that tells no time was said when it came: what was said since is newer.
        events = [Event(row=replace(each.row, said_at=each.row.said_at or each.at)) for each in kept]
        origin = Origin(source=source.name, correlation_id="kept")
        fates, wakes = recording.record(tx, events, source=source, scopes=scopes, origin=origin)
        hr_events.drop(tx, [each.number for each in kept])
    if kept:
        refused = sum(fate.is_refused for fate in fates)
        _log.info("kept_events_applied", tenant=tenant, source=source.name, events=len(kept), refused=refused)
    for target, urgent in wakes.items():
        runtime.dispatcher.wake(tenant, target, urgent=urgent)
    return len(kept)
