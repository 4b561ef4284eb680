"""`scim-bridge bench events`: an HR system calls so often a second, some of it twice or late; nothing may be lost."""

import secrets
import selectors
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from scim_bridge import wiring
from scim_bridge.sandbox.benches import connection, databases, events_plan, figures, front_door
from scim_bridge.sandbox.benches.connection import PATIENCE_S, Answer, BenchFailed, Connection
from scim_bridge.sandbox.benches.events_plan import Plan
from scim_bridge.sandbox.benches.figures import Figure
from scim_bridge.sandbox.benches.front_door import FrontDoor
from scim_bridge.sandbox.benches.side_by_side import Report
from scim_bridge.store import comparing, lanes
from scim_bridge.store.engine import Store

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


def run(order: Order, *, console: Console) -> Report[Stream]:
    """Send the events and compare the directory with what was said; everything is removed at the end.

    Raises:
        UsageError: there is no such database, or nothing can be written.
        BenchFailed, StageFailed: there is no answer, or something does not start.
    """

    def measure(store: str, url: str, folder: Path) -> Stream:
        secret = secrets.token_hex(16)
        (folder / _KEY_FILE).write_text(secret, encoding="ascii")
        source = f'[[tenants.sources]]\nname = "{SOURCE}"\nkind = "generic"\nsecret = "file:{_KEY_FILE}"\n'
        # As in a bridge that runs: the relay keeps house, and tells the database how fast it grows.
        with front_door.opened(url, folder=folder, more=source, has_relay=True) as door:
            console.print(f"{store}: the front door is open", highlight=False)
            return _stream(door, order, store=store, secret=secret)

    return Report(
        title=f"{order.rate} events a second for {order.seconds} s, {events_plan.DUPLICATES:.0%} twice,"
        f" {events_plan.OUT_OF_ORDER:.0%} late; ms over HTTP",
        plural="streams",
        told={"seed": order.seed, "seconds": order.seconds, "rate": order.rate},
        rows=_ROWS,
        columns=databases.on_each(order, measure),
    )


_ROWS: Mapping[str, Callable[[Stream], str]] = {
    "answer: p50 / p99": lambda stream: stream.answered.shown(),
    "server CPU an event": lambda stream: figures.shown_cpu(stream.answered.cpu_ms),
    "events sent": lambda stream: f"{stream.answered.requests:,}",
    "taken for duplicates": lambda stream: f"{stream.outcomes.get('duplicate', 0):,}",
    "not 2xx": lambda stream: str(connection.failures(stream.statuses)),
}


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
        for each in connections:
            # Each is met once before the clock runs: to connect is no part of an answer.
            each.ask(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        began = time.perf_counter()
        answers, cpu_ms = door.cpu_ms_of(lambda: list(_send(connections, plan, secret=secret, every_s=every_s)))
        elapsed_s = time.perf_counter() - began
    statuses = Counter(answer.status for answer, _ in answers)
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
    # In turn: one that nobody used for long would be closed as idle.
    free, due = deque(connections), enumerate(plan.arriving)
    following = next(due, None)
    began = heard_at = time.perf_counter()
    with selectors.DefaultSelector() as waiting:
        while following is not None or waiting.get_map():
            now = time.perf_counter()
            while following is not None and free and following[0] * every_s <= now - began:
                place, event = following
                chosen = free.popleft()
                chosen.send(events_plan.request(_PATH, event, secret=secret, at_s=int(time.time())))
                waiting.register(chosen, selectors.EVENT_READ, (chosen, began + place * every_s))
                following = next(due, None)
            if waiting.get_map() and now - heard_at > PATIENCE_S:
                raise BenchFailed(f"no event was answered for {PATIENCE_S:g} s")
            if not waiting.get_map():
                heard_at = now
            until_due_s = 0.0 if following is None else began + following[0] * every_s - now
            patience_s = _LONGEST_WAIT_S if following is None or not free else min(_LONGEST_WAIT_S, until_due_s)
            for key, _ in waiting.select(max(0.0, patience_s)):
                asked, due_at = key.data
                answer = asked.receive()
                if answer is not None:
                    heard_at = time.perf_counter()
                    waiting.unregister(asked)
                    free.append(asked)
                    yield answer, (heard_at - due_at) * 1000


def _faults(plan: Plan, statuses: Mapping[int, int], outcomes: Mapping[str, int], answered: Figure) -> Iterator[str]:
    yield from connection.wrong_answers(statuses)
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
    yield from front_door.wrong_books(store)
