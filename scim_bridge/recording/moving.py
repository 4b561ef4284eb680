"""Edits of one group's members that PostgreSQL records by itself, in one trip: what `joint` does step by step.

The group is locked for as long as the database works, not for as long as this process takes to say what comes next.
"""

from collections.abc import Iterable, Mapping, Sequence

from scim_bridge.recording import edits
from scim_bridge.recording.edits import Membership
from scim_bridge.recording.joint import Asked, Outcome
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.store import member_moves
from scim_bridge.store.engine import Store
from scim_bridge.store.member_moves import Moves, Request

MOST_NAMED = 200
"""People that the requests of one trip may name: the lists are compared with each other, without an index."""


def apart(asked: Iterable[Asked]) -> int:
    """Return how many requests, from the first on, may go on one trip: one at least, and nobody is named by two."""
    named: set[str] = set()
    count = 0
    for each in asked:
        if count and (not named.isdisjoint(each.scim_ids) or len(named) + len(each.scim_ids) > MOST_NAMED):
            break
        named |= each.scim_ids
        count += 1
    return count


def record(
    store: Store, tenant: str, scim_id: str, asked: Sequence[Asked], *, scopes: Mapping[str, TargetScope]
) -> tuple[list[Outcome], frozenset[str]] | None:
    """Record edits of a group's members as `joint.record` does, in a transaction of their own.

    They are `apart`, and trips `are_made`. None: there is no such group.

    Raises:
        StoreUnavailable: nothing was recorded, unless the connection was lost right after it was.
    """
    requests = [_request(each) for each in asked]
    mapped = [(target, name) for target, scope in scopes.items() for name in scope.groups]
    moves = member_moves.record(store, tenant, scim_id, requests, mapped=mapped)
    return None if moves is None else (_outcomes(moves), moves.targets)


def _request(asked: Asked) -> Request:
    joins = {scim_id: edit.how is Membership.ADD for edit in edits.net(asked.edits) for scim_id in edit.scim_ids}
    joining = (scim_id for edit in asked.edits if edit.how is Membership.ADD for scim_id in edit.scim_ids)
    origin = asked.origin
    return Request(
        joins=joins,
        must_exist=tuple(dict.fromkeys(joining)),
        source=origin.source,
        token_id=origin.token_id,
        correlation_id=origin.correlation_id,
    )


def _outcomes(moves: Moves) -> list[Outcome]:
    group = moves.group
    outcomes = list[Outcome]()
    for moved in moves.each:
        if moved.change is not None:
            group = group._replace(version=moved.change, modified_at=max(moves.now, group.modified_at))
        outcomes.append(Outcome(stored=group, change=moved.change, unknown=moved.unknown))
    return outcomes
