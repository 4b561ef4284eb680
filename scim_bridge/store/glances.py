"""A resource with its memberships, read in one trip to PostgreSQL."""

from typing import NamedTuple

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.store import directory, members, trips
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Store
from scim_bridge.store.members import Membership
from scim_bridge.store.trips import Call, Step


class Glance(NamedTuple):
    """A resource, and its memberships where they were asked for."""

    stored: Stored
    ends: list[Membership]


def read(
    store: Store, tenant: str, kind: str, scim_id: str, *, with_ends: bool, statement_timeout_s: float | None = None
) -> Glance | None:
    """Return a living resource by its SCIM id, None where there is none.

    Raises:
        StatementTimedOut: it took longer than `statement_timeout_s`.
        StoreUnavailable: the database cannot be read.
    """
    values = {"tenant": tenant, "kind": kind, "scim_id": scim_id}
    steps = [_RESOURCE, *([_ENDS[kind]] if with_ends else [])]
    found, *more = trips.look(
        store, tenant, [Call(step, values) for step in steps], statement_timeout_s=statement_timeout_s
    )
    if not found:
        return None
    stored = directory.stored_of(found[0])
    ends = members.by_own_end(more[0]).get(stored.id, []) if more else []
    return Glance(stored, ends)


_RESOURCE = Step(directory.select_living)
_ENDS = {kind: members.step_to_ends(kind, lambda: directory.select_living("postgresql")) for kind in (USER, GROUP)}
