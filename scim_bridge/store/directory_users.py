"""Many users at once: found, added and changed by as many statements for one as for a thousand."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.store import directory, numbers, prepared, sets, tables
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Transaction, compact_json
from scim_bridge.store.prepared import Prepared
from scim_bridge.store.search import folding

resource, lookup = tables.resource, tables.lookup


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A user as it shall be. The document is as the models write it, without id, meta and groups."""

    number: int
    scim_id: str
    document: Mapping[str, Any] = field(repr=False)
    active: bool
    version: int
    folded: folding.Folded = field(repr=False)
    before: folding.Folded | None = field(default=None, repr=False)
    """How it was searched for until now; None: it is new."""


def lock(tx: Transaction, user_ids: Iterable[int]) -> dict[int, Stored]:
    """Return users by number, deleted ones too, locked in the order of the numbers until the transaction ends."""
    return ask_lock(tx, user_ids)()


def ask_lock(tx: Transaction, user_ids: Iterable[int]) -> Callable[[], dict[int, Stored]]:
    """Ask for what `lock` returns, and return what gives it (see `Prepared.ask`)."""
    statement = _LOCK if tx.dialect == "postgresql" else _FETCH
    answer = statement.ask(tx, ids=sets.packed(sorted(set(user_ids))))
    return lambda: {row.id: directory.stored_of(row) for row in answer()}


def read(tx: Transaction, user_ids: Iterable[int]) -> list[Stored]:
    """Return living users by their numbers, oldest first."""
    rows = _FETCH.rows(tx, ids=sets.packed(sorted(set(user_ids))))
    found = [directory.stored_of(row) for row in rows if row.deleted_at is None]
    return sorted(found, key=lambda each: each.id)


def take_turns(tx: Transaction, source: str) -> None:
    """Wait until nobody else records for this source of the tenant. On SQLite all writers take turns anyway."""
    if tx.dialect == "postgresql" and source not in tx.turns:
        _TAKE_TURNS.send(tx, tenant=tx.tenant, source=source)
        tx.turns.add(source)


def reserve(tx: Transaction, count: int) -> Callable[[], list[int]]:
    """Ask for the numbers of so many users who are then added, and return what gives them; see `numbers.reserve`."""
    return numbers.reserve(tx, resource.c.id, count) if count else list


def add(tx: Transaction, users: Sequence[Written]) -> None:
    """Add users under numbers that are reserved for them.

    Raises:
        directory.NameTaken: another user has one of the userNames; the transaction must be given up.
    """
    if not users:
        return
    rows = [[each.number, tx.tenant, each.scim_id, USER, tx.now, *_row(each, modified_at=tx.now)[1:]] for each in users]
    with directory.names_guarded(USER):
        _ADD.send(tx, rows=sets.packed(rows))
    directory.count(tx, USER, len(users))
    _put_lookups(tx, users)


def change(tx: Transaction, users: Sequence[Written]) -> None:
    """Give users, who are locked, new documents and versions. Names may change hands among them.

    Raises:
        directory.NameTaken: as `add`.
    """
    if not users:
        return
    renamed = [each.number for each in users if each.before and each.before.unique_key != each.folded.unique_key]
    if renamed:
        # A name is free before it is given, whatever the order in which rows are changed.
        _UNNAME.send(tx, ids=sets.packed(renamed))
    with directory.names_guarded(USER):
        _CHANGE.send(tx, rows=sets.packed(_row(each, modified_at=tx.now) for each in users))
    moved = [each for each in users if each.before is None or each.before.lookups != each.folded.lookups]
    if moved:
        _DELETE_LOOKUPS.send(tx, ids=sets.packed(each.number for each in moved))
        _put_lookups(tx, moved)


def _put_lookups(tx: Transaction, users: Iterable[Written]) -> None:
    rows = [
        [tx.tenant, each.number, path, element, value] for each in users for path, element, value in each.folded.lookups
    ]
    _PUT_LOOKUPS.send(tx, rows=sets.packed(rows))


def _row(user: Written, *, modified_at: Millis) -> list[Any]:
    folded = user.folded
    return [
        user.number,
        compact_json(user.document),
        folded.document,
        user.version,
        int(user.active),
        folded.unique_key,
        folded.external_id,
        folded.display_key,
        modified_at,
    ]


_COLUMNS = (
    *("id", "document", "folded", "version", "active"),
    *("unique_key", "external_id", "display_key", "modified_at"),
)


def _rows(names: Sequence[str], table: sa.Table, *, dialect: str) -> Any:
    columns = {name: table.c[name].type for name in names}
    return sets.rows_in(prepared.text("rows"), columns, dialect=dialect, name="given")


def _add(dialect: str) -> sa.Executable:
    names = ["id", "tenant", "scim_id", "kind", "created_at", *_COLUMNS[1:]]
    return sa.insert(resource).from_select(names, sa.select(_rows(names, resource, dialect=dialect)))


def _change(dialect: str) -> sa.Executable:
    given = _rows(_COLUMNS, resource, dialect=dialect)
    values: dict[str, Any] = {name: given.c[name] for name in _COLUMNS[1:-1]}
    later = sa.case((given.c.modified_at > resource.c.modified_at, given.c.modified_at), else_=resource.c.modified_at)
    return sa.update(resource).where(resource.c.id == given.c.id).values(**values, modified_at=later)


def _put_lookups_of(dialect: str) -> sa.Executable:
    names = ["tenant", "resource_id", "path", "element", "value"]
    return sa.insert(lookup).from_select(names, sa.select(_rows(names, lookup, dialect=dialect)))


def _fetch(dialect: str) -> sa.Select[Any]:
    ids = sets.ids_in(prepared.text("ids"), dialect=dialect, name="fetched")
    return sa.select(*directory.COLUMNS).where(sets.among(resource.c.id, ids)).order_by(resource.c.id)


_TAKE_TURNS = Prepared(
    lambda _dialect: sa.text("SELECT pg_advisory_xact_lock(hashtextextended('rows:' || :tenant || ':' || :source, 0))")
)
_FETCH = Prepared(_fetch)
_LOCK = Prepared(lambda dialect: _fetch(dialect).with_for_update(of=resource, key_share=True))
_ADD = Prepared(_add)
_CHANGE = Prepared(_change)
_UNNAME = Prepared(
    lambda dialect: (
        sa.update(resource)
        .where(sets.among(resource.c.id, sets.ids_in(prepared.text("ids"), dialect=dialect, name="renamed")))
        .values(unique_key=None)
    )
)
_PUT_LOOKUPS = Prepared(_put_lookups_of)
_DELETE_LOOKUPS = Prepared(
    lambda dialect: sa.delete(lookup).where(
        sets.among(lookup.c.resource_id, sets.ids_in(prepared.text("ids"), dialect=dialect, name="moved"))
    )
)
