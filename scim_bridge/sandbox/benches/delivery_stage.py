"""The stage of a delivery bench: simulated targets, a store that is filled by hand, and real workers when asked for."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scim_bridge import wiring
from scim_bridge.sandbox import configuration
from scim_bridge.sandbox.benches import crowd, front_door
from scim_bridge.sandbox.benches.connection import Connection
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.sandbox.benches.front_door import SOURCE, TENANT
from scim_bridge.sandbox.stories import worlds
from scim_bridge.sandbox.stories.worlds import Process, StageFailed, World
from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.settings import loading
from scim_bridge.settings.models import Settings
from scim_bridge.store import lanes, seeding, tallies, tokens
from scim_bridge.store.engine import Store
from scim_bridge.supervisor import commands, ports
from scim_bridge.supervisor.ports import Address

STOP_S = 25.0
LOOK_EVERY_S = 0.05

_UNGUARDED = "guard = {max = 1000000, share = 1.0}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What a target allows: at most `requests` calls in any `per_s` seconds."""

    requests: int = 10
    per_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One simulated Trakstar, and how the bridge is told of it."""

    name: str
    limit: Limit | None = None
    """None: the simulator allows any number of calls, and the bridge is told so."""
    latency_s: tuple[float, float] = (0.0, 0.0)
    concurrency: int = 4
    """Calls that may be out at once."""
    fields: str = ""
    """Tables of the target's configuration, as text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What a part of the bench plays with."""

    folder: Path
    config: Path
    settings: Settings
    store: Store
    worlds: Mapping[str, World]
    target_pids: Sequence[int]
    """The processes of the simulated targets."""
    crowd: Crowd
    address: Address

    def lane_ids(self) -> list[int]:
        """Return the lanes' ids."""
        with self.store.begin(TENANT, write=False) as tx:
            return [lane.id for lane in lanes.configured(tx)]

    def owe(self, numbers: range, *, to: Sequence[int] | None = None) -> None:
        """Put people of these numbers into the directory; each lane (or those named) has to be told of them."""
        lane_ids = self.lane_ids() if to is None else to
        crowd.build_owed(self.store, TENANT, self.crowd, numbers, source=SOURCE, lane_ids=lane_ids)
        seeding.settle(self.settings.store.url)

    @contextlib.contextmanager
    def working(self, workers: int) -> Iterator[list[Process]]:
        """Run a relay and so many workers until the block ends; gives the workers."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._running("relay", commands.relay()))
            yield [stack.enter_context(self._running(f"worker-{at}", commands.worker())) for at in range(workers)]

    @contextlib.contextmanager
    def open_door(self) -> Iterator[tuple[Connection, str]]:
        """Run a front door until the block ends; gives a connection to it and a token."""
        with self.store.begin(TENANT) as tx:
            token = tokens.issue(tx, scopes=["scim"], source=SOURCE, name="bench").value
        with self._running("web", commands.web()) as web:
            front_door.await_ready(self.address, web)
            with Connection(self.address.port) as connection:
                yield connection, token

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let all lanes rest while the block runs, so that what it records waits."""
        self._note(paused_at=wiring.now_ms(), paused_by=TENANT)
        try:
            yield
        finally:
            self._note(paused_at=None, paused_by=None)

    def is_done(self) -> bool:
        """Tell whether nothing waits and nothing is on its way."""
        with self.store.begin(TENANT, write=False) as tx:
            return tallies.is_done(tx)

    def await_done(self, processes: Sequence[Process], *, patience_s: float, look: Callable[[], object] = bool) -> None:
        """Wait until nothing waits and nothing is on its way; `look` is called all the while.

        Raises:
            StageFailed: a process ended, or nothing has come to an end for so long.
        """
        self.await_that(self.is_done, processes, patience_s=patience_s, look=look)

    def await_that(
        self,
        holds: Callable[[], bool],
        processes: Sequence[Process],
        *,
        patience_s: float,
        look: Callable[[], object] = bool,
    ) -> None:
        """Wait until something holds; `look` is called all the while.

        Raises:
            StageFailed: a process ended, or it takes too long.
        """
        deadline = time.monotonic() + patience_s
        while not holds():
            look()
            for process in processes:
                process.check()
            if time.monotonic() > deadline:
                raise StageFailed(f"work is left after {patience_s:.0f} s:\n{processes[0].last_words()}")
            time.sleep(LOOK_EVERY_S)

    def calls(self, lane: str) -> list[Mapping[str, Any]]:
        """Return every call that reached a lane's target so far, in order of arrival."""
        world = self.worlds[lane]
        world.look()
        return list(world.calls)

    def _note(self, **values: object) -> None:
        with self.store.begin(TENANT) as tx:
            for lane in lanes.configured(tx):
                lanes.note(tx, lane.id, **values)

    def _running(self, name: str, command: Sequence[str]) -> contextlib.AbstractContextManager[Process]:
        environ = commands.environment(self.settings, environ=worlds.environment(), config_path=str(self.config))
        return worlds.running(name, command, folder=self.folder, patience_s=STOP_S, environ=environ)


