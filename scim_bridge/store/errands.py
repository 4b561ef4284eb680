"""Errands: what an operator wants of a target. The delivering side takes them up, for it alone has the credential.

Whoever works on one holds it by a lease. `began_at` is the present holder's: who has lost the lease writes nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.instants import Millis
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction, compact_json

errand, errand_row, lane = tables.errand, tables.errand_row, tables.lane

RECONCILE = "reconcile"
PROBE = "probe"
KINDS = (RECONCILE, PROBE)

WAITING = "waiting"
WORKING = "working"
DONE = "done"
FAILED = "failed"

BROKEN_OFF = "It was broken off."
"""The reason of an errand whose process ended while its answer was written."""

GONE = "The configuration does not name this target any more."
"""The reason of an errand to a target that nobody can reach any more."""

_TAKINGS = "takings"
"""Stands in the answer of an open errand: how often it was taken up and never heard of again, the present included."""

FORGOTTEN_AT_ONCE = 5_000
"""Rows that are removed in one transaction."""

_IS_OPEN = errand.c.status.in_([sa.literal_column(f"'{WAITING}'"), sa.literal_column(f"'{WORKING}'")])


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One errand as the store has it."""

    id: int
    tenant: str
    target: str
    kind: str
    who: str
    status: str
    reason: str
    at: Millis
    began_at: Millis | None
    ended_at: Millis | None
    asked: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Tell whether the answer is still to come."""
        return self.status in (WAITING, WORKING)

    @property
    def takings(self) -> int:
        """Return how often an open errand was taken up without being given back."""
        return int(self.answer.get(_TAKINGS, 0))


_COLUMNS = [errand.c[name] for name in Errand.__dataclass_fields__]


def _read(row: sa.RowMapping) -> Errand:
    return Errand(**{**row, "asked": json.loads(row["asked"]), "answer": json.loads(row["answer"])})


def ask(tx: Transaction, *, target: str, kind: str, who: str, asked: Mapping[str, Any]) -> tuple[Errand, bool]:
    """Return the open errand of a kind to a target, and whether it was made now: at most one is open at a time."""
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    values = {
        "tenant": tx.tenant,
        "target": target,
        "kind": kind,
        "who": who,
        "asked": compact_json(asked),
        "status": WAITING,
        "at": tx.now,
    }
    statement = (
        insert(errand)
        .values(values)
        .on_conflict_do_nothing(index_elements=["tenant", "target", "kind"], index_where=_IS_OPEN)
        .returning(*_COLUMNS)
    )
    there = sa.select(*_COLUMNS).where(
        errand.c.tenant == tx.tenant, errand.c.target == target, errand.c.kind == kind, _IS_OPEN
    )
    while True:
        made = tx.connection.execute(statement).mappings().one_or_none()
        if made is not None:
            return _read(made), True
        found = tx.connection.execute(there).mappings().one_or_none()
        # None: it ended between the two statements, and another may be asked.
        if found is not None:
            return _read(found), False


def get(tx: Transaction, number: int) -> Errand | None:
    """Return an errand of the transaction's tenant, None where it has no such one."""
    query = sa.select(*_COLUMNS).where(errand.c.tenant == tx.tenant, errand.c.id == number)
    row = tx.connection.execute(query).mappings().one_or_none()
    return None if row is None else _read(row)


def listed(
    tx: Transaction, *, target: str | None = None, kind: str | None = None, after: int | None = None, limit: int
) -> list[Errand]:
    """Return errands of the transaction's tenant, newest first, behind the one numbered `after`."""
    query = sa.select(*_COLUMNS).where(errand.c.tenant == tx.tenant).order_by(errand.c.id.desc()).limit(limit)
    if target is not None:
        query = query.where(errand.c.target == target)
    if kind is not None:
        query = query.where(errand.c.kind == kind)
    if after is not None:
        query = query.where(errand.c.id < after)
    return [_read(row) for row in tx.connection.execute(query).mappings()]


