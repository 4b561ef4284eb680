"""Wakes workers for operators' errands from the store alone, asks what is due on a schedule, forgets the old."""

from scim_bridge.domain.instants import Millis
from scim_bridge.settings.models import TargetSettings
from scim_bridge.store import errands
from scim_bridge.store.engine import Transaction
from workers.runtime import Runtime

EVERY_MS = 1_000

SCHEDULE_EVERY_MS = 60_000
"""So often it is looked which targets are to be compared; and what is old is forgotten."""

SCHEDULE = "schedule"
"""Who asks, as errands name them."""

ROUNDS = 10
"""Slices of old errands that are removed each time round; the rest can wait."""

_DAY_MS = 86_400_000


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Wake workers for the errands that nobody works on, and return when to come again."""
    if runtime.schedule_seen_at is None or runtime.schedule_seen_at <= now - SCHEDULE_EVERY_MS:
        _ask_what_is_due(runtime, now)
        with runtime.store.across_tenants("relay: errands to targets that are gone", write=True) as tx:
            errands.end_unreachable(tx)
        _forget(runtime, before=now - runtime.settings.evidence_days * _DAY_MS)
        runtime.schedule_seen_at = now
    with runtime.store.across_tenants("relay: errands that nobody works on") as tx:
        waiting = errands.waiting(tx)
    for tenant, number in waiting:
        runtime.dispatcher.wake_errand(tenant, number)
    return now + EVERY_MS


def _ask_what_is_due(runtime: Runtime, now: Millis) -> None:
    """Ask for the comparison of each target whose `reconcile_every` is over, whoever asked last. It repairs nothing."""
    scheduled = [
        (tenant.id, target, every_ms)
        for tenant in runtime.settings.tenants
        for target in tenant.targets
        if (every_ms := target.reconcile_every_ms) is not None
    ]
    if not scheduled:
        return
    with runtime.store.across_tenants("relay: when targets were last compared") as tx:
        last = errands.last_asked(tx, errands.RECONCILE)
    for tenant_id, target, every_ms in scheduled:
        if last.get((tenant_id, target.name), 0) <= now - every_ms:
            with runtime.store.begin(tenant_id) as tx:
                ask_once(tx, target, after=now - every_ms)


def ask_once(tx: Transaction, target: TargetSettings, *, after: Millis) -> None:
    """Ask for a comparison, unless another relay has done so after an instant: it may have been carried out since."""
    if errands.was_asked(tx, target=target.name, kind=errands.RECONCILE, after=after):
        return
    asked = {"repair": False, "max_calls": None}
    errands.ask(tx, target=target.name, kind=errands.RECONCILE, who=SCHEDULE, asked=asked)


def _forget(runtime: Runtime, *, before: Millis) -> None:
    for _ in range(ROUNDS):
        with runtime.store.across_tenants("relay: old errands, a slice each time", write=True) as tx:
            if not errands.forget(tx, before=before):
                return
