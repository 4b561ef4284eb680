"""Files of HR rows that came in: staged row by row, worked off in pieces, and what became of each row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.instants import Millis
from scim_bridge.store import prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

import_, import_row = tables.import_, tables.import_row
contribution = tables.contribution

RECEIVING, WAITING, DONE, REFUSED = "receiving", "waiting", "done", "refused"

FIRST, AGAIN, MISSING = "first", "again", "missing"
"""The steps of an import: its rows, those that others were in the way of once more, and who is not in a snapshot."""

UNCHANGED = "unchanged"

OUTCOMES = ("created", "updated", "deactivated", "scheduled", UNCHANGED, "refused")
"""The words for what became of a row."""

BROKE_OFF = "The file broke off while it was received. Send it again."


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """One file."""

    id: int
    tenant: str
    source: str
    name: str
    """What senders know it by."""
    is_snapshot: bool
    is_dry_run: bool
    is_whole: bool
    """Whether what a row does not name is empty."""
    status: str
    step: str
    reached: int
    rows: int
    reason: str
    """Why it was refused as a whole, or what is wrong with the file."""
    spared: str
    """Why nobody is taken for missing, though it is a snapshot."""
    token_id: str | None
    correlation_id: str
    said_at: Millis
    at: Millis
    worked_at: Millis
    finished_at: Millis | None

    @property
    def is_open(self) -> bool:
        """Tell whether something of it is still to be done."""
        return self.status in {RECEIVING, WAITING}


class Staged(NamedTuple):
    """One row of a file, as it waits to be applied or after it was.

    Reports are made of hundreds of thousands, so each is a tuple.
    """

    position: int
    external_id: str
    digest: str | None = None
    fields: str | None = None
    """What the mapping reads of it, as JSON."""
    outcome: str | None = None
    code: str | None = None
    field: str | None = None
    advice: str | None = None
    change: int | None = None

    def __repr__(self) -> str:
        """Return which row it is, and nothing of whom it is about."""
        return f"Staged(position={self.position}, outcome={self.outcome!r}, code={self.code!r})"


def begin(tx: Transaction, **values: Any) -> Import:
    """Note that a file comes in, and return its import."""
    given = {
        **values,
        **{name: int(values[name]) for name in ("is_snapshot", "is_dry_run", "is_whole")},
        "tenant": tx.tenant,
        "status": RECEIVING,
        "step": FIRST,
        "at": tx.now,
        "worked_at": tx.now,
    }
    row = tx.connection.execute(sa.insert(import_).values(given).returning(import_)).mappings().one()
    return _of_row(dict(row))


def named(tx: Transaction, name: str) -> Import | None:
    """Return the tenant's import of a name, None where there is none."""
    query = sa.select(import_).where(import_.c.tenant == tx.tenant, import_.c.name == name)
    row = tx.connection.execute(query).mappings().one_or_none()
    return None if row is None else _of_row(dict(row))


def newest(
    tx: Transaction, *, tenant: str | None = None, source: str | None = None, before: int | None = None, limit: int
) -> list[Import]:
    """Return the last imports of a tenant (or of all), of a source where one is named, the newest in front.

    Those that came before the one numbered `before`, when that is given.
    """
    named = ((import_.c.tenant, tx.tenant or tenant), (import_.c.source, source))
    query = sa.select(import_).where(*(column == value for column, value in named if value is not None))
    if before is not None:
        query = query.where(import_.c.id < before)
    rows = tx.connection.execute(query.order_by(import_.c.id.desc()).limit(limit)).mappings()
    return [_of_row(dict(row)) for row in rows]


def take(tx: Transaction, as_seen: Import) -> Import | None:
    """Lock an import for a piece of work; None when another has it, or has worked on it since it was seen."""
    query = sa.select(import_).where(
        import_.c.id == as_seen.id,
        import_.c.tenant == tx.tenant,
        import_.c.status == as_seen.status,
        import_.c.step == as_seen.step,
        import_.c.reached == as_seen.reached,
    )
    if tx.dialect == "postgresql":
        query = query.with_for_update(skip_locked=True)
    row = tx.connection.execute(query).mappings().one_or_none()
    return None if row is None else _of_row(dict(row))


def note(tx: Transaction, import_id: int, **values: Any) -> None:
    """Note how far an import has come."""
    tx.connection.execute(sa.update(import_).where(import_.c.id == import_id).values(worked_at=tx.now, **values))


def note_received(tx: Transaction, import_id: int, **values: Any) -> bool:
    """Note how far a file has come in, first thing in a transaction; False when it was given up meanwhile."""
    noted = tx.connection.execute(
        sa.update(import_)
        .where(import_.c.id == import_id, import_.c.status == RECEIVING)
        .values(worked_at=tx.now, **values)
    )
    return noted.rowcount == 1


