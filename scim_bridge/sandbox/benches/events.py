"""`scim-bridge bench events`: an HR system calls so often a second, some of it twice or late; nothing may be lost."""

import secrets
import selectors
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from scim_bridge import wiring
from scim_bridge.sandbox.benches import databases, events_plan, figures, front_door
from scim_bridge.sandbox.benches.connection import PATIENCE_S, Answer, BenchFailed, Connection
from scim_bridge.sandbox.benches.events_plan import Plan
from scim_bridge.sandbox.benches.figures import Figure
from scim_bridge.sandbox.benches.front_door import FrontDoor
from scim_bridge.store import comparing, lanes
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

SOURCE = "hr"
P99_MS = 100.0
CONNECTIONS = 16
PEOPLE_A_S = 20
"""So many different people for each second, up to 5,000."""

_PATH = f"/hr/v1/events/{front_door.TENANT}/{SOURCE}"
_KEY_FILE = "hr.key"
_LONGEST_WAIT_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be measured."""

    stores: Sequence[str]
    seconds: int
    rate: int
    seed: int
    postgres_url: str | None = field(default=None, repr=False)
    parent: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What became of the events on one database. Times are reckoned from when each was due to be sent."""

    store: str
    elapsed_s: float
    answered: Figure
    statuses: Mapping[int, int]
    outcomes: Mapping[str, int]
    faults: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "store": self.store,
            "elapsed_s": round(self.elapsed_s, 2),
            "answered": self.answered.to_json(),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "outcomes": dict(sorted(self.outcomes.items())),
            "faults": list(self.faults),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured on each database."""

    order: Order
    streams: Sequence[Stream]

    @property
    def missed(self) -> list[str]:
        """Return a sentence for everything that went wrong, or misses its bar."""
        return [f"{stream.store}: {fault}" for stream in self.streams for fault in stream.faults]

    def to_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        told = {"seed": self.order.seed, "seconds": self.order.seconds, "rate": self.order.rate}
        return {**told, "streams": [stream.to_json() for stream in self.streams], "missed": self.missed}

    def show(self, console: Console) -> None:
        """Print one table."""
        rows = [
            ["answer: p50 / p99", *(stream.answered.shown() for stream in self.streams)],
            ["server CPU an event", *(figures.shown_cpu(stream.answered.cpu_ms) for stream in self.streams)],
            ["events sent", *(f"{stream.answered.requests:,}" for stream in self.streams)],
            ["taken for duplicates", *(f"{stream.outcomes.get('duplicate', 0):,}" for stream in self.streams)],
            ["not 200", *(str(_failures(stream.statuses)) for stream in self.streams)],
        ]
        title = (
            f"{self.order.rate} events a second for {self.order.seconds} s, {events_plan.DUPLICATES:.0%} twice,"
            f" {events_plan.OUT_OF_ORDER:.0%} late; ms over HTTP"
        )
        figures.print_table(title, ["", *(stream.store for stream in self.streams)], rows, console=console)


def run(order: Order, *, console: Console) -> Report:
    """Send the events and compare the directory with what was said; everything is removed at the end.

    Raises:
        UsageError: there is no such database, or nothing can be written.
        BenchFailed, StageFailed: there is no answer, or something does not start.
    """
    databases.check(order.stores, postgres_url=order.postgres_url)
    streams: list[Stream] = []
    for store in order.stores:
        with (
            databases.folder(order.parent) as folder,
            databases.made(store, folder=folder, postgres_url=order.postgres_url) as url,
        ):
            secret = secrets.token_hex(16)
            (folder / _KEY_FILE).write_text(secret, encoding="ascii")
            source = f'[[tenants.sources]]\nname = "{SOURCE}"\nkind = "generic"\nsecret = "file:{_KEY_FILE}"\n'
            with front_door.opened(url, folder=folder, more=source) as door:
                console.print(f"{store}: the front door is open", highlight=False)
                streams.append(_stream(door, order, store=store, secret=secret))
    return Report(order=order, streams=streams)


def _stream(door: FrontDoor, order: Order, *, store: str, secret: str) -> Stream:
    count, every_s = order.seconds * order.rate, 1 / order.rate
    plan = events_plan.make(
        count=count,
        people=min(5_000, order.seconds * PEOPLE_A_S),
        first_at=wiring.now_ms() - (order.seconds + 3_600) * 1000,
        every_ms=every_s * 1000,
        seed=order.seed,
    )
    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(door.port)) for _ in range(CONNECTIONS)]
        for connection in connections:
            # Each is met once before the clock runs: to connect is no part of an answer.
            connection.ask(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        began, cpu_before = time.perf_counter(), door.cpu_ms()
        answers = list(_send(connections, plan, secret=secret, every_s=every_s))
        elapsed_s, cpu_after = time.perf_counter() - began, door.cpu_ms()
    statuses = Counter(answer.status for answer, _ in answers)
    cpu_ms = None if cpu_before is None or cpu_after is None else cpu_after - cpu_before
    answered = figures.figure_of([took_ms for _, took_ms in answers], cpu_ms=cpu_ms)
    outcomes = Counter(
        event["outcome"] for answer, _ in answers if answer.status == 200 for event in answer.document()["events"]
    )
    return Stream(
        store=store,
        elapsed_s=elapsed_s,
        answered=answered,
        statuses=statuses,
        outcomes=outcomes,
        faults=[*_faults(plan, statuses, outcomes, answered), *wrong_people(door.store, plan)],
    )


def _send(
    connections: Sequence[Connection], plan: Plan, *, secret: str, every_s: float
) -> Iterator[tuple[Answer, float]]:
    """Send each event when it is due, or as soon as a connection is free; yield answers with their milliseconds."""
    free, due = list(connections), enumerate(plan.arriving)
    following = next(due, None)
    began = heard_at = time.perf_counter()
    with selectors.DefaultSelector() as waiting:
        while following is not None or waiting.get_map():
            now = time.perf_counter()
            while following is not None and free and following[0] * every_s <= now - began:
                place, event = following
                connection = free.pop()
                connection.send(events_plan.request(_PATH, event, secret=secret, at_s=int(time.time())))
                waiting.register(connection, selectors.EVENT_READ, (connection, began + place * every_s))
                following = next(due, None)
            if waiting.get_map() and now - heard_at > PATIENCE_S:
                raise BenchFailed(f"no event was answered for {PATIENCE_S:g} s")
            if not waiting.get_map():
                heard_at = now
            until_due_s = 0.0 if following is None else began + following[0] * every_s - now
            patience_s = _LONGEST_WAIT_S if following is None or not free else min(_LONGEST_WAIT_S, until_due_s)
            for key, _ in waiting.select(max(0.0, patience_s)):
                connection, due_at = key.data
                answer = connection.receive()
                if answer is not None:
                    heard_at = time.perf_counter()
                    waiting.unregister(connection)
                    free.append(connection)
                    yield answer, (heard_at - due_at) * 1000


def _faults(plan: Plan, statuses: Mapping[int, int], outcomes: Mapping[str, int], answered: Figure) -> Iterator[str]:
    if failures := _failures(statuses):
        yield f"{failures} events were not answered 200"
    if outcomes.get("duplicate", 0) != plan.duplicates:
        yield f"{outcomes.get('duplicate', 0)} events were taken for duplicates, {plan.duplicates} were"
    if refused := outcomes.get("refused", 0):
        yield f"{refused} events were refused"
    if answered.p99_ms >= P99_MS:
        yield f"p99 {answered.p99_ms:.1f} ms, the bar is {P99_MS:g} ms"


def wrong_people(store: Store, plan: Plan) -> Iterator[str]:
    """Compare the directory with what was said last of each, and have the books proved."""
    wanted = plan.titles()
    with store.begin(front_door.TENANT, write=False) as tx:
        lane = lanes.by_target(tx, front_door.TARGET)
    assert lane is not None  # noqa: S101 - the front door was opened with it
    people = (person.document for person, _ in comparing.users(store, front_door.TENANT, lane.id))
    found = {person["userName"]: person.get("title") for person in people}
    wrong = sum(found.get(name) != title for name, title in wanted.items())
    if wrong or found.keys() != wanted.keys():
        yield f"{wrong} of {len(wanted)} people are not as they were said to be; {len(found)} are there"
    if not verify_ledger(store, front_door.TENANT)["balanced"]:
        yield "the books do not agree"


def _failures(statuses: Mapping[int, int]) -> int:
    return sum(count for status, count in statuses.items() if status != 200)
