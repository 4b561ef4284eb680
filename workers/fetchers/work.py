"""Looks people up: takes those who are due, asks for them by one call, and records what is told as events are."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from scim_bridge import metrics
from scim_bridge.domain.catalogue import code_named
from scim_bridge.domain.instants import Millis
from scim_bridge.domain.notices import Kind
from scim_bridge.domain.rows import Row
from scim_bridge.recording import hr_events as recording
from scim_bridge.recording.hr_events import Event, Fate
from scim_bridge.recording.origins import Origin
from scim_bridge.store import directory, directory_users, hr_fetches, notices, quota
from scim_bridge.store.engine import StoreUnavailable, Transaction
from scim_bridge.store.hr_events import STOPPING, Kept
from workers.fetchers.asker import Asker
from workers.fetchers.port import Fields
from workers.policy import retries
from workers.runtime import Runtime
from workers.targets.port import BridgeFault, CallFailed, CredentialRefused, RateLimited

DEADLINE_S = 20.0
"""In all, for an HR system to answer."""

LEASE_MS = 60_000
"""Longer than a call and its settling take: then nobody else asks for the same people meanwhile."""

REFUSED_MS = 300_000
"""So long after a credential was refused nobody is looked up; then one call tries whether it is taken again."""

LONGEST_REST_MS = 60_000
"""After calls that failed, the next one is made within this time, with other people if there are any."""

GLANCE_MS = 5_000
"""Who is stopped looks this often whether somebody let it go on."""

FIRST_MISSING_MS, LONGEST_MISSING_MS = 30_000, 86_400_000
"""When somebody whom the HR system did not show is asked for again: soon, for they may just have been made; then later
each time."""

MARGIN_MS = 60

NAMES_TAKEN = 3
"""So often recording is begun anew when somebody else takes a name at the same moment."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Errand:
    """People who are asked for by one call."""

    people: Sequence[Kept]
    held_until: Millis
    asked_at: Millis
    slot: int


def ask_once(runtime: Runtime, asker: Asker) -> bool:
    """Make one call for those who are due; return whether another one may follow at once."""
    errand = _take(runtime, asker)
    if errand is None:
        return False
    try:
        found = asker.fetcher.fetch([each.row.external_id for each in errand.people], deadline_s=DEADLINE_S)
        _settle(runtime, asker, errand, found)
    except StoreUnavailable:
        raise
    except CallFailed as error:
        return _put_off(runtime, asker, errand, error)
    except Exception as error:  # noqa: BLE001 - what one person's data does to us must not keep the others waiting
        return _put_off(runtime, asker, errand, BridgeFault(), fault=type(error).__name__)
    asker.failures, asker.answered_at, asker.suspect = 0, runtime.clock(), None
    return True


def _take(runtime: Runtime, asker: Asker) -> _Errand | None:
    """Take who is due, with a slot of the credential's limit; None when nobody is, or none may be asked for now."""
    with runtime.store.begin(asker.tenant) as tx:
        quota.lock(tx, asker.quota)
        stopped_until = quota.stopped_until(tx, asker.quota)
        # What a process was given when it started may be another credential than the one that was refused.
        if asker.has_asked:
            stopped_until = max(stopped_until, hr_fetches.stopped_until(tx, asker.source.name, "fetch_refused"))
        if stopped_until > tx.now:
            asker.rests_until = min(stopped_until, tx.now + GLANCE_MS)
            return None
        windows = (asker.window,)
        room = quota.room(tx, quota=asker.quota, klass=quota.READ, windows=windows, margin_ms=MARGIN_MS)
        if room.next_at > tx.now:
            asker.rests_until = room.next_at
            return None
        line = hr_fetches.next_in_line(tx, asker.source.name, limit=asker.fetcher.at_once)
        if not line:
            return None
        people = line[: _how_many(line[0], at_once=asker.fetcher.at_once)]
        held_until = tx.now + LEASE_MS
        hr_fetches.hold(tx, [each.number for each in people], until=held_until)
        deadline_at = tx.now + round(DEADLINE_S * 1000)
        slot = quota.take(tx, quota=asker.quota, klass=quota.READ, deadline_at=deadline_at)
        asker.has_asked = True
        return _Errand(people=people, held_until=held_until, asked_at=tx.now, slot=slot)


