"""Warns of tokens that will expire: thirty days before their end, and again each day."""

import structlog

from scim_bridge.domain import notices as words
from scim_bridge.domain.instants import Millis
from scim_bridge.domain.notices import Kind
from scim_bridge.store import notices, tokens
from workers.runtime import Runtime

EVERY_MS = 60_000

TOLD_AT_DAYS = (1, 3, 7, 14, 30)
"""Days before a token's end from which on a notice of it is owed, each once."""

_DAY_MS = 86_400_000

_log = structlog.get_logger(__name__)


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Warn of the tokens to which another day was lost since the last look, owe notices; return when to come again.

    What a token is warned of are instants (30 days before its end, 29, ...), so a relay that starts again says nothing
    twice.
    """
    since = now - EVERY_MS if runtime.expiries_seen_at is None else runtime.expiries_seen_at
    with runtime.store.across_tenants("relay: which tokens will expire") as tx:
        ending = [each for each in tokens.ending(tx) if now < each.ends_at <= now + tokens.SOON_MS]
    if ending:
        with runtime.store.across_tenants("relay: notices of tokens that will expire", write=True) as tx:
            notices.owe_once(tx, Kind.TOKEN_EXPIRY, [_occasion(each, now) for each in ending])
    for each in ending:
        days_left = days_until(each.ends_at, now)
        if each.ends_at - now <= tokens.SOON_MS and days_left != days_until(each.ends_at, since):
            _log.warning("token_expires_soon", tenant=each.tenant, token_id=each.token_id, days_left=days_left)
    runtime.expiries_seen_at = now
    return now + EVERY_MS


def _occasion(ending: tokens.Ending, now: Millis) -> tuple[str, str, str]:
    days_left = next(days for days in TOLD_AT_DAYS if days_until(ending.ends_at, now) <= days)
    return ending.tenant, words.expiry_code(ending.token_id, days_left), str(ending.ends_at)


def days_until(end: Millis, now: Millis) -> int:
    """Return the days until an instant, a begun one counted whole."""
    return -((now - end) // _DAY_MS)
