"""Sends notices to those whom the configuration names, each by a thread of its own: a slow one holds up nobody."""

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from scim_bridge import metrics
from scim_bridge.domain import notices as words
from scim_bridge.domain import signing
from scim_bridge.domain.instants import Millis
from scim_bridge.settings.notices import NoticeSettings
from scim_bridge.store import notices
from scim_bridge.store.engine import StoreUnavailable
from scim_bridge.store.notices import Posting
from workers.policy import patience, retries
from workers.runtime import Runtime
from workers.targets.port import CallFailed

if TYPE_CHECKING:
    from workers.http import HttpClient

EVERY_MS = 500

DEADLINE_S = 10.0
"""In all, for a receiver to answer."""

LEASE_MS = 20_000
"""Longer than a call and its settling take: then nobody else sends the same notice meanwhile."""

TRY_FOR_MS = 86_400_000

STRAY_MS = 3_600_000
"""So long a notice waits whose receiver this relay does not know: another relay's configuration may be newer."""

KEPT_MS = 60 * 86_400_000
"""Longer than the longest time before a token's end at which it is told: nothing is told twice."""

MOST_BYTES = 1024 * 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """Why a receiver did not take a notice, and how long it asked us to wait."""

    reason: str
    asked_s: float | None = None


def run_once(runtime: Runtime, now: Millis) -> Millis:
    """Share out what is owed, let it be sent, and return when to come again. Never waits for a receiver."""
    with runtime.store.across_tenants("relay: notices that are owed") as tx:
        is_owed, waiting = notices.has_due(tx), notices.destinations_due(tx)
    if is_owed:
        with runtime.store.across_tenants("relay: sharing out notices", write=True) as tx:
            notices.share_out(tx, [_wish(receiver) for receiver in runtime.settings.notices])
            waiting = notices.destinations_due(tx)
    for receiver in runtime.settings.notices:
        messenger = runtime.messengers.get(receiver.name)
        if receiver.name in waiting and (messenger is None or not messenger.is_alive()):
            # A daemon: what a process that ends leaves unsent, another sends when the lease is over.
            messenger = threading.Thread(
                target=_send_all, args=(runtime, receiver), name=f"notices-{receiver.name}", daemon=True
            )
            runtime.messengers[receiver.name] = messenger
            messenger.start()
    return now + EVERY_MS


def finish(runtime: Runtime, *, patience_s: float) -> None:
    """Wait for calls that are out, as long as that at the most for each receiver."""
    for messenger in runtime.messengers.values():
        messenger.join(patience_s)


def tidy(runtime: Runtime, now: Millis) -> None:
    """Give up what no configured receiver will ever get."""
    known = [receiver.name for receiver in runtime.settings.notices]
    with runtime.store.across_tenants("relay: notices whose receiver is gone", write=True) as tx:
        strays = notices.give_up_strays(tx, known=known, before=now - STRAY_MS)
    for name, count in strays.items():
        log.error("notices_given_up", receiver=name, notices=count, reason="the configuration no longer names it")


def _wish(receiver: NoticeSettings) -> notices.Wish:
    return notices.Wish(destination=receiver.name, kinds=receiver.kinds, tenants=receiver.tenants)


def _send_all(runtime: Runtime, receiver: NoticeSettings) -> None:
    """Send one receiver everything that is due, one after the other."""
    client = None
    try:
        from workers.http import HttpClient  # noqa: PLC0415 - slow to read, and most relays have nobody to tell

        client = HttpClient((receiver.url,), headers={"Content-Type": "application/json"}, max_body_bytes=MOST_BYTES)
        while not runtime.stopping.is_set():
            with runtime.store.across_tenants("relay: the next notice of a receiver", write=True) as tx:
                posting = notices.claim(tx, receiver.name, lease_ms=LEASE_MS)
            if posting is None:
                return
            _settle(runtime, receiver, posting, _send(runtime, receiver, client, posting))
    except StoreUnavailable as error:
        # What was claimed comes again when the lease is over.
        log.warning("notices_put_off", receiver=receiver.name, reason=str(error))
    except Exception:
        # This is the thread's outermost place; the duty starts another one.
        log.exception("notices_failed", receiver=receiver.name)
    finally:
        if client is not None:
            client.close()


def _send(runtime: Runtime, receiver: NoticeSettings, client: "HttpClient", posting: Posting) -> _Refusal | None:
    """Make the call; return why the notice was not taken, None when it was."""
    secret = "" if receiver.secret is None else receiver.secret.get_secret_value()
    body = json.dumps(words.document(posting.notice, link=receiver.link)).encode()
    now = runtime.clock()
    signed = signing.headers(signing.key_of(secret), message_id=posting.notice.id, timestamp_s=now // 1000, body=body)
    try:
        answer = client.send("POST", receiver.url, deadline_s=DEADLINE_S, body=body, headers=signed)
    except CallFailed as error:
        return _Refusal(reason=f"{type(error).__name__}: {error}")
    if 200 <= answer.status < 300:
        return None
    return _Refusal(reason=f"HTTP {answer.status}", asked_s=patience.seconds_asked(answer.headers, now=now))


def _settle(runtime: Runtime, receiver: NoticeSettings, posting: Posting, refusal: _Refusal | None) -> None:
    now = runtime.clock()
    due_at = None if refusal is None else _next_try(posting, refusal, now=now, jitter=runtime.random.random())
    with runtime.store.across_tenants("relay: what became of a notice", write=True) as tx:
        if refusal is None:
            notices.note_sent(tx, posting)
        else:
            notices.put_off(tx, posting, due_at=due_at, failure=refusal.reason)
    outcome = "sent" if refusal is None else "given_up" if due_at is None else "failed"
    metrics.NOTICES.labels(receiver=receiver.name, kind=posting.notice.kind.value, outcome=outcome).inc()
    if refusal is not None:
        tell = log.error if due_at is None else log.warning
        tell(
            "notice_given_up" if due_at is None else "notice_not_taken",
            receiver=receiver.name,
            tenant=posting.notice.tenant,
            target=posting.notice.target,
            kind=posting.notice.kind.value,
            notice=posting.notice.id,
            attempts=posting.attempts,
            reason=refusal.reason,
        )


def _next_try(posting: Posting, refusal: _Refusal, *, now: Millis, jitter: float) -> Millis | None:
    """Return when a notice is tried again, the last time a day after it was owed; None: never."""
    ends_at = posting.since + TRY_FOR_MS
    if now >= ends_at:
        return None
    asked_ms = round((refusal.asked_s or 0) * 1000)
    return min(now + max(retries.notice_wait_ms(posting.attempts, jitter=jitter), asked_ms), ends_at)
