"""`scim-bridge bench group`: many clients change one large group at once, and nobody gets lost."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from scim_bridge import wiring
from scim_bridge.domain.resources import GROUP
from scim_bridge.sandbox.benches import (
    bars,
    connection,
    crowd,
    databases,
    figures,
    footprints,
    front_door,
    group_plan,
    rush,
)
from scim_bridge.sandbox.benches.connection import Connection, request
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.sandbox.benches.figures import Figure
from scim_bridge.sandbox.benches.front_door import FrontDoor
from scim_bridge.sandbox.benches.group_plan import Effect, Plan
from scim_bridge.sandbox.benches.side_by_side import Report
from scim_bridge.store import directory, members, seeding
from scim_bridge.store.engine import Store

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
    stolen: float | None
    """The share of the processors' time that the host gave to others meanwhile; None where nobody tells."""
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
            "stolen": None if self.stolen is None else round(self.stolen, 3),
            "requests": figures.by_request(self.measured),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "faults": list(self.faults),
        }


def run(order: Order, *, console: Console) -> Report[Rush]:
    """Build the group and change it; everything is removed at the end. Progress goes to the console.

    Raises:
        UsageError: there is no such database, or nothing can be written.
        BenchFailed, StageFailed: there is no answer, or something does not start.
    """

    def measure(store: str, url: str, folder: Path) -> Rush:
        group_id = _build(url, order)
        console.print(f"{store}: a group of {order.members:,} members is there", highlight=False)
        with front_door.opened(url, folder=folder) as door:
            return _rush(door, order, store=store, group_id=group_id)

    return Report(
        title=f"{order.clients} clients, {order.patches:,} patches, a group of {order.members:,}; ms over HTTP",
        plural="rushes",
        told={"seed": order.seed, "members": order.members, "clients": order.clients, "patches": order.patches},
        rows=_ROWS,
        columns=databases.on_each(order, measure),
    )


def _shown(name: str) -> Callable[[Rush], str]:
    return lambda rush: rush.measured[name].shown()


_MEASURED = (*(effect.value for effect in Effect), READ)

_ROWS: Mapping[str, Callable[[Rush], str]] = {
    "patches a second": lambda rush: f"{rush.per_s:.0f}",
    **{f"{name}: p50 / p99": _shown(name) for name in _MEASURED},
    "server CPU a patch": lambda rush: figures.shown_cpu(rush.server_cpu_ms),
    "processors taken away": lambda rush: "unknown" if rush.stolen is None else f"{rush.stolen:.0%}",
    "not 2xx": lambda rush: str(connection.failures(rush.statuses)),
}


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
        began, own_before, stolen_before = time.monotonic(), time.process_time(), footprints.stolen_s()
        answers, cpu_ms = door.cpu_ms_of(
            lambda: rush.push(connections, [line[WARM_UP:] for line in lines], look=(READ, read))
        )
        elapsed_s, client_cpu_s = time.monotonic() - began, time.process_time() - own_before
        stolen_after = footprints.stolen_s()
    measured = {name: figures.figure_of([each.took_ms for each in answers if each.name == name]) for name in _MEASURED}
    statuses = Counter(each.status for each in answers)
    faults = [
        *connection.wrong_answers(statuses),
        *wrong_members(door.store, group_id, plan),
        *_slow(measured),
    ]
    return Rush(
        store=store,
        elapsed_s=elapsed_s,
        client_cpu_s=client_cpu_s,
        server_cpu_ms=None if cpu_ms is None else cpu_ms / order.patches,
        stolen=_share(stolen_before, stolen_after, elapsed_s),
        measured=measured,
        statuses=statuses,
        faults=faults,
    )


def _share(before_s: float | None, after_s: float | None, elapsed_s: float) -> float | None:
    if before_s is None or after_s is None:
        return None
    return (after_s - before_s) / (elapsed_s * (os.cpu_count() or 1))


def wrong_members(store: Store, group_id: str, plan: Plan) -> Iterator[str]:
    """Compare who is in the group with who should be, and have the books proved."""
    with store.begin(front_door.TENANT, write=False) as tx:
        group = directory.fetch(tx, GROUP, group_id)
        there = [] if group is None else members.members_of(tx, [group.id]).get(group.id, [])
    found = frozenset(each.scim_id for each in there)
    if found != plan.members:
        yield f"{len(plan.members - found)} members are lost and {len(found - plan.members)} should not be there"
    yield from front_door.wrong_books(store)


def _slow(measured: Mapping[str, Figure]) -> Iterator[str]:
    for name in (Effect.ADD.value, READ):
        if measured[name].p99_ms >= bars.ADD_P99_MS:
            yield f"{name}: p99 {measured[name].p99_ms:.1f} ms, the bar is {bars.ADD_P99_MS:g} ms"
