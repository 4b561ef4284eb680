"""What the target says of itself (ServiceProviderConfig, RFC 7643 section 5), corrected by what happened since."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.domain.people import Step
from scim_bridge.planning.calls import Abilities
from workers.targets.mindtickle.options import MindTickleOptions

REMEMBERED_MS: Millis = 3_600_000
"""How long a ServiceProviderConfig is believed."""

LOOKED_UP = 200
"""People of one look-up at most: RFC 7644's usual page."""

LOOKED_UP_BY_URL = 5
"""People of one look-up when it must fit into a URL."""

MEMBERS_A_CALL = 100
OPERATION_BYTES = 2_048
"""What one operation of a bulk request is reckoned at; a user with every mapped field takes about a third."""

_USER_STEPS = (Step.CREATE, Step.UPDATE, Step.DEACTIVATE, Step.REACTIVATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the target can do, as far as we know."""

    bulk_operations: int = 0
    """0: no bulk."""
    bulk_bytes: int | None = None
    patches: bool = True
    joins_filters: bool = True
    page: int = LOOKED_UP
    searches: bool = True
    keeps_groups: bool = True


def read_config(config: Any) -> Capabilities:
    """Return what a ServiceProviderConfig says; what it does not say is assumed as RFC 7644 has it by default."""
    document = config if isinstance(config, dict) else {}
    bulk, patch, filters = (_part(document, name) for name in ("bulk", "patch", "filter"))
    has_bulk = bulk.get("supported") is True
    return Capabilities(
        bulk_operations=_positive(bulk.get("maxOperations"), 1) if has_bulk else 0,
        bulk_bytes=_positive(bulk.get("maxPayloadSize"), None) if has_bulk else None,
        patches=patch.get("supported") is not False,
        page=min(LOOKED_UP, _positive(filters.get("maxResults"), LOOKED_UP)),
    )


class KnownCapabilities:
    """What is known of the target at this moment. Thread-safe; never calls out itself."""

    def __init__(self, options: MindTickleOptions, *, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._lock = threading.Lock()
        self._known = Capabilities()
        self._believed_until: Millis = 0

    @property
    def current(self) -> Capabilities:
        """Return what is known; before anything was learned, the least that any SCIM target can do."""
        with self._lock:
            return self._known

    def is_stale(self) -> bool:
        """Tell whether the target should be asked (again)."""
        with self._lock:
            return self._clock() >= self._believed_until

    def learn(self, capabilities: Capabilities) -> None:
        """Believe this for an hour. What failed before gets another chance: it may be there now."""
        with self._lock:
            self._known = capabilities
            self._believed_until = self._clock() + REMEMBERED_MS

    def correct(self, **changes: Any) -> None:
        """Note that something failed which was believed to be there."""
        with self._lock:
            self._known = replace(self._known, **changes)

    def doubt(self) -> None:
        """Have the target asked again before the next call; until then what is known holds."""
        with self._lock:
            self._believed_until = 0

    def abilities(self) -> Abilities:
        """Return what is known in planning's words."""
        known = self.current
        look_ups = known.page if known.searches else min(known.page, LOOKED_UP_BY_URL)
        sizes = {Step.LOOK_UP: look_ups if known.joins_filters else 1, **dict.fromkeys(_USER_STEPS, 1)}
        if known.keeps_groups and known.patches:
            sizes |= {Step.CREATE_GROUP: 1, Step.JOIN: MEMBERS_A_CALL, Step.LEAVE: MEMBERS_A_CALL}
        mode = self._options.bulk_mode
        if mode == "rest":
            sizes[Step.CREATE] = self._options.rest_bulk_users
        mixed = _bulk_size(known) if mode == "scim" else 0
        mixable = frozenset(sizes) - {Step.LOOK_UP, Step.CREATE_GROUP} if mixed else frozenset()
        return Abilities(
            sizes={**sizes, **dict.fromkeys(mixable, mixed)},
            mixed=mixed,
            mixable=mixable,
            payload_limit=known.bulk_bytes,
            keeps_groups=known.keeps_groups,
        )


def _bulk_size(known: Capabilities) -> int:
    by_bytes = known.bulk_operations if known.bulk_bytes is None else known.bulk_bytes // OPERATION_BYTES
    return max(1, min(known.bulk_operations, by_bytes)) if known.bulk_operations else 0


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _positive(value: Any, otherwise: Any) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else otherwise
