"""What each source last said of a person. Rows of one person or of thousands, a statement each. See `identities` too.

Only tenants with several sources, and those with an HR system, have any. Whoever writes holds the person's row locked.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.store import directory, prepared, sets, tables
from scim_bridge.store.engine import Transaction, compact_json
from scim_bridge.store.prepared import Prepared

contribution, identity, resource, lookup, change = (
    tables.contribution,
    tables.identity,
    tables.resource,
    tables.lookup,
    tables.change,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What it takes to put news in order that come late or out of order. Most contributions need none of it."""

    stated: Mapping[str, Millis] = field(default_factory=dict)
    """When the source last spoke of a part of what it says, by the part's name; under `*`, of all that are not named.
    Where nothing stands, it last spoke of everything at `said_at`."""
    missed_at: Millis | None = None
    """Of when the snapshot is that names the person no more, though the source never said that they are gone."""
    closed: Mapping[str, Millis] = field(default_factory=dict, repr=False)
    """Other records of the person that are closed: when the source said so, by the source's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What one source last said of one person, as the table has it; the times of employment are an HR system's."""

    source: str
    resource_id: int
    document: Mapping[str, Any] = field(repr=False)
    """The attributes that the source states, without `active`; those it states to have no value are None."""
    said_at: Millis
    active: bool | None = None
    """What the source says, dates aside; None: it does not say."""
    began_at: Millis | None = None
    changed: Mapping[str, Millis] = field(default_factory=dict)
    ended_at: Millis | None = None
    """When the source deleted the person."""
    user_key: str | None = field(default=None, repr=False)
    """The userName that the source knows the person by, folded."""
    external_id: str | None = field(default=None, repr=False)
    starts_at: Millis | None = None
    ends_at: Millis | None = None
    due_at: Millis | None = None
    manager_id: str | None = field(default=None, repr=False)
    """The source's id of the manager; empty: it says that there is none; None: it does not say."""
    manager: str | None = None
    """The SCIM id of the manager, if they have come. Read with the rest, never written."""
    written_at: Millis = 0
    """When it was last written, by our clock. `write` sets it."""
    timing: Timing = field(default_factory=Timing)

    def is_active_at(self, now: Millis) -> bool | None:
        """Return what the source says of `active` once its dates are looked at; None: it does not say."""
        if self.timing.missed_at is not None:
            return False
        if self.starts_at is not None and (now < self.starts_at or self.starts_at == self.due_at):
            # A first day counts once it is applied: never, if its source is not configured any more by then.
            return False
        if self.ends_at is not None and now >= self.ends_at:
            return False
        return self.active


def of_people(tx: Transaction, resource_ids: Iterable[int]) -> dict[int, list[Contribution]]:
    """Return what all sources said of people, by the person's number; of whom nobody said anything is left out."""
    return ask_of_people(tx, resource_ids)()


def ask_of_people(tx: Transaction, resource_ids: Iterable[int]) -> Callable[[], dict[int, list[Contribution]]]:
    """Ask for what `of_people` returns, and return what gives it (see `Prepared.ask`)."""
    answer = _OF_PEOPLE.ask(tx, tenant=tx.tenant, ids=sets.packed(resource_ids))

    def read() -> dict[int, list[Contribution]]:
        found: dict[int, list[Contribution]] = {}
        for row in answer():
            found.setdefault(row.resource_id, []).append(_read(row))
        return found

    return read


def of_person(tx: Transaction, resource_id: int, *, tenant: str) -> list[Contribution]:
    """Return what all sources said of one person, through either door."""
    return [_read(row) for row in _OF_PEOPLE.rows(tx, tenant=tenant, ids=sets.packed([resource_id]))]


def of_source(tx: Transaction, source: str, resource_ids: Iterable[int]) -> dict[int, Contribution]:
    """Return what one source said of people, by the person's number."""
    rows = _OF_SOURCE.rows(tx, tenant=tx.tenant, source=source, ids=sets.packed(resource_ids))
    return {row.resource_id: _read(row) for row in rows}


def write(tx: Transaction, said: Iterable[Contribution]) -> None:
    """Write what sources say of people, in place of what they said before."""
    rows = [_values(tx, each) for each in said]
    if rows:
        _WRITE.send(tx, rows=sets.packed(rows))


def known_as(tx: Transaction, source: str, user_keys: Iterable[str]) -> dict[str, list[int]]:
    """Return the numbers of the living people whom a source knows by folded userNames, also those it deleted."""
    found: dict[str, list[int]] = {}
    for row in _KNOWN_AS.rows(tx, tenant=tx.tenant, source=source, keys=sets.packed(user_keys)):
        found.setdefault(row.user_key, []).append(row.resource_id)
    return found


def named(tx: Transaction, user_keys: Iterable[str]) -> dict[str, int]:
    """Return the numbers of the living people who have folded userNames in the directory."""
    return ask_named(tx, user_keys)()


def ask_named(tx: Transaction, user_keys: Iterable[str]) -> Callable[[], dict[str, int]]:
    """Ask for what `named` returns, and return what gives it (see `Prepared.ask`)."""
    answer = _NAMED.ask(tx, tenant=tx.tenant, keys=sets.packed(user_keys))
    return lambda: {row.unique_key: row.id for row in answer()}


