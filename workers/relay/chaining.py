"""Gives the entries of the audit their places in its chain, logs the chain's head, and lets go what is old of it."""

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.store import audit_chain
from scim_bridge.store.engine import StoreUnavailable
from workers.runtime import Runtime

EVERY_MS = 5_000

LOGGED_EVERY_MS = 3_600_000

ROUNDS = 20
"""So many transactions at a time; the relay has other duties."""

_DAY_MS = 86_400_000

_log = structlog.get_logger(__name__)


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Give what was appended its place, and return when to come again.

    Once an hour the head is logged, by one of all relays, and what is older than retention is cut off.
    """
    has_more = _give_places(runtime)
    if _log_head(runtime, every_ms=LOGGED_EVERY_MS):
        _let_go(runtime, before=now - runtime.settings.retention_days * _DAY_MS)
    return now if has_more else now + EVERY_MS


def finish(runtime: Runtime) -> None:
    """Do the same for the last time, and log the head whenever that was done before."""
    try:
        _give_places(runtime)
        _log_head(runtime, every_ms=0)
    except StoreUnavailable as error:
        _log.warning("audit_head_not_logged", reason=str(error))


def _let_go(runtime: Runtime, *, before: Millis) -> None:
    """Cut off what is older of the chain, and log where it begins from then on."""
    for _ in range(ROUNDS):
        with runtime.store.across_tenants("relay: old entries of the audit", write=True) as tx:
            cut = audit_chain.cut(tx, before=before)
        if cut is None:
            return
        if not cut.is_sound:
            _log.error("audit_not_cut", number=cut.at.number, link=cut.at.link)
            return
        _log.info("audit_cut", number=cut.at.number, link=cut.at.link, entries=cut.entries)
        if not cut.may_be_more:
            return


def _give_places(runtime: Runtime) -> bool:
    """Tell whether there may be more."""
    for _ in range(ROUNDS):
        # Mostly there is nothing, and whoever writes must not be kept waiting for that.
        with runtime.store.across_tenants("relay: has the audit entries without a place") as tx:
            if not audit_chain.is_waiting(tx):
                return False
        with runtime.store.across_tenants("relay: places in the audit's chain", write=True) as tx:
            if audit_chain.give_places(tx) < audit_chain.AT_A_TIME:
                return False
    return True


def _log_head(runtime: Runtime, *, every_ms: Millis) -> bool:
    """Tell whether it was time, and there was a head to log."""
    with runtime.store.across_tenants("relay: when was the audit's head logged") as tx:
        here = audit_chain.ends(tx)
        if here is None or here.head.number == 0 or tx.now - here.logged_at < every_ms:
            return False
    with runtime.store.across_tenants("relay: the audit's head is logged", write=True) as tx:
        head = audit_chain.log_due(tx, every_ms=every_ms)
    if head is not None:
        _log.info("audit_head", number=head.number, link=head.link)
    return head is not None
