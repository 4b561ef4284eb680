"""How an index finds the few resources that can satisfy a filter, so that no other is looked at.

Left to themselves both databases sometimes walk through a tenant in the order of the answer instead, waiting for a hit
that never comes: a second at a million users. So a search that has a key is given its candidates and nothing to walk.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.store import prepared, tables
from scim_bridge.store.search.columns import Expression

resource, lookup, member = tables.resource, tables.lookup, tables.member

_BY_NAME_OF_KIND = ("unique_key", "display_key")
"""Indexed columns behind the tenant and the kind; the others stand behind the tenant, or alone."""

_FEWEST_FIRST = ("scim_id", "unique_key", "external_id", "lookup", "display_key", "member")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """Candidates by their numbers, and what must hold of them besides (None: nothing)."""

    numbers: Any
    rank: int
    """The lower, the fewer candidates are to be expected."""
    rest: Expression | None = None

    @property
    def leads_to_few(self) -> bool:
        """Tell whether a value has few resources as a rule; a group may have any number of members."""
        return self.rank < _FEWEST_FIRST.index("member")


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a filter: what must hold, and the key to it if there is one."""

    holds: Expression
    key: Key | None = None


NEVER = Term(sa.false())
"""What holds for nobody, such as a comparison with an attribute that the resource type lacks."""


def by_column(kind: str, name: str, operand: Expression) -> Key:
    """Return the key by an indexed column of `resource`."""
    at = resource.alias()
    query = sa.select(at.c.id).where(at.c[name] == operand)
    if name != "scim_id":
        query = query.where(at.c.tenant == prepared.text("tenant"))
    if name in _BY_NAME_OF_KIND:
        query = query.where(at.c.kind == kind)
    return Key(numbers=query, rank=_FEWEST_FIRST.index(name))


def by_lookup(path: str, operand: Expression) -> Key:
    """Return the key by a value that is kept in `lookup`."""
    query = sa.select(lookup.c.resource_id).where(
        lookup.c.tenant == prepared.text("tenant"), lookup.c.path == path, lookup.c.value == operand
    )
    return Key(numbers=query, rank=_FEWEST_FIRST.index("lookup"))


def by_membership(kind: str, scim_id: Expression) -> tuple[Key, Expression]:
    """Return the key to who is tied to the resource of an id, and the same as a condition on one resource."""
    own, other = (member.c.group_id, member.c.user_id) if kind == GROUP else (member.c.user_id, member.c.group_id)
    end = resource.alias()
    tied = other == sa.select(end.c.id).where(end.c.scim_id == scim_id).scalar_subquery()
    holds = sa.exists(sa.select(sa.literal(1)).select_from(member).where(own == resource.c.id, tied))
    return Key(numbers=sa.select(own).where(tied), rank=_FEWEST_FIRST.index("member")), holds.correlate(resource)


MEMBERSHIP_PATHS = {(GROUP, "members.value"), (USER, "groups.value")}
"""Attributes whose values are ids of resources, kept in `member`."""


def all_of(terms: Sequence[Term]) -> Term:
    """Return the term that holds where all hold; its key is that of the fewest candidates."""
    if any(term is NEVER for term in terms):
        return NEVER
    holds = sa.and_(*(term.holds for term in terms))
    keyed = [term for term in terms if term.key is not None]
    if not keyed:
        return Term(holds)
    best = min(keyed, key=lambda term: term.key.rank if term.key else 0)
    assert best.key is not None  # noqa: S101 - chosen for having one
    others = [term.holds for term in terms if term is not best]
    rest = others if best.key.rest is None else [best.key.rest, *others]
    return Term(holds, Key(numbers=best.key.numbers, rank=best.key.rank, rest=sa.and_(*rest) if rest else None))


def any_of(terms: Sequence[Term]) -> Term:
    """Return the term that holds where any holds; it has a key if each has one."""
    terms = [term for term in terms if term is not NEVER]
    if not terms:
        return NEVER
    holds = sa.or_(*(term.holds for term in terms))
    found = [term.key for term in terms if term.key is not None]
    if len(found) < len(terms):
        return Term(holds)
    is_exact = all(key.rest is None for key in found)
    numbers = sa.union_all(*(key.numbers for key in found))
    return Term(holds, Key(numbers=numbers, rank=max(key.rank for key in found), rest=None if is_exact else holds))