def _how_many(first: Kept, *, at_once: int) -> int:
    """Return how many go into a call: fewer each time it failed, until whoever spoils it stands alone."""
    has_failed = first.refusal is not None and first.refusal.code == "fetch_failed"
    return max(1, at_once >> first.attempts) if has_failed else at_once


def _settle(runtime: Runtime, asker: Asker, errand: _Errand, found: Mapping[str, Fields]) -> None:
    """Record whom we were told of, and let the others wait."""
    for attempt in range(NAMES_TAKEN):
        try:
            with runtime.store.begin(asker.tenant) as tx:
                # Before anybody's event is locked: whoever records for the source has taken its turn first.
                directory_users.take_turns(tx, asker.source.name)
                quota.answered(tx, errand.slot, runtime.clock())
                hr_fetches.lift(tx, asker.source.name, "fetch_refused")
                fates, wakes = _record(tx, asker, errand, found)
                missing = _let_missing_wait(tx, asker, errand, found)
            break
        except directory.NameTaken:
            if attempt == NAMES_TAKEN - 1:
                raise
    for each in errand.people:
        asker.refused_at.pop(each.number, None)
    for target, urgent in wakes.items():
        runtime.dispatcher.wake(asker.tenant, target, urgent=urgent)
    _count(asker, found=len(found), missing=missing)
    for fate in fates:
        metrics.HR_EVENTS.labels(tenant=asker.tenant, source=asker.source.name, outcome=fate.outcome).inc()
    refused = sum(fate.is_refused for fate in fates)
    _log.info(
        "hr_people_fetched",
        tenant=asker.tenant,
        source=asker.source.name,
        asked=len(errand.people),
        found=len(found),
        missing=missing,
        refused=refused,
    )


def _record(
    tx: Transaction, asker: Asker, errand: _Errand, found: Mapping[str, Fields]
) -> tuple[Sequence[Fate], Mapping[str, bool]]:
    """Record whom we were told of and who is still ours; of whom something was said meanwhile, the next look tells."""
    told = [each for each in errand.people if each.row.external_id in found]
    ours = hr_fetches.end(tx, [each.number for each in told], held_until=errand.held_until)
    told = [each for each in told if each.number in ours]
    if not told:
        return [], {}
    events = [
        Event(row=_row(asker, each, found[each.row.external_id], position=place, asked_at=errand.asked_at))
        for place, each in enumerate(told, 1)
    ]
    correlation_id = told[0].correlation_id if len(told) == 1 else "fetch"
    origin = Origin(source=asker.source.name, correlation_id=correlation_id)
    source = recording.as_it_stands(tx, asker.source)
    return recording.record(tx, events, source=source, scopes=asker.scopes, origin=origin)


def _row(asker: Asker, kept: Kept, fields: Fields, *, position: int, asked_at: Millis) -> Row:
    """Return what the HR system told as a row. What it left out stays as it was: perhaps we may not see it.

    It is as old as the source says, and as the event at least; where neither tells a time, as old as the question.
    """
    named = Row(external_id=kept.row.external_id, fields=fields, position=position, is_whole=False)
    row = recording.read(named, asker.source.mapping, now=asked_at)
    times = [at for at in (row.said_at, kept.row.said_at) if at is not None]
    return replace(row, said_at=min(max(times, default=asked_at), asked_at))


def _let_missing_wait(tx: Transaction, asker: Asker, errand: _Errand, found: Mapping[str, Fields]) -> int:
    """Let those wait whom the HR system does not show, and return how many. It is no news of them that it does not.

    Of whom the source has said since that they left, there is nothing more to be learned.
    """
    missing = [each for each in errand.people if each.row.external_id not in found]
    if not missing:
        return 0
    left_at = hr_fetches.left_at(tx, asker.source.name, [each.row.external_id for each in missing])
    over = [each for each in missing if left_at.get(each.row.external_id, -1) >= (each.row.said_at or each.at)]
    hr_fetches.end(tx, [each.number for each in over], held_until=errand.held_until)
    by_attempts: dict[int, list[Kept]] = defaultdict(list)
    for each in missing:
        if each not in over:
            by_attempts[each.attempts].append(each)
    for attempts, people in by_attempts.items():
        wait_ms = min(FIRST_MISSING_MS << min(attempts, 16), LONGEST_MISSING_MS)
        _wait(tx, people, errand, until=tx.now + wait_ms, code="fetch_missing")
    return len(missing) - len(over)


