"""Links: which account is which person, and what the account was last known to hold, in parts."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.people import Doubt, Link, Record
from scim_bridge.store import holds, sets, tables
from scim_bridge.store.engine import Transaction, compact_json

link = tables.link
group_link = tables.group_link


def link_of(row: Mapping[str, Any]) -> Link:
    """Return the link that a row (or the link's columns of a joined row) holds."""
    known = None
    if row["link_active"] is not None:
        known = Record(
            active=bool(row["link_active"]),
            attributes=json.loads(row["link_attributes"] or "{}"),
            groups=frozenset(json.loads(row["link_groups"] or "[]")),
            courses=frozenset(json.loads(row["link_courses"] or "[]")),
            required_courses=frozenset(json.loads(row["link_required_courses"] or "[]")),
        )
    return Link(
        account_id=row["link_account_id"],
        known=known,
        matching=json.loads(row["link_matching"] or "{}"),
        doubt=Doubt(row["link_doubt"]) if row["link_doubt"] else None,
        known_at=row["link_known_at"],
    )


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


def parts_of(known: Record | None) -> dict[str, Any]:
    """Return the columns that hold a known record; all NULL when nothing is known any more."""
    if known is None:
        return dict.fromkeys(("active", "attributes", "groups", "courses", "required_courses"))
    return {
        "active": int(known.active),
        "attributes": compact_json(dict(known.attributes)),
        "groups": compact_json(sorted(known.groups)),
        "courses": compact_json(sorted(known.courses)),
        "required_courses": compact_json(sorted(known.required_courses)),
    }


def save(
    tx: Transaction, lane_id: int, changes: Mapping[int, Mapping[str, Any]], *, batch_id: int | None = None
) -> None:
    """Write what is newly known, by resource id. Keys: account_id, known, matching, doubt; absent ones stay.

    The caller has made sure that an account id is free (see `owners`), or moves it with `release`.
    """
    by_shape: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for resource_id, change in changes.items():
        row: dict[str, Any] = {"tenant": tx.tenant, "lane_id": lane_id, "resource_id": resource_id}
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
        by_shape.setdefault(tuple(row), []).append(row)
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    for shape, rows in by_shape.items():
        statement = insert(link)
        updated = {name: statement.excluded[name] for name in shape if name not in ("tenant", "lane_id", "resource_id")}
        tx.connection.execute(
            statement.on_conflict_do_update(index_elements=["lane_id", "resource_id"], set_=updated), rows
        )


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
