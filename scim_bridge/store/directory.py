"""The directory: every resource as last accepted. Writing here records nothing; `recording` does both at once."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.store import population, prepared, sets, tables
from scim_bridge.store.engine import Transaction, compact_json
from scim_bridge.store.prepared import Prepared
from scim_bridge.store.search import folding

resource, lookup = tables.resource, tables.lookup

_TOMBSTONE_KEEPS = ("userName", "externalId", "emails", "displayName")
_UNIQUE = "resource_unique_key"


class NameTaken(Exception):  # noqa: N818 - the name says what happened
    """Another resource of the tenant has what must be its own. The kind of resource is the only argument.

    A user's userName, whatever its case and whether active or not; a group's displayName and externalId together.
    """


class Stored(NamedTuple):
    """A resource as the directory has it. Its document holds neither id, meta, groups nor members.

    A page makes a hundred of them: as a tuple each costs half.
    """

    id: int
    """The store's own number."""
    scim_id: str
    kind: str
    text: str
    """The document as compact JSON."""
    version: int
    active: bool
    """The truth also where the document does not say."""
    created_at: Millis
    modified_at: Millis
    deleted_at: Millis | None = None

    def __repr__(self) -> str:
        """Return which resource it is, and nothing of what it says."""
        return f"Stored(id={self.id}, kind={self.kind!r}, version={self.version})"

    @property
    def document(self) -> Mapping[str, Any]:
        """Return the document, read anew each time: most of what is fetched is only ever handed on."""
        document: Mapping[str, Any] = json.loads(self.text)
        return document

    @property
    def etag(self) -> str:
        """Return the version as SCIM shows it, a weak entity tag."""
        return f'W/"{self.version}"'


COLUMNS: tuple[Any, ...] = tuple(
    resource.c[name]
    for name in ("id", "scim_id", "kind", "document", "version", "active", "created_at", "modified_at", "deleted_at")
)
"""The columns that `stored_of` reads, in front of any others."""

_WIDTH = len(COLUMNS)


def lives(rows: Any) -> Any:
    """Return the condition that somebody who is found by their number is not deleted.

    In a form that no index offers: PostgreSQL would rather walk through one of all who live than ask for a number, as
    long as it has not looked at a table and takes either for a page.
    """
    return sa.func.coalesce(rows.c.deleted_at, sa.literal_column("0")) == sa.literal_column("0")


def stored_of(row: Any) -> Stored:
    """Return the resource that a row holds which begins with COLUMNS."""
    number, scim_id, kind, text, version, active, created_at, modified_at, deleted_at = row[:_WIDTH]
    return Stored(number, scim_id, kind, text, version, bool(active), created_at, modified_at, deleted_at)


def fetch(tx: Transaction, kind: str, scim_id: str, *, lock: bool = False) -> Stored | None:
    """Return a living resource by its SCIM id, None where there is none. `lock` keeps others from changing it."""
    statement = _FETCH_LOCKED if lock and tx.dialect == "postgresql" else _FETCH
    row = statement.row(tx, scim_id=scim_id, tenant=tx.tenant, kind=kind)
    return None if row is None else stored_of(row)


def select_living(_dialect: str) -> sa.Select[Any]:
    """Return the query for COLUMNS of the living resource of a `kind` by its `scim_id`.

    In a form that offers no index but that of the ids. Of tables that were empty when it was planned PostgreSQL might
    take any, and walk through a tenant.
    """
    return sa.select(*COLUMNS).where(
        resource.c.scim_id == prepared.text("scim_id"),
        resource.c.tenant.concat("") == prepared.text("tenant"),
        resource.c.kind.concat("") == prepared.text("kind"),
        lives(resource),
    )


_FETCH = Prepared(select_living)
_FETCH_LOCKED = Prepared(lambda dialect: select_living(dialect).with_for_update(key_share=True))


