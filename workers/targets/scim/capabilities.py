"""What the target says of itself (ServiceProviderConfig, RFC 7643 section 5), corrected by what happened since."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.domain.people import Step
from scim_bridge.planning.calls import Abilities

REMEMBERED_MS: Millis = 3_600_000
"""How long a ServiceProviderConfig is believed."""

LOOKED_UP = 200
"""People of one look-up at most: RFC 7644's usual page."""

LOOKED_UP_BY_URL = 5
"""People of one look-up when it must fit into a URL."""

EVERYBODY = 1_000_000
"""People of one look-up where it can only list all accounts."""

MEMBERS_A_CALL = 100

_WITHOUT_READ = {Step.LOOK_UP, Step.CREATE, Step.CREATE_GROUP}
"""Steps that need no read before them, also where a resource can only be put back whole."""

_USER_STEPS = (Step.CREATE, Step.UPDATE, Step.DEACTIVATE, Step.REACTIVATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the target can do, as far as we know."""

    bulk_operations: int = 0
    """0: no bulk."""
    bulk_bytes: int | None = None
    patches: bool = True
    """False: a resource is read, changed and put back whole."""
    filters: bool = True
    """False: accounts and groups are found by listing all of them."""
    joins_filters: bool = True
    page: int = LOOKED_UP
    searches: bool = True
    keeps_groups: bool = True
    refers: bool = True
    """A bulk request may name a user by the bulkId of the operation that makes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What configuration says of the target, over its own word; None: the target's word holds."""

    bulk: bool = True
    bulk_operations: int | None = None
    bulk_bytes: int | None = None
    page: int = LOOKED_UP
    patches: bool | None = None
    filters: bool | None = None
    joins_filters: bool | None = None
    searches: bool | None = None

    def within(self, said: Capabilities) -> Capabilities:
        """Return capabilities inside these bounds."""
        operations = said.bulk_operations if self.bulk else 0
        sizes = [size for size in (said.bulk_bytes, self.bulk_bytes) if size is not None]
        return replace(
            said,
            bulk_operations=operations if self.bulk_operations is None else min(operations, self.bulk_operations),
            bulk_bytes=min(sizes, default=None) if operations else None,
            page=min(said.page, self.page),
            patches=said.patches if self.patches is None else self.patches,
            filters=said.filters if self.filters is None else self.filters,
            joins_filters=said.joins_filters if self.joins_filters is None else self.joins_filters,
            searches=said.searches if self.searches is None else self.searches,
        )


def read_config(config: Any) -> Capabilities:
    """Return what a ServiceProviderConfig says; what it does not say is assumed as RFC 7644 has it by default."""
    document = config if isinstance(config, dict) else {}
    bulk, patch, filters = (_part(document, name) for name in ("bulk", "patch", "filter"))
    has_bulk = bulk.get("supported") is True
    return Capabilities(
        bulk_operations=_positive(bulk.get("maxOperations"), 1) if has_bulk else 0,
        bulk_bytes=_positive(bulk.get("maxPayloadSize"), None) if has_bulk else None,
        patches=patch.get("supported") is not False,
        filters=filters.get("supported") is not False,
        page=min(LOOKED_UP, _positive(filters.get("maxResults"), LOOKED_UP)),
    )


class KnownCapabilities:
    """What is known of the target at this moment. Thread-safe; never calls out itself."""

    def __init__(self, bounds: Bounds | None = None, *, clock: Clock) -> None:
        self._bounds = bounds or Bounds()
        self._clock = clock
        self._lock = threading.Lock()
        self._known = self._bounds.within(Capabilities())
        self._believed_until: Millis = 0

    @property
    def current(self) -> Capabilities:
        """Return what is known; before anything was learned, what RFC 7644 has by default, without bulk."""
        with self._lock:
            return self._known

    def is_stale(self) -> bool:
        """Tell whether the target should be asked (again)."""
        with self._lock:
            return self._clock() >= self._believed_until

    def learn(self, capabilities: Capabilities) -> None:
        """Believe this for an hour. What failed before gets another chance: it may be there now."""
        with self._lock:
            self._known = self._bounds.within(capabilities)
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
        sizes = {Step.LOOK_UP: _look_up_size(known), **dict.fromkeys(_USER_STEPS, 1)}
        if known.keeps_groups:
            sizes |= {Step.CREATE_GROUP: 1, Step.JOIN: MEMBERS_A_CALL, Step.LEAVE: MEMBERS_A_CALL}
        mixed = known.bulk_operations
        mixable = _mixable(known, sizes) if mixed else frozenset()
        return Abilities(
            sizes={**sizes, **dict.fromkeys(mixable, mixed)},
            mixed=mixed,
            mixable=mixable,
            together=known.refers and {Step.CREATE, Step.JOIN} <= mixable,
            payload_limit=known.bulk_bytes,
            reads_beside={} if known.patches else dict.fromkeys(set(sizes) - _WITHOUT_READ, 1),
            keeps_groups=known.keeps_groups,
            listing=known.page,
        )


def _look_up_size(known: Capabilities) -> int:
    if not known.filters:
        return EVERYBODY
    if not known.joins_filters:
        return 1
    return known.page if known.searches else min(known.page, LOOKED_UP_BY_URL)


def _mixable(known: Capabilities, sizes: Mapping[Step, int]) -> frozenset[Step]:
    if not known.patches:
        # A resource that is put back whole must be read first, so only new users can share a call.
        return frozenset({Step.CREATE})
    return frozenset(sizes) - {Step.LOOK_UP, Step.CREATE_GROUP}


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}


def _positive(value: Any, otherwise: Any) -> Any:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else otherwise
