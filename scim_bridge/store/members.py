"""Who is in which group: one row each, so that a group of any size changes by rows and is never loaded to do so."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.store import directory, prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared
from scim_bridge.store.trips import Step

member, resource = tables.member, tables.resource


class Membership(NamedTuple):
    """One end of a membership as the other end shows it: of a group its member, of a user their group."""

    scim_id: str
    document: str
    """The other end's document as JSON; empty where it was not asked for."""

    def __repr__(self) -> str:
        """Return which end it is, and nothing of what it says."""
        return f"Membership(scim_id={self.scim_id!r})"


def add(tx: Transaction, group_id: int, user_ids: Iterable[int]) -> list[int]:
    """Add users to a group and return who is new; who is in already stays."""
    rows = _ADD.rows(tx, tenant=tx.tenant, group_id=group_id, user_ids=sets.packed(user_ids))
    return sorted(row.user_id for row in rows)


def _add(dialect: str) -> sa.Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    users = sets.ids_in(prepared.text("user_ids"), dialect=dialect, name="joining")
    rows = sa.select(
        prepared.text("tenant").label("tenant"), prepared.number("group_id").label("group_id"), users.c.id
    ).where(sa.true())  # SQLite's grammar needs a WHERE between a SELECT and ON CONFLICT.
    statement = insert(member).from_select(["tenant", "group_id", "user_id"], rows).on_conflict_do_nothing()
    return statement.returning(member.c.user_id)


def remove(tx: Transaction, group_id: int, user_ids: Iterable[int]) -> list[int]:
    """Take users out of a group and return who was in."""
    rows = _REMOVE.rows(tx, group_id=group_id, user_ids=sets.packed(user_ids))
    return sorted(row.user_id for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A living user whom an edit of a group names."""

    number: int
    is_member: bool


def lock_named(tx: Transaction, group_id: int, scim_ids: Iterable[str]) -> Callable[[], dict[str, Named]]:
    """Lock users by their SCIM ids until the transaction ends, and return what tells who of them is in a group.

    Unknown ids are left out. The group is locked already. See `Prepared.ask` for when it is waited for.
    """
    answer = _LOCK_NAMED.ask(tx, group_id=group_id, scim_ids=sets.packed(scim_ids), tenant=tx.tenant, kind=USER)
    return lambda: {row.scim_id: Named(number=row.id, is_member=bool(row.is_member)) for row in answer()}


def _lock_named(dialect: str) -> sa.Executable:
    is_member = sa.exists().where(member.c.group_id == prepared.number("group_id"), member.c.user_id == resource.c.id)
    query = directory.select_named(dialect).add_columns(is_member.label("is_member")).order_by(resource.c.id)
    return query.with_for_update(of=resource, key_share=True) if dialect == "postgresql" else query


def put_in(tx: Transaction, group_id: int, user_ids: Iterable[int]) -> None:
    """Add users to a group; as `add`, for whoever knows that they are not in."""
    _ADD.send(tx, tenant=tx.tenant, group_id=group_id, user_ids=sets.packed(user_ids))


def take_out(tx: Transaction, group_id: int, user_ids: Iterable[int]) -> None:
    """Take users out of a group; as `remove`, for whoever knows that they are in."""
    _REMOVE.send(tx, group_id=group_id, user_ids=sets.packed(user_ids))


def remove_all(tx: Transaction, group_id: int) -> list[int]:
    """Empty a group and return who was in."""
    return _delete(tx, member.c.group_id == group_id)


def keep_only(tx: Transaction, group_id: int, user_ids: Iterable[int]) -> list[int]:
    """Take everybody else out of a group and return who was in."""
    return _delete(tx, member.c.group_id == group_id, ~sets.among(member.c.user_id, sets.id_rows(tx, user_ids)))


def remove_from_all(tx: Transaction, user_id: int) -> None:
    """Take a user out of every group."""
    tx.connection.execute(sa.delete(member).where(member.c.user_id == user_id))


def users_of(tx: Transaction, group_id: int) -> list[int]:
    """Return the numbers of a group's members."""
    query = sa.select(member.c.user_id).where(member.c.group_id == group_id).order_by(member.c.user_id)
    return [row.user_id for row in tx.connection.execute(query)]


def members_of(tx: Transaction, group_ids: Sequence[int]) -> dict[int, list[Membership]]:
    """Return the members of many groups, by group."""
    return by_own_end(_MEMBERS_OF.rows(tx, ids=sets.packed(group_ids))) if group_ids else {}


def groups_of(tx: Transaction, user_ids: Sequence[int]) -> dict[int, list[Membership]]:
    """Return the groups of many users, by user."""
    return by_own_end(_GROUPS_OF.rows(tx, ids=sets.packed(user_ids))) if user_ids else {}


def by_own_end(rows: Iterable[Any]) -> dict[int, list[Membership]]:
    """Return memberships that the query `ends` gave, by resource."""
    found: dict[int, list[Membership]] = {}
    # Many people of a page are in the same groups.
    ends: dict[str, Membership] = {}
    for own, scim_id, document in rows:
        end = ends.get(scim_id)
        if end is None:
            end = ends[scim_id] = Membership(scim_id, document)
        found.setdefault(own, []).append(end)
    return found


def ends(kind: str, is_asked: Callable[[Any], sa.ColumnElement[bool]]) -> sa.Select[Any]:
    """Return the query for all memberships of resources of a kind: `own` number, and the other end as it is shown.

    `is_asked` makes the condition that a number is one of those that are asked for.
    """
    own, other = (member.c.group_id, member.c.user_id) if kind == GROUP else (member.c.user_id, member.c.group_id)
    document = sa.literal("", sa.Text).label("document") if kind == GROUP else resource.c.document
    return (
        sa.select(own.label("own"), resource.c.scim_id, document)
        .select_from(member.join(resource, resource.c.id == other))
        .where(is_asked(own))
        .order_by(own, other)
    )


def _ends_of(kind: str) -> Prepared:
    def build(dialect: str) -> sa.Select[Any]:
        ids = sets.ids_in(prepared.text("ids"), dialect=dialect, name="ends")
        return ends(kind, lambda own: sets.among(own, ids))

    return Prepared(build)


def step_to_ends(kind: str, resources: Callable[[], sa.Select[Any]]) -> Step:
    """Return a step of a trip that reads what `ends` says of the resources that a query gives; `id` is their number."""

    def build(_dialect: str) -> sa.Select[Any]:
        numbers = sa.select(resources().subquery("asked").c.id).scalar_subquery()
        # First these, and then the index is asked for each: planned for tables that were empty, a join might go
        # through all memberships there are.
        array = sa.func.array(numbers, type_=postgresql.ARRAY(sa.BigInteger))
        return ends(kind, lambda own: own == sa.any_(array))

    return Step(build)


_MEMBERS_OF, _GROUPS_OF = _ends_of(GROUP), _ends_of(USER)
_ADD = Prepared(_add)
_LOCK_NAMED = Prepared(_lock_named)
_REMOVE = Prepared(
    lambda dialect: (
        sa.delete(member)
        .where(
            member.c.group_id == prepared.number("group_id"),
            sets.among(member.c.user_id, sets.ids_in(prepared.text("user_ids"), dialect=dialect, name="leaving")),
        )
        .returning(member.c.user_id)
    )
)


def _delete(tx: Transaction, *conditions: sa.ColumnElement[bool]) -> list[int]:
    statement = sa.delete(member).where(*conditions).returning(member.c.user_id)
    return sorted(row.user_id for row in tx.connection.execute(statement))
