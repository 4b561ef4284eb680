"""What the figures must not exceed, and which do."""

from collections.abc import Iterator, Mapping

from scim_bridge.sandbox.benches import questions
from scim_bridge.sandbox.benches.databases import POSTGRESQL, SQLITE
from scim_bridge.sandbox.benches.figures import Figure
from scim_bridge.sandbox.benches.questions import Promise

SMALL = 1_000
"""Up to so many users the bars are absolute; a larger directory is compared with the largest of these."""

P50_MS = {Promise.LOOKUP: 5.0, Promise.WRITE: 15.0}
GROWTH = 3.0
LOOKUP_P99_MS = 20.0
SKIP_P50_MS = {SQLITE: 150.0, POSTGRESQL: 300.0}
CPU_MS = {questions.FIRST_PAGE: 5.0, questions.PROJECTED_PAGE: 10.0}

ADD_P99_MS = 50.0

Sizes = Mapping[int, Mapping[str, Figure]]


def missed(store: str, sizes: Sizes) -> list[str]:
    """Return a sentence for every bar that a database's figures miss. `sizes` holds them by the number of users."""
    base = max((size for size in sizes if size <= SMALL), default=None)
    found: list[str] = []
    for size, figures in sorted(sizes.items()):
        for name, figure in figures.items():
            small = None if base is None else sizes[base][name]
            faults = _faults(store, name, figure, size=size, small=small)
            found += [f"{store}, {size:,} users, {name}: {fault}" for fault in faults]
    return found


def _faults(store: str, name: str, figure: Figure, *, size: int, small: Figure | None) -> Iterator[str]:
    promise = questions.PROMISES[name]
    if name in CPU_MS and figure.cpu_ms is not None and figure.cpu_ms >= CPU_MS[name]:
        yield f"{figure.cpu_ms:.1f} ms of processor time, the bar is {CPU_MS[name]:g} ms"
    if size <= SMALL:
        if promise in P50_MS and figure.p50_ms >= P50_MS[promise]:
            yield f"p50 {figure.p50_ms:.1f} ms, the bar is {P50_MS[promise]:g} ms"
        return
    if promise is Promise.LOOKUP and figure.p99_ms >= LOOKUP_P99_MS:
        yield f"p99 {figure.p99_ms:.1f} ms, the bar is {LOOKUP_P99_MS:g} ms"
    if promise is Promise.SKIP:
        if figure.p50_ms >= SKIP_P50_MS[store]:
            yield f"p50 {figure.p50_ms:.1f} ms, the bar is {SKIP_P50_MS[store]:g} ms"
    elif small is not None and figure.p50_ms > GROWTH * small.p50_ms:
        yield f"p50 {figure.p50_ms:.1f} ms, more than {GROWTH:g} times the {small.p50_ms:.1f} ms of few users"
    elif small is None and promise in P50_MS and figure.p50_ms > GROWTH * P50_MS[promise]:
        yield f"p50 {figure.p50_ms:.1f} ms, the bar is {GROWTH * P50_MS[promise]:g} ms"
