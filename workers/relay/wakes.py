"""Wakes lanes that are due from the store alone, so that nothing rests on a wake-up that may get lost."""

from scim_bridge.domain.instants import Millis
from scim_bridge.store import due
from workers.runtime import Runtime

EARLY_MS = 20
"""A lane is woken this much before it is due; the job waits out the rest."""


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Wake every lane that is due and return when the next one will be."""
    with runtime.store.across_tenants("relay: which lanes are due") as tx:
        wanting, next_at = due.lanes_to_wake(tx, early_ms=EARLY_MS)
    for tenant, target, urgent in wanting:
        runtime.dispatcher.wake(tenant, target, urgent=urgent)
    return next_at - EARLY_MS if next_at is not None else now + 60_000
