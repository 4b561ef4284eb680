"""What a simulated target holds before anybody calls, and whom it refuses: data, the same for every kind."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedUser:
    """A user to put into a simulator past its own rules and limits."""

    first_name: str
    last_name: str
    email: str | None = None
    user_name: str | None = None
    active: bool = True
    groups: tuple[str, ...] = ()
    """Names; a group that is missing is made."""
    is_protected: bool = False
    """The owner or an administrator of the target."""
    is_hidden: bool = False
    """Takes up its userName and email but is found by nothing: provisioned by another IdP, or softly deleted."""

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Read a seed from JSON members named as the fields; raises ValueError for unknown or missing ones."""
        unknown = set(members) - {each.name for each in fields(cls)}
        if unknown:
            raise ValueError(f"a seed user has no {', '.join(sorted(unknown))}")
        if not members.get("email") and not members.get("user_name"):
            raise ValueError("a seed user needs an email or a user_name")
        try:
            return cls(**{**members, "groups": tuple(members.get("groups", ()))})
        except TypeError as exc:
            raise ValueError(f"a seed user lacks a member: {exc}") from exc


class Refusals:
    """Users whom the target refuses by itself, by email or userName, and the text that it gives."""

    def __init__(self, texts: Mapping[str, str] | None = None) -> None:
        self._lock = threading.Lock()
        self._texts: dict[str, str] = {}
        self.add(texts or {})

    def add(self, texts: Mapping[str, str]) -> None:
        """Refuse these users from now on."""
        with self._lock:
            self._texts.update({who.casefold(): text for who, text in texts.items()})

    def clear(self) -> None:
        """Refuse nobody any more."""
        with self._lock:
            self._texts.clear()

    def of(self, names: Iterable[str | None]) -> str | None:
        """Return the text for a user known by any of these names; None when welcome."""
        with self._lock:
            found = (self._texts.get(name.casefold()) for name in names if name)
            return next((text for text in found if text is not None), None)
