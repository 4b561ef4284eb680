"""Links: which account is which person, and what the account was last known to hold, in parts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.people import Doubt, Link, Record
from scim_bridge.store import holds, prepared, sets, tables
from scim_bridge.store.engine import Transaction, compact_json
from scim_bridge.store.prepared import Prepared

link = tables.link
group_link = tables.group_link


_NOTHING_KNOWN = Link()


def link_of(row: Any) -> Link:
    """Return the link that a row (or the link's columns of a joined row) holds."""
    known = None
    if row.link_active is not None:
        known = Record(
            active=bool(row.link_active),
            attributes=json.loads(row.link_attributes or "{}"),
            groups=_names(row.link_groups),
            courses=_names(row.link_courses),
            required_courses=_names(row.link_required_courses),
        )
    elif row.link_known_at is None and row.link_account_id is None and row.link_doubt is None:
        # Most people who are met for the first time have no row at all.
        return _NOTHING_KNOWN if row.link_matching is None else Link(matching=json.loads(row.link_matching))
    return Link(
        account_id=row.link_account_id,
        known=known,
        matching=json.loads(row.link_matching or "{}"),
        doubt=Doubt(row.link_doubt) if row.link_doubt else None,
        known_at=row.link_known_at,
    )


def _names(packed: str | None) -> frozenset[str]:
    return frozenset(json.loads(packed)) if packed and packed != "[]" else frozenset()


LINK_COLUMNS: tuple[Any, ...] = tuple(
    link.c[name].label(f"link_{name}")
    for name in (
        "account_id",
        "matching",
        "active",
        "attributes",
        "groups",
        "courses",
        "required_courses",
        "doubt",
        "known_at",
    )
)
"""The columns that `link_of` reads, for a query that joins links."""


def of(tx: Transaction, lane_id: int, resource_ids: Iterable[int]) -> dict[int, Link]:
    """Return the links of resources in a lane, by resource id; of who has none, nothing is known."""
    rows = _OF.rows(tx, lane=lane_id, resources=sets.packed(resource_ids))
    return {row.resource_id: link_of(row) for row in rows}


def _of(dialect: str) -> sa.Executable:
    wanted = sets.ids_in(prepared.text("resources"), dialect=dialect, name="wanted")
    joined, columns = beside(wanted, prepared.number("lane"), wanted.c.id, dialect=dialect)
    return sa.select(wanted.c.id.label("resource_id"), *columns).select_from(joined)


def beside(rows: sa.FromClause, lane_id: Any, resource_id: Any, *, dialect: str) -> tuple[sa.FromClause, Sequence[Any]]:
    """Return rows, each with the link that belongs to it if there is one, and the columns that `link_of` reads.

    On PostgreSQL each link is looked for by itself. While few are counted, to compare each person with each link looks
    as good to its planner; a lane's first load makes many before they are counted anew.
    """
    is_theirs = sa.and_(link.c.lane_id == lane_id, link.c.resource_id == resource_id)
    if dialect != "postgresql":
        return rows.outerjoin(link, is_theirs), LINK_COLUMNS
    theirs = sa.select(*LINK_COLUMNS).where(is_theirs).limit(1).lateral("theirs")
    return rows.outerjoin(theirs, sa.true()), list(theirs.c)


_OF = Prepared(_of)


def parts_of(known: Record | None) -> dict[str, Any]:
    """Return the columns that hold a known record; all NULL when nothing is known any more."""
    if known is None:
        return dict.fromkeys(("active", "attributes", "groups", "courses", "required_courses"))
    return {
        "active": int(known.active),
        "attributes": compact_json(dict(known.attributes)),
        "groups": _packed(known.groups),
        "courses": _packed(known.courses),
        "required_courses": _packed(known.required_courses),
    }


def _packed(names: frozenset[str]) -> str:
    return compact_json(sorted(names)) if names else "[]"


def save(
    tx: Transaction, lane_id: int, changes: Mapping[int, Mapping[str, Any]], *, batch_id: int | None = None
) -> None:
    """Write what is newly known, by resource id. Keys: account_id, known, matching, doubt; absent ones stay.

    The caller has made sure that an account id is free (see `owners`), or moves it with `release`.
    """
    by_shape: dict[tuple[str, ...], list[list[Any]]] = {}
    for resource_id, change in changes.items():
        row: dict[str, Any] = {"resource_id": resource_id}
        if "account_id" in change:
            row["account_id"] = change["account_id"]
        if "known" in change:
            row |= parts_of(change["known"]) | {"known_at": tx.now, "known_batch_id": batch_id}
        if "matching" in change:
            row["matching"] = compact_json(dict(change["matching"]))
        if "doubt" in change:
            row["doubt"] = None if change["doubt"] is None else str(change["doubt"])
            if change["doubt"] is not None:
                # Something may have been written just now: a listing may not show it yet.
                row["known_at"] = tx.now
        by_shape.setdefault(tuple(row), []).append(list(row.values()))
    for shape, rows in by_shape.items():
        _saving(shape).send(tx, tenant=tx.tenant, lane=lane_id, rows=sets.packed(rows))


@cache
def _saving(shape: tuple[str, ...]) -> Prepared:
    """Return the statement that writes these columns of many links, made where there is none."""

    def build(dialect: str) -> sa.Executable:
        insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
        rows = sets.rows_in(
            prepared.text("rows"), {name: link.c[name].type for name in shape}, dialect=dialect, name="saved"
        )
        # SQLite takes an ON CONFLICT behind a SELECT only with a WHERE between them.
        chosen = sa.select(prepared.text("tenant"), prepared.number("lane"), rows).where(sa.true())
        statement = insert(link).from_select(["tenant", "lane_id", *shape], chosen)
        updated = {name: statement.excluded[name] for name in shape if name != "resource_id"}
        return statement.on_conflict_do_update(index_elements=["lane_id", "resource_id"], set_=updated)

    return Prepared(build)


def owners(tx: Transaction, lane_id: int, account_ids: Sequence[str]) -> dict[str, tuple[int, bool]]:
    """Return who holds each account: resource id, and whether that resource is deleted."""
    if not account_ids:
        return {}
    query = (
        sa.select(link.c.account_id, link.c.resource_id, tables.resource.c.deleted_at)
        .join(tables.resource, tables.resource.c.id == link.c.resource_id)
        .where(link.c.lane_id == lane_id, sets.among(link.c.account_id, sets.text_rows(tx, account_ids)))
    )
    return {row.account_id: (row.resource_id, row.deleted_at is not None) for row in tx.connection.execute(query)}


def unresolved(tx: Transaction, lane_id: int, *, except_for: Sequence[int]) -> dict[int, dict[str, str]]:
    """Return what living people's accounts are recognised by whose ids nobody has told us yet, by resource id."""
    query = (
        sa.select(link.c.resource_id, link.c.matching)
        .join(tables.resource, tables.resource.c.id == link.c.resource_id)
        .where(
            link.c.lane_id == lane_id,
            link.c.account_id.is_(None),
            link.c.active.is_not(None),
            link.c.doubt.is_(None),
            tables.resource.c.deleted_at.is_(None),
            ~sets.among(link.c.resource_id, sets.id_rows(tx, except_for)),
        )
    )
    return {row.resource_id: json.loads(row.matching or "{}") for row in tx.connection.execute(query)}


def release(tx: Transaction, lane_id: int, resource_ids: Iterable[int]) -> None:
    """Take the account from resources that no longer own it (deleted ones, when another adopts it).

    With the account goes what the guard held of them.
    """
    released = list(resource_ids)
    if not released:
        return
    tx.connection.execute(
        sa.update(link)
        .where(link.c.lane_id == lane_id, sets.among(link.c.resource_id, sets.id_rows(tx, released)))
        .values(account_id=None, doubt=None, known_at=tx.now, **parts_of(None))
    )
    holds.end_moved(tx, lane_id, released)


def raise_doubt(tx: Transaction, lane_id: int, resource_ids: Iterable[int], doubt: Doubt) -> None:
    """Make people due for a read-back before anything is sent for them; makes the link where there is none."""
    save(tx, lane_id, {resource_id: {"doubt": doubt} for resource_id in resource_ids})


def doubt_what_is_known(tx: Transaction, lane_id: int, resource_ids: Iterable[int]) -> None:
    """Make people due for a read-back because the target tells of their accounts; another doubt stays as it is.

    Nothing was written by us, so `known_at` stays too.
    """
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    rows = [
        {"tenant": tx.tenant, "lane_id": lane_id, "resource_id": resource_id, "doubt": Doubt.TOLD.value}
        for resource_id in resource_ids
    ]
    if rows:
        statement = insert(link)
        tx.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["lane_id", "resource_id"],
                set_={"doubt": statement.excluded.doubt},
                where=link.c.doubt.is_(None),
            ),
            rows,
        )


