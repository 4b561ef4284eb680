"""The fewest calls with which a target can be brought to what the story asks, by what its API can carry in a call.

They are reckoned as if calls were full and nothing was merged: a bridge that delivers while people come in needs more
for calls that are not full, and fewer for whoever is renamed, moved or gone before their turn came.
"""

from collections import Counter
from dataclasses import dataclass
from math import ceil

from scim_bridge.sandbox.stories.cast import Cast

TRAKSTAR_USERS_A_CALL = 200
MINDTICKLE_OPERATIONS_A_CALL = 100
LOOKED_UP_A_CALL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The fewest calls to one target, and what they are for."""

    calls: int
    parts: dict[str, int]
    """Calls by what they are for, in words."""


def _bound(**parts: int) -> Bound:
    return Bound(calls=sum(parts.values()), parts={name.replace("_", " "): calls for name, calls in parts.items()})


def of_trakstar(cast: Cast) -> Bound:
    """Return the bound for Trakstar's documented API: 200 new users of one set of groups a call, all else singly."""
    sets = Counter(_first_groups(cast))
    return _bound(
        creates=sum(ceil(people / TRAKSTAR_USERS_A_CALL) for people in sets.values()),
        listing_of_users=1,
        listing_of_groups=1,
        groups=len(cast.groups) + 1,
        updates=len(cast.renamed) + len(cast.outdated),
        archives=len(cast.leavers),
        # The mover joins one group and leaves another.
        memberships=len(cast.late_members) + 2,
    )


def of_mindtickle(cast: Cast) -> Bound:
    """Return the bound for SCIM Bulk: whatever is touched, a hundred operations a call."""
    people = len(cast.everybody) - len(cast.passing)
    groups = len(cast.groups) + 1
    memberships = groups + 2  # one operation carries all members of a group; two groups change once more
    touched = people + len(cast.present) + len(cast.renamed) + len(cast.leavers) + groups + memberships
    return _bound(
        bulk=ceil(touched / MINDTICKLE_OPERATIONS_A_CALL),
        service_provider_config=1,
        listing_of_groups=1,
        look_ups=ceil((len(cast.present) + len(cast.passing)) / LOOKED_UP_A_CALL),
    )


def _first_groups(cast: Cast) -> list[frozenset[str]]:
    placed = {person.user_name: name for name, members in cast.groups.items() for person in members}
    passing = {person.user_name for person in cast.passing}
    names = [person.user_name for person in cast.everybody if person.user_name not in passing]
    return [frozenset({placed[name]}) if name in placed else frozenset() for name in names]
