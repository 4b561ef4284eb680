"""The calls of the last minutes against what each target allows: how much of its limits a lane uses."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from scim_bridge.domain.instants import Millis
from scim_bridge.settings.models import LimitSettings, Settings, TargetSettings
from scim_bridge.store import call_counts, lanes
from scim_bridge.store.call_counts import Asked, Count
from scim_bridge.store.engine import Store

SPAN_MS = 300_000
STEP_MS = 5_000
LEAST_STEP_MS = 1_000
WIDEST_MS = 3_600_000
"""Limits with longer windows are not shown: what they leave room for is told in days, not by a chart."""


def report(store: Store, settings: Settings, *, tenant: str) -> dict[str, Any]:
    """Return, for each lane of a tenant, its calls of the last five minutes against its limits.

    `bars` are the calls within one window of the charted limit (`width_s`), as it stood step by step, the latest last;
    none is above `limit` as long as the limit is kept. Whoever shares the lane's quota is counted too. Without limits,
    `limit` is None and the bars are simply calls. `limits` tells of each limit how much of it is used now.
    """
    found = settings.tenant(tenant)
    targets = {each.name: each for each in (() if found is None else found.targets)}
    with store.begin(tenant, write=False) as tx:
        there = lanes.configured(tx)
        last = call_counts.quotas(tx)
        named = {each.id: _quota(targets.get(each.target)) or last.get(each.id) for each in there}
        charts = [_Chart(each.target, targets.get(each.target)) for each in there]
        wanted = [(chart, quota) for chart, each in zip(charts, there, strict=True) if (quota := named[each.id])]
        asked = [Asked(quota=quota, since=tx.now - chart.reach_ms, step_ms=chart.step_ms) for chart, quota in wanted]
        for count in call_counts.counts(tx, asked):
            wanted[count.place][0].add(count)
    return {"lanes": [chart.told() for chart in charts]}


class _Chart:
    """What is counted of one lane."""

    def __init__(self, name: str, target: TargetSettings | None) -> None:
        self._name = name
        self._limits = [
            limit for limit in (target.limits if target is not None else ()) if _width_ms(limit) <= WIDEST_MS
        ]
        # What counts every call comes first, then what is felt soonest.
        self._limits.sort(key=lambda limit: (limit.class_ is not None, limit.per_s))
        self._width_ms = max(LEAST_STEP_MS, _width_ms(self._limits[0])) if self._limits else 2 * STEP_MS
        narrowest_ms = min([STEP_MS, *map(_width_ms, self._limits)])
        self._steps_a_window = math.ceil(self._width_ms / max(LEAST_STEP_MS, narrowest_ms))
        self.step_ms = max(LEAST_STEP_MS, self._width_ms // self._steps_a_window)
        self._calls: Counter[tuple[str, int]] = Counter()

    @property
    def reach_ms(self) -> Millis:
        """Return how far back calls are counted."""
        return max([SPAN_MS + self._width_ms, *map(_width_ms, self._limits)])

    def add(self, count: Count) -> None:
        """Take note of a count."""
        self._calls[count.klass, count.steps_ago] += count.calls

    def told(self) -> dict[str, Any]:
        """Return the figures as `report` tells them."""
        charted = self._limits[0] if self._limits else None
        steps = self._by_step(None if charted is None else charted.class_)
        span = SPAN_MS // self.step_ms
        before = [0, *itertools.accumulate(steps[ago] for ago in range(span + self._steps_a_window))]
        bars = [before[ago + self._steps_a_window] - before[ago] for ago in reversed(range(span))]
        return {
            "target": self._name,
            "span_s": SPAN_MS // 1000,
            "width_s": self._width_ms / 1000,
            "limit": None if charted is None else _within(charted, self._width_ms),
            "class": None if charted is None else charted.class_,
            "bars": bars,
            "limits": [self._used(limit) for limit in self._limits],
        }

    def _by_step(self, klass: str | None) -> Mapping[int, int]:
        steps: Counter[int] = Counter()
        for (of_class, ago), calls in self._calls.items():
            if klass in {None, of_class}:
                steps[ago] += calls
        return steps

    def _used(self, limit: LimitSettings) -> dict[str, Any]:
        width_ms = max(LEAST_STEP_MS, _width_ms(limit))
        used = sum(calls for ago, calls in self._by_step(limit.class_).items() if ago < width_ms // self.step_ms)
        requests = _within(limit, width_ms)
        return {"requests": requests, "per_s": width_ms / 1000, "class": limit.class_, "used": used}


def _within(limit: LimitSettings, width_ms: Millis) -> int:
    """Return how many calls a limit allows in a window of a chart, which is never shorter than a step."""
    return limit.requests * max(1, width_ms // max(1, _width_ms(limit)))


def _width_ms(limit: LimitSettings) -> Millis:
    return round(limit.per_s * 1000)


def _quota(target: TargetSettings | None) -> str | None:
    return None if target is None else target.quota