def group_ids(tx: Transaction, lane_id: int) -> dict[str, str]:
    """Return the target's ids of the groups that we know, by name."""
    query = sa.select(group_link.c.name, group_link.c.group_id).where(group_link.c.lane_id == lane_id)
    return {row.name: row.group_id for row in tx.connection.execute(query)}


def save_groups(tx: Transaction, lane_id: int, groups: Mapping[str, str]) -> None:
    """Remember the target's ids of groups, by name."""
    if not groups:
        return
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    statement = insert(group_link)
    rows = [
        {"tenant": tx.tenant, "lane_id": lane_id, "name": name, "group_id": group_id}
        for name, group_id in groups.items()
    ]
    tx.connection.execute(
        statement.on_conflict_do_update(
            index_elements=["lane_id", "name"], set_={"group_id": statement.excluded.group_id}
        ),
        rows,
    )


def claim_groups(tx: Transaction, lane_id: int, names: Iterable[str]) -> None:
    """Note that we have put people into groups, so that these are ours to leave whatever becomes of their names."""
    wanted = sorted(names)
    if wanted:
        tx.connection.execute(
            sa.update(group_link)
            .where(group_link.c.lane_id == lane_id, sets.among(group_link.c.name, sets.text_rows(tx, wanted)))
            .where(group_link.c.is_ours == 0)
            .values(is_ours=1)
        )


def claimed_groups(tx: Transaction, lane_id: int) -> frozenset[str]:
    """Return the names of the groups that we have ever put people into and that the target still has."""
    query = sa.select(group_link.c.name).where(group_link.c.lane_id == lane_id, group_link.c.is_ours == 1)
    return frozenset(row.name for row in tx.connection.execute(query))


def forget_groups(tx: Transaction, lane_id: int, names: Iterable[str]) -> None:
    """Forget groups that the target no longer has."""
    tx.connection.execute(
        sa.delete(group_link).where(
            group_link.c.lane_id == lane_id, sets.among(group_link.c.name, sets.text_rows(tx, names))
        )
    )
