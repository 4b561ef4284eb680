"""`scim-bridge bench directory`: how the front door answers as the directory grows, on each database."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from scim_bridge import wiring
from scim_bridge.sandbox.benches import bars, crowd, databases, figures, front_door, pace, questions
from scim_bridge.sandbox.benches.connection import Connection
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.sandbox.benches.figures import Figure
from scim_bridge.sandbox.benches.front_door import FrontDoor
from scim_bridge.sandbox.benches.questions import Asker
from scim_bridge.store import seeding
from scim_bridge.store.engine import Store

NEWCOMERS = 100_000_000
"""Who is created by request has a number beyond everybody who was built."""

_NEWCOMERS_A_SIZE = 1_000_000

SERIES = 20
"""Requests between two looks at the processor time."""

LIBRARY = "list page 1 by the library's models alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be measured."""

    stores: Sequence[str]
    users: Sequence[int]
    requests: int
    seed: int
    postgres_url: str | None = field(default=None, repr=False)
    parent: Path | None = None
    """Where the databases are kept meanwhile; None: where temporary files are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """What was measured of one directory."""

    store: str
    users: int
    built_s: float
    """The time that its making took, from the next smaller one on."""
    measured: dict[str, Figure]
    library_ms: float
    """The processor time in which the library alone makes the first page, on this machine at that moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured, and what of it misses its bar."""

    seed: int
    directories: Sequence[Directory]

    @property
    def missed(self) -> list[str]:
        """Return a sentence for every bar that is missed."""
        found: list[str] = []
        for store in dict.fromkeys(each.store for each in self.directories):
            found += bars.missed(store, {each.users: each.measured for each in self._of(store)})
        return found

    def to_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        directories = [
            {
                "store": each.store,
                "users": each.users,
                "built_s": round(each.built_s, 1),
                "requests": figures.by_request(each.measured),
                "library_page_cpu_ms": round(each.library_ms, 3),
            }
            for each in self.directories
        ]
        return {"seed": self.seed, "directories": directories, "missed": self.missed}

    def show(self, console: Console) -> None:
        """Print a table for each database."""
        for store in dict.fromkeys(each.store for each in self.directories):
            columns = self._of(store)
            rows = [[name, *(each.measured[name].shown() for each in columns)] for name in questions.QUESTIONS]
            rows += [
                [f"{name}: server CPU, mean / least", *(each.measured[name].shown_cpu() for each in columns)]
                for name in bars.CPU_MS
            ]
            rows.append([f"{LIBRARY}: CPU, least", *(figures.shown_cpu(each.library_ms) for each in columns)])
            title = f"{store}: p50 / p99 in ms over HTTP, by number of users"
            headings = ["request", *(f"{each.users:,}" for each in columns)]
            figures.print_table(title, headings, rows, console=console)

    def _of(self, store: str) -> list[Directory]:
        return [each for each in self.directories if each.store == store]


def run(order: Order, *, console: Console) -> Report:
    """Build the directories and measure them; everything is removed at the end. Progress goes to the console.

    Raises:
        UsageError: there is no such database, or nothing can be written.
        BenchFailed, StageFailed: something is answered wrongly, or does not start.
    """
    found = databases.on_each(order, lambda store, url, folder: _grow(order, store, url, folder, console=console))
    return Report(seed=order.seed, directories=[each for directories in found for each in directories])


def _grow(order: Order, store: str, url: str, folder: Path, *, console: Console) -> list[Directory]:
    """Measure a directory at each of its sizes."""
    found: list[Directory] = []
    built = 0
    for step, users in enumerate(sorted(set(order.users))):
        built_s = _build(url, Crowd(order.seed), range(built, users))
        built = users
        console.print(f"{store}: {users:,} users, the last of them built in {built_s:.1f} s", highlight=False)
        with front_door.opened(url, folder=folder) as door:
            newcomers = NEWCOMERS + step * _NEWCOMERS_A_SIZE
            measured, library_ms = _measure(door, order, users=users, newcomers=newcomers)
        found.append(Directory(store=store, users=users, built_s=built_s, measured=measured, library_ms=library_ms))
    return found


def _build(url: str, people: Crowd, numbers: range) -> float:
    """Add people to the directory and return how long that took, in seconds."""
    began = time.monotonic()
    store = Store.open(url, clock=wiring.now_ms, pool_size=1)
    try:
        for _ in crowd.build(store, front_door.TENANT, people, numbers, source=front_door.SOURCE):
            pass
    finally:
        store.close()
    seeding.settle(url)
    return time.monotonic() - began


def _measure(door: FrontDoor, order: Order, *, users: int, newcomers: int) -> tuple[dict[str, Figure], float]:
    with Connection(door.port) as connection:
        asker = Asker(
            connection=connection,
            token=door.token,
            crowd=Crowd(order.seed),
            users=users,
            newcomers=newcomers,
            # The same people are asked for with the same seed; nothing here is a secret.
            dice=random.Random(order.seed),  # noqa: S311
        )
        measured: dict[str, Figure] = {}
        library_ms: list[float] = []
        for name in questions.QUESTIONS:
            measured[name] = measure(door, asker, name, requests=order.requests)
            if name in bars.CPU_MS:
                library_ms.append(pace.library_ms(connection.ask(asker.get("/Users", count=questions.PAGE))))
        return measured, min(library_ms)


def measure(door: FrontDoor, asker: Asker, name: str, *, requests: int) -> Figure:
    """Ask one question so many times, one after the other, after a tenth more for warming up."""
    _, question = questions.QUESTIONS[name]
    series = question(asker)
    request = next(series)
    for _ in range(max(5, requests // 10)):
        request = series.send(asker.connection.ask(request))
    times_ms: list[float] = []

    def ask(count: int) -> None:
        nonlocal request
        for _ in range(count):
            began = time.perf_counter()
            answer = asker.connection.ask(request)
            times_ms.append((time.perf_counter() - began) * 1000)
            request = series.send(answer)

    spent_ms: list[float | None] = []
    each_ms: list[float | None] = []
    for first in range(0, requests, SERIES):
        count = min(SERIES, requests - first)
        _, cpu_ms = door.cpu_ms_of(partial(ask, count))
        spent_ms.append(cpu_ms)
        each_ms.append(None if cpu_ms is None else cpu_ms / count)
    return figures.figure_of(times_ms, cpu_ms=_known(sum, spent_ms), least_cpu_ms=_known(min, each_ms))


def _known(of: Callable[[Iterable[float]], float], values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return of(known) if len(known) == len(values) else None
