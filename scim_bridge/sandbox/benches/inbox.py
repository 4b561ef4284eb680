"""`scim-bridge bench inbox`: groups, pages, a person and the lanes' figures among a million operations."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from scim_bridge.operators import inbox, status, timeline
from scim_bridge.operators.inbox import Filters
from scim_bridge.sandbox.benches import crowd, databases, figures
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.settings.models import Settings
from scim_bridge.store import dead_letters, lanes, seeding, seeding_history
from scim_bridge.store.engine import Store
from scim_bridge.store.reports import Chosen
from scim_bridge.wiring import now_ms

TENANT = "bench"
TARGETS = ("learn", "academy")
CODES = ("too_long", "missing_field", "refused", "attempts_spent", "merge_needed")

P95_MS = 300.0

ROUNDS = 19
"""A person has from one to so many operations: ten, as a rule."""

WAITING_SHARE = 100
"""One person in so many waits to be delivered."""

WEEK_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be measured."""

    stores: Sequence[str]
    operations: int
    dead: int
    requests: int
    seed: int
    postgres_url: str | None = field(default=None, repr=False)
    parent: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How long one question took, again and again."""

    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What was measured on one database."""

    store: str
    operations: int
    dead: int
    lines: Mapping[str, Line]

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "store": self.store,
            "operations": self.operations,
            "dead": self.dead,
            "questions": {
                name: {"p50_ms": round(line.p50_ms, 2), "p95_ms": round(line.p95_ms, 2)}
                for name, line in self.lines.items()
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured on each database."""

    order: Order
    desks: Sequence[Desk]

    @property
    def missed(self) -> list[str]:
        """Return a sentence for every bar that is missed."""
        return [
            f"{desk.store}, {name}: p95 {line.p95_ms:.0f} ms, the bar is {P95_MS:.0f} ms"
            for desk in self.desks
            for name, line in desk.lines.items()
            if line.p95_ms >= P95_MS
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        return {"seed": self.order.seed, "desks": [desk.to_json() for desk in self.desks], "missed": self.missed}

    def show(self, console: Console) -> None:
        """Print one table."""
        for desk in self.desks:
            rows = [[name, f"{line.p50_ms:.1f}", f"{line.p95_ms:.1f}"] for name, line in desk.lines.items()]
            title = f"{desk.store}: {desk.operations:,} operations, {desk.dead:,} dead"
            figures.print_table(title, ["", "p50 ms", "p95 ms"], rows, console=console)


def run(order: Order, *, console: Console) -> Report:
    """Build a long past on each database and ask what operators ask; everything is removed at the end.

    Raises:
        UsageError: there is no such database, or nothing can be written.
    """

    def measure(name: str, url: str, _: Path) -> Desk:
        console.print(f"{name}: building {order.operations:,} operations", highlight=False)
        return _desk(name, url, order)

    return Report(order=order, desks=databases.on_each(order, measure))


def _desk(name: str, url: str, order: Order) -> Desk:
    store = Store.open(url, clock=now_ms)
    try:
        operations = _build(store, order)
        seeding.settle(url)
        with store.begin(TENANT, write=False) as tx:
            dead = len(dead_letters.ids_of(tx, Chosen()))
        chance = random.Random(order.seed)  # noqa: S311 - nothing here is a secret
        lines = {question: _line(ask, order.requests) for question, ask in _questions(store, order, chance).items()}
    finally:
        store.close()
    return Desk(store=name, operations=operations, dead=dead, lines=lines)


def _build(store: Store, order: Order) -> int:
    people = max(ROUNDS, order.operations * 2 // (ROUNDS + 1))
    with store.across_tenants("set up the bench", write=True) as tx:
        lanes.sync(tx, [(TENANT, target) for target in TARGETS])
    with store.begin(TENANT, write=False) as tx:
        lane_ids = [lane.id for lane in lanes.configured(tx)]
    began_at = now_ms() - WEEK_MS
    waiting = max(1, people // WAITING_SHARE)
    crowd.build_owed(store, TENANT, Crowd(order.seed), range(people - waiting), source="idp", lane_ids=())
    for number in range(ROUNDS):
        with store.begin(TENANT) as tx:
            seeding_history.put_round(
                tx,
                number=number,
                rounds=ROUNDS,
                lane_ids=lane_ids,
                codes=CODES,
                dead_every=max(1, people // max(1, order.dead)),
                began_at=began_at,
                spread_ms=WEEK_MS,
            )
    crowd.build_owed(store, TENANT, Crowd(order.seed), range(people - waiting, people), source="idp", lane_ids=lane_ids)
    return sum(1 + number % ROUNDS for number in range(people - waiting)) + waiting * len(lane_ids)


def _questions(store: Store, order: Order, chance: random.Random) -> dict[str, Callable[[], object]]:
    """Return what is asked, by what it is called."""
    with store.begin(TENANT, write=False) as tx:
        ids = dead_letters.ids_of(tx, Chosen())
    people, since = Crowd(order.seed), now_ms() - WEEK_MS // 20
    users = [people.user_name(chance.randrange(order.operations // 20)) for _ in range(order.requests)]
    who = iter([*users, *users])

    def page(filters: Filters = inbox.EVERYTHING, *, behind: bool = False) -> Callable[[], object]:
        return lambda: inbox.items(store, TENANT, filters, after=chance.choice(ids) if behind else None)

    return {
        "groups": lambda: inbox.groups(store, TENANT),
        "groups of a code": lambda: inbox.groups(store, TENANT, Filters(code=CODES[0])),
        "groups of the last hours": lambda: inbox.groups(store, TENANT, Filters(since=since)),
        "first page": page(),
        "a page further on": page(behind=True),
        "page of a code": page(Filters(code=CODES[1])),
        "page of a target": page(Filters(target=TARGETS[0]), behind=True),
        "page of the last hours": page(Filters(since=since)),
        "page of a person": lambda: inbox.items(store, TENANT, Filters(user=next(who))),
        "timeline of a person": lambda: timeline.show(store, users[0], TENANT),
        "status": lambda: status.report(store, Settings()),
        "groups of all tenants": lambda: inbox.groups(store, None),
    }


def _line(ask: Callable[[], object], requests: int) -> Line:
    ask()
    times: list[float] = []
    for _ in range(requests):
        began = time.perf_counter()
        ask()
        times.append((time.perf_counter() - began) * 1000)
    return Line(p50_ms=figures.percentile(times, 50), p95_ms=figures.percentile(times, 95))