def rows(
    tx: Transaction, number: int, *, kind: str | None = None, after: int | None = None, limit: int
) -> list[dict[str, Any]]:
    """Return lines of an errand's answer in their order, with the person's SCIM id and document, behind `after`."""
    resource = tables.resource
    query = (
        sa.select(errand_row, resource.c.scim_id, resource.c.document)
        .select_from(errand_row.outerjoin(resource, resource.c.id == errand_row.c.resource_id))
        .where(errand_row.c.errand_id == number, errand_row.c.tenant == tx.tenant)
        .order_by(errand_row.c.position)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(errand_row.c.kind == kind)
    if after is not None:
        # Wider than the column, for whatever number is given.
        query = query.where(errand_row.c.position > sa.literal(after, sa.BigInteger))
    return [{**row, "detail": json.loads(row["detail"])} for row in tx.connection.execute(query).mappings()]


def waiting(tx: Transaction) -> list[tuple[str, int]]:
    """Return tenant and number of each open errand that nobody holds, of lanes that are configured; oldest first."""
    query = (
        sa.select(errand.c.tenant, errand.c.id)
        .join(lane, sa.and_(lane.c.tenant == errand.c.tenant, lane.c.target == errand.c.target))
        .where(_IS_OPEN, errand.c.lease_until <= tx.lease_clock(), lane.c.configured == 1)
        .order_by(errand.c.id)
    )
    return [(row.tenant, row.id) for row in tx.connection.execute(query)]


def last_asked(tx: Transaction, kind: str) -> dict[tuple[str, str], Millis]:
    """Return when each target was last asked for something of a kind, by tenant and target."""
    query = (
        sa.select(errand.c.tenant, errand.c.target, sa.func.max(errand.c.at).label("at"))
        .where(errand.c.kind == kind)
        .group_by(errand.c.tenant, errand.c.target)
    )
    return {(row.tenant, row.target): int(row.at) for row in tx.connection.execute(query)}


def was_asked(tx: Transaction, *, target: str, kind: str, after: Millis) -> bool:
    """Tell whether a target of the transaction's tenant was asked for something of a kind after an instant."""
    query = sa.select(errand.c.id).where(
        errand.c.tenant == tx.tenant, errand.c.target == target, errand.c.kind == kind, errand.c.at > after
    )
    return tx.connection.execute(query.limit(1)).scalar() is not None


def take(tx: Transaction, number: int, *, lease_ms: Millis) -> Errand | None:
    """Take an open errand up, and count it; None where it is over, or somebody holds it."""
    now = tx.lease_clock()
    statement = (
        sa.update(errand)
        .where(errand.c.tenant == tx.tenant, errand.c.id == number, _IS_OPEN, errand.c.lease_until <= now)
        .values(status=WORKING, began_at=now, lease_until=now + lease_ms)
        .returning(*_COLUMNS)
    )
    row = tx.connection.execute(statement).mappings().one_or_none()
    if row is None:
        return None
    taken = _read(row)
    taken = replace(taken, answer={_TAKINGS: taken.takings + 1})
    _change(tx, taken, answer=compact_json(taken.answer))
    return taken


def renew(tx: Transaction, held: Errand, *, lease_ms: Millis) -> bool:
    """Prolong the lease of an errand; False where it is somebody else's by now, and nothing more may be written."""
    return _change(tx, held, lease_until=tx.lease_clock() + lease_ms)


def put_off(tx: Transaction, held: Errand, *, wait_ms: Millis) -> bool:
    """Give an errand back, to be taken up again after a while, as if it had not been taken; False as `renew`."""
    answer = compact_json({_TAKINGS: max(0, held.takings - 1)})
    return _change(tx, held, status=WAITING, lease_until=tx.lease_clock() + wait_ms, answer=answer)


def end_unreachable(tx: Transaction) -> int:
    """End as failed the open errands that nobody holds to targets that left the configuration; returns how many."""
    is_configured = sa.exists().where(
        lane.c.tenant == errand.c.tenant, lane.c.target == errand.c.target, lane.c.configured == 1
    )
    statement = (
        sa.update(errand)
        .where(_IS_OPEN, errand.c.lease_until <= tx.lease_clock(), ~is_configured)
        .values(status=FAILED, reason=GONE, answer="{}", ended_at=tx.now)
    )
    return int(tx.connection.execute(statement).rowcount)


def note(tx: Transaction, *, target: str, kind: str, who: str, asked: Mapping[str, Any], at: Millis) -> Errand:
    """Record an errand that somebody has done since `at` without asking; `end` says what came of it."""
    values = {
        "tenant": tx.tenant,
        "target": target,
        "kind": kind,
        "who": who,
        "asked": compact_json(asked),
        # Not open, so that it is nobody's to take up; what is not ended is found broken off.
        "status": FAILED,
        "reason": BROKEN_OFF,
        "at": at,
        "began_at": at,
    }
    return _read(tx.connection.execute(sa.insert(errand).values(values).returning(*_COLUMNS)).mappings().one())


def begin_rows(tx: Transaction, held: Errand) -> None:
    """Remove the lines that an earlier holder of an errand may have written."""
    tx.connection.execute(sa.delete(errand_row).where(errand_row.c.errand_id == held.id))


def add_rows(tx: Transaction, held: Errand, lines: Sequence[Mapping[str, Any]], *, first: int) -> None:
    """Add lines to an errand's answer: `kind`, `resource_id`, `account_id` and `detail` each; numbered from `first`."""
    if not lines:
        return
    shape = ("position", "kind", "resource_id", "account_id", "detail")
    values = [
        [first + place, line["kind"], line["resource_id"], line["account_id"], compact_json(line["detail"])]
        for place, line in enumerate(lines)
    ]
    given = sets.rows_in(
        sa.literal(sets.packed(values), sa.Text),
        {name: errand_row.c[name].type for name in shape},
        dialect=tx.dialect,
        name="given",
    )
    chosen = sa.select(sa.literal(held.tenant, sa.Text), sa.literal(held.id, sa.BigInteger), given)
    tx.connection.execute(sa.insert(errand_row).from_select(["tenant", "errand_id", *shape], chosen))


def end(tx: Transaction, held: Errand, *, status: str, answer: Mapping[str, Any], reason: str = "") -> bool:
    """Write what came of an errand; False where it is somebody else's by now."""
    return _change(tx, held, status=status, answer=compact_json(answer), reason=reason, ended_at=tx.now)


def _change(tx: Transaction, held: Errand, **values: Any) -> bool:
    statement = (
        sa.update(errand)
        .where(errand.c.id == held.id, errand.c.began_at == held.began_at, errand.c.ended_at.is_(None))
        .values(**values)
    )
    return bool(tx.connection.execute(statement).rowcount)


def forget(tx: Transaction, *, before: Millis) -> bool:
    """Remove some of the lines of errands that ended (or broke off) before an instant, then them; True: more is left.

    The newest of each kind to a target stays, so that what is known last is not forgotten for its age.
    """
    newer = errand.alias("newer")
    is_newest = ~sa.exists().where(
        newer.c.tenant == errand.c.tenant,
        newer.c.target == errand.c.target,
        newer.c.kind == errand.c.kind,
        newer.c.id > errand.c.id,
    )
    old = sa.select(errand.c.id).where(errand.c.at < before, ~_IS_OPEN, ~is_newest).order_by(errand.c.id).limit(1)
    number = tx.connection.execute(old).scalar()
    if number is None:
        return False
    lines = (
        sa.select(errand_row.c.position)
        .where(errand_row.c.errand_id == number)
        .order_by(errand_row.c.position)
        .limit(FORGOTTEN_AT_ONCE)
    )
    positions = [row.position for row in tx.connection.execute(lines)]
    if positions:
        tx.connection.execute(
            sa.delete(errand_row).where(errand_row.c.errand_id == number, errand_row.c.position <= positions[-1])
        )
    if len(positions) < FORGOTTEN_AT_ONCE:
        tx.connection.execute(sa.delete(errand).where(errand.c.id == number))
    return True
