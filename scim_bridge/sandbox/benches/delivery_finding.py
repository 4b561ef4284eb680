"""What one part of the delivery bench found: figures, and those that miss their bar."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure. `most` and `least` are its bars, which it may reach; without any it only informs."""

    name: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def fault(self) -> str | None:
        """Return what is wrong with it; None: nothing."""
        if self.most is not None and self.value > self.most:
            return f"{self.name} is {self.shown(self.value)}, the bar is at most {self.shown(self.most)}"
        if self.least is not None and self.value < self.least:
            return f"{self.name} is {self.shown(self.value)}, the bar is at least {self.shown(self.least)}"
        return None

    @property
    def bar(self) -> str:
        """Return the bar as a cell shows it."""
        if self.most is not None:
            return f"<= {self.shown(self.most)}"
        return "" if self.least is None else f">= {self.shown(self.least)}"

    def shown(self, value: float) -> str:
        """Return a value with the unit."""
        figure = f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"
        return f"{figure} {self.unit}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """All that one part found on one database."""

    part: str
    store: str
    users: int
    lines: Sequence[Line]
    faults: Sequence[str] = field(default_factory=list)
    """What went wrong beyond the figures."""

    @property
    def missed(self) -> list[str]:
        """Return a sentence for everything that went wrong, or misses its bar."""
        found = [*self.faults, *(line.fault for line in self.lines if line.fault is not None)]
        return [f"{self.part}, {self.store}: {fault}" for fault in found]

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "part": self.part,
            "store": self.store,
            "users": self.users,
            "figures": {line.name: round(line.value, 4) for line in self.lines},
            "missed": self.missed,
        }

    def rows(self) -> list[list[str]]:
        """Return the lines of a table: part, database, users, figure, value, bar."""
        return [
            [self.part, self.store, f"{self.users:,}", line.name, line.shown(line.value), line.bar]
            for line in self.lines
        ]
