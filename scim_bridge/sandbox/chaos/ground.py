"""Where rounds are played: simulated targets, and a bridge whose processes break when ordered."""

import contextlib
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from scim_bridge import wiring
from scim_bridge.sandbox.benches import databases
from scim_bridge.sandbox.chaos import points
from scim_bridge.sandbox.chaos.points import Order
from scim_bridge.sandbox.senders.okta import OktaSender
from scim_bridge.sandbox.stories import worlds
from scim_bridge.sandbox.stories.worlds import Process, World
from scim_bridge.settings import loading
from scim_bridge.settings.models import Settings
from scim_bridge.store import lanes, tallies, tokens
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.supervisor import sockets

TENANT = "chaos"
TARGETS = ("trakstar", "mindtickle")
READY_S = 60.0
STOP_S = 30.0
CALL_S = 2
"""Deadline of a call: so long, and two seconds more, the people of a dead worker's call wait."""

_MIGRATING = threading.Lock()
"""Alembic keeps what it is at in one place for all threads."""

_CONFIG = """\
data_dir = "var"
[store]
url = {store}
[queue]
url = "embedded:"
[worker]
processes = 0
[web]
bind = "127.0.0.1:0"
admin_bind = "127.0.0.1:0"
[[tenants]]
id = "{tenant}"
[[tenants.sources]]
name = "okta"
[[tenants.targets]]
name = "trakstar"
kind = "trakstar"
base_url = "{base_url}"
api_key = "file:target.key"
timeout_s = {call_s}
timeout_bulk_s = {call_s}
guard = {{max = 1000000, share = 1.0}}
[tenants.targets.fields.firstName]
on_too_long = "shorten"
[tenants.targets.fields.lastName]
on_too_long = "shorten"
[[tenants.targets.limits]]
requests = 200
per_s = 1
[[tenants.targets]]
name = "mindtickle"
kind = "mindtickle"
scim_base_url = "{scim_base_url}"
rest_base_url = "{rest_base_url}"
api_key = "file:target.key"
company_id = "acme"
timeout_s = {call_s}
timeout_bulk_s = {call_s}
guard = {{max = 1000000, share = 1.0}}
[[tenants.targets.limits]]
requests = 200
per_s = 1
"""


