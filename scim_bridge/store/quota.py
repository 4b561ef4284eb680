"""Slots: calls counted against a quota, in the transaction that writes the batch. No tenant is named here."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import tables
from scim_bridge.store.engine import Transaction

slot = tables.slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """At most `requests` calls in any `width_ms`; of every class, or of one."""

    requests: int
    width_ms: int
    klass: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a quota has to give: when the next call may go, and when the one before went."""

    next_at: Millis
    """The earliest instant of the next call; now or earlier when there is room."""
    free: int
    """How many calls may go at once, at the fullest of the windows."""
    last_sent_at: Millis | None
    kept: int
    """How many of the fullest window's slots are kept for leavers and full calls while others trickle in."""
    width_ms: int
    requests: int


READ = "read"
"""The class of calls that change nothing."""


def room(tx: Transaction, *, quota: str, klass: str, windows: Sequence[Window], margin_ms: int, reads: int = 0) -> Room:
    """Tell when the next call of a class may go, with so many reads beside it; no window is asked for more than it has.

    A call reaches the target somewhere between sent and answered, so a slot is taken until its answer (or, unanswered,
    its total deadline) plus the window plus a small margin.
    """
    tightest: Room | None = None
    for window in windows:
        asked = min(_asked(window, klass=klass, reads=reads), window.requests)
        if not asked:
            continue
        ends = _ends(tx, quota=quota, window=window, margin_ms=margin_ms)
        free = max(0, window.requests - len(ends))
        next_at = tx.now if free >= asked else ends[window.requests - asked]
        candidate = Room(
            next_at=next_at,
            free=free,
            last_sent_at=None,
            kept=min(2, window.requests // 5),
            width_ms=window.width_ms,
            requests=window.requests,
        )
        if tightest is None or (candidate.next_at, -candidate.free) > (tightest.next_at, -tightest.free):
            tightest = candidate
    last = tx.connection.execute(sa.select(sa.func.max(slot.c.sent_at)).where(slot.c.quota == quota)).scalar()
    if tightest is None:
        return Room(next_at=tx.now, free=1_000_000, last_sent_at=last, kept=0, width_ms=0, requests=1_000_000)
    return Room(
        next_at=tightest.next_at,
        free=tightest.free,
        last_sent_at=last,
        kept=tightest.kept,
        width_ms=tightest.width_ms,
        requests=tightest.requests,
    )


def reads_that_fit(windows: Sequence[Window], *, klass: str, reads: int) -> int:
    """Return how many of the reads beside a call of a class every window can hold together with it."""
    return min(
        [
            reads,
            *(max(0, window.requests - _asked(window, klass=klass, reads=0)) for window in windows if _counts(window)),
        ]
    )


def kept(windows: Sequence[Window]) -> int:
    """Return how many slots are left to others by whoever takes one read after another."""
    return min([2, *(window.requests // 5 for window in windows if _counts(window))])


def _asked(window: Window, *, klass: str, reads: int) -> int:
    return int(window.klass in (None, klass)) + (reads if _counts(window) else 0)


def _counts(window: Window) -> bool:
    """Tell whether a window counts reads."""
    return window.klass in (None, READ)


def _ends(tx: Transaction, *, quota: str, window: Window, margin_ms: int) -> list[Millis]:
    """Return when each slot that is still taken gives its place back, latest first."""
    answered = sa.func.coalesce(slot.c.answered_at, slot.c.deadline_at)
    end = (answered + window.width_ms + margin_ms).label("end_at")
    query = sa.select(end).where(slot.c.quota == quota, end > tx.now).order_by(end.desc()).limit(window.requests)
    if window.klass is not None:
        query = query.where(slot.c["class"] == window.klass)
    return [row.end_at for row in tx.connection.execute(query)]


def lock(tx: Transaction, quota: str) -> None:
    """Make those who share a quota take turns until the end of the transaction (SQLite has one writer anyway)."""
    if tx.dialect == "postgresql":
        tx.connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtextextended(quota, 0))))


def take(tx: Transaction, *, quota: str, klass: str, deadline_at: Millis) -> int:
    """Count one call that is about to go out, and return its slot."""
    result = tx.connection.execute(
        sa.insert(slot)
        .values({"quota": quota, "class": klass, "sent_at": tx.now, "deadline_at": deadline_at, "answered_at": None})
        .returning(slot.c.id)
    )
    return int(result.scalar_one())


def stop(tx: Transaction, quota: str, *, until: Millis) -> None:
    """Keep everybody who shares a quota from calling until then: the other side asked for it."""
    take(tx, quota=_stop_of(quota), klass=READ, deadline_at=until)


def stopped_until(tx: Transaction, quota: str) -> Millis:
    """Return until when nobody who shares a quota may call; 0 when no stop is known."""
    query = sa.select(sa.func.max(slot.c.deadline_at)).where(slot.c.quota == _stop_of(quota))
    return tx.connection.execute(query).scalar() or 0


def _stop_of(quota: str) -> str:
    """Return the name under which stops are noted: a stop is no call, and must not count as one."""
    return f"stop:{quota}"


def answered(tx: Transaction, slot_id: int, at: Millis) -> None:
    """Note when a call was answered (or is known to be over)."""
    tx.connection.execute(sa.update(slot).where(slot.c.id == slot_id).values(answered_at=at))


def settle_reads(tx: Transaction, *, used: Sequence[int], unused: Sequence[int], at: Millis | None) -> None:
    """Note when reads beside a call were over (None: nobody knows), and give back the slots that none was made with."""
    if used and at is not None:
        tx.connection.execute(sa.update(slot).where(slot.c.id.in_(list(used))).values(answered_at=at))
    if unused:
        tx.connection.execute(sa.delete(slot).where(slot.c.id.in_(list(unused))))


def forget(tx: Transaction, *, before: Millis) -> int:
    """Remove slots whose deadline lies before an instant that no window reaches back to; returns how many."""
    return int(tx.connection.execute(sa.delete(slot).where(slot.c.deadline_at < before)).rowcount)


def used(tx: Transaction, *, quota: str, since: Millis) -> int:
    """Return how many calls were sent since an instant."""
    query = sa.select(sa.func.count()).select_from(slot).where(slot.c.quota == quota, slot.c.sent_at >= since)
    return int(tx.connection.execute(query).scalar_one())
