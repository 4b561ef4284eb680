"""Finds a person by whatever an operator knows of them, and reads all that happened to them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.resources import USER
from scim_bridge.store import contributions, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.search import folding

resource, lookup, link, lane = tables.resource, tables.lookup, tables.link, tables.lane

Rows = list[dict[str, Any]]


def find_people(tx: Transaction, who: str) -> list[int]:
    """Return the numbers of the users that `who` may mean, the deleted ones too, newest first.

    `who` is a userName, an e-mail address, an externalId (of any source), a SCIM id, or an account id in a target.
    """
    folded = folding.fold_text(who)
    found = sa.union(
        sa.select(resource.c.id).where(
            sa.or_(
                resource.c.unique_key == folded,
                resource.c.external_id == folding.keep_case(who),
                resource.c.scim_id == who,
            )
        ),
        sa.select(lookup.c.resource_id).where(
            lookup.c.path.in_(("userName", "emails.value")), lookup.c.value == folded
        ),
        sa.select(tables.identity.c.resource_id).where(tables.identity.c.external_id == who),
        sa.select(link.c.resource_id).where(link.c.account_id == who),
    ).subquery("found")
    query = sa.select(resource.c.id).where(resource.c.id.in_(sa.select(found.c[0])), resource.c.kind == USER)
    if tx.tenant is not None:
        query = query.where(resource.c.tenant == tx.tenant)
    return [row.id for row in tx.connection.execute(query.order_by(resource.c.id.desc()))]


def history_of(tx: Transaction, resource_id: int) -> dict[str, Any]:
    """Return everything that the store holds of one resource.

    Itself, what each source said, links, changes, operations, entries and batches.
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
    change = tables.change
    changes = _rows(
        tx,
        sa.select(change)
        .where(
            sa.or_(
                change.c.resource_id == resource_id,
                # A group's change owes its members, so it is part of their history.
                sets.among(change.c.number, sets.id_rows(tx, sorted(numbers))),
            )
        )
        .order_by(change.c.number),
    )
    return {
        "resource": {**person, "document": document_of(person["document"])},
        "said": contributions.of_person(tx, resource_id, tenant=person["tenant"]),
        "links": _links(tx, resource_id),
        "changes": changes,
        "operations": operations,
        "entries": entries,
        "batches": _of(tx, tables.batch, "id", {row["batch_id"] for row in entries if row["batch_id"] is not None}),
    }


def _links(tx: Transaction, resource_id: int) -> Rows:
    columns = (link.c.account_id, link.c.active, link.c.known_at, link.c.doubt)
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
