"""Charts as the templates draw them: whole numbers for SVG's attributes, and the same in words for who sees none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 600, 80
"""Of a chart's own system of coordinates; the sheet stretches it to the room there is."""

LEAST_HEIGHT = 2
"""So high is the bar of a single call at least, however many are allowed."""

HEADROOM = 1.15
"""So much higher than the limit a chart is, so that the limit's line is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar, as SVG's rect wants it."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The calls of a lane's last minutes."""

    title: str
    says: str
    """What the chart shows, in words."""
    bars: Sequence[Bar]
    limit_y: float | None
    """Where the line of the limit is, None without a limit."""


def chart_of(calls: Mapping[str, Any]) -> Chart:
    """Return the chart of what `operators.calls` tells of a lane."""
    values, limit = calls["bars"], calls["limit"]
    highest = max([*values, limit or 0, 1]) * HEADROOM
    step = WIDTH / len(values)
    return Chart(
        title=_title(calls),
        says=_says(calls),
        bars=[
            _bar(place * step, step, max(LEAST_HEIGHT, HEIGHT * value / highest))
            for place, value in enumerate(values)
            if value
        ],
        limit_y=None if limit is None else round(HEIGHT * (1 - limit / highest), 2),
    )


def _bar(x: float, step: float, height: float) -> Bar:
    # A gap of a fifth keeps bars apart.
    return Bar(x=round(x, 2), y=round(HEIGHT - height, 2), width=round(step * 0.8, 2), height=round(height, 2))


def _title(calls: Mapping[str, Any]) -> str:
    kind = f" of the class {calls['class']}" if calls["class"] else ""
    return f"Calls{kind} in any {calls['width_s']:g} s, over the last {calls['span_s'] // 60} minutes"


def _says(calls: Mapping[str, Any]) -> str:
    values, limit = calls["bars"], calls["limit"]
    if not any(values):
        return "No calls."
    of_limit = "" if limit is None else f" of {limit:,}"
    return f"Now {values[-1]:,}{of_limit}, at most {max(values):,}{of_limit}."
