"""What a check of an installation finds: how it came out, in words, and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a check came out, the worst last."""

    GOOD = "good"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found. `advice` is empty where there is nothing to do."""

    check: str
    grade: Grade
    what: str
    advice: str = ""


def good(check: str, what: str) -> Finding:
    """Return that all is well."""
    return Finding(check=check, grade=Grade.GOOD, what=what)


def warning(check: str, what: str, advice: str) -> Finding:
    """Return what works, and should be seen to."""
    return Finding(check=check, grade=Grade.WARNING, what=what, advice=advice)


def wrong(check: str, what: str, advice: str) -> Finding:
    """Return what does not work, or is not safe."""
    return Finding(check=check, grade=Grade.WRONG, what=what, advice=advice)
