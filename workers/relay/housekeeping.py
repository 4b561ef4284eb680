"""Keeps the store small: old slots, first answers, SQLite's log, and what retention lets go."""

from scim_bridge.domain.instants import Millis
from scim_bridge.settings.models import Settings
from scim_bridge.store import first_answers, quota, retention
from workers.runtime import Runtime

EVERY_MS = 10_000
HOUR_MS = 3_600_000
SLOT_MS = 2 * HOUR_MS
"""Slots are kept for this long at least, and for an hour longer than the longest window that is configured."""

WAL_BYTES = 32 * 1024 * 1024

ANSWER_ROUNDS = 20
"""First answers are removed in so many short transactions at a time, and may be large; the rest can wait."""

_DAY_MS = 86_400_000


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Do what is due and return when to come again."""
    with runtime.store.across_tenants("housekeeping: slots and old books", write=True) as tx:
        quota.forget(tx, before=now - _slots_kept_ms(runtime.settings))
        retention.close_operations(tx, before=now - runtime.settings.retention_days * _DAY_MS)
        retention.close_batches(tx, before=now - runtime.settings.retention_days * _DAY_MS)
        retention.forget_evidence(tx, before=now - runtime.settings.evidence_days * _DAY_MS)
    _forget_answers(runtime, before=now - first_answers.KEPT_MS)
    retention.truncate_wal(runtime.store, over_bytes=WAL_BYTES)
    return now + EVERY_MS


def _forget_answers(runtime: Runtime, *, before: Millis) -> None:
    for _ in range(ANSWER_ROUNDS):
        with runtime.store.across_tenants("housekeeping: old first answers", write=True) as tx:
            if not first_answers.forget(tx, before=before):
                return


def _slots_kept_ms(settings: Settings) -> Millis:
    windows_s = [limit.per_s for tenant in settings.tenants for target in tenant.targets for limit in target.limits]
    return max(SLOT_MS, round(max(windows_s, default=0) * 1000) + HOUR_MS)
