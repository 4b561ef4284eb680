"""The directory: every resource as last accepted. Writing here records nothing; `recording` does both at once."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction, compact_json
from scim_bridge.store.search import folding

resource, lookup = tables.resource, tables.lookup

_TOMBSTONE_KEEPS = ("userName", "externalId", "emails", "displayName")
_UNIQUE = "resource_unique_key"


class NameTaken(Exception):  # noqa: N818 - the name says what happened
    """Another user of the tenant has this userName, whatever its case and whether active or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A resource as the directory has it. `document` holds neither id, meta, groups nor members."""

    id: int
    """The store's own number."""
    scim_id: str
    kind: str
    document: Mapping[str, Any] = field(repr=False)
    version: int
    active: bool
    """The truth also where the document does not say."""
    created_at: Millis
    modified_at: Millis
    deleted_at: Millis | None = None

    @property
    def etag(self) -> str:
        """Return the version as SCIM shows it, a weak entity tag."""
        return f'W/"{self.version}"'


COLUMNS: tuple[Any, ...] = tuple(
    resource.c[name]
    for name in ("id", "scim_id", "kind", "document", "version", "active", "created_at", "modified_at", "deleted_at")
)
"""The columns that `stored_of` reads."""


def stored_of(row: Any) -> Stored:
    """Return the resource that a row of COLUMNS holds."""
    return Stored(
        id=row.id,
        scim_id=row.scim_id,
        kind=row.kind,
        document=json.loads(row.document),
        version=row.version,
        active=bool(row.active),
        created_at=row.created_at,
        modified_at=row.modified_at,
        deleted_at=row.deleted_at,
    )


def fetch(tx: Transaction, kind: str, scim_id: str, *, lock: bool = False) -> Stored | None:
    """Return a living resource by its SCIM id, None where there is none. `lock` keeps others from changing it."""
    query = sa.select(*COLUMNS).where(
        resource.c.scim_id == scim_id,
        resource.c.tenant == tx.tenant,
        resource.c.kind == kind,
        resource.c.deleted_at.is_(None),
    )
    if lock and tx.dialect == "postgresql":
        query = query.with_for_update()
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else stored_of(row)


def find_by_name(tx: Transaction, user_name: str) -> Stored | None:
    """Return the living user of a userName, whatever its case."""
    query = sa.select(*COLUMNS).where(
        resource.c.tenant == tx.tenant,
        resource.c.kind == USER,
        resource.c.unique_key == folding.fold_text(user_name),
    )
    row = tx.connection.execute(query).one_or_none()
    return None if row is None else stored_of(row)


def numbers_of(tx: Transaction, kind: str, scim_ids: Iterable[str]) -> dict[str, int]:
    """Return the store's numbers of living resources by their SCIM ids; unknown ids are left out."""
    query = sa.select(resource.c.scim_id, resource.c.id).where(
        sets.among(resource.c.scim_id, sets.text_rows(tx, scim_ids)),
        resource.c.tenant == tx.tenant,
        resource.c.kind == kind,
        resource.c.deleted_at.is_(None),
    )
    return {row.scim_id: row.id for row in tx.connection.execute(query)}


def lock_rows(tx: Transaction, resource_ids: Iterable[int]) -> None:
    """Lock resources in the order of their numbers, so that two changes of the same people take turns."""
    if tx.dialect == "postgresql":
        query = sa.select(resource.c.id).where(sets.among(resource.c.id, sets.id_rows(tx, resource_ids)))
        tx.connection.execute(query.order_by(resource.c.id).with_for_update())


def insert(tx: Transaction, *, kind: str, scim_id: str, document: Mapping[str, Any]) -> Stored:
    """Add a resource; its version is 0 until its change is recorded.

    Raises:
        NameTaken: as it says. On PostgreSQL the transaction (or savepoint) must then be given up.
        folding.ValueTooLong: an attribute that people are looked up by is too long.
    """
    folded = folding.fold(kind, document)
    row = {
        **_searchable(folded, active=folded.active is not False),
        "tenant": tx.tenant,
        "scim_id": scim_id,
        "kind": kind,
        "document": compact_json(document),
        "version": 0,
        "created_at": tx.now,
        "modified_at": tx.now,
    }
    number = _guarded(tx, sa.insert(resource).values(row).returning(resource.c.id)).scalar_one()
    _insert_lookups(tx, number, folded)
    return Stored(
        id=number,
        scim_id=scim_id,
        kind=kind,
        document=document,
        version=0,
        active=folded.active is not False,
        created_at=tx.now,
        modified_at=tx.now,
    )


