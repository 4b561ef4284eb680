"""Time as the store and the rules know it: whole milliseconds since 1970, UTC."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias

Millis: TypeAlias = int
"""An instant: milliseconds since 1970-01-01T00:00:00Z. Integers compare and seal alike on every database."""

Clock: TypeAlias = Callable[[], Millis]
"""What tells the time; passed in, so that tests own it."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - every answer shows hundreds of instants; a zone doubles what each costs


def to_datetime(instant: Millis) -> datetime:
    """Return the instant as an aware datetime in UTC."""
    return datetime.fromtimestamp(instant / 1000, tz=UTC)


@lru_cache(maxsize=4096)
def to_iso(instant: Millis) -> str:
    """Return the instant in the form of RFC 3339, with milliseconds and a Z."""
    # Kept for a while: everybody whom a sender brought in one go shares them.
    second, within = divmod(instant, 1000)
    return f"{_second(second)}.{within:03d}Z"


@lru_cache(maxsize=4096)
def _second(number: int) -> str:
    return (_EPOCH + timedelta(seconds=number)).isoformat(timespec="seconds")


def of_datetime(moment: datetime) -> Millis:
    """Return an aware datetime as milliseconds."""
    return round(moment.timestamp() * 1000)
