"""Who changes what in one large group: each client plays with people of its own, so that the end is known."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.sandbox.benches.questions import PATCH_OP

AT_ONCE = 5
"""Members in a patch of several, while there are so many."""


class Effect(Enum):
    """What a patch does to the group."""

    ADD = "add"
    REMOVE = "remove"
    BOTH = "add and remove"


@dataclass(frozen=True, slots=True)
class Patch:
    """One PATCH of the group's members."""

    effect: Effect
    operations: Sequence[dict[str, Any]] = field(repr=False)

    def document(self) -> dict[str, Any]:
        """Return the body."""
        return {"schemas": [PATCH_OP], "Operations": list(self.operations)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What every client sends, one after the other, and who is in the group afterwards."""

    clients: Sequence[Sequence[Patch]]
    members: frozenset[str]
    """The ids of the group's members in the end."""


class _Client:
    """One client's people, by id: who is in, and who is out."""

    def __init__(self, inside: list[str], outside: list[str], dice: random.Random) -> None:
        self.inside = inside
        self.outside = outside
        self._dice = dice

    def join(self, count: int) -> list[str]:
        """Take some people in."""
        return self._move(self.outside, self.inside, count)

    def leave(self, count: int) -> list[str]:
        """Take some people out."""
        return self._move(self.inside, self.outside, count)

    def _move(self, here: list[str], there: list[str], count: int) -> list[str]:
        moved = []
        for _ in range(min(count, len(here))):
            at = self._dice.randrange(len(here))
            here[at], here[-1] = here[-1], here[at]
            moved.append(here.pop())
        there += moved
        return moved


def make(crowd: Crowd, *, users: int, members: int, clients: int, patches: int, dice: random.Random) -> Plan:
    """Return a plan over people of a crowd by number, the first of whom are the members."""
    players = [
        _Client(
            [crowd.scim_id(number) for number in range(client, members, clients)],
            [crowd.scim_id(number) for number in range(members + client, users, clients)],
            dice,
        )
        for client in range(clients)
    ]
    planned: list[list[Patch]] = [[] for _ in players]
    for number in range(patches):
        at = number % clients
        planned[at].append(_next(players[at], dice))
    return Plan(clients=planned, members=frozenset(each for player in players for each in player.inside))


def _next(client: _Client, dice: random.Random) -> Patch:
    """Return the client's next patch, of a form for which it has people."""
    forms: list[Callable[[_Client], Patch]] = []
    if client.outside:
        forms += _ADDING
    if client.inside:
        forms += _REMOVING
    if client.outside and client.inside:
        forms.append(_swap)
    return dice.choice(forms)(client)


def _add_one(client: _Client) -> Patch:
    return Patch(Effect.ADD, [_listed("add", client.join(1))])


def _add_several(client: _Client) -> Patch:
    return Patch(Effect.ADD, [_listed("Add", client.join(AT_ONCE))])


def _add_again(client: _Client) -> Patch:
    """Add somebody who is in already, too: a sender that lost an answer does so."""
    joined = client.join(1)
    return Patch(Effect.ADD, [_listed("add", [*joined, *client.inside[:1]])])


def _remove_by_filter(client: _Client) -> Patch:
    return Patch(Effect.REMOVE, [_filtered("remove", each) for each in client.leave(1)])


def _remove_several_by_filter(client: _Client) -> Patch:
    return Patch(Effect.REMOVE, [_filtered("Remove", each) for each in client.leave(AT_ONCE)])


def _remove_by_list(client: _Client) -> Patch:
    return Patch(Effect.REMOVE, [_listed("remove", client.leave(1))])


def _remove_several_by_list(client: _Client) -> Patch:
    return Patch(Effect.REMOVE, [_listed("Remove", client.leave(AT_ONCE))])


def _swap(client: _Client) -> Patch:
    leavers = client.leave(1)
    return Patch(Effect.BOTH, [*(_filtered("remove", each) for each in leavers), _listed("add", client.join(2))])


_ADDING = (_add_one, _add_one, _add_several, _add_again)
_REMOVING = (_remove_by_filter, _remove_by_filter, _remove_several_by_filter, _remove_by_list, _remove_several_by_list)
"""In the spellings of those who send them: Entra writes its operations large, and names several in one list."""


def _listed(op: str, ids: list[str]) -> dict[str, Any]:
    return {"op": op, "path": "members", "value": [{"value": each} for each in ids]}


def _filtered(op: str, scim_id: str) -> dict[str, Any]:
    return {"op": op, "path": f'members[value eq "{scim_id}"]'}