@contextlib.contextmanager
def set_up(store_url: str, wanted: Sequence[Lane], *, folder: Path, seed: int) -> Iterator[Stage]:
    """Run the simulators and the queue over a migrated database until the block ends. Nobody works yet.

    Raises:
        StageFailed: a part does not start.
    """
    with contextlib.ExitStack() as stack:
        anywhere = Address("127.0.0.1", 0)
        address, admin = (stack.enter_context(ports.reserved(anywhere)) for _ in range(2))
        keys = {lane.name: worlds.new_secret() for lane in wanted}
        processes = {lane.name: _simulator(stack, lane, keys[lane.name], folder=folder, seed=seed) for lane in wanted}
        simulated = {lane.name: _world(lane, processes[lane.name]) for lane in wanted}
        text = configuration.opening(
            store_url=store_url,
            bind=address,
            admin_bind=admin,
            tenant=TENANT,
            sources=[SOURCE],
            web=front_door.NO_PACE,
        )
        text += "".join(_told_of(lane, simulated[lane.name], keys[lane.name]) for lane in wanted)
        config = folder / "bridge.toml"
        config.touch(mode=0o600)
        config.write_text(text, encoding="utf-8")
        # The folder's own settings only: nothing of the caller's environment.
        settings = loading.load(config, environ={})
        store = wiring.open_store(settings)
        stack.callback(store.close)
        with store.across_tenants("a bench's own database: name its lanes", write=True) as tx:
            lanes.sync(tx, [(TENANT, lane.name) for lane in wanted])
        stack.enter_context(front_door.running_queue(Path(settings.data_dir)))
        yield Stage(
            folder=folder,
            config=config,
            settings=settings,
            store=store,
            worlds=simulated,
            target_pids=[process.popen.pid for process in processes.values()],
            crowd=Crowd(seed),
            address=address,
        )


def _simulator(stack: contextlib.ExitStack, lane: Lane, key: str, *, folder: Path, seed: int) -> Process:
    limits = "off" if lane.limit is None else f"{lane.limit.requests}/{lane.limit.per_s:g}"
    command = [
        *(*worlds.PYTHON, "-m", "scim_bridge.sandbox.targets", "--kind", "trakstar", "--api-key", key),
        *("--limits", limits, "--seed", str(seed)),
    ]
    return stack.enter_context(worlds.running(lane.name, command, folder=folder, patience_s=worlds.END_S))


def _world(lane: Lane, process: Process) -> World:
    told = json.loads(process.await_line("{", patience_s=worlds.START_S))
    world = World(name=lane.name, origin=told["origin"], urls={"base_url": told["base_url"]})
    if lane.latency_s[1]:
        world.control("POST", "faults", {"latency_s": list(lane.latency_s)})
    return world


def _told_of(lane: Lane, world: World, key: str) -> str:
    return configuration.target(
        name=lane.name,
        kind="trakstar",
        values={"base_url": world.urls["base_url"], "api_key": key},
        limits=[] if lane.limit is None else [Window(requests=lane.limit.requests, per_s=lane.limit.per_s)],
        more=f"{_UNGUARDED}concurrency = {lane.concurrency}\n{lane.fields}",
    )
