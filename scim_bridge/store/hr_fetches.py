"""People whom an HR source is to be asked about: whose turn it is, who asks meanwhile, and what came of it.

Who asks holds an event by its `due_at`: nobody else takes it before, and what is said of the person meanwhile makes it
due again, which ends the holding.
"""

from collections.abc import Collection, Iterable, Sequence

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.hr_events import FETCH, STOPPING, Kept, kept_of

event, identity, contribution = tables.hr_event, tables.identity, tables.contribution


def sources_due(tx: Transaction, sources: Collection[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return of these sources, by tenant and name, those that are to be asked about somebody now."""
    query = (
        sa.select(event.c.tenant, event.c.source)
        .where(
            event.c.state == sa.text(f"'{FETCH}'"),
            event.c.due_at <= tx.now,
            sa.tuple_(event.c.tenant, event.c.source).in_(sorted(sources)),
        )
        .distinct()
    )
    return sorted((row.tenant, row.source) for row in tx.connection.execute(query))


def stopped_until(tx: Transaction, source: str, code: str) -> Millis:
    """Return until when nobody of a source is looked up for one reason; 0 when that was not noted."""
    query = sa.select(sa.func.max(event.c.due_at)).where(*_of(tx, source), event.c.code == code)
    return tx.connection.execute(query).scalar() or 0


def lift(tx: Transaction, source: str, code: str) -> None:
    """Make everybody due again who waits for one reason: it holds no more."""
    statement = sa.update(event).where(*_of(tx, source), event.c.code == code)
    tx.connection.execute(statement.values(due_at=tx.now, code="", advice=""))


def is_due(tx: Transaction, source: str, *, besides: int) -> bool:
    """Tell whether somebody else of a source than the one of this event is to be looked up now."""
    query = sa.select(event.c.id).where(*_of(tx, source), event.c.due_at <= tx.now, event.c.id != besides)
    return tx.connection.execute(query.limit(1)).first() is not None


def next_in_line(tx: Transaction, source: str, *, limit: int) -> list[Kept]:
    """Return who is to be looked up now, who has waited longest first; they are this transaction's."""
    query = sa.select(event).where(*_of(tx, source), event.c.due_at <= tx.now)
    if tx.dialect == "postgresql":
        query = query.with_for_update(skip_locked=True)
    return [kept_of(row) for row in tx.connection.execute(query.order_by(event.c.due_at, event.c.id).limit(limit))]


def hold(tx: Transaction, numbers: Iterable[int], *, until: Millis) -> None:
    """Keep events from being taken by anybody else until then; what was said against them is gone."""
    statement = sa.update(event).where(event.c.tenant == tx.tenant, sets.among(event.c.id, sets.id_rows(tx, numbers)))
    tx.connection.execute(statement.values(due_at=until, code="", advice=""))


def end(tx: Transaction, numbers: Iterable[int], *, held_until: Millis) -> frozenset[int]:
    """Remove events that are still held, and return which: of the others something was said meanwhile."""
    statement = sa.delete(event).where(*_held(tx, numbers, held_until)).returning(event.c.id)
    return frozenset(tx.connection.execute(statement).scalars())


def put_off(
    tx: Transaction, held: Sequence[Kept], *, held_until: Millis, until: Millis, code: str, advice: str
) -> None:
    """Count looks in vain, say why, and let them wait.

    Those that are no longer held stay as they are; but not where it is about the whole source: then nothing that was
    said of one person meanwhile makes them due.
    """
    numbers = [each.number for each in held]
    chosen = _numbered(tx, numbers) if code in STOPPING else _held(tx, numbers, held_until)
    statement = sa.update(event).where(*chosen)
    tx.connection.execute(statement.values(attempts=event.c.attempts + 1, due_at=until, code=code, advice=advice))


def left_at(tx: Transaction, source: str, external_ids: Iterable[str]) -> dict[str, Millis]:
    """Return those of a source's ids of whom it says that nobody works there, with the time at which it said so."""
    query = (
        sa.select(identity.c.external_id, contribution.c.said_at)
        .join(
            contribution,
            sa.and_(
                contribution.c.tenant == identity.c.tenant,
                contribution.c.source == identity.c.source,
                contribution.c.resource_id == identity.c.resource_id,
            ),
        )
        .where(
            identity.c.tenant == tx.tenant,
            identity.c.source == source,
            sets.among(identity.c.external_id, sets.text_rows(tx, external_ids)),
            contribution.c.active == 0,
        )
    )
    return {row.external_id: row.said_at for row in tx.connection.execute(query)}


def _of(tx: Transaction, source: str) -> tuple[sa.ColumnElement[bool], ...]:
    return event.c.tenant == tx.tenant, event.c.source == source, event.c.state == FETCH


def _held(tx: Transaction, numbers: Iterable[int], until: Millis) -> tuple[sa.ColumnElement[bool], ...]:
    return *_numbered(tx, numbers), event.c.due_at == until


def _numbered(tx: Transaction, numbers: Iterable[int]) -> tuple[sa.ColumnElement[bool], ...]:
    rows = sets.id_rows(tx, numbers)
    return event.c.tenant == tx.tenant, sets.among(event.c.id, rows), event.c.state == FETCH