def addressed(tx: Transaction, addresses: Iterable[str]) -> dict[str, list[int]]:
    """Return the numbers of the living people who have folded e-mail addresses in the directory, oldest first."""
    return ask_addressed(tx, addresses)()


def ask_addressed(tx: Transaction, addresses: Iterable[str]) -> Callable[[], dict[str, list[int]]]:
    """Ask for what `addressed` returns, and return what gives it (see `Prepared.ask`)."""
    answer = _ADDRESSED.ask(tx, tenant=tx.tenant, addresses=sets.packed(addresses))

    def read() -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for row in answer():
            found.setdefault(row.value, []).append(row.id)
        return found

    return read


def last_speakers(tx: Transaction, resource_ids: Iterable[int]) -> dict[int, str]:
    """Return which source's edit of each resource is the newest one in the books."""
    rows = _LAST_SPEAKERS.rows(tx, tenant=tx.tenant, ids=sets.packed(resource_ids))
    return {row.resource_id: row.source for row in rows}


def ended_by(tx: Transaction, source: str) -> int:
    """Return how many living people a source has deleted whom others still hold."""
    return int(_ENDED_BY.rows(tx, tenant=tx.tenant, source=source)[0].total)


def hold_anybody(tx: Transaction, *, but_for: Collection[str]) -> bool:
    """Tell whether sources other than these hold anybody inactive, or will: by status, by date or by a deletion."""
    holds = sa.or_(
        contribution.c.active == 0,
        contribution.c.ends_at.is_not(None),
        contribution.c.ended_at.is_not(None),
        contribution.c.due_at == contribution.c.starts_at,
    )
    others = contribution.c.source.not_in(["", *sorted(but_for)])
    query = sa.select(contribution.c.id).where(contribution.c.tenant == tx.tenant, others, holds)
    return tx.connection.execute(query.limit(1)).first() is not None


def retract(tx: Transaction, resource_id: int, sources: Iterable[str]) -> None:
    """Remove what sources said of a person, as another speaks in their place. Should they speak again, it is anew."""
    names = sets.packed(sources)
    _RETRACT.run(tx, number=resource_id, sources=names)
    _FORGET_DIGESTS.run(tx, number=resource_id, sources=names)


def forget(tx: Transaction, resource_ids: Iterable[int]) -> None:
    """Remove all that was said of people who are deleted, so that their ids can name others."""
    ids = sets.packed(resource_ids)
    _FORGET_WORDS.run(tx, ids=ids)
    _FORGET_IDS.run(tx, ids=ids)


def _values(tx: Transaction, said: Contribution) -> list[Any]:
    # Who is missing is to be found as somebody inactive, whatever the source said.
    active = False if said.timing.missed_at is not None else said.active
    return [
        *(tx.tenant, said.source, said.resource_id, compact_json(said.document), said.said_at),
        *(None if active is None else int(active), said.began_at, compact_json({**said.changed, **_timing_of(said)})),
        *(said.ended_at, said.user_key, said.external_id, said.starts_at, said.ends_at, said.due_at, said.manager_id),
        tx.now,
    ]


def _timing_of(said: Contribution) -> dict[str, Any]:
    """Return the timing as it stands beside the times of attributes, under a name that no attribute can have."""
    timing = said.timing
    kept: dict[str, Any] = {}
    if timing.stated:
        kept["stated"] = dict(timing.stated)
    if timing.missed_at is not None:
        kept |= {"missed_at": timing.missed_at, "active": said.active}
    if timing.closed:
        kept["closed"] = dict(timing.closed)
    return {_TIMING: kept} if kept else {}


def _read(row: Any) -> Contribution:
    values = {name: getattr(row, name) for name in _FIELDS}
    changed: dict[str, Any] = json.loads(row.changed)
    timing: dict[str, Any] = changed.pop(_TIMING, {})
    active = timing.pop("active", None) if "missed_at" in timing else row.active
    return Contribution(
        **{
            **values,
            "document": json.loads(row.document),
            "changed": changed,
            "active": None if active is None else bool(active),
            "timing": Timing(**timing) if timing else _NO_TIMING,
        }
    )


_TIMING = "@"
_NO_TIMING = Timing()

_FIELDS = tuple(each.name for each in fields(Contribution) if each.name != "timing")

_KEY = ("tenant", "source", "resource_id")
_COLUMNS = [
    contribution.c[name]
    for name in (
        *(*_KEY, "document", "said_at", "active", "began_at", "changed", "ended_at", "user_key"),
        *("external_id", "starts_at", "ends_at", "due_at", "manager_id", "written_at"),
    )
]


def _write(dialect: str) -> sa.Executable:
    types = {column.name: column.type for column in _COLUMNS}
    rows = sets.rows_in(prepared.text("rows"), types, dialect=dialect, name="said")
    names = list(types)
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(contribution)
    # SQLite takes ON for a join unless a WHERE stands before it.
    written = insert.from_select(names, sa.select(rows).where(sa.true()))
    return written.on_conflict_do_update(
        index_elements=list(_KEY), set_={name: insert.excluded[name] for name in names if name not in _KEY}
    )


