"""Which texts can be kept, which can be read by people, and how they come into a spreadsheet as texts."""

import re

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet would reckon with instead of showing it (OWASP, CSV injection)."""

_UNREADABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that turn the direction of writing (UAX #9)."""


def is_storable(text: str) -> bool:
    """Tell whether a database text can hold this: PostgreSQL takes no NUL, UTF-8 no half of a surrogate pair."""
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_readable(text: str) -> bool:
    """Tell whether a text is of lines that a person can read: nothing steers a terminal or turns the rest around."""
    return is_storable(text) and _UNREADABLE.search(text) is None


def as_cell(text: str) -> str:
    """Return a text as a cell of a spreadsheet: what looks like a formula gets an apostrophe in front."""
    return f"'{text}" if text.startswith(_FORMULA) else text
