"""A backlog over two targets without limits: how fast it is worked off, and what that takes."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scim_bridge.sandbox.benches import delivery_arrivals as arrivals
from scim_bridge.sandbox.benches import delivery_stage as stage
from scim_bridge.sandbox.benches.databases import POSTGRESQL, SQLITE
from scim_bridge.sandbox.benches.delivery_finding import Finding, Line
from scim_bridge.sandbox.benches.delivery_stage import Lane
from scim_bridge.sandbox.benches.front_door import cpu_s_of
from scim_bridge.sandbox.stories.worlds import Process

PART = "backlog"
USERS = 100_000
"""Whom each of the two targets is told of."""

WORKERS = 2
LEAST_PER_S = {SQLITE: 3_000.0, POSTGRESQL: 2_000.0}
FLAT = 1.1
"""A worker's memory in the last third of the work, by that in the first third."""

SAMPLES = 150
"""With fewer samples of the memory nothing is said of it."""

PATIENCE_S = 60.0
SLOWEST_PER_S = 100
SAMPLE_EVERY_S = 0.2


@dataclass(slots=True)
class Watch:
    """Looks at the workers' memory now and then."""

    processes: Sequence[Process]
    rss_mb: dict[str, list[float]] = field(default_factory=dict)
    _looked_at_s: float = 0.0

    def look(self) -> None:
        """Note the memory of each worker, unless that was done a moment ago."""
        if time.monotonic() < self._looked_at_s + SAMPLE_EVERY_S:
            return
        self._looked_at_s = time.monotonic()
        for process in self.processes:
            rss_mb = rss_mb_of(process.popen.pid)
            if rss_mb is not None:
                self.rss_mb.setdefault(process.name, []).append(rss_mb)


def measure(store_url: str, *, store: str, users: int, folder: Path, seed: int) -> Finding:
    """Have two workers tell two targets of the same people."""
    wanted = [Lane(name="left"), Lane(name="right")]
    with stage.set_up(store_url, wanted, folder=folder, seed=seed) as played:
        played.owe(range(users))
        with played.working(WORKERS) as workers:
            # What a process takes to start is no part of the work.
            played.await_that(lambda: any(map(played.calls, ("left", "right"))), workers, patience_s=PATIENCE_S)
            started_s = sum(cpu_s_of(worker.popen.pid) or 0.0 for worker in workers)
            watch = Watch(workers)
            played.await_done(workers, patience_s=PATIENCE_S + 2 * users / SLOWEST_PER_S, look=watch.look)
            done_ms = time.time() * 1000
            cpu_s = {"workers": sum(cpu_s_of(worker.popen.pid) or 0.0 for worker in workers) - started_s}
            logs = [arrivals.read(played.calls(lane.name)) for lane in wanted]
        cpu_s["targets"] = sum(cpu_s_of(pid) or 0.0 for pid in played.target_pids)
    began_ms = min(log[0].at_ms for log in logs)
    lines = figures(
        delivered=2 * users,
        elapsed_s=(done_ms - began_ms) / 1000,
        least_per_s=LEAST_PER_S[store],
        rss_mb=watch.rss_mb,
    )
    lines += [
        Line(name=f"processor time of the {who}", value=spent_s / users / 2 * 1e6, unit="us/user")
        for who, spent_s in cpu_s.items()
    ]
    return Finding(part=PART, store=store, users=users, lines=lines)


def figures(
    *, delivered: int, elapsed_s: float, least_per_s: float, rss_mb: Mapping[str, Sequence[float]]
) -> list[Line]:
    """Return the throughput, and how each worker's memory grew."""
    lines = [Line(name="delivered", value=delivered / elapsed_s, unit="users/s", least=least_per_s)]
    for name, samples in rss_mb.items():
        lines.append(Line(name=f"most memory of {name}", value=max(samples), unit="MB"))
        if len(samples) >= SAMPLES:
            lines.append(Line(name=f"growth of {name}", value=growth(samples), unit="x", most=FLAT))
    return lines


def growth(samples: Sequence[float]) -> float:
    """Return the median of the last third by that of the first third."""
    third = max(1, len(samples) // 3)
    return statistics.median(samples[-third:]) / statistics.median(samples[:third])


def rss_mb_of(pid: int) -> float | None:
    """Return the memory that a process has in use; None where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    found = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(found[0].split()[1]) / 1024 if found else None
