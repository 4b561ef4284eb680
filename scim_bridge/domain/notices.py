"""Notices: what somebody is told at once, in words. Counts, codes and ids only, never personal data."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from scim_bridge.domain.catalogue import CATALOGUE
from scim_bridge.domain.instants import Millis, to_iso

MINUTE_MS, HOUR_MS = 60_000, 3_600_000


class Kind(StrEnum):
    """What a notice is about."""

    HOLD = "hold"
    HOLD_EXPIRED = "hold_expired"
    QUARANTINE = "quarantine"
    BREAKER = "breaker"
    DEAD = "dead"
    TOKEN_EXPIRY = "token_expiry"  # noqa: S105 - a kind, no password
    FETCH_REFUSED = "fetch_refused"


_QUIET_MS = {
    Kind.HOLD: MINUTE_MS,
    Kind.HOLD_EXPIRED: MINUTE_MS,
    Kind.QUARANTINE: 10 * MINUTE_MS,
    Kind.BREAKER: 10 * MINUTE_MS,
    Kind.DEAD: HOUR_MS,
    Kind.FETCH_REFUSED: HOUR_MS,
}


def quiet_ms(kind: Kind, code: str) -> Millis:
    """Return how long after a notice the next one of its kind, lane and code waits; it counts what came meanwhile."""
    # Somebody whose account is protected is held again with each change of theirs: the same news, day in, day out.
    return HOUR_MS if kind is Kind.HOLD and code in TAKEOVERS else _QUIET_MS.get(kind, 0)


TAKEOVERS = frozenset({"protected", "conflict_held"})
"""Codes of operations that wait because the account was there before us; all other holds are the guard's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One thing to tell. `target` is empty where it is about none; `count` says of how many things."""

    id: str
    kind: Kind
    tenant: str
    target: str
    code: str
    """What else tells it from others of its kind: an outcome's code, a token's id and the days that it has left, or a
    source of HR events."""
    count: int
    at: Millis
    """When the first of them happened."""


def document(notice: Notice, *, link: str | None = None) -> dict[str, Any]:
    """Return a notice as receivers get it. `link` may hold {tenant}, {target} and {kind}."""
    what, advice = _told(notice)
    named = {"tenant": notice.tenant, "target": notice.target, "kind": notice.kind.value}
    return {
        "id": notice.id,
        "kind": notice.kind.value,
        "tenant": notice.tenant,
        "target": notice.target or None,
        "at": to_iso(notice.at),
        "count": notice.count,
        "what": what,
        "advice": advice,
        "link": None if link is None else link.format(**named),
    }


def expiry_code(token_id: str, days_left: int) -> str:
    """Return the code of the notice that a token is good for so many days more."""
    return f"{token_id}:{days_left}"


def _told(notice: Notice) -> tuple[str, str]:
    """Return what happened, and what to do about it."""
    lane = f"--tenant {notice.tenant} --target {notice.target}"
    where = f"{notice.tenant}/{notice.target}"
    code, count = notice.code, notice.count
    known = CATALOGUE.get(code)
    token_id, _, days = code.rpartition(":")
    match notice.kind:
        case Kind.HOLD if code in TAKEOVERS:
            what = f"{_people(count, 'has', 'have')} an account in {where} already, and must not just take it ({code})."
            advice = (
                f"See scim-bridge hold list {lane}. hold release --kind takeover: the account becomes theirs and the "
                "directory's values overwrite it; hold reject --kind takeover: it stays as it is."
            )
        case Kind.HOLD:
            what = f"More people leave {where} at once than the guard lets through: {_people(count, 'is', 'are')} held."
            advice = f"See scim-bridge hold list {lane}, then hold release or hold reject. Until then they stay active."
        case Kind.HOLD_EXPIRED:
            what = f"{_people(count, 'has', 'have')} been held in {where} for a week, and nobody has decided."
            advice = f"See scim-bridge hold list {lane}, then hold release or hold reject."
        case Kind.QUARANTINE:
            what = f"{where} refused our credential or company: the lane was stopped."
            advice = (
                f"See scim-bridge lane status {lane}. Mend the credential: it is tried again by itself, and at once by "
                "scim-bridge lane resume. Nothing is lost."
            )
        case Kind.BREAKER:
            what = f"Calls to {where} failed again and again: the lane was stopped, and tries one every few seconds."
            advice = f"See scim-bridge lane status {lane}. It goes on by itself, and nothing is lost."
        case Kind.DEAD:
            what = f"{'1 change' if count == 1 else f'{count} changes'} could not be brought to {where}: {code}."
            advice = f"{known.advice if known else ''} See scim-bridge failed list {lane} --code {code}.".strip()
        case Kind.TOKEN_EXPIRY:
            rotate = f"scim-bridge token rotate --tenant {notice.tenant} {token_id}"
            what = (
                f"The token {token_id} of {notice.tenant} expires within {'a day' if days == '1' else f'{days} days'}."
            )
            advice = f"Make its successor with {rotate}, and give it to whoever sends with it."
        case Kind.FETCH_REFUSED:
            what = f"The HR system of {notice.tenant}/{code} refused our credential: nobody is looked up there."
            advice = (
                f"See scim-bridge hr events --tenant {notice.tenant} --source {code}. Mend the credential of [fetch] "
                "and restart the relay; it is tried again by itself. Nothing is lost."
            )
    return what, advice


def _people(count: int, one: str, many: str) -> str:
    return f"1 person {one}" if count == 1 else f"{count} people {many}"
