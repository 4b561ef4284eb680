"""Defects that a review found, each with what it must never do again."""

from collections.abc import Callable
from typing import Any

from scim_bridge.settings.models import LimitSettings
from scim_bridge.store import quota
from workers.relay import housekeeping

HOUR_MS = 3_600_000


def test_calls_are_counted_for_as_long_as_the_longest_limit_looks_back(make_bench: Callable[..., Any]) -> None:
    bench = make_bench(limits=[LimitSettings(requests=1, per_s=86_400)])
    with bench.store.across_tenants("test", write=True) as tx:
        quota.take(tx, quota="q", klass="read", deadline_at=bench.clock() + 1_000)
    bench.clock.advance(ms=23 * HOUR_MS)
    housekeeping.run_once(bench.runtime, bench.clock())
    window = quota.Window(requests=1, width_ms=24 * HOUR_MS)
    with bench.store.across_tenants("test", write=True) as tx:
        assert quota.room(tx, quota="q", klass="read", windows=[window], margin_ms=0).free == 0
    bench.clock.advance(ms=3 * HOUR_MS)
    housekeeping.run_once(bench.runtime, bench.clock())
    with bench.store.across_tenants("test", write=True) as tx:
        assert quota.used(tx, quota="q", since=0) == 0