def update(tx: Transaction, stored: Stored, *, document: Mapping[str, Any], version: int) -> Stored:
    """Give a resource a new document and version. A user whose document does not say so stays active, or inactive.

    Raises:
        NameTaken: as `insert`.
        folding.ValueTooLong: as `insert`.
    """
    folded = folding.fold(stored.kind, document)
    active = stored.active if folded.active is None else folded.active
    values = {
        **_searchable(folded, active=active),
        "document": compact_json(document),
        "version": version,
        "modified_at": max(tx.now, stored.modified_at),
    }
    _guarded(tx, sa.update(resource).where(resource.c.id == stored.id).values(values))
    if folded.lookups != folding.fold(stored.kind, stored.document).lookups:
        _delete_lookups(tx, stored.id)
        _insert_lookups(tx, stored.id, folded)
    return replace(
        stored, document=document, version=version, active=active, modified_at=max(tx.now, stored.modified_at)
    )


def touch(tx: Transaction, stored: Stored, *, version: int, modify: bool = True) -> Stored:
    """Give a resource a new version; `modify` moves lastModified along."""
    modified_at = max(tx.now, stored.modified_at) if modify else stored.modified_at
    tx.connection.execute(
        sa.update(resource).where(resource.c.id == stored.id).values(version=version, modified_at=modified_at)
    )
    return replace(stored, version=version, modified_at=modified_at)


def bury(tx: Transaction, stored: Stored, *, version: int) -> Stored:
    """Leave a tombstone: the values by which targets recognise the person, and nothing else. The name is free at once.

    A tombstone can still be found by `lookup` (userName and e-mail addresses), so that its history can be shown.
    """
    document = {name: stored.document[name] for name in _TOMBSTONE_KEEPS if name in stored.document}
    folded = folding.fold(stored.kind, document)
    tx.connection.execute(
        sa.update(resource)
        .where(resource.c.id == stored.id)
        .values(
            document=compact_json(document),
            folded="{}",
            version=version,
            active=0,
            unique_key=None,
            modified_at=tx.now,
            deleted_at=tx.now,
        )
    )
    _delete_lookups(tx, stored.id)
    _insert_lookups(tx, stored.id, folded, user_name=folded.unique_key)
    return replace(stored, document=document, version=version, active=False, modified_at=tx.now, deleted_at=tx.now)


def living_namesakes(tx: Transaction, resource_ids: Iterable[int]) -> frozenset[int]:
    """Return which deleted users have a living user of the same userName or e-mail address: a re-created person."""
    numbers = sorted(resource_ids)
    if not numbers:
        return frozenset()
    gone, alive = lookup.alias("gone"), lookup.alias("alive")
    by_address = (
        sa.select(gone.c.resource_id)
        .join(
            alive,
            sa.and_(
                alive.c.tenant == gone.c.tenant,
                alive.c.path == gone.c.path,
                alive.c.value == gone.c.value,
                alive.c.resource_id != gone.c.resource_id,
            ),
        )
        .join(resource, resource.c.id == alive.c.resource_id)
        .where(gone.c.path == "emails.value", resource.c.deleted_at.is_(None))
    )
    by_name = (
        sa.select(gone.c.resource_id)
        .join(resource, sa.and_(resource.c.tenant == gone.c.tenant, resource.c.unique_key == gone.c.value))
        .where(gone.c.path == "userName", resource.c.kind == USER)
    )
    rows = sets.id_rows(tx, numbers)
    query = sa.union(
        by_address.where(sets.among(gone.c.resource_id, rows)), by_name.where(sets.among(gone.c.resource_id, rows))
    )
    return frozenset(row.resource_id for row in tx.connection.execute(query))


def _searchable(folded: folding.Folded, *, active: bool) -> dict[str, Any]:
    return {
        "folded": folded.document,
        "active": int(active),
        "unique_key": folded.unique_key,
        "external_id": folded.external_id,
        "display_key": folded.display_key,
    }


def _guarded(tx: Transaction, statement: Any) -> Any:
    try:
        return tx.connection.execute(statement)
    except sa.exc.IntegrityError as error:
        # SQLite names the columns of the constraint, PostgreSQL the constraint.
        if _UNIQUE in str(error.orig) or "resource.unique_key" in str(error.orig):
            raise NameTaken from None
        raise


def _insert_lookups(tx: Transaction, number: int, folded: folding.Folded, *, user_name: str | None = None) -> None:
    found = [*folded.lookups, *([("userName", 0, user_name)] if user_name else [])]
    rows = [
        {"tenant": tx.tenant, "resource_id": number, "path": path, "element": element, "value": value}
        for path, element, value in found
    ]
    if rows:
        tx.connection.execute(sa.insert(lookup), rows)


def _delete_lookups(tx: Transaction, number: int) -> None:
    tx.connection.execute(sa.delete(lookup).where(lookup.c.resource_id == number))
