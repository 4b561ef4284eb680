"""Dates as HR systems write them, read in the time zone of their source."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from scim_bridge.domain.instants import Millis, of_datetime

_NEVER = "0000-00-00"
"""How databases and vendors write that there is no date."""

_ENDLESS = 9999
"""The year that stands for "for good" where an end must be filled in."""

_EARLIEST = 1900
"""The first year that can be somebody's; earlier ones are what a date becomes that was not read rightly."""

_ISO_LENGTH = len("2026-12-31")


class ImpossibleDate(ValueError):  # noqa: N818 - it says what the date is
    """A text that is no date of a calendar, or not of the form that the source's dates have. Holds no value."""


class Dates:
    """Reads the dates of one source: ISO 8601, or its own `date_format` (of strptime)."""

    def __init__(self, timezone: str, date_format: str | None = None) -> None:
        """Take the zone in which days begin."""
        self._zone = zoneinfo.ZoneInfo(timezone)
        self._format = date_format
        # A company has as many dates as days, and several thousand rows for each.
        self._day_of = lru_cache(maxsize=16_384)(self._read)
        self._midnight_of = lru_cache(maxsize=16_384)(self._midnight)

    def beginning_of(self, value: object) -> Millis | None:
        """Return the midnight with which a day begins; None where there is no date.

        Raises:
            ImpossibleDate: when it is none of the calendar's.
        """
        day = self._day(value)
        return None if day is None else self._midnight_of(day)

    def end_of(self, value: object) -> Millis | None:
        """Return the midnight that ends a day; None where there is no date, and where it is for good.

        Raises:
            ImpossibleDate: when it is none of the calendar's.
        """
        day = self._day(value)
        return None if day is None else self._midnight_of(day + timedelta(days=1))

    def instant_of(self, value: object) -> Millis | None:
        """Return when something was said; None where that cannot be read. What has no zone is in the source's."""
        if not isinstance(value, str):
            return None
        try:
            moment = datetime.fromisoformat(value.strip())
            aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=self._zone)
            return of_datetime(aware.astimezone(UTC))
        except (ValueError, OverflowError):
            return None

    def _day(self, value: object) -> date | None:
        if value is None:
            return None
        if not isinstance(value, str):
            raise ImpossibleDate
        return self._day_of(value)

    def _read(self, value: str) -> date | None:
        text = value.strip()
        if not text or text.startswith(_NEVER):
            return None
        day = self._iso(text) or self._own(text)
        if day is not None and day.year == _ENDLESS:
            return None
        if day is None or day.year < _EARLIEST:
            raise ImpossibleDate
        return day

    @staticmethod
    def _iso(text: str) -> date | None:
        # The day as it is written, whatever hour and zone stand behind it: HR systems pad days with both.
        if len(text) > _ISO_LENGTH and text[_ISO_LENGTH] not in "T ":
            return None
        try:
            return date.fromisoformat(text[:_ISO_LENGTH])
        except ValueError:
            return None

    def _own(self, text: str) -> date | None:
        if self._format is None:
            return None
        try:
            return datetime.strptime(text, self._format).date()  # noqa: DTZ007 - a day of the calendar has no zone
        except ValueError:
            return None

    def _midnight(self, day: date) -> Millis:
        return of_datetime(datetime.combine(day, time(), tzinfo=self._zone))


def problem_with_format(date_format: str) -> str | None:
    """Return why a text cannot say how dates are written, None when it can."""
    day = datetime(2026, 12, 31)  # noqa: DTZ001 - as above
    try:
        is_read = datetime.strptime(day.strftime(date_format), date_format) == day  # noqa: DTZ007 - as above
    except ValueError:
        is_read = False
    return None if is_read else "must say day, month and year, like %d.%m.%Y"