_WRITE = Prepared(_write)


def _unindexed(column: sa.Column[Any], dialect: str) -> Any:
    """Return a column in a form that no index offers to SQLite, which has no statistics to tell a good one by."""
    return column if dialect == "postgresql" else sa.func.coalesce(column, "")


def _select_said(dialect: str) -> sa.Select[Any]:
    of_manager, manager = identity.alias("of_manager"), resource.alias("manager")
    known = sa.and_(
        of_manager.c.tenant == contribution.c.tenant,
        of_manager.c.source == contribution.c.source,
        of_manager.c.external_id == contribution.c.manager_id,
    )
    living = sa.and_(manager.c.id == of_manager.c.resource_id, directory.lives(manager))
    columns = [contribution.c[name] for name in _FIELDS if name != "manager"]
    return (
        sa.select(*columns, manager.c.scim_id.label("manager"))
        .select_from(contribution.outerjoin(of_manager, known).outerjoin(manager, living))
        .where(
            _unindexed(contribution.c.tenant, dialect) == prepared.text("tenant"),
            sets.one_of(contribution.c.resource_id, prepared.text("ids"), dialect=dialect, name="people"),
        )
    )


_OF_PEOPLE = Prepared(lambda dialect: _select_said(dialect).order_by(contribution.c.resource_id, contribution.c.source))
_OF_SOURCE = Prepared(
    lambda dialect: _select_said(dialect).where(_unindexed(contribution.c.source, dialect) == prepared.text("source"))
)


def _living(query: sa.Select[Any], number: Any) -> sa.Select[Any]:
    return query.join(resource, resource.c.id == number).where(directory.lives(resource))


def _known_as(dialect: str) -> sa.Select[Any]:
    keys = prepared.text("keys")
    query = sa.select(contribution.c.user_key, contribution.c.resource_id).where(
        contribution.c.tenant == prepared.text("tenant"),
        _unindexed(contribution.c.source, dialect) == prepared.text("source"),
        sets.one_of(contribution.c.user_key, keys, dialect=dialect, name="asked"),
    )
    return _living(query, contribution.c.resource_id).order_by(contribution.c.resource_id)


def _named(dialect: str) -> sa.Select[Any]:
    return sa.select(resource.c.unique_key, resource.c.id).where(
        resource.c.tenant == prepared.text("tenant"),
        resource.c.kind == USER,
        sets.one_of(resource.c.unique_key, prepared.text("keys"), dialect=dialect, name="asked"),
    )


def _addressed(dialect: str) -> sa.Select[Any]:
    query = (
        sa.select(lookup.c.value, resource.c.id)
        .distinct()
        .where(
            lookup.c.tenant == prepared.text("tenant"),
            lookup.c.path == "emails.value",
            sets.one_of(lookup.c.value, prepared.text("addresses"), dialect=dialect, name="asked"),
            resource.c.kind == USER,
        )
    )
    return _living(query, lookup.c.resource_id).order_by(resource.c.id)


def _last_speakers(dialect: str) -> sa.Select[Any]:
    newest = (
        sa.select(sa.func.max(change.c.number))
        .where(
            _unindexed(change.c.tenant, dialect) == prepared.text("tenant"),
            sa.or_(change.c.kind == "create", change.c.kind == "update"),
            sets.among(change.c.resource_id, sets.ids_in(prepared.text("ids"), dialect=dialect, name="people")),
        )
        .group_by(change.c.resource_id)
    )
    return sa.select(change.c.resource_id, change.c.source).where(change.c.number.in_(newest))


_KNOWN_AS = Prepared(_known_as)
_NAMED = Prepared(_named)
_ADDRESSED = Prepared(_addressed)
_LAST_SPEAKERS = Prepared(_last_speakers)

_ENDED_BY = Prepared(
    lambda _dialect: sa.select(sa.func.count().label("total")).where(
        contribution.c.tenant == prepared.text("tenant"),
        contribution.c.source == prepared.text("source"),
        contribution.c.ended_at.is_not(None),
    )
)


def _forget(table: sa.Table, dialect: str) -> sa.Delete:
    return sa.delete(table).where(
        sets.among(table.c.resource_id, sets.ids_in(prepared.text("ids"), dialect=dialect, name="gone"))
    )


_RETRACT = Prepared(
    lambda dialect: sa.delete(contribution).where(
        contribution.c.resource_id == prepared.number("number"),
        sets.among(contribution.c.source, sets.texts_in(prepared.text("sources"), dialect=dialect, name="former")),
    )
)
_FORGET_DIGESTS = Prepared(
    lambda dialect: (
        sa.update(identity)
        .where(
            identity.c.resource_id == prepared.number("number"),
            sets.among(identity.c.source, sets.texts_in(prepared.text("sources"), dialect=dialect, name="former")),
        )
        .values(row_digest=sa.null())
    )
)
_FORGET_WORDS = Prepared(lambda dialect: _forget(contribution, dialect))
_FORGET_IDS = Prepared(lambda dialect: _forget(identity, dialect))