def to_work_on(tx: Transaction) -> list[Import]:
    """Return the imports of all tenants of which something is to be done, the one least lately worked on first."""
    query = sa.select(import_).where(import_.c.status == WAITING).order_by(import_.c.worked_at, import_.c.id)
    return [_of_row(dict(row)) for row in tx.connection.execute(query).mappings()]


def unread(tx: Transaction, found: Import) -> int:
    """Return how many rows of a file nobody can be named for; a last row without an id is a line of totals."""
    is_trailer = sa.and_(import_row.c.position == found.rows, import_row.c.code == "row_without_id")
    query = sa.select(sa.func.count()).where(
        import_row.c.import_id == found.id, import_row.c.external_id == "", ~is_trailer
    )
    return int(tx.connection.execute(query).scalar_one())


def is_behind_another(tx: Transaction, found: Import) -> bool:
    """Tell whether an earlier file of the source is still to be applied."""
    query = sa.select(import_.c.id).where(
        import_.c.tenant == tx.tenant,
        import_.c.source == found.source,
        import_.c.id < found.id,
        import_.c.is_dry_run == 0,
        import_.c.status.in_((RECEIVING, WAITING)),
    )
    return tx.connection.execute(query.limit(1)).first() is not None


def give_up_broken_off(tx: Transaction, *, before: Millis) -> int:
    """Refuse imports whose file never arrived whole: whoever sent it was not told that it was taken."""
    ended = tx.connection.execute(
        sa.update(import_)
        .where(import_.c.status == RECEIVING, import_.c.worked_at < before)
        .values(status=REFUSED, reason=BROKE_OFF, finished_at=tx.now)
        .returning(import_.c.id)
    ).all()
    for row in ended:
        drop_fields(tx, row.id)
    return len(ended)


def forget(tx: Transaction, *, before: Millis, at_a_time: int = 5_000) -> bool:
    """Remove some rows of the oldest import that ended before an instant, in the end itself; True: come again."""
    old = (
        sa.select(import_.c.id)
        .where(import_.c.finished_at < before, import_.c.status.in_((DONE, REFUSED)))
        .order_by(import_.c.id)
        .limit(1)
    )
    import_id = tx.connection.execute(old).scalar_one_or_none()
    if import_id is None:
        return False
    is_of_it = import_row.c.import_id == import_id
    first = tx.connection.execute(sa.select(sa.func.min(import_row.c.position)).where(is_of_it)).scalar_one()
    if first is None:
        tx.connection.execute(sa.delete(import_).where(import_.c.id == import_id))
    else:
        tx.connection.execute(sa.delete(import_row).where(is_of_it, import_row.c.position < first + at_a_time))
    return True


def stage(tx: Transaction, import_id: int, rows: Sequence[Staged]) -> None:
    """Keep rows of a file, or what became of rows that are kept; `fields` says what is still kept of what they said."""
    given = [[tx.tenant, import_id, *each] for each in rows]
    if given:
        _STAGE.run(tx, rows=sets.packed(given))


def pending(tx: Transaction, import_id: int, *, limit: int) -> list[Staged]:
    """Return the next rows that wait to be applied."""
    return [Staged._make(row) for row in _PENDING.rows(tx, import_id=import_id, most=limit)]


def pend_again(tx: Transaction, import_id: int, codes: Iterable[str]) -> int:
    """Let refused rows with these codes wait once more, and return how many."""
    again = tx.connection.execute(
        sa.update(import_row)
        .where(
            import_row.c.import_id == import_id,
            import_row.c.outcome == "refused",
            import_row.c.code.in_(sorted(codes)),
            import_row.c.fields.is_not(None),
        )
        .values(outcome=None, code=None, field=None, advice=None)
    )
    return int(again.rowcount)


def drop_fields(tx: Transaction, import_id: int) -> None:
    """Forget what rows said, once nothing is to be done with them."""
    tx.connection.execute(
        sa.update(import_row)
        .where(import_row.c.import_id == import_id, import_row.c.fields.is_not(None))
        .values(fields=None)
    )


def presence(tx: Transaction, import_id: int, source: str) -> tuple[int, int]:
    """Return how many people the source is known to hold, and how many of them the import names."""
    held = tx.connection.execute(sa.select(sa.func.count()).select_from(_held(tx, source).subquery())).scalar_one()
    gone = tx.connection.execute(
        sa.select(sa.func.count()).select_from(_unnamed(tx, import_id, source).subquery())
    ).scalar_one()
    return int(held), int(held) - int(gone)


def missing(tx: Transaction, import_id: int, source: str, *, limit: int) -> list[str]:
    """Return ids of people whom the source is known to hold and whom the import does not name.

    All of them are found at once, and wait as rows behind those of the file until they are worked off.
    """
    waiting = pending(tx, import_id, limit=limit)
    if not waiting:
        _find_missing(tx, import_id, source)
        waiting = pending(tx, import_id, limit=limit)
    return [each.external_id for each in waiting]


