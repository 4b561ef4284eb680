"""What must be true in the end, beside what always must: nothing open, all in place, the books in order."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scim_bridge.sandbox.stories.bounds import Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that a scenario shows, in words with figures, and whether it was so."""

    text: str
    holds: bool
    figures: Mapping[str, float] = field(default_factory=dict)
    """The figures of the text, for machines."""


@dataclass(slots=True, kw_only=True)
class Expected:
    """What a script says of the end while it plays."""

    exceptions: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """Target and userName of who rightly ends otherwise, and the code with which they are dead or held; with None they
    are neither, and the account is left as it is."""
    claims: list[Claim] = field(default_factory=list)
    fewest: Mapping[str, Bound] = field(default_factory=dict)
    """The fewest calls, by target, where they can be told beforehand."""
