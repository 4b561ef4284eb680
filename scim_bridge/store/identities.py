"""Whom the ids of an HR source name, with the digest of the row that was applied last; and whose dates fall due."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.instants import Millis
from scim_bridge.store import directory, prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

identity, contribution, resource = tables.identity, tables.contribution, tables.resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Whom one id of a source names."""

    external_id: str = field(repr=False)
    resource_id: int
    scim_id: str = ""
    row_digest: str | None = field(default=None, repr=False)
    """The keyed digest of the whole row that was applied last; None when something else was said since."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueDate:
    """A date of employment that has come. `number` is that of what the source said of the person."""

    number: int
    tenant: str
    source: str
    person: int


def of_source(tx: Transaction, source: str, external_ids: Iterable[str]) -> dict[str, Identity]:
    """Return which living people ids of a source name, by id; unknown ids are left out."""
    return ask_of_source(tx, source, external_ids)()


def ask_of_source(tx: Transaction, source: str, external_ids: Iterable[str]) -> Callable[[], dict[str, Identity]]:
    """Ask for what `of_source` returns, and return what gives it (see `Prepared.ask`)."""
    answer = _OF_SOURCE.ask(tx, tenant=tx.tenant, source=source, ids=sets.packed(external_ids))
    return lambda: {
        row.external_id: Identity(
            external_id=row.external_id, resource_id=row.resource_id, scim_id=row.scim_id, row_digest=row.row_digest
        )
        for row in answer()
    }


def put(tx: Transaction, source: str, identities: Sequence[Identity]) -> None:
    """Keep whom ids of a source name, and the digests of their rows. An id that named somebody else does so no more."""
    if identities:
        rows = [[tx.tenant, source, each.external_id, each.resource_id, each.row_digest] for each in identities]
        _PUT.send(tx, rows=sets.packed(rows))


def led_by(tx: Transaction, source: str, manager_ids: Iterable[str]) -> list[int]:
    """Return the numbers of the living people of whom a source says that one of these ids is their manager."""
    rows = _LED_BY.rows(tx, tenant=tx.tenant, source=source, ids=sets.packed(manager_ids))
    return [row.resource_id for row in rows]


def due(
    tx: Transaction, *, configured: Mapping[str, Collection[str]], limit: int, past: Collection[int] = ()
) -> list[DueDate]:
    """Return the dates that have come, oldest first, without those whose numbers are in `past`.

    `configured` has the sources of each tenant. Of the others only last days count, and nothing of other tenants.
    """
    sources = [[tenant, source] for tenant, sources in configured.items() for source in sources]
    named = _rows_of(tx, sources, "sources", ("tenant", "source"))
    tenants = _rows_of(tx, [[tenant] for tenant in configured], "tenants", ("tenant",))
    is_configured = (
        sa.select(sa.literal(1))
        .where(named.c.tenant == contribution.c.tenant, named.c.source == contribution.c.source)
        .exists()
    )
    query = (
        sa.select(contribution.c.id, contribution.c.tenant, contribution.c.source, contribution.c.resource_id)
        .where(
            contribution.c.due_at.is_not(None),
            contribution.c.due_at <= tx.now,
            # As an expression, or SQLite would walk through all that was said in each tenant.
            sets.among(sa.func.coalesce(contribution.c.tenant, ""), tenants),
            sa.or_(contribution.c.due_at.is_distinct_from(contribution.c.starts_at), is_configured),
        )
        .order_by(contribution.c.due_at)
        .limit(limit)
    )
    if past:
        query = query.where(~sets.among(contribution.c.id, sets.id_rows(tx, past, "past")))
    return [
        DueDate(number=row.id, tenant=row.tenant, source=row.source, person=row.resource_id)
        for row in tx.connection.execute(query)
    ]


def forget_dates(tx: Transaction, source: str, resource_ids: Iterable[int]) -> None:
    """Take it that the dates of people which have come are applied, also of those who are deleted."""
    ids = sets.id_rows(tx, resource_ids)
    tx.connection.execute(
        sa.update(contribution)
        .where(
            contribution.c.tenant == tx.tenant,
            contribution.c.source == source,
            sets.among(contribution.c.resource_id, ids),
        )
        .values(due_at=None)
    )


def next_due(tx: Transaction) -> Millis | None:
    """Return when the next date of a contribution comes, None when none does."""
    query = sa.select(sa.func.min(contribution.c.due_at)).where(
        contribution.c.due_at.is_not(None), contribution.c.due_at > tx.now
    )
    found: Millis | None = tx.connection.execute(query).scalar()
    return found


def _rows_of(tx: Transaction, rows: Iterable[list[str]], name: str, columns: tuple[str, ...]) -> Any:
    packed = sa.literal(sets.packed(rows), sa.Text)
    return sets.rows_in(packed, dict.fromkeys(columns, sa.Text), dialect=tx.dialect, name=name)


def _of_source(dialect: str) -> sa.Executable:
    return (
        sa.select(identity.c.external_id, identity.c.resource_id, identity.c.row_digest, resource.c.scim_id)
        .join(resource, resource.c.id == identity.c.resource_id)
        .where(
            identity.c.tenant == prepared.text("tenant"),
            identity.c.source == prepared.text("source"),
            sets.one_of(identity.c.external_id, prepared.text("ids"), dialect=dialect, name="asked"),
            directory.lives(resource),
        )
    )


def _led_by(dialect: str) -> sa.Executable:
    led = (
        sa.select(contribution.c.resource_id)
        .join(resource, resource.c.id == contribution.c.resource_id)
        .where(
            contribution.c.tenant == prepared.text("tenant"),
            contribution.c.source == prepared.text("source"),
            sets.one_of(contribution.c.manager_id, prepared.text("ids"), dialect=dialect, name="asked"),
            directory.lives(resource),
        )
    )
    # Many say "none", which is a word too: PostgreSQL's index leaves them out, and is told that they are not meant.
    # Told such a thing, SQLite would walk through all who have a manager.
    return led if dialect == "sqlite" else led.where(contribution.c.manager_id > sa.literal_column("''"))


_KEY = ("tenant", "source", "external_id")
_COLUMNS = (*_KEY, "resource_id", "row_digest")


def _put(dialect: str) -> sa.Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    columns = {name: identity.c[name].type for name in _COLUMNS}
    rows = sets.rows_in(prepared.text("rows"), columns, dialect=dialect, name="given")
    # SQLite's grammar needs a WHERE between a SELECT and ON CONFLICT.
    statement = insert(identity).from_select(list(_COLUMNS), sa.select(rows).where(sa.true()))
    return statement.on_conflict_do_update(
        index_elements=list(_KEY), set_={name: statement.excluded[name] for name in _COLUMNS[len(_KEY) :]}
    )


_OF_SOURCE = Prepared(_of_source)
_LED_BY = Prepared(_led_by)
_PUT = Prepared(_put)