def numbers_of(tx: Transaction, kind: str, scim_ids: Iterable[str]) -> dict[str, int]:
    """Return the store's numbers of living resources by their SCIM ids; unknown ids are left out."""
    rows = _NUMBERS.rows(tx, scim_ids=sets.packed(scim_ids), tenant=tx.tenant, kind=kind)
    return {row.scim_id: row.id for row in rows}


def lock_named(tx: Transaction, kind: str, scim_ids: Iterable[str]) -> dict[str, int]:
    """Return what `numbers_of` does, locked in the order of the numbers until the transaction ends."""
    if tx.dialect != "postgresql":
        return numbers_of(tx, kind, scim_ids)
    rows = _NUMBERS_LOCKED.rows(tx, scim_ids=sets.packed(scim_ids), tenant=tx.tenant, kind=kind)
    return {row.scim_id: row.id for row in rows}


def select_named(dialect: str) -> sa.Select[Any]:
    """Return the query for scim_id and id of living resources: of the `kind`, among the packed list `scim_ids`."""
    # Having no statistics, SQLite would walk through the index of the living rather than look a few ids up. What is
    # compared with an expression uses no index.
    kind = resource.c.kind if dialect == "postgresql" else sa.func.coalesce(resource.c.kind, "")
    tenant = resource.c.tenant if dialect == "postgresql" else sa.func.coalesce(resource.c.tenant, "")
    return sa.select(resource.c.scim_id, resource.c.id).where(
        sets.among(resource.c.scim_id, sets.texts_in(prepared.text("scim_ids"), dialect=dialect, name="named")),
        tenant == prepared.text("tenant"),
        kind == prepared.text("kind"),
        resource.c.deleted_at.is_(None),
    )


_NUMBERS = Prepared(select_named)
_NUMBERS_LOCKED = Prepared(
    lambda dialect: select_named(dialect).order_by(resource.c.id).with_for_update(of=resource, key_share=True)
)


def lock_rows(tx: Transaction, resource_ids: Iterable[int]) -> None:
    """Lock resources in the order of their numbers, so that two changes of the same people take turns.

    Whoever only refers to them (a new operation, a membership) does not wait.
    """
    if tx.dialect == "postgresql":
        _LOCK.rows(tx, ids=sets.packed(resource_ids))


_LOCK = Prepared(
    lambda dialect: (
        sa.select(resource.c.id)
        .where(sets.among(resource.c.id, sets.ids_in(prepared.text("ids"), dialect=dialect, name="locked")))
        .order_by(resource.c.id)
        .with_for_update(key_share=True)
    )
)


