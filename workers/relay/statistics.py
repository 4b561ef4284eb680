"""Lets PostgreSQL know when tables have grown, sooner than it would look itself."""

from scim_bridge.domain.instants import Millis
from scim_bridge.store import statistics
from workers.runtime import Runtime

EVERY_MS = 2_000


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Look once, and return when to look again."""
    with runtime.store.across_tenants("tell the database how much there is", write=True) as tx:
        statistics.refresh(tx)
    return now + EVERY_MS
