"""Finds a person by whatever an operator knows of them, and reads all that happened to them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.resources import USER
from scim_bridge.store import contributions, due, remarks, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.search import folding

resource, lookup, link, lane = tables.resource, tables.lookup, tables.link, tables.lane

Rows = list[dict[str, Any]]


def find_people(tx: Transaction, who: str) -> list[int]:
    """Return the numbers of the users that `who` may mean, the deleted ones too, newest first.

    `who` is a userName, an e-mail address, an externalId (of any source), a SCIM id, or an account id in a target.
    """
    folded, identity = folding.fold_text(who), tables.identity
    lanes = sa.select(lane.c.id).where(*_of_tenant(tx, lane))
    found = sa.union(
        # One for each index: those of texts begin with the tenant.
        sa.select(resource.c.id).where(
            *_of_tenant(tx, resource), resource.c.kind == USER, resource.c.unique_key == folded
        ),
        sa.select(resource.c.id).where(*_of_tenant(tx, resource), resource.c.external_id == folding.keep_case(who)),
        sa.select(resource.c.id).where(resource.c.scim_id == who),
        sa.select(lookup.c.resource_id).where(
            *_of_tenant(tx, lookup), lookup.c.path.in_(("userName", "emails.value")), lookup.c.value == folded
        ),
        sa.select(identity.c.resource_id).where(*_of_tenant(tx, identity), identity.c.external_id == who),
        sa.select(link.c.resource_id).where(link.c.lane_id.in_(lanes), link.c.account_id == who),
    ).subquery("found")
    query = sa.select(resource.c.id, resource.c.kind, resource.c.tenant).where(resource.c.id.in_(sa.select(found.c[0])))
    # Looked through here: SQLite would go through all users of the tenant to have them in this order.
    rows = tx.connection.execute(query).all()
    return sorted((row.id for row in rows if row.kind == USER and tx.tenant in (None, row.tenant)), reverse=True)


def _of_tenant(tx: Transaction, table: sa.Table) -> list[sa.ColumnElement[bool]]:
    return [] if tx.tenant is None else [table.c.tenant == tx.tenant]


def history_of(tx: Transaction, resource_id: int) -> dict[str, Any]:
    """Return everything that the store holds of one resource.

    Itself, what each source said, links, changes with their tokens' names, operations, entries, remarks, batches, the
    holds that stand, and the groups that it is in.
    """
    person = _rows(tx, sa.select(resource).where(resource.c.id == resource_id))[0]
    operations = _rows(
        tx,
        sa.select(tables.operation, lane.c.target)
        .join(lane, lane.c.id == tables.operation.c.lane_id)
        .where(tables.operation.c.resource_id == resource_id)
        .order_by(tables.operation.c.id),
    )
    entries = _of(tx, tables.entry, "operation_id", (row["id"] for row in operations))
    numbers = {row["change_number"] for row in operations}
    changes = _changes(tx, resource_id, numbers)
    return {
        "resource": {**person, "document": document_of(person["document"])},
        "said": contributions.of_person(tx, resource_id, tenant=person["tenant"]),
        "links": _links(tx, resource_id),
        "changes": changes,
        "operations": operations,
        "entries": entries,
        "remarks": remarks.of(tx, (row["id"] for row in operations)),
        "batches": _batches(tx, {row["batch_id"] for row in entries if row["batch_id"] is not None}),
        "tokens": _token_names(tx, {row["token_id"] for row in changes if row["token_id"] is not None}),
        "holds": _holds(tx, resource_id, tenant=person["tenant"]),
        "groups": due.group_names(tx, [resource_id]).get(resource_id, ()),
    }


def _changes(tx: Transaction, resource_id: int, numbers: Iterable[int]) -> Rows:
    """Return a person's own changes, and those of some numbers: a group's owes its members, and is of their history."""
    change = tables.change
    # In one condition with OR, PostgreSQL would walk through all changes.
    theirs = sa.union(
        sa.select(change.c.number).where(change.c.resource_id == resource_id),
        sa.select(sets.id_rows(tx, sorted(numbers)).c.id),
    ).subquery("theirs")
    return _rows(tx, sa.select(change).where(change.c.number.in_(sa.select(theirs.c[0]))).order_by(change.c.number))


def _batches(tx: Transaction, ids: Iterable[int]) -> Rows:
    batch = tables.batch
    query = sa.select(batch, lane.c.target).join(lane, lane.c.id == batch.c.lane_id)
    return _rows(tx, query.where(sets.among(batch.c.id, sets.id_rows(tx, sorted(ids)))).order_by(batch.c.id))


def _token_names(tx: Transaction, ids: Iterable[str]) -> dict[str, str]:
    token = tables.token
    query = sa.select(token.c.id, token.c.name).where(sets.among(token.c.id, sets.text_rows(tx, sorted(ids))))
    return {row.id: row.name for row in tx.connection.execute(query)}


def _holds(tx: Transaction, resource_id: int, *, tenant: str) -> Rows:
    """Return the guard's holds that stand about a person."""
    hold = tables.hold
    columns = (hold.c.status, hold.c.reason, hold.c.opened_at, hold.c.closed_by)
    query = sa.select(lane.c.target, *columns).join(lane, lane.c.id == hold.c.lane_id)
    standing = hold.c.status.in_([sa.literal_column("'open'"), sa.literal_column("'rejected'")])
    # By lane, for there the index begins.
    theirs = (lane.c.tenant == tenant, hold.c.resource_id == resource_id)
    return _rows(tx, query.where(*theirs, standing).order_by(hold.c.id))


def _links(tx: Transaction, resource_id: int) -> Rows:
    columns = (
        *(link.c.account_id, link.c.active, link.c.known_at, link.c.doubt),
        *(link.c.attributes, link.c.groups, link.c.courses, link.c.required_courses),
    )
    query = (
        sa.select(lane.c.target, *columns)
        .join(lane, lane.c.id == link.c.lane_id)
        .where(link.c.resource_id == resource_id)
        .order_by(lane.c.target)
    )
    return _rows(tx, query)


def _of(tx: Transaction, table: sa.Table, column: str, ids: Iterable[int]) -> Rows:
    rows = sets.id_rows(tx, sorted(ids))
    return _rows(tx, sa.select(table).where(sets.among(table.c[column], rows)).order_by(table.c.id))


def _rows(tx: Transaction, query: Any) -> Rows:
    return [dict(row) for row in tx.connection.execute(query).mappings()]


def document_of(text: str) -> dict[str, Any]:
    """Return a stored document."""
    found: dict[str, Any] = json.loads(text)
    return found


def label_of(document: Mapping[str, Any]) -> str:
    """Return what an operator calls a resource: a user's userName, a group's displayName."""
    return str(document.get("userName") or document.get("displayName") or "")
