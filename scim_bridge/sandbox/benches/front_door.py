"""The real front door over a database: gunicorn as `scim-bridge web` runs it, and the queue that it tells of work."""

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from scim_bridge import wiring
from scim_bridge.sandbox import configuration
from scim_bridge.sandbox.stories import worlds
from scim_bridge.sandbox.stories.worlds import Process, StageFailed
from scim_bridge.settings import loading
from scim_bridge.store import lanes, tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger
from scim_bridge.supervisor import commands, ports, readiness, valkey
from scim_bridge.supervisor.ports import Address
from scim_bridge.supervisor.processes import Child

TENANT = "bench"
SOURCE = "idp"
TARGET = "target"
GROUP = "Everybody"
"""The group that means something to the target, so that its members' coming and going is owed."""

READY_S = 40.0
STOP_S = 20.0

T = TypeVar("T")

NO_PACE = "requests_per_s = 0\n"
"""A bench sends as fast as it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontDoor:
    """A front door that accepts."""

    port: int
    token: str = field(repr=False)
    store: Store
    process: Process

    def cpu_ms(self) -> float | None:
        """Return the processor time that its processes have used so far; None where the system does not tell."""
        try:
            master = self.process.popen.pid
            children = Path(f"/proc/{master}/task/{master}/children").read_text(encoding="ascii").split()
            return sum(map(_cpu_ms, [master, *map(int, children)]))
        except OSError:
            return None

    def cpu_ms_of(self, work: Callable[[], T]) -> tuple[T, float | None]:
        """Do something, and return what it gave with the processor time that the door's processes used meanwhile."""
        before = self.cpu_ms()
        given = work()
        after = self.cpu_ms()
        return given, None if before is None or after is None else after - before


@contextlib.contextmanager
def opened(store_url: str, *, folder: Path, more: str = "", has_relay: bool = False) -> Iterator[FrontDoor]:
    """Run a front door over a migrated database until the block ends, with a relay if asked. Nobody delivers.

    `more` is further text of its configuration, such as a source.

    Raises:
        StageFailed: a part does not start.
    """
    with contextlib.ExitStack() as stack:
        anywhere = Address("127.0.0.1", 0)
        address, admin = (stack.enter_context(ports.reserved(anywhere)) for _ in range(2))
        config = folder / "bridge.toml"
        config.touch(mode=0o600)
        config.write_text(_configuration(store_url, address, admin) + more, encoding="utf-8")
        # The folder's own settings only: nothing of the caller's environment.
        settings = loading.load(config, environ={})
        store = wiring.open_store(settings)
        stack.callback(store.close)
        with store.across_tenants("a bench's own database: name its lane", write=True) as tx:
            lanes.sync(tx, [(TENANT, TARGET)])
        with store.begin(TENANT) as tx:
            token = tokens.issue(tx, scopes=["scim"], source=SOURCE, name="bench").value
        stack.enter_context(running_queue(Path(settings.data_dir)))
        environ = commands.environment(settings, environ=worlds.environment(), config_path=str(config))
        web = worlds.running("web", commands.web(), folder=folder, patience_s=STOP_S, environ=environ)
        process = stack.enter_context(web)
        await_ready(address, process)
        if has_relay:
            relay = worlds.running("relay", commands.relay(), folder=folder, patience_s=STOP_S, environ=environ)
            stack.enter_context(relay)
        yield FrontDoor(port=address.port, token=token, store=store, process=process)


def _configuration(store_url: str, address: Address, admin: Address) -> str:
    return configuration.opening(
        store_url=store_url, bind=address, admin_bind=admin, tenant=TENANT, sources=[SOURCE], web=NO_PACE
    ) + configuration.target(
        name=TARGET,
        kind="trakstar",
        values={"base_url": "http://127.0.0.1:1/api/v3", "api_key": "nobody delivers here"},
        groups=[GROUP],
    )


@contextlib.contextmanager
def running_queue(data_dir: Path) -> Iterator[None]:
    """Run the embedded Valkey: to tell the workers is a part of each write, though none are there."""
    data_dir.mkdir(mode=0o700, exist_ok=True)
    with valkey.held(data_dir) as server:
        words = io.StringIO()
        child = Child(server.spec(), stdout=words, stderr=words)
        try:
            _wait_for(server.answers, what="Valkey", has_ended=child.has_ended)
            yield
        finally:
            child.kill_group()
            child.bury()


def await_ready(address: Address, process: Process) -> None:
    """Wait until a front door accepts.

    Raises:
        StageFailed: it ends, or takes too long.
    """
    try:
        _wait_for(
            lambda: readiness.is_ready(address),
            what="the front door",
            has_ended=lambda: process.popen.poll() is not None,
        )
    except StageFailed as error:
        raise StageFailed(f"{error}:\n{process.last_words()}") from None


def _wait_for(holds: Callable[[], bool], *, what: str, has_ended: Callable[[], bool]) -> None:
    deadline = time.monotonic() + READY_S
    while not holds():
        if has_ended() or time.monotonic() > deadline:
            raise StageFailed(f"{what} does not start")
        time.sleep(0.05)


def wrong_books(store: Store) -> Iterator[str]:
    """Have the books proved, and give a sentence when they do not agree."""
    if not verify_ledger(store, TENANT)["balanced"]:
        yield "the books do not agree"


def cpu_s_of(pid: int) -> float | None:
    """Return the processor time that one process has used so far, in seconds; None where the system does not tell."""
    try:
        return _cpu_ms(pid) / 1000
    except OSError:
        return None


def _cpu_ms(pid: int) -> float:
    # The number of another process's clock, which Python does not tell (clock_getcpuclockid(3)): it counts nanoseconds,
    # where proc(5) has hundredths of a second.
    return time.clock_gettime_ns((~pid << 3) | 2) / 1_000_000
