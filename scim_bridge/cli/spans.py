"""Reads how long something is to last, as operators write it."""

from scim_bridge.domain import spans
from scim_bridge.domain.instants import Millis
from scim_bridge.errors import UsageError


def parse_span(text: str) -> Millis:
    """Return the milliseconds that a text like 30m, 12h or 1d names.

    Raises:
        UsageError: it is none, or nothing, or more than a year.
    """
    try:
        return spans.read_span(text)
    except ValueError as error:
        raise UsageError(str(error)) from None