def _find_missing(tx: Transaction, import_id: int, source: str) -> None:
    gone = _unnamed(tx, import_id, source).subquery("gone")
    last = sa.select(sa.func.coalesce(sa.func.max(import_row.c.position), 0)).where(import_row.c.import_id == import_id)
    place = sa.func.row_number().over(order_by=gone.c.external_id)
    names = ["tenant", "import_id", "position", "external_id"]
    rows = sa.select(sa.literal(tx.tenant), sa.literal(import_id), last.scalar_subquery() + place, gone.c.external_id)
    tx.connection.execute(sa.insert(import_row).from_select(names, rows))


def counts(tx: Transaction, import_id: int) -> dict[str, int]:
    """Return how many rows came to which outcome; of those that wait, under `waiting`.

    In one walk, each word in a column of its own: to group the rows SQLite would sort all of them, in memory.
    """
    outcome = import_row.c.outcome
    words = {WAITING: outcome.is_(None), **{word: outcome == word for word in OUTCOMES}}
    query = sa.select(*(sa.func.count().filter(is_it).label(word) for word, is_it in words.items()))
    found = tx.connection.execute(query.where(import_row.c.import_id == import_id)).mappings().one()
    return {word: rows for word, rows in found.items() if rows}


def rows_after(tx: Transaction, import_id: int, position: int, *, limit: int) -> list[Staged]:
    """Return rows behind a position, in order, for the report."""
    return [Staged._make(row) for row in _ROWS_AFTER.rows(tx, import_id=import_id, position=position, most=limit)]


def refused(tx: Transaction, import_id: int, position: int = 0, *, limit: int) -> list[Staged]:
    """Return the first rows behind a position that were refused."""
    return [Staged._make(row) for row in _REFUSED.rows(tx, import_id=import_id, position=position, most=limit)]


def _held(tx: Transaction, source: str) -> sa.Select[Any]:
    """Return who is held: the ids that speak for people whom the source has not ended."""
    return (
        sa.select(contribution.c.external_id)
        .distinct()
        .where(
            contribution.c.tenant == tx.tenant,
            contribution.c.source == source,
            contribution.c.external_id.is_not(None),
            sa.func.coalesce(contribution.c.active, 1) == 1,
        )
    )


def _unnamed(tx: Transaction, import_id: int, source: str) -> sa.CompoundSelect[Any]:
    """Return who of them has no row.

    A difference of sets: of a table that was filled just now PostgreSQL knows nothing, and would look for each of
    200,000 people through 200,000 rows if it had a choice.
    """
    named = sa.select(import_row.c.external_id).where(import_row.c.import_id == import_id)
    return _held(tx, source).except_(named)


def _of_row(row: Mapping[str, Any]) -> Import:
    flags = {name: bool(row[name]) for name in ("is_snapshot", "is_dry_run", "is_whole")}
    return Import(**{**row, **flags})


# As `Staged` has them.
_OF_A_ROW = ("position", "external_id", "digest", "fields", "outcome", "code", "field", "advice", "change_number")


def _rows(names: Sequence[str], dialect: str) -> Any:
    columns = {name: import_row.c[name].type for name in names}
    return sets.rows_in(prepared.text("rows"), columns, dialect=dialect, name="given")


def _stage(dialect: str) -> sa.Executable:
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    names = ["tenant", "import_id", *_OF_A_ROW]
    # SQLite's grammar needs a WHERE between a SELECT and ON CONFLICT.
    statement = insert(import_row).from_select(names, sa.select(_rows(names, dialect)).where(sa.true()))
    kept = ("fields", "outcome", "code", "field", "advice", "change_number")
    # An UPDATE from a list would be planned as every row of the import with every row of the list.
    return statement.on_conflict_do_update(
        index_elements=["import_id", "position"], set_={name: statement.excluded[name] for name in kept}
    )


def _some_rows(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return (
        sa.select(*(import_row.c[name] for name in _OF_A_ROW))
        .where(import_row.c.import_id == prepared.number("import_id"), *conditions)
        .order_by(import_row.c.position)
        .limit(prepared.number("most"))
    )


_STAGE = Prepared(_stage)
_PENDING = Prepared(lambda _dialect: _some_rows(import_row.c.outcome.is_(None)), is_planned_anew=True)
_IS_BEHIND = import_row.c.position > prepared.number("position")
_REFUSED = Prepared(lambda _dialect: _some_rows(import_row.c.outcome == "refused", _IS_BEHIND), is_planned_anew=True)
_ROWS_AFTER = Prepared(lambda _dialect: _some_rows(_IS_BEHIND))
