"""The lane that a worker stands at: who it is, what it may do, and what it has learned on this shift."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from scim_bridge.domain.instants import Millis
from scim_bridge.planning.needs import Rules
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.settings.models import TargetSettings
from scim_bridge.store.engine import Store
from scim_bridge.store.quota import Window
from workers.runtime import Runtime
from workers.seen_groups import SeenGroups
from workers.targets.port import Target

LEASE_MS = 5_000
"""How long a lane is held without a sign of life."""

MARGIN_MS = 60
"""Beyond the window, for the jitter between our clock's tick and the target's."""


@dataclass(slots=True, kw_only=True)
class Post:
    """One lane under one lease."""

    runtime: Runtime
    tenant: str
    target_name: str
    lane_id: int
    epoch: int
    target: Target
    settings: TargetSettings
    scope: TargetScope
    began_at: Millis = 0
    """When this shift began."""
    seen_groups: SeenGroups = field(default_factory=SeenGroups)
    """What was seen of the target's groups, also on earlier shifts."""
    absent_groups: frozenset[str] = frozenset()
    """Groups that the target does not have, by a listing, as of the last plan."""
    active_users: tuple[Millis, int] | None = None
    """When active users in scope were last counted for the guard, and how many there were."""

    @property
    def store(self) -> Store:
        """Return the store that everything is written to."""
        return self.runtime.store

    @property
    def is_dry_run(self) -> bool:
        """Tell whether what would be sent is only recorded."""
        return self.settings.mode == "dry-run"

    @property
    def quota(self) -> str:
        """Return the name under which this lane's calls are counted."""
        return self.runtime.quota_name(self.tenant, self.target_name)

    @property
    def windows(self) -> Sequence[Window]:
        """Return the limits of the target."""
        return [
            Window(requests=limit.requests, width_ms=round(limit.per_s * 1000), klass=limit.class_)
            for limit in self.settings.limits
        ]

    def note_absent_groups(self, known: Collection[str]) -> None:
        """Bring `absent_groups` up to date; the target has those that are `known` by an id."""
        self.seen_groups.no_longer_absent(known)
        self.absent_groups = self.seen_groups.absent(self.now(), windows_ms=self._widest_ms)

    def has_groups(self, names: Collection[str]) -> bool:
        """Tell whether a call into these groups that is refused must have been refused for its people."""
        return self.seen_groups.are_there(names, self.now(), windows_ms=self._widest_ms, shift_began_at=self.began_at)

    @property
    def _widest_ms(self) -> Millis:
        return max((window.width_ms for window in self.windows), default=0)

    def rules(self, managed_groups: frozenset[str]) -> Rules:
        """Return what deciding needs to know of the lane."""
        identifying = {name for name in self.settings.mapping if name.lower() in ("email", "username", "emails")}
        return Rules(
            abilities=self.target.abilities(),
            mapped=frozenset(self.settings.mapping),
            identifying=frozenset(identifying),
            managed_groups=managed_groups,
            failed_groups=frozenset(self.seen_groups.failed(self.now())),
            absent_groups=self.absent_groups,
            max_age_ms=self.settings.max_age_days * 86_400_000,
        )

    def now(self) -> Millis:
        """Return the present instant."""
        return self.runtime.clock()
