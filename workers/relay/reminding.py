"""Asks again about holds that nobody has decided for a week: they never turn into deactivations by themselves."""

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.notices import Kind
from scim_bridge.store import holds
from scim_bridge.store import notices as owed
from workers import notices
from workers.runtime import Runtime

EVERY_MS = 60_000

ASKS_AGAIN_MS = 7 * 86_400_000


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Tell of holds that were last asked about a week ago, and return when to come again."""
    with runtime.store.across_tenants("relay: holds that nobody decides", write=True) as tx:
        asked = holds.ask_again(tx, asked_before=now - ASKS_AGAIN_MS)
        for (tenant, target), people in sorted(asked.items()):
            owed.owe(tx, Kind.HOLD_EXPIRED, tenant=tenant, target=target, count=people)
        holds.forget(tx)
    for (tenant, target), people in asked.items():
        notices.tell_still_held(tenant, target, people)
    return now + EVERY_MS
