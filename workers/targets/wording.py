"""What a target's sentence about a user means, and the sentence without the user in it."""

import re
from collections.abc import Iterable

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


def values_of(records: Iterable[Record | None]) -> frozenset[str]:
    """Return every text in the attributes of some records: what must not be repeated in a kept sentence."""
    return frozenset(
        text
        for record in records
        if record is not None
        for text in _texts(list(record.attributes.values()))
        if len(text) > 1
    )


def without_people(text: str, values: Iterable[str] = ()) -> str:
    """Return a target's text on one line, shortened, with addresses and the given personal values replaced."""
    line = _ADDRESS.sub("<address>", " ".join(text.split())[: LONGEST * 4])
    ordered = sorted(values, key=len, reverse=True)
    if ordered:
        # Whole words only: the name "An" must not eat the middle of every other word.
        pattern = "|".join(re.escape(value) for value in ordered)
        line = re.sub(rf"(?<!\w)(?:{pattern})(?!\w)", "<value>", line, flags=re.IGNORECASE)
    return line[:LONGEST]


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
