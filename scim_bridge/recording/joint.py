"""Edits of one group's members that came at the same time, recorded together: one statement for all of them.

What is recorded is what would be, were one edit recorded after the other: each has its change, its operations, its
correlation id and its version of the group. The statements, the locks and the commit are shared. Only of somebody who
moves more than once, the superseded operations all name the last one, instead of each the next.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scim_bridge.domain.people import Priority
from scim_bridge.recording import edits, owing
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import UnknownMembers, name_of, request_text
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.store import directory, dues, ledger, members, numbers, tables
from scim_bridge.store.directory import Stored
from scim_bridge.store.dues import Due
from scim_bridge.store.engine import Transaction
from scim_bridge.store.members import Named


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one request asks for: members who join and leave by name, never all others."""

    edits: Sequence[MemberEdit]
    origin: Origin

    @property
    def scim_ids(self) -> frozenset[str]:
        """Return whom it names."""
        return frozenset(scim_id for edit in self.edits for scim_id in edit.scim_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one request."""

    stored: Stored
    """The group as this edit left it."""
    change: int | None = None
    """The number of its change; None where it changed nothing."""
    unknown: tuple[str, ...] = ()
    """Users who were to join and do not exist: then nothing was done."""

    def checked(self) -> "Outcome":
        """Return it if it was carried out.

        Raises:
            UnknownMembers: it was not.
        """
        if self.unknown:
            raise UnknownMembers(list(self.unknown))
        return self


def record(
    tx: Transaction, group: Stored, asked: Sequence[Asked], *, scopes: Mapping[str, TargetScope]
) -> tuple[list[Outcome], frozenset[str]]:
    """Record edits of a group's members in their order; return what became of each, and the targets to wake.

    The group is locked by the caller.
    """
    with tx.pipeline():
        named_answer = members.lock_named(tx, group.id, frozenset[str]().union(*(each.scim_ids for each in asked)))
        numbers_answer = numbers.reserve(tx, tables.change.c.number, len(asked))
        owed = owing.Owing(tx, scopes).for_group(name_of(group.document))
        named = named_answer()
        before = {each.number for each in named.values() if each.is_member}
        free, inside, outcomes, moves = iter(numbers_answer()), set(before), list[Outcome](), list[_Move]()
        for each in asked:
            unknown = _unknown(each, named)
            joined, left = ([], []) if unknown else _moved(each, named, inside)
            if not joined and not left:
                outcomes.append(Outcome(stored=group, unknown=unknown))
                continue
            inside.update(joined)
            inside.difference_update(left)
            move = _Move(number=next(free), previous=group.version, origin=each.origin, joined=joined, left=left)
            group = group._replace(version=move.number, modified_at=max(tx.now, group.modified_at))
            moves.append(move)
            outcomes.append(Outcome(stored=group, change=move.number))
        if not moves:
            return outcomes, frozenset()
        ledger.send_changes(tx, {move.number: move.edit(group, lanes=len(owed.lanes)) for move in moves})
        _write(tx, group, joined=inside - before, left=before - inside)
        dues.owe_each(tx, [due for move in moves for due in move.dues(group, owed)])
    return outcomes, frozenset(lane.target for lane in owed.lanes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """What one request changes."""

    number: int
    previous: int
    origin: Origin
    joined: Sequence[int]
    left: Sequence[int]

    def edit(self, group: Stored, *, lanes: int) -> dict[str, Any]:
        return {
            "resource_id": group.id,
            "previous": self.previous,
            "kind": "update",
            "source": self.origin.source,
            "token_id": self.origin.token_id,
            "correlation_id": self.origin.correlation_id,
            "request": request_text(group.kind, joined=len(self.joined), left=len(self.left)),
            "owed": lanes * (1 + len(self.joined) + len(self.left)),
        }

    def dues(self, group: Stored, owed: owing.Owed) -> Iterable[Due]:
        for lane in owed.lanes:
            yield Due(change=self.number, lane_id=lane.id, resource_id=group.id, priority=lane.priority)
            for user in (*self.joined, *self.left):
                yield Due(change=self.number, lane_id=lane.id, resource_id=user, priority=Priority.NORMAL)


def _unknown(asked: Asked, named: Mapping[str, Named]) -> tuple[str, ...]:
    joining = (scim_id for edit in asked.edits if edit.how is Membership.ADD for scim_id in edit.scim_ids)
    return tuple(dict.fromkeys(scim_id for scim_id in joining if scim_id not in named))


def _moved(asked: Asked, named: Mapping[str, Named], inside: set[int]) -> tuple[list[int], list[int]]:
    """Return who joins and who leaves, of a group that holds these."""
    joins: dict[int, bool] = {}
    for edit in edits.net(asked.edits):
        for scim_id in edit.scim_ids:
            if scim_id in named:
                joins[named[scim_id].number] = edit.how is Membership.ADD
    joined = sorted(number for number, joining in joins.items() if joining and number not in inside)
    left = sorted(number for number, joining in joins.items() if not joining and number in inside)
    return joined, left


def _write(tx: Transaction, group: Stored, *, joined: Iterable[int], left: Iterable[int]) -> None:
    if joined:
        members.put_in(tx, group.id, sorted(joined))
    if left:
        members.take_out(tx, group.id, sorted(left))
    directory.touch(tx, group, version=group.version)
