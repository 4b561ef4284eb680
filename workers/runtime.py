"""What one process works with: settings, store, dispatcher, clock, targets. Made once, at its entry."""

import os
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import TYPE_CHECKING

from scim_bridge import secrets, wiring
from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.errors import UsageError
from scim_bridge.recording.scopes import TargetScope, scope_of
from scim_bridge.settings.models import Settings, TargetSettings
from scim_bridge.store.engine import Store
from workers.seen_groups import SeenGroups
from workers.targets.port import Target

if TYPE_CHECKING:
    from scim_bridge.recording.imports import Source
    from workers.fetchers.asker import Asker

_current: dict[str, "Runtime"] = {}


def owner_name(pid: int | None = None) -> str:
    """Return the name under which a process holds leases."""
    return f"{socket.gethostname()}:{pid if pid is not None else os.getpid()}"


@dataclass(slots=True, kw_only=True)
class Runtime:
    """One process's parts. Targets are built when they are first needed, and kept."""

    settings: Settings
    store: Store
    dispatcher: Dispatcher
    fingerprint_key: bytes = field(repr=False)
    clock: Clock = wiring.now_ms
    monotonic_s: Callable[[], float] = time.monotonic
    """Measures how long a shift has lasted, whatever is done to the clock."""
    random: Random = field(default_factory=SystemRandom)
    stopping: threading.Event = field(default_factory=threading.Event)
    pause: Callable[[float], object] = field(init=False)
    """Waits some seconds, less when the process is to stop; a test moves its clock instead."""
    owner: str = field(default_factory=owner_name)
    targets: dict[tuple[str, str], Target] = field(default_factory=dict)
    """Targets by tenant and name; a test puts its own here."""
    expiries_seen_at: Millis | None = None
    """When the relay last looked which tokens will expire."""
    requests_thinned_at: Millis = 0
    """When the relay last looked whether tenants have too many inbound requests on record."""
    schedule_seen_at: Millis | None = None
    """When the relay last looked which targets are to be compared with the directory."""
    errands: list[threading.Thread] = field(default_factory=list)
    """Threads of a worker that carry operators' errands out."""
    wakes_rest_ms: Millis = 0
    """How long the relay rests before it looks again which lanes are due."""
    scopes: dict[tuple[str, str], TargetScope] = field(default_factory=dict)
    seen_groups: dict[tuple[str, str], SeenGroups] = field(default_factory=dict)
    """What was seen of the groups of each lane's target, by tenant and name."""
    row_sources: dict[tuple[str, str], "Source"] = field(default_factory=dict)
    """Sources of HR rows by tenant and name, with their mappings compiled."""
    messengers: dict[str, threading.Thread] = field(default_factory=dict)
    """Threads that send notices, by receiver."""
    dates_put_off: dict[int, Millis] = field(default_factory=dict)
    """When dates of employment could not be applied, by the number of what was said, those longest ago first."""
    successions_reached: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """The last person looked at, by tenant, replaced source and the one in its place, while more are behind."""
    askers: dict[tuple[str, str], "Asker"] = field(default_factory=dict)
    """Those who look people up in HR systems, by tenant and source."""

    def __post_init__(self) -> None:
        self.pause = self.stopping.wait

    def target_settings(self, tenant: str, target: str) -> TargetSettings | None:
        """Return the settings of a lane, None when the configuration does not name it."""
        found = self.settings.tenant(tenant)
        return None if found is None else next((t for t in found.targets if t.name == target), None)

    def target(self, tenant: str, target: str) -> Target:
        """Return the object that speaks to a lane's target.

        Raises:
            KeyError: the configuration does not name the lane.
        """
        if (tenant, target) not in self.targets:
            settings = self.target_settings(tenant, target)
            if settings is None:
                raise KeyError((tenant, target))
            from workers.targets import registry  # noqa: PLC0415 - the relay speaks to no target

            self.targets[tenant, target] = registry.build(settings, clock=self.clock)
        return self.targets[tenant, target]

    def build_targets(self) -> None:
        """Build every target now, so that wrong options stop the start.

        Raises:
            UsageError: naming all that is wrong, of all targets.
        """
        faults = []
        for tenant in self.settings.tenants:
            for settings in tenant.targets:
                try:
                    self.target(tenant.id, settings.name)
                    self.scope(tenant.id, settings.name)
                except ValueError as error:
                    faults.append(f"  tenant {tenant.id}: {error}")
        if faults:
            raise UsageError("the configuration has faults:\n" + "\n".join(faults))

    def scope(self, tenant: str, target: str) -> TargetScope:
        """Return what of the directory a lane is owed; its filter is compiled once.

        Raises:
            KeyError: the configuration does not name the lane.
        """
        if (tenant, target) not in self.scopes:
            settings = self.target_settings(tenant, target)
            if settings is None:
                raise KeyError((tenant, target))
            self.scopes[tenant, target] = scope_of(settings)
        return self.scopes[tenant, target]

    def quota_name(self, tenant: str, target: str) -> str:
        """Return the name under which a lane's calls are counted: given, or a keyed fingerprint of its credential."""
        settings = self.target_settings(tenant, target)
        if settings is None:
            raise KeyError((tenant, target))
        if settings.quota is not None:
            return settings.quota
        credential = "|".join(f"{name}={value.get_secret_value()}" for name, value in sorted(settings.secrets.items()))
        return f"{settings.kind}:{secrets.fingerprint(self.fingerprint_key, credential or f'{tenant}/{target}')}"


def current() -> Runtime:
    """Return this process's runtime."""
    return _current["runtime"]


def install(runtime: Runtime) -> None:
    """Make a runtime this process's one."""
    _current["runtime"] = runtime
