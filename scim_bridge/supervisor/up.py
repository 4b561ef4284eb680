"""`scim-bridge up`: one machine's bridge, from migration to the last process stopped."""

import contextlib
import os
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scim_bridge import metrics_folder, wiring
from scim_bridge.settings.addresses import EMBEDDED
from scim_bridge.settings.models import Settings
from scim_bridge.store import lanes, migrate
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.supervisor import commands, data_folder, ports, readiness, valkey
from scim_bridge.supervisor.data_folder import CannotStart
from scim_bridge.supervisor.ports import Address
from scim_bridge.supervisor.processes import Death, ProcessSpec
from scim_bridge.supervisor.supervisor import Supervisor

WEB = "web"
RELAY = "relay"
WORKER_GRACE_S = 22.0
"""A worker finishes its call (at most 20 s) and settles it."""

PROBE_EVERY_S = 0.2
PATIENCE_S = 30.0
DEATHS_BEFORE_READY = 3
"""A process that dies so often before the bridge was ever ready will not get well by being started again."""


def run(settings: Settings, *, config_path: str | None, port: int | None) -> int:
    """Run the whole bridge until SIGTERM or SIGINT; returns the exit code.

    `config_path` is handed on to the children; `port` overrides the port of `[web] bind`, 0 picks a free one.
    To be called in the main thread.
    """
    os.umask(0o077)
    try:
        with contextlib.ExitStack() as stack:
            data_dir = Path(settings.data_dir).absolute()
            stack.enter_context(data_folder.held(data_dir))
            address = stack.enter_context(ports.reserved(ports.parse(settings.web.bind, port=port)))
            admin_address = stack.enter_context(ports.reserved(ports.parse(settings.web.admin_bind)))
            server = stack.enter_context(valkey.held(data_dir)) if settings.queue.url == EMBEDDED else None
            store = _open_store(settings)
            stack.callback(store.close)
            environment = commands.environment(settings, environ=os.environ, config_path=config_path)
            # Only the front door listens; to the others what is told by the environment costs time to read.
            of_web = commands.environment(
                settings, environ=environment, bind=str(address), admin_bind=str(admin_address)
            )
            _forget_former_numbers(environment)
            _Bridge(settings, address, server, environment, of_web, store).run()
    except CannotStart as refusal:
        sys.stderr.write(f"scim-bridge up: {refusal}\n")
        return refusal.exit_code
    return 0


@dataclass(frozen=True, slots=True)
class _Bridge:
    """Everything that one run of `up` needs."""

    settings: Settings
    address: Address
    server: valkey.Server | None
    environment: dict[str, str]
    environment_of_web: dict[str, str]
    store: Store

    def run(self) -> None:
        """Start all, watch them until a stop is asked for, stop them in order."""
        supervisor = Supervisor(on_death=self._free_leases)
        workers = [f"worker-{number}" for number in range(1, self.settings.worker.processes + 1)]
        with supervisor.listening():
            try:
                if self.server is not None:
                    start_valkey(supervisor, self.server)
                if not supervisor.stop_requests:
                    supervisor.start(self._relay())
                    for name in workers:
                        supervisor.start(self._worker(name))
                    supervisor.start(self._web())
                    self._announce(supervisor)
                while not supervisor.stop_requests:
                    supervisor.step()
                supervisor.say("stopping")
            finally:
                supervisor.stop([[WEB], workers, [RELAY], [valkey.NAME]])

    def _announce(self, supervisor: Supervisor) -> None:
        """Wait until the front door can accept, and say so once."""
        began = time.monotonic()
        complained = False
        while not supervisor.stop_requests:
            if readiness.is_ready(self.address):
                with contextlib.suppress(BrokenPipeError):
                    print(f"ready  {self.address.url}  (SCIM at /scim/v2)", flush=True)  # noqa: T201 - the promised line
                return
            supervisor.step(PROBE_EVERY_S)
            _give_up_on_the_sick(supervisor)
            if not complained and time.monotonic() > began + PATIENCE_S:
                complained = True
                supervisor.say(f"{self.address.url}/readyz does not answer 200 yet; still waiting")

    def _web(self) -> ProcessSpec:
        return ProcessSpec(name=WEB, command=commands.web(), environment=self.environment_of_web)

    def _relay(self) -> ProcessSpec:
        return ProcessSpec(name=RELAY, command=commands.relay(), environment=self.environment)

    def _worker(self, name: str) -> ProcessSpec:
        return ProcessSpec(name=name, command=commands.worker(), environment=self.environment, grace_s=WORKER_GRACE_S)

    def _free_leases(self, death: Death) -> None:
        """Let others work a dead process's lanes at once; its leases would run out by themselves a little later."""
        if death.name in {WEB, valkey.NAME}:
            return
        try:
            with self.store.across_tenants("free the leases of a process that died", write=True) as tx:
                lanes.free_leases(tx, f"{socket.gethostname()}:{death.pid}")
        except StoreUnavailable:
            return
        finally:
            self.store.close()


def _open_store(settings: Settings) -> Store:
    """Bring the store to this version's schema and to the configured lanes."""
    try:
        migrate.upgrade(settings.store.url)
        store = Store.open(settings.store.url, clock=wiring.now_ms, pool_size=1)
        with store.across_tenants("bring the lanes to the configuration", write=True) as tx:
            lanes.sync(tx, [(tenant.id, target.name) for tenant in settings.tenants for target in tenant.targets])
    except StoreUnavailable as error:
        raise CannotStart(f"the database is not available: {error}") from error
    store.close()  # between a few short uses it need not hold connections
    return store


def _forget_former_numbers(environment: Mapping[str, str]) -> None:
    """Counters begin at nought with each start; what processes of an earlier one left would only pile up."""
    for file in Path(environment[metrics_folder.FOLDER_VARIABLE]).glob("*.db"):
        file.unlink(missing_ok=True)


def start_valkey(supervisor: Supervisor, server: valkey.Server) -> None:
    """Start the embedded server and wait for it; data that it cannot load are set aside once."""
    for attempt in (1, 2):
        supervisor.start(server.spec())
        if _wait_until(supervisor, server.answers) or supervisor.stop_requests:
            return
        if not supervisor.deaths_in_row()[valkey.NAME]:
            supervisor.say("Valkey lives but does not answer yet; going on without it, wake-ups come from the relay")
            return
        supervisor.stop([[valkey.NAME]])
        if attempt == 1:
            supervisor.say(f"Valkey does not start; its data are set aside in {server.set_data_aside()}")
    raise CannotStart("the embedded Valkey does not start; its own words stand above")


def _wait_until(supervisor: Supervisor, holds: Callable[[], bool]) -> bool:
    """Watch the children until something holds; False when one of them keeps dying, or it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not supervisor.stop_requests and time.monotonic() < deadline:
        if holds():
            return True
        supervisor.step(0.02)
        if max(supervisor.deaths_in_row().values()) >= 2:
            return False
    return False


def _give_up_on_the_sick(supervisor: Supervisor) -> None:
    for name, deaths in supervisor.deaths_in_row().items():
        if deaths >= DEATHS_BEFORE_READY:
            raise CannotStart(f"{name} ended {deaths} times before the bridge was ready; its own words stand above")
