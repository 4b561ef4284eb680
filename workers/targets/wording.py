"""What a target's sentence about a user means, and the sentence without the user in it."""

import re
from collections.abc import Iterable
from functools import cached_property

from scim_bridge.domain.people import Record

LONGEST = 300
"""Characters of a target's text that are kept."""

_ADDRESS = re.compile(r"[^\s\"'<>(),;:]+@[^\s\"'<>(),;:]+")
_DUPLICATE = re.compile(
    r"already (exist|in use|taken|been taken|registered|provisioned|used|assigned|present|has|have|a user)"
    r"|exists\b|duplicate|\b(is|been) taken\b|\bin use\b|not unique|must be unique|uniqueness|user_exists",
    re.IGNORECASE,
)
_SEATS = re.compile(r"\bseats?\b|\blicen[cs]es?\b|no_seats|user limit", re.IGNORECASE)
_TOO_LONG = re.compile(r"too long|longer than|exceeds? the maximum|max(imum)? length|at most \d+ char", re.IGNORECASE)
_MISSING = re.compile(
    r"\brequired\b|\bmissing\b|\blacks\b|must not be (empty|blank)|cannot be (empty|blank)", re.IGNORECASE
)
_INVALID = re.compile(
    r"invalid|not (a )?valid|no valid|malformed|must be|not an allowed|not allowed|breaks the rule", re.IGNORECASE
)


def is_duplicate(text: str) -> bool:
    """Tell whether a text says that such an account is there already; targets have many words for it."""
    return _DUPLICATE.search(text) is not None


def code_of(text: str) -> str:
    """Return the code of the catalogue that fits a refusal's text best."""
    if _SEATS.search(text):
        return "no_seats"
    if _TOO_LONG.search(text):
        return "too_long"
    if _MISSING.search(text):
        return "missing_field"
    return "invalid_value" if _INVALID.search(text) else "refused"


class Redaction:
    """Takes the people of one call out of the target's sentences."""

    def __init__(self, records: Iterable[Record | None]) -> None:
        self._records = tuple(record for record in records if record is not None)

    def apply(self, text: str) -> str:
        """Return a text on one line, shortened, with every address and every value of the records replaced."""
        line = _ADDRESS.sub("<address>", " ".join(text.split())[: LONGEST * 4])
        return (self._values.sub("<value>", line) if self._values else line)[:LONGEST]

    @cached_property
    def _values(self) -> re.Pattern[str] | None:
        found = {text for record in self._records for text in _texts(list(record.attributes.values())) if len(text) > 1}
        longest_first = sorted(found, key=len, reverse=True)
        # Whole words only: the name "An" must not eat the middle of every other word.
        pattern = "|".join(re.escape(value) for value in longest_first)
        return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE) if pattern else None


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
