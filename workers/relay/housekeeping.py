"""Keeps the store small: old slots, SQLite's log, and what retention lets go."""

from scim_bridge.domain.instants import Millis
from scim_bridge.settings.models import Settings
from scim_bridge.store import quota, retention
from workers.runtime import Runtime

EVERY_MS = 10_000
HOUR_MS = 3_600_000
SLOT_MS = 2 * HOUR_MS
"""Slots are kept for this long at least, and for an hour longer than the longest window that is configured."""

WAL_BYTES = 32 * 1024 * 1024

_DAY_MS = 86_400_000


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Do what is due and return when to come again."""
    with runtime.store.across_tenants("housekeeping: slots and old books", write=True) as tx:
        quota.forget(tx, before=now - _slots_kept_ms(runtime.settings))
        retention.close_operations(tx, before=now - runtime.settings.retention_days * _DAY_MS)
        retention.close_batches(tx, before=now - runtime.settings.retention_days * _DAY_MS)
        retention.forget_evidence(tx, before=now - runtime.settings.evidence_days * _DAY_MS)
    retention.truncate_wal(runtime.store, over_bytes=WAL_BYTES)
    return now + EVERY_MS


def _slots_kept_ms(settings: Settings) -> Millis:
    windows_s = [limit.per_s for tenant in settings.tenants for target in tenant.targets for limit in target.limits]
    return max(SLOT_MS, round(max(windows_s, default=0) * 1000) + HOUR_MS)
