"""`scim-bridge bench group`: many clients change one large group at once, and nobody gets lost."""

import random
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from scim_bridge import wiring
from scim_bridge.domain.resources import GROUP
from scim_bridge.sandbox.benches import bars, crowd, databases, figures, front_door, group_plan, rush
from scim_bridge.sandbox.benches.connection import Connection, request
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.sandbox.benches.figures import Figure
from scim_bridge.sandbox.benches.front_door import FrontDoor
from scim_bridge.sandbox.benches.group_plan import Effect, Plan
from scim_bridge.store import directory, members, seeding
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

READ = "GET without members"

WARM_UP = 5
"""Patches of each client before the ones that are measured."""

SPARE_A_CLIENT = 50
"""At least so many people of each client are not in the group at first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be measured."""

    stores: Sequence[str]
    members: int
    clients: int
    patches: int
    seed: int
    postgres_url: str | None = field(default=None, repr=False)
    parent: Path | None = None

    @property
    def users(self) -> int:
        """Return how many people there are: the members, and those who may join."""
        return self.members + max(self.members // 5, self.clients * SPARE_A_CLIENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rush:
    """What became of the patches on one database."""

    store: str
    elapsed_s: float
    client_cpu_s: float
    server_cpu_ms: float | None
    """Of one patch, in the front door; None where the system does not tell."""
    measured: Mapping[str, Figure]
    statuses: Mapping[int, int]
    faults: Sequence[str]
    """What went wrong, or misses its bar."""

    @property
    def per_s(self) -> float:
        """Return the patches of all clients a second."""
        patches = sum(figure.requests for name, figure in self.measured.items() if name != READ)
        return patches / self.elapsed_s

    def to_json(self) -> dict[str, Any]:
        """Return it as `--json` prints it."""
        return {
            "store": self.store,
            "patches_per_s": round(self.per_s, 1),
            "elapsed_s": round(self.elapsed_s, 2),
            "client_cpu_s": round(self.client_cpu_s, 2),
            "server_cpu_ms": None if self.server_cpu_ms is None else round(self.server_cpu_ms, 3),
            "requests": figures.by_request(self.measured),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "faults": list(self.faults),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured on each database."""

    order: Order
    rushes: Sequence[Rush]

    @property
    def missed(self) -> list[str]:
        """Return a sentence for everything that went wrong, or misses its bar."""
        return [f"{rush.store}: {fault}" for rush in self.rushes for fault in rush.faults]

    def to_json(self) -> dict[str, Any]:
        """Return the report as `--json` prints it."""
        order = self.order
        told = {"seed": order.seed, "members": order.members, "clients": order.clients, "patches": order.patches}
        return {**told, "rushes": [rush.to_json() for rush in self.rushes], "missed": self.missed}

    def show(self, console: Console) -> None:
        """Print one table."""
        order = self.order
        rows = [
            ["patches a second", *(f"{rush.per_s:.0f}" for rush in self.rushes)],
            *(
                [f"{name}: p50 / p99", *(rush.measured[name].shown() for rush in self.rushes)]
                for name in (*(effect.value for effect in Effect), READ)
            ),
            ["server CPU a patch", *(figures.shown_cpu(rush.server_cpu_ms) for rush in self.rushes)],
            ["not 2xx", *(str(_failures(rush.statuses)) for rush in self.rushes)],
        ]
        title = f"{order.clients} clients, {order.patches:,} patches, a group of {order.members:,}; ms over HTTP"
        figures.print_table(title, ["", *(rush.store for rush in self.rushes)], rows, console=console)


def run(order: Order, *, console: Console) -> Report:
    """Build the group and change it; everything is removed at the end. Progress goes to the console.

    Raises:
        UsageError: there is no such database, or nothing can be written.
        BenchFailed, StageFailed: there is no answer, or something does not start.
    """
    databases.check(order.stores, postgres_url=order.postgres_url)
    rushes: list[Rush] = []
    for store in order.stores:
        with (
            databases.folder(order.parent) as folder,
            databases.made(store, folder=folder, postgres_url=order.postgres_url) as url,
        ):
            group_id = _build(url, order)
            console.print(f"{store}: a group of {order.members:,} members is there", highlight=False)
            with front_door.opened(url, folder=folder) as door:
                rushes.append(_rush(door, order, store=store, group_id=group_id))
    return Report(order=order, rushes=rushes)


def _build(url: str, order: Order) -> str:
    store = Store.open(url, clock=wiring.now_ms, pool_size=1)
    try:
        group_id = crowd.build_group(
            store,
            front_door.TENANT,
            Crowd(order.seed),
            name=front_door.GROUP,
            users=order.users,
            members=range(order.members),
            source=front_door.SOURCE,
        )
    finally:
        store.close()
    seeding.settle(url)
    return group_id


def _rush(door: FrontDoor, order: Order, *, store: str, group_id: str) -> Rush:
    warm_up = order.clients * WARM_UP
    plan = group_plan.make(
        Crowd(order.seed),
        users=order.users,
        members=order.members,
        clients=order.clients,
        patches=warm_up + order.patches,
        dice=random.Random(order.seed),  # noqa: S311 - the same patches for the same seed
    )
    path = f"/Groups/{group_id}"
    lines = [
        [(patch.effect.value, request("PATCH", path, door.token, patch.document())) for patch in client]
        for client in plan.clients
    ]
    read = request("GET", f"{path}?excludedAttributes=members", door.token)
    with ExitStack() as stack:
        connections = [stack.enter_context(Connection(door.port)) for _ in range(order.clients + 1)]
        rush.push(connections, [line[:WARM_UP] for line in lines], look=(READ, read))
        began, own_before, cpu_before = time.monotonic(), time.process_time(), door.cpu_ms()
        answers = rush.push(connections, [line[WARM_UP:] for line in lines], look=(READ, read))
        elapsed_s, client_cpu_s, cpu_after = time.monotonic() - began, time.process_time() - own_before, door.cpu_ms()
    measured = {
        name: figures.figure_of([each.took_ms for each in answers if each.name == name])
        for name in (*(effect.value for effect in Effect), READ)
    }
    statuses = Counter(each.status for each in answers)
    faults = [
        *_wrong_answers(statuses),
        *wrong_members(door.store, group_id, plan),
        *_slow(measured),
    ]
    return Rush(
        store=store,
        elapsed_s=elapsed_s,
        client_cpu_s=client_cpu_s,
        server_cpu_ms=None if cpu_before is None or cpu_after is None else (cpu_after - cpu_before) / order.patches,
        measured=measured,
        statuses=statuses,
        faults=faults,
    )


def _wrong_answers(statuses: Mapping[int, int]) -> Iterator[str]:
    for status, count in sorted(statuses.items()):
        if not 200 <= status < 300:
            yield f"{count} requests were answered {status}"


def wrong_members(store: Store, group_id: str, plan: Plan) -> Iterator[str]:
    """Compare who is in the group with who should be, and have the books proved."""
    with store.begin(front_door.TENANT, write=False) as tx:
        group = directory.fetch(tx, GROUP, group_id)
        there = [] if group is None else members.members_of(tx, [group.id]).get(group.id, [])
    found = frozenset(each.scim_id for each in there)
    if found != plan.members:
        yield f"{len(plan.members - found)} members are lost and {len(found - plan.members)} should not be there"
    if not verify_ledger(store, front_door.TENANT)["balanced"]:
        yield "the books do not agree"


def _slow(measured: Mapping[str, Figure]) -> Iterator[str]:
    for name in (Effect.ADD.value, READ):
        if measured[name].p99_ms >= bars.ADD_P99_MS:
            yield f"{name}: p99 {measured[name].p99_ms:.1f} ms, the bar is {bars.ADD_P99_MS:g} ms"


def _failures(statuses: Mapping[int, int]) -> int:
    return sum(count for status, count in statuses.items() if not 200 <= status < 300)
