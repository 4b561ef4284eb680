"""What one bench found on each database, in columns side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from rich.console import Console

from scim_bridge.sandbox.benches import figures


class Found(Protocol):
    """What was found on one database."""

    @property
    def store(self) -> str:
        """Return the database."""

    @property
    def faults(self) -> Sequence[str]:
        """Return what went wrong, or misses its bar."""

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""


F = TypeVar("F", bound=Found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Generic[F]):
    """What was found on each database."""

    title: str
    plural: str
    """What JSON calls the columns."""
    told: Mapping[str, Any]
    """What was to be measured, for JSON."""
    rows: Mapping[str, Callable[[F], str]] = field(repr=False)
    """By heading, how a column shows a figure."""
    columns: Sequence[F]

    @property
    def missed(self) -> list[str]:
        """Return a sentence for everything that went wrong, or misses its bar."""
        return [f"{column.store}: {fault}" for column in self.columns for fault in column.faults]

    def to_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        return {**self.told, self.plural: [column.to_json() for column in self.columns], "missed": self.missed}

    def show(self, console: Console) -> None:
        """Print one table."""
        rows = [[heading, *map(shown, self.columns)] for heading, shown in self.rows.items()]
        headings = ["", *(column.store for column in self.columns)]
        figures.print_table(self.title, headings, rows, console=console)