def _put_off(runtime: Runtime, asker: Asker, errand: _Errand, error: CallFailed, *, fault: str = "") -> bool:
    """Let those wait of whom we were told nothing, and everybody else of the source where it is about the source.

    Return whether others may be asked for at once.
    """
    now, jitter = runtime.clock(), runtime.random.random()
    with runtime.store.begin(asker.tenant) as tx:
        others = hr_fetches.is_due(tx, asker.source.name, besides=errand.people[0].number)
        code, wait_ms = _verdict(asker, errand, error, others=others, now=now, jitter=jitter)
        quota.answered(tx, errand.slot, now)
        # It was not about whom it seemed to be about: they wait with the others, and no longer.
        wronged = [asker.suspect] if code == "fetch_refused" and asker.suspect is not None else []
        _wait(tx, [*errand.people, *wronged], errand, until=now + wait_ms, code=code)
        if code == "fetch_throttled":
            # By credential, where nothing that becomes of one person ends what the HR system asked for.
            quota.stop(tx, asker.quota, until=now + wait_ms)
        if code == "fetch_refused":
            notices.owe(tx, Kind.FETCH_REFUSED, target="", code=asker.source.name, count=1)
    if code == "fetch_refused":
        asker.suspect = None
    if code != "fetch_forbidden":
        asker.failures += 1
        rest_ms = min(retries.backoff_ms(asker.failures, jitter=jitter), LONGEST_REST_MS)
        # Whoever is stopped is stopped by what stands in the store, and there somebody may let it go on.
        asker.rests_until = now + (GLANCE_MS if code in STOPPING else rest_ms)
    _count(asker, **{code.removeprefix("fetch_"): len(errand.people)})
    _log.warning(
        "hr_fetch_stopped" if code in STOPPING else "hr_fetch_put_off",
        tenant=asker.tenant,
        source=asker.source.name,
        people=len(errand.people),
        code=code,
        status=error.status,
        kind=fault or type(error).__name__,
        wait_s=wait_ms // 1000,
    )
    return code == "fetch_forbidden"


def _verdict(
    asker: Asker, errand: _Errand, error: CallFailed, *, others: bool, now: Millis, jitter: float
) -> tuple[str, Millis]:
    """Return the code of a call that failed, and how long those wait for whom it was.

    A 403 for one person alone is about that person, or about the credential: the next one tells, if others are due.
    """
    attempts = max(each.attempts for each in errand.people)
    if isinstance(error, RateLimited):
        asked_ms = round((error.retry_after_s or 0) * 1000)
        return "fetch_throttled", max(asked_ms, retries.backoff_ms(asker.failures + 1, jitter=jitter))
    if not isinstance(error, CredentialRefused):
        return "fetch_failed", retries.backoff_ms(attempts + 1, jitter=jitter)
    number, suspect = errand.people[0].number, asker.suspect
    if error.status == 403 and len(errand.people) == 1:
        before = asker.refused_at.setdefault(number, now)
        # Others were shown to us in between: it is about this person, and must not stop everybody.
        is_hidden = asker.answered_at > before
        is_first = others and (suspect is None or suspect.number == number)
        if is_first and not is_hidden:
            asker.suspect = errand.people[0]
        if is_hidden or is_first:
            return "fetch_forbidden", min(REFUSED_MS << min(attempts, 16), LONGEST_MISSING_MS)
    return "fetch_refused", REFUSED_MS


def _wait(tx: Transaction, people: Sequence[Kept], errand: _Errand, *, until: Millis, code: str) -> None:
    advice = code_named(code).advice
    hr_fetches.put_off(tx, people, held_until=errand.held_until, until=until, code=code, advice=advice)


def _count(asker: Asker, **outcomes: int) -> None:
    for outcome, count in outcomes.items():
        if count:
            metrics.HR_FETCHES.labels(tenant=asker.tenant, source=asker.source.name, outcome=outcome).inc(count)
