"""What was measured of one kind of request, and how it is shown."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDE = 1_000
"""Columns; more than any table has. One that folds its cells cannot be pasted anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """How long requests of one kind took over HTTP, and the server's processor time for each (None: not known)."""

    requests: int
    p50_ms: float
    p99_ms: float
    cpu_ms: float | None = None
    least_cpu_ms: float | None = None
    """The same in the shortest of several series: what neighbours of a shared machine do to its caches only adds."""

    def shown(self) -> str:
        """Return the times as `p50 / p99`."""
        return f"{self.p50_ms:.1f} / {self.p99_ms:.1f}"

    def shown_cpu(self) -> str:
        """Return the processor time as `mean / least`."""
        return f"{shown_cpu(self.cpu_ms)} / {shown_cpu(self.least_cpu_ms)}"

    def to_json(self) -> dict[str, Any]:
        """Return the figure as JSON has it."""
        return {name: round(value, 3) if isinstance(value, float) else value for name, value in asdict(self).items()}


def figure_of(times_ms: Sequence[float], *, cpu_ms: float | None = None, least_cpu_ms: float | None = None) -> Figure:
    """Return the figure of some requests; `cpu_ms` is of all together, `least_cpu_ms` already of one."""
    return Figure(
        requests=len(times_ms),
        p50_ms=percentile(times_ms, 50),
        p99_ms=percentile(times_ms, 99),
        cpu_ms=None if cpu_ms is None else cpu_ms / len(times_ms),
        least_cpu_ms=least_cpu_ms,
    )


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that so many percent of all do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]], *, console: Console) -> None:
    """Print a table that Markdown understands, so that it can be pasted as it stands."""
    table = Table(box=box.MARKDOWN)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=True)
    for row in rows:
        # Text, for in a plain string brackets are rich's markup.
        table.add_row(*map(Text, row))
    console.print(f"\n{title}", highlight=False, markup=False, soft_wrap=True)
    # A narrow terminal breaks the lines; the library would cut figures off.
    console.width = max(console.width, WIDE)
    console.print(table)


def shown_cpu(cpu_ms: float | None) -> str:
    """Return processor time as a cell shows it."""
    return "-" if cpu_ms is None else f"{cpu_ms:.1f}"


def by_request(measured: Mapping[str, Figure]) -> dict[str, Any]:
    """Return figures by the request's name as JSON has them."""
    return {name: figure.to_json() for name, figure in measured.items()}
