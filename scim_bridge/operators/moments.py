"""Reads instants as operators write them: a span back from now, or a date."""

import re
from datetime import UTC, datetime

from scim_bridge.domain.instants import Millis, of_datetime
from scim_bridge.errors import UsageError

EARLIEST: Millis = 0
BEYOND: Millis = of_datetime(datetime(9999, 1, 1, tzinfo=UTC))
"""Times are from 1970 to 9998: in any zone they are still times."""

_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_moment(text: str, now: Millis) -> Millis:
    """Return the instant that a text like 30m, 12h, 7d (before now), 2026-01-31 or 2026-01-31T08:00Z names.

    A date without a zone is UTC.

    Raises:
        UsageError: it is none of these, or not from 1970 to 9998.
    """
    moment = _read(text, now)
    if not EARLIEST <= moment < BEYOND:
        raise UsageError(f"{text} is no time from 1970 to 9998")
    return moment


def _read(text: str, now: Millis) -> Millis:
    span = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    if span is not None:
        return now - int(span[1]) * _UNIT_MS[span[2]]
    try:
        if not text.isascii():
            raise ValueError  # noqa: TRY301 - digits of other scripts are read on some builds only
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text} is no time; give a span back from now (30m, 12h, 7d) or a date") from None
    return of_datetime(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
