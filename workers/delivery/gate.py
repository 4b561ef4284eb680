"""Whether a lane may call at all just now: pause, quarantine, breaker, the target's own request for patience."""

from dataclasses import dataclass
from http import HTTPStatus

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.notices import Kind
from scim_bridge.store import batches, lanes, notices
from scim_bridge.store.engine import Transaction
from workers.targets import port

log = structlog.get_logger(__name__)

BREAKER_OPENS_AT = 5
"""Whole-call failures in a row that open the breaker."""

BREAKER_OPEN_MS = 10_000
FIRST_BACKOFF_MS = 1_000
"""Doubles with each failure in a row, until the breaker opens."""

FIRST_PATIENCE_S = 2.0
MOST_DOUBLINGS = 5
"""A target that goes on refusing without saying for how long is asked about once a minute."""

QUARANTINE_FIRST_MS = 10_000
QUARANTINE_MOST_MS = 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What stands between the lane and its next call."""

    state: str
    """paused, quarantined, breaker, patience or open."""
    opens_at: Millis | None = None
    """When to look again; None: only a person opens it, or it is open."""
    needs_probe: bool = False
    """One probe decides before anything else is sent."""


def look(lane: lanes.Lane, now: Millis) -> Gate:
    """Return what a lane's row says, by precedence: paused, quarantined, breaker, patience."""
    if lane.paused_at is not None:
        return Gate(state="paused")
    patience = lane.patience_until or 0
    if lane.quarantined_at is not None:
        check_at = max(lane.quarantine_check_at or now, patience)
        return Gate(state="quarantined", opens_at=max(check_at, now), needs_probe=check_at <= now)
    if lane.breaker_until is not None:
        check_at = max(lane.breaker_until, patience)
        return Gate(state="breaker", opens_at=max(check_at, now), needs_probe=check_at <= now)
    if lane.patience_until is not None and lane.patience_until > now:
        return Gate(state="patience", opens_at=lane.patience_until)
    return Gate(state="open")


def note_success(tx: Transaction, lane: lanes.Lane) -> None:
    """Close breaker and quarantine after an answer; writes nothing when there was nothing to close."""
    if lane.failures or lane.breaker_until is not None or lane.quarantined_at is not None:
        lanes.note(
            tx,
            lane.id,
            failures=0,
            breaker_until=None,
            quarantined_at=None,
            quarantine_reason=None,
            quarantine_check_at=None,
        )
        if lane.quarantined_at is not None:
            log.warning("lane_released", tenant=lane.tenant, target=lane.target)


def _patience_s(tx: Transaction, lane: lanes.Lane, failure: port.RateLimited) -> float:
    """Return how long to wait: as the target says; where it says nothing, twice as long for each refusal in a row."""
    if failure.retry_after_s is not None:
        return failure.retry_after_s
    refusals = batches.answered_in_a_row(tx, lane.id, HTTPStatus.TOO_MANY_REQUESTS, most=MOST_DOUBLINGS + 1)
    return FIRST_PATIENCE_S * 2.0 ** max(0, refusals - 1)


def note_failure(tx: Transaction, lane: lanes.Lane, failure: port.CallFailed) -> None:
    """Count a whole call's failure against the lane, never against the people of the call."""
    if isinstance(failure, port.RateLimited):
        wait_s = _patience_s(tx, lane, failure)
        lanes.note(tx, lane.id, patience_until=max(lane.patience_until or 0, tx.now + round(wait_s * 1000)))
    elif isinstance(failure, port.CredentialRefused):
        since = lane.quarantined_at if lane.quarantined_at is not None else tx.now
        # The first look is after ten seconds; each further one after as long again as the quarantine has lasted.
        wait = min(max(tx.now - since, QUARANTINE_FIRST_MS), QUARANTINE_MOST_MS)
        lanes.note(
            tx,
            lane.id,
            quarantined_at=since,
            quarantine_reason=f"{type(failure).__name__} (HTTP {failure.status}): {failure}"[:200],
            quarantine_check_at=tx.now + wait,
        )
        if lane.quarantined_at is None:
            notices.owe(tx, Kind.QUARANTINE, target=lane.target, count=1)
            log.warning("lane_quarantined", tenant=lane.tenant, target=lane.target, http_status=failure.status)
    elif isinstance(failure, (port.Unreachable, port.AnswerLost)):
        failures = lane.failures + 1
        opens = failures >= BREAKER_OPENS_AT
        if opens:
            lanes.note(tx, lane.id, failures=failures, breaker_until=tx.now + BREAKER_OPEN_MS)
            if lane.breaker_until is None:
                notices.owe(tx, Kind.BREAKER, target=lane.target, count=1)
                log.warning("breaker_opened", tenant=lane.tenant, target=lane.target, failures=failures)
        else:
            until = max(lane.patience_until or 0, tx.now + (FIRST_BACKOFF_MS << lane.failures))
            lanes.note(tx, lane.id, failures=failures, patience_until=until)
