"""Wakes lanes that are due from the store alone, so that nothing rests on a wake-up that may get lost."""

from scim_bridge.domain.instants import Millis
from scim_bridge.store import due
from workers.runtime import Runtime

EARLY_MS = 20
"""A lane is woken this much before it is due; the job waits out the rest."""


RESTS_TIMES = 4
MOST_REST_MS = 200
"""Looking takes longer the more lanes there are, so it rests four times as long as it took: no more than a fifth of a
processor goes into it, however many lanes wait for moments of their own."""


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Wake each lane that is due before it is looked again; return when the next one is, and the rest is over."""
    began_s = runtime.monotonic_s()
    with runtime.store.across_tenants("relay: which lanes are due") as tx:
        wanting, next_at = due.lanes_to_wake(tx, early_ms=EARLY_MS + runtime.wakes_rest_ms)
    for tenant, target, urgent in wanting:
        runtime.dispatcher.wake(tenant, target, urgent=urgent)
    took_ms = round((runtime.monotonic_s() - began_s) * 1000)
    runtime.wakes_rest_ms = min(MOST_REST_MS, RESTS_TIMES * took_ms)
    return max(next_at - EARLY_MS if next_at is not None else now + 60_000, now + runtime.wakes_rest_ms)