def insert(tx: Transaction, *, kind: str, scim_id: str, document: Mapping[str, Any]) -> Stored:
    """Add a resource; its version is 0 until its change is recorded.

    Raises:
        NameTaken: as it says. On PostgreSQL the transaction (or savepoint) must then be given up.
        folding.ValueTooLong: an attribute that people are looked up by is too long.
    """
    folded = folding.fold(kind, document)
    text = compact_json(document)
    with names_guarded(kind):
        number = _INSERT.rows(
            tx,
            **_searchable(folded, active=folded.active is not False),
            tenant=tx.tenant,
            scim_id=scim_id,
            kind=kind,
            document=text,
            now=tx.now,
        )[0].id
    count(tx, kind, 1)
    _insert_lookups(tx, number, folded)
    return Stored(
        id=number,
        scim_id=scim_id,
        kind=kind,
        text=text,
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
    text, modified_at = compact_json(document), max(tx.now, stored.modified_at)
    with names_guarded(stored.kind):
        _UPDATE.run(
            tx,
            **_searchable(folded, active=active),
            document=text,
            version=version,
            modified_at=modified_at,
            number=stored.id,
        )
    if folded.lookups != folding.fold(stored.kind, stored.document).lookups:
        _delete_lookups(tx, stored.id)
        _insert_lookups(tx, stored.id, folded)
    return stored._replace(text=text, version=version, active=active, modified_at=modified_at)


def touch(tx: Transaction, stored: Stored, *, version: int, modify: bool = True) -> Stored:
    """Give a resource a new version; `modify` moves lastModified along."""
    modified_at = max(tx.now, stored.modified_at) if modify else stored.modified_at
    _TOUCH.send(tx, number=stored.id, version=version, modified_at=modified_at)
    return stored._replace(version=version, modified_at=modified_at)


def bury(tx: Transaction, stored: Stored, *, version: int) -> Stored:
    """Leave a tombstone: the values by which targets recognise the person, and nothing else. The name is free at once.

    A tombstone can still be found by `lookup` (userName and e-mail addresses), so that its history can be shown.
    """
    before = stored.document
    document = {name: before[name] for name in _TOMBSTONE_KEEPS if name in before}
    folded = folding.fold(stored.kind, document)
    count(tx, stored.kind, -1)
    tx.connection.execute(
        sa.update(resource)
        .where(resource.c.id == stored.id)
        .values(
            document=(text := compact_json(document)),
            folded="{}",
            version=version,
            active=0,
            unique_key=None,
            modified_at=tx.now,
            deleted_at=tx.now,
        )
    )
    _delete_lookups(tx, stored.id)
    _insert_lookups(tx, stored.id, folded, user_name=folded.unique_key if stored.kind == USER else None)
    return stored._replace(text=text, version=version, active=False, modified_at=tx.now, deleted_at=tx.now)


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


def count(tx: Transaction, kind: str, change: int) -> None:
    """Note how many more, or fewer, resources of a kind live at the end of the transaction."""
    tx.population[kind] += change
    tx.endings["population"] = _note_population


def _note_population(tx: Transaction) -> None:
    population.note(tx, tx.population)


@contextmanager
def names_guarded(kind: str) -> Iterator[None]:
    """Raise NameTaken where the database finds that a resource of this kind is to have what another has."""
    try:
        yield
    except sa.exc.IntegrityError as error:
        # SQLite names the columns of the constraint, PostgreSQL the constraint.
        if _UNIQUE in str(error.orig) or "resource.unique_key" in str(error.orig):
            raise NameTaken(kind) from None
        raise


def _insert_lookups(tx: Transaction, number: int, folded: folding.Folded, *, user_name: str | None = None) -> None:
    found = [*folded.lookups, *([("userName", 0, user_name)] if user_name else [])]
    rows = [
        {"tenant": tx.tenant, "resource_id": number, "path": path, "element": element, "value": value}
        for path, element, value in found
    ]
    _INSERT_LOOKUP.run_many(tx, rows)


def _delete_lookups(tx: Transaction, number: int) -> None:
    _DELETE_LOOKUPS.run(tx, number=number)


_SEARCHABLE = ("folded", "active", "unique_key", "external_id", "display_key")

_INSERT = Prepared(
    lambda _dialect: (
        sa.insert(resource)
        .values(
            {name: sa.bindparam(name) for name in (*_SEARCHABLE, "tenant", "scim_id", "kind", "document")}
            | {"version": sa.literal(0, sa.BigInteger)}
            | {name: prepared.number("now") for name in ("created_at", "modified_at")}
        )
        .returning(resource.c.id)
    )
)

_UPDATE = Prepared(
    lambda _dialect: (
        sa.update(resource)
        .where(resource.c.id == prepared.number("number"))
        .values({name: sa.bindparam(name) for name in (*_SEARCHABLE, "document", "version", "modified_at")})
    )
)

_TOUCH = Prepared(
    lambda _dialect: (
        sa.update(resource)
        .where(resource.c.id == prepared.number("number"))
        .values(version=prepared.number("version"), modified_at=prepared.number("modified_at"))
    )
)

_INSERT_LOOKUP = Prepared(
    lambda _dialect: (
        sa.insert(lookup)
        .values({name: sa.bindparam(name) for name in ("tenant", "resource_id", "path", "element", "value")})
        .inline()
    )
)

_DELETE_LOOKUPS = Prepared(lambda _dialect: sa.delete(lookup).where(lookup.c.resource_id == prepared.number("number")))
