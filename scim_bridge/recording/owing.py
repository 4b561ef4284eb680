"""Which lanes a change makes us owe something, and how urgent it is."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scim_bridge.domain.people import Priority
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.store import holding, lanes
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Transaction

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwedLane:
    """One lane that is owed an operation for the changed resource, and its priority."""

    id: int
    target: str
    priority: int

    @property
    def is_urgent(self) -> bool:
        """Tell whether it is for a leaver."""
        return self.priority == Priority.LEAVER


@dataclass(frozen=True, slots=True)
class Owed:
    """What a change owes."""

    lanes: tuple[OwedLane, ...] = ()

    def by_priority(self) -> dict[int, list[int]]:
        """Return the lanes' ids by their priority."""
        found: dict[int, list[int]] = {}
        for lane in self.lanes:
            found.setdefault(lane.priority, []).append(lane.id)
        return found


NOTHING = Owed()


class Owing:
    """Decides for the lanes of one tenant. A lane that no setting describes takes every user and no group."""

    def __init__(self, tx: Transaction, scopes: Mapping[str, TargetScope]) -> None:
        """Read the tenant's lanes."""
        self._tx = tx
        self._lanes = [
            (lane_id, scopes.get(target) or TargetScope(target=target))
            for lane_id, target in lanes.configured_targets(tx)
        ]

    def for_user(self, before: Stored | None, after: Document | None) -> Owed:
        """Return which lanes are owed something for a user: in scope, or held by the target from when they were.

        `before` None: a new user. `after` None: a deleted one. Who ceases to be active, or leaves the scope of a target
        that then deactivates, is a leaver.
        """
        return self._for_user(before, after, lambda number: holding.lanes_holding(self._tx, number))

    def for_users(self, edited: Sequence[tuple[Stored | None, Document]]) -> list[Owed]:
        """Return for each of many users what `for_user` does, by one statement at most."""
        held: dict[int, Collection[int]] = {}

        def held_in(number: int) -> Collection[int]:
            if not held:
                numbers = [before.id for before, _ in edited if before is not None]
                held.update(holding.lanes_holding_each(self._tx, numbers))
            return held.get(number, ())

        return [self._for_user(before, after, held_in) for before, after in edited]

    def _for_user(
        self, before: Stored | None, after: Document | None, held_in: Callable[[int], Collection[int]]
    ) -> Owed:
        is_leaver = before is not None and before.active and (after is None or after.get("active") is False)
        owed: list[OwedLane] = []
        out_of_scope: list[tuple[int, TargetScope]] = []
        for lane_id, scope in self._lanes:
            if scope.takes(before.document if after is None and before is not None else after or {}):
                priority = Priority.LEAVER if is_leaver else Priority.NORMAL
                owed.append(OwedLane(id=lane_id, target=scope.target, priority=priority))
            else:
                out_of_scope.append((lane_id, scope))
        if out_of_scope and before is not None:
            held = held_in(before.id)
            for lane_id, scope in out_of_scope:
                if lane_id in held:
                    unscoped = scope.deactivates_on_unscope and scope.takes(before.document)
                    priority = Priority.LEAVER if is_leaver or unscoped else Priority.NORMAL
                    owed.append(OwedLane(id=lane_id, target=scope.target, priority=priority))
        return Owed(tuple(owed))

    def for_group(self, *names: str) -> Owed:
        """Return which lanes are owed something for a group that has, or had, one of these names."""
        return Owed(
            tuple(
                OwedLane(id=lane_id, target=scope.target, priority=Priority.GROUP)
                for lane_id, scope in self._lanes
                if any(name and scope.maps(name) for name in names)
            )
        )