class Stopped(Exception):  # noqa: N818 - a fact
    """Somebody wants the rounds to end; everything is taken down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Everything that a round is played on."""

    folder: Path
    config: Path
    settings: Settings
    store: Store
    worlds: dict[str, World]
    sender: OktaSender
    bridge: Process
    environ: dict[str, str]
    stopping: threading.Event
    crew: list[Process] = field(default_factory=list)
    """Every worker that was started here; the last one works."""

    @property
    def order_path(self) -> Path:
        """Return where the processes look for an order."""
        return Path(self.environ[points.VARIABLE])

    @contextlib.contextmanager
    def worker(self) -> Iterator[Process]:
        """Run a worker until the block ends."""
        command = [*worlds.PYTHON, "-m", "scim_bridge.sandbox.chaos", "deliver", "--config", str(self.config)]
        name = f"worker-{len(self.crew) + 1}"
        with worlds.running(name, command, folder=self.folder, patience_s=STOP_S, environ=self.environ) as process:
            self.crew.append(process)
            try:
                yield process
            finally:
                # A process that stands still hears no request to end.
                with contextlib.suppress(ProcessLookupError):
                    process.popen.send_signal(signal.SIGCONT)

    def order(self, order: Order) -> None:
        """Have the next process that comes to a point struck there."""
        order.write(self.order_path)

    def was_struck(self) -> bool:
        """Tell whether the order was carried out."""
        return not self.order_path.exists()

    def wait_for(self, is_so: Callable[[], bool], *, within_s: float) -> bool:
        """Wait until something is so; False when it is not in time.

        Raises:
            Stopped: somebody wants an end.
        """
        deadline = time.monotonic() + within_s
        while not is_so():
            if time.monotonic() > deadline:
                return False
            self.pause(0.05)
        return True

    def pause(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            Stopped: somebody wants an end.
        """
        if self.stopping.wait(seconds):
            raise Stopped

    def open_operations(self) -> int | None:
        """Return how many operations the bridge itself will still work on; None when the store cannot tell just now."""
        try:
            with self.store.begin(TENANT, write=False) as tx:
                return tallies.tally(tx).open
        except StoreUnavailable:
            return None

    def free_leases(self, pid: int) -> None:
        """Do as `up` does when it sees one of its workers die."""
        with self.store.across_tenants("free the leases of a process that died", write=True) as tx:
            lanes.free_leases(tx, f"{socket.gethostname()}:{pid}")

    def flush_queue(self) -> bool:
        """Empty the queue, as if nobody had ever been woken; False when it does not answer."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(urlsplit(wiring.queue_url(self.settings)).path)
            connection.sendall(b"FLUSHALL\r\n")
            return connection.recv(64).startswith(b"+OK")
        return False

    def signal_child(self, word: bytes, number: signal.Signals) -> bool:
        """Send a signal to the bridge's process whose command holds a word, and tell whether there is one."""
        pids = [pid for pid in _children_of(self.bridge.popen.pid) if word in _command_line(pid)]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return bool(pids)

    def cut_connections(self) -> bool:
        """End every other connection to a PostgreSQL; False when it cannot be reached."""
        with contextlib.suppress(StoreUnavailable), self.store.across_tenants("cut connections", write=True) as tx:
            tx.connection.exec_driver_sql("RESET ROLE")
            tx.connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return True
        return False


@contextlib.contextmanager
def laid_out(store: str, *, stopping: threading.Event) -> Iterator[Ground]:
    """Set everything up in a private temporary folder, on a database of this kind, and take it down again.

    Once `stopping` is set, whoever waits here is told by Stopped.

    Raises:
        StageFailed: a part does not start.
    """
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(databases.folder(None))
        with _MIGRATING:
            url = stack.enter_context(databases.made(store, folder=folder, postgres_url=None))
        key = worlds.new_secret()
        known = ["--api-key", key, "--limits", "off"]
        commands = {kind: ["--kind", kind, *known] for kind in TARGETS}
        simulated = stack.enter_context(worlds.simulated(commands, folder=folder))
        for world in simulated.values():
            world.control("POST", "faults", {"latency_s": [0.02, 0.15]})
        urls = {name: value for world in simulated.values() for name, value in world.urls.items()}
        secret, config = folder / "target.key", folder / "bridge.toml"
        secret.touch(mode=0o600)
        secret.write_text(key, encoding="utf-8")
        config.write_text(_CONFIG.format(store=f'"{url}"', tenant=TENANT, call_s=CALL_S, **urls), encoding="utf-8")
        stack.callback(_remove_socket, folder / "var")
        environ = {**worlds.environment(), points.VARIABLE: str(folder / "order")}
        up = [*worlds.PYTHON, "-m", "scim_bridge.sandbox.chaos", "up", "--config", str(config)]
        bridge = stack.enter_context(worlds.running("bridge", up, folder=folder, patience_s=STOP_S, environ=environ))
        origin = next(
            word for word in bridge.await_line("ready", patience_s=READY_S).split() if word.startswith("http://")
        )
        settings = loading.load(config, environ={})
        opened = wiring.open_store(settings)
        stack.callback(opened.close)
        with opened.begin(TENANT) as tx:
            token = tokens.issue(tx, scopes=["scim"], source="okta", name="chaos").value
        yield Ground(
            folder=folder,
            config=config,
            settings=settings,
            store=opened,
            worlds=simulated,
            sender=OktaSender(f"{origin}/scim/v2", token, timeout_s=10),
            bridge=bridge,
            environ=environ,
            stopping=stopping,
        )


def stands_still(pid: int) -> bool:
    """Tell whether a process was stopped by a signal (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def _remove_socket(data_dir: Path) -> None:
    path = sockets.find(data_dir)
    if path.parent != data_dir.absolute():
        shutil.rmtree(path.parent, ignore_errors=True)


def _children_of(pid: int) -> list[int]:
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8")
    except OSError:
        return []
    return [int(child) for child in listed.split()]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
