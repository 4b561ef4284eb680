"""What HR systems say: a row as it came through the door, and the person whom it describes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim_bridge.domain.instants import Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a source said of one person at one moment: of a file one line, of a webhook one event.

    `fields` holds only what the mapping reads, under the source's own names; nothing is interpreted yet.
    """

    external_id: str = field(repr=False)
    """The source's id of the person; empty where the row has none."""
    fields: Mapping[str, Any] = field(repr=False)
    position: int
    """Which one it is in its file or request, from 1."""
    is_whole: bool = True
    """Whether a field that is not named is empty; else it stays as it was."""
    is_gone: bool = False
    """Whether the source says that it holds the person no more."""
    needs_fetch: bool = False
    """Whether it says only that something changed, and not what."""
    said_at: Millis | None = None
    """When the source says that it said so; None where it tells no time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a row describes, in the words of SCIM."""

    external_id: str = field(repr=False)
    document: Mapping[str, Any] = field(repr=False)
    """The attributes of a SCIM User that the row states (None: it states that there is none); without `active`,
    manager, id and meta."""
    active: bool | None = None
    """Whether they work there, dates aside; None: the row does not say."""
    starts_at: Millis | None = None
    """Not active before: midnight of the first day in the source's time zone."""
    ends_at: Millis | None = None
    """Not active from then on: the midnight that ends the last day in the source's time zone."""
    says_start: bool = True
    """Whether the row says when they start; then None means that no day is known."""
    says_end: bool = True
    """Whether it says when they end; then None means that no end is known, and one that was known is cancelled."""
    manager_id: str | None = field(default=None, repr=False)
    """The source's id of the manager; empty: there is none; None: the row does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a row describes nobody: a code of the catalogue, the field at fault and what to do. No values."""

    code: str
    field: str
    advice: str
