"""How long a target asks us to wait, in whatever form it says so."""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from scim_bridge.domain.instants import Millis, of_datetime

LONGEST_S = 3600.0
"""Nobody is waited for longer than this on their own word; after it the target is simply asked again."""

_EPOCH_FROM = 1_000_000_000
"""A reset of this size is a time of day in Unix seconds, a smaller one a number of seconds."""


def seconds_asked(headers: Mapping[str, str], *, now: Millis) -> float | None:
    """Return the seconds of the longest wait that the headers name, at most an hour; None when they name none.

    Read are Retry-After (seconds or HTTP-date, RFC 9110 section 10.2.3), retry-after-ms, and the resets of
    X-RateLimit-Reset and RateLimit-Reset. Garbage, zero and times gone by count as not named. `headers` must find
    names in any letter case.
    """
    waits = (
        _retry_after_s(headers.get("Retry-After"), now=now),
        _scaled(headers.get("retry-after-ms"), 1000),
        _reset_s(headers.get("X-RateLimit-Reset"), now=now),
        _reset_s(headers.get("RateLimit-Reset"), now=now),
    )
    named = [wait for wait in waits if wait is not None and wait > 0]
    return min(max(named), LONGEST_S) if named else None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _scaled(text: str | None, divisor: int) -> float | None:
    number = _number(text)
    return None if number is None else number / divisor


def _retry_after_s(text: str | None, *, now: Millis) -> float | None:
    if text is None:
        return None
    number = _number(text)
    if number is not None:
        return number
    try:
        moment = parsedate_to_datetime(text)
        # "-0000" gives a naive datetime, which means UTC.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (of_datetime(moment) - now) / 1000
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _reset_s(text: str | None, *, now: Millis) -> float | None:
    number = _number(text)
    if number is None:
        return None
    return number - now / 1000 if number >= _EPOCH_FROM else number
