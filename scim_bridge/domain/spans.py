"""Lengths of time as people write them: 30m, 12h, 7d."""

import re

from scim_bridge.domain.instants import Millis

_UNIT_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}

LONGEST_MS = 365 * _UNIT_MS["d"]


def read_span(text: str) -> Millis:
    """Return the milliseconds that a text like 30m, 12h or 1d names.

    Raises:
        ValueError: it is none, or nothing, or more than a year.
    """
    span = re.fullmatch(r"([0-9]{1,6})([mhd])", text)
    length = int(span[1]) * _UNIT_MS[span[2]] if span is not None else 0
    if not 0 < length <= LONGEST_MS:
        raise ValueError(f"{text} is no length of time; give 30m, 12h or 1d, a year at the most")
    return length
