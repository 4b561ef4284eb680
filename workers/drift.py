"""What reconciliation found: who differs, and how it is told."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

MOST_TOLD = 50
"""So many who differ are printed; the others are counted."""


class Drift(StrEnum):
    """How one user's account and directory differ."""

    MISSING = "missing"
    DIFFERING = "differing"
    EXTRA = "extra"
    UNCLEAR = "unclear"
    HELD = "held"
    """It waits for a person's decision, or a person has decided that it stays so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One user who is not as they should be. `parts` names what differs, without values."""

    drift: Drift
    scim_id: str | None
    resource_id: int | None
    account_id: str | None
    parts: tuple[str, ...] = ()
    is_leaver: bool = False
    """Is to be inactive in the target and is not."""


@dataclass(slots=True, kw_only=True)
class Report:
    """What reconciliation found, and what it has owed since."""

    equal: int = 0
    on_their_way: int = 0
    differences: list[Difference] = field(default_factory=list)
    adopted: int = 0
    owed: int = 0

    def counts(self) -> dict[str, int]:
        """Return the report's figures."""
        drifts = Counter(each.drift for each in self.differences)
        return {
            "equal": self.equal,
            "on_their_way": self.on_their_way,
            **{drift.value: drifts[drift] for drift in Drift},
            "adopted": self.adopted,
            "owed": self.owed,
        }

    def to_json(self) -> dict[str, object]:
        """Return the report as `reconcile --json` prints it."""
        return {
            **self.counts(),
            "differences": [
                {"drift": each.drift, "id": each.scim_id, "account_id": each.account_id, "parts": list(each.parts)}
                for each in self.differences
            ],
        }

    def told(self, *, repair: bool) -> str:
        """Return the report as `reconcile` prints it: the figures, and the first of those who differ."""
        figures = self.to_json()
        counts = "on their way {on_their_way}, missing {missing}, differing {differing}, held {held}, extra {extra}"
        lines = [f"equal {self.equal}, {counts.format(**figures)}, unclear {figures['unclear']}"]
        lines += [
            f"  {each.drift:<9} {each.scim_id or '-':<34} {each.account_id or '-':<12} {', '.join(each.parts)}"
            for each in self.differences[:MOST_TOLD]
        ]
        if len(self.differences) > MOST_TOLD:
            lines.append(f"  ... and {len(self.differences) - MOST_TOLD} more (--json lists all)")
        if repair:
            lines.append(f"adopted {self.adopted}, owed {self.owed}: the lane delivers them now")
        elif self.differences:
            lines.append("nothing was changed; --repair owes what is missing or differs")
        return "\n".join(lines) + "\n"
