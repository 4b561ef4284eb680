"""Keeps the store small: old slots, first answers, marks of webhooks, SQLite's log, and what retention lets go."""

from collections.abc import Callable

from scim_bridge.domain.instants import Millis
from scim_bridge.settings.models import Settings
from scim_bridge.store import first_answers, hr_events, inbound, notices, plans, quota, retention, webhooks
from scim_bridge.store.engine import Transaction
from workers.relay import notifying
from workers.runtime import Runtime

EVERY_MS = 10_000
HOUR_MS = 3_600_000
SLOT_MS = 2 * HOUR_MS
"""Slots are kept for this long at least, and for an hour longer than the longest window that is configured."""

WAL_BYTES = 32 * 1024 * 1024

ROUNDS = 20
"""First answers, which may be large, and marks are removed in so many short transactions; the rest can wait."""

WRITTEN_WITHIN_MS = 60_000
"""The front door writes down what came in a little later; so much later at the most."""

_DAY_MS = 86_400_000


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Do what is due and return when to come again."""
    with runtime.store.across_tenants("housekeeping: slots and old books", write=True) as tx:
        quota.forget(tx, before=now - _slots_kept_ms(runtime.settings))
        retention.close_operations(tx, before=now - runtime.settings.retention_days * _DAY_MS)
        retention.close_batches(tx, before=now - runtime.settings.retention_days * _DAY_MS)
        retention.forget_evidence(tx, before=now - runtime.settings.evidence_days * _DAY_MS)
    _forget(runtime, "old first answers", lambda tx: first_answers.forget(tx, before=now - first_answers.KEPT_MS))
    _forget(runtime, "marks of old webhooks", lambda tx: webhooks.forget(tx, before=now - webhooks.KEPT_MS))
    _forget(
        runtime,
        "marks of old HR events, and those that were of no use",
        lambda tx: hr_events.forget(
            tx, before=now - hr_events.KEPT_MS, refused_before=now - runtime.settings.evidence_days * _DAY_MS
        ),
    )
    since = runtime.requests_thinned_at - WRITTEN_WITHIN_MS
    if _forget(
        runtime,
        "requests that came in long ago, and those of which there are too many",
        lambda tx: inbound.forget(tx, before=now - inbound.KEPT_MS, since=since),
    ):
        runtime.requests_thinned_at = now
    _forget(runtime, "operations of old replays", lambda tx: plans.forget(tx, before=now - plans.KEPT_MS))
    _forget(runtime, "old notices", lambda tx: notices.forget(tx, before=now - notifying.KEPT_MS))
    notifying.tidy(runtime, now)
    retention.truncate_wal(runtime.store, over_bytes=WAL_BYTES)
    return now + EVERY_MS


def _forget(runtime: Runtime, what: str, some: Callable[[Transaction], bool]) -> bool:
    """Remove what is old, some of it in each transaction, until there is no more; False when some may be left."""
    for _ in range(ROUNDS):
        with runtime.store.across_tenants(f"housekeeping: {what}", write=True) as tx:
            if not some(tx):
                return True
    return False


def _slots_kept_ms(settings: Settings) -> Millis:
    windows_s = [limit.per_s for tenant in settings.tenants for target in tenant.targets for limit in target.limits]
    windows_s += [
        source.fetch.per_s for tenant in settings.tenants for source in tenant.sources if source.fetch is not None
    ]
    return max(SLOT_MS, round(max(windows_s, default=0) * 1000) + HOUR_MS)
