"""The one question before something is changed: how many it is about, and what will happen."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked; the template ask.html shows it, and sends the answer to the address it was asked at."""

    title: str
    says: tuple[str, ...]
    """What will happen, a paragraph each."""
    does: str
    """The words on the button."""
    back: str
    """Where one goes who does not want it, below /console."""
    fields: Mapping[str, str | int | None] = field(default_factory=dict)
    """What is sent along, so that the answer is about the same; None is left out."""
    asks_reason: bool = False
    needs_reason: bool = False
    is_grave: bool = False
    """Whether something is taken from people, or cannot be taken back."""


def counted(number: int, one: str, more: str) -> str:
    """Return a number with its noun: 1 person, 1,200 people."""
    return f"{number:,} {one if number == 1 else more}"


def people(number: int) -> str:
    """Return so many people in words."""
    return counted(number, "person", "people")
