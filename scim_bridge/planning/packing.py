"""What goes together in calls that mix steps: as many people as a call's operations and bytes allow. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from scim_bridge.domain.people import Step
from scim_bridge.planning.calls import Abilities, Item

MEMBERSHIPS = frozenset({Step.JOIN, Step.LEAVE})


@dataclass(slots=True, kw_only=True)
class _Load:
    """What one call carries so far."""

    items: list[Item] = field(default_factory=list)
    people: int = 0
    operations: int = 0
    size_bytes: int = 0
    groups: set[str] = field(default_factory=set)

    def add(self, items: Sequence[Item], cost: "_Cost") -> None:
        self.items += items
        self.people += 1
        self.operations += cost.operations
        self.size_bytes += cost.size_bytes
        self.groups |= cost.groups


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """What one person adds to a call."""

    operations: int
    size_bytes: int
    groups: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """The items of one call; `is_full` when nothing more would have gone in."""

    items: tuple[Item, ...]
    is_full: bool


def pack(parts: Iterable[Sequence[Item]], *, abilities: Abilities, cap: int | None) -> list[Packed]:
    """Return the calls for people, each with the items that they need in it, in the order given.

    All members whom a call puts into a group, or out of it, are one operation. Who has more bytes than a call may have
    goes alone. With `cap`, no call carries more people.
    """
    packed: list[Packed] = []
    load = _Load()
    for items in parts:
        cost = _cost(load, items, abilities)
        if load.items and not _fits(load, cost, abilities, cap):
            packed.append(Packed(items=tuple(load.items), is_full=True))
            load = _Load()
            cost = _cost(load, items, abilities)
        load.add(items, cost)
    if load.items:
        is_full = load.operations >= abilities.mixed or (cap is not None and load.people >= cap)
        packed.append(Packed(items=tuple(load.items), is_full=is_full))
    return packed


def _cost(load: _Load, items: Sequence[Item], abilities: Abilities) -> _Cost:
    folding = [item.group for item in items if item.step in MEMBERSHIPS and item.group is not None]
    groups = frozenset(name for name in folding if name not in abilities.unfolded)
    alone = len(items) - sum(1 for name in folding if name in groups)
    weigh = abilities.weigh if abilities.payload_limit is not None else None
    return _Cost(
        operations=alone + len(groups - load.groups),
        size_bytes=sum(weigh(item) for item in items) if weigh is not None else 0,
        groups=groups,
    )


def _fits(load: _Load, cost: _Cost, abilities: Abilities, cap: int | None) -> bool:
    limit = abilities.payload_limit
    is_light = limit is None or load.size_bytes + cost.size_bytes <= limit
    is_short = load.operations + cost.operations <= abilities.mixed
    return is_light and is_short and (cap is None or load.people < max(1, cap))
