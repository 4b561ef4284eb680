"""Notices as the store keeps them: owed with their cause, shared out among those who want them, sent under a lease."""

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.notices import TAKEOVERS, Kind, Notice, quiet_ms
from scim_bridge.domain.replies import Outcome
from scim_bridge.domain.states import State
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction

notice, posting = tables.notice, tables.posting

AT_A_TIME = 500

_NOTICE = ("tenant", "target", "kind", "code", "mark", "count", "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one receiver wants to be told; no tenants: of all."""

    destination: str
    kinds: Collection[str]
    tenants: Collection[str] = ()

    def is_for(self, kind: str, tenant: str) -> bool:
        """Tell whether the receiver wants this kind of notice of this tenant."""
        return kind in self.kinds and (not self.tenants or tenant in self.tenants)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One notice that is being sent to one receiver, for the `attempts`-th time."""

    id: int
    attempts: int
    since: Millis
    notice: Notice


def owe(tx: Transaction, kind: Kind, *, target: str, count: int, code: str = "", tenant: str | None = None) -> None:
    """Owe a notice in its cause's own transaction. One of the same kind, lane and code that is not told yet, it joins.

    `tenant` is only given behind the door that crosses tenants.
    """
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    alike = {"tenant": tenant if tx.tenant is None else tx.tenant, "target": target, "kind": kind.value, "code": code}
    last = (
        sa.select(sa.func.max(notice.c.told_at)).where(*(notice.c[k] == v for k, v in alike.items())).scalar_subquery()
    )
    not_before = last + quiet_ms(kind, code)
    due_at = sa.case((not_before > tx.now, not_before), else_=tx.now)
    statement = insert(notice).values(**alike, mark=f"ntc_{uuid4().hex}", count=count, at=tx.now, due_at=due_at)
    tx.connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(alike),
            index_where=notice.c.told_at.is_(None),
            set_={"count": notice.c.count + statement.excluded.count},
        )
    )


def owe_once(tx: Transaction, kind: Kind, occasions: Iterable[tuple[str, str, str]]) -> None:
    """Owe notices that are told once each, whoever owes them however often: of tenant, code and occasion."""
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    rows = [
        {
            "tenant": tenant,
            "target": "",
            "kind": kind.value,
            "code": code,
            "mark": f"ntc_{hashlib.sha256(f'{kind.value}|{tenant}|{code}|{occasion}'.encode()).hexdigest()[:32]}",
            "count": 1,
            "at": tx.now,
            "due_at": tx.now,
        }
        for tenant, code, occasion in occasions
    ]
    if rows:
        tx.connection.execute(insert(notice).on_conflict_do_nothing(), rows)


def owe_for_stuck(tx: Transaction, lane_id: int, outcomes: Iterable[Outcome]) -> None:
    """Owe the notices for outcomes that settle: dead, or held because the account was there before us.

    Whom the guard holds is told by the guard, which knows who is newly held.
    """
    counts = Counter(
        (Kind.DEAD if outcome.state is State.DEAD else Kind.HOLD, outcome.code)
        for outcome in outcomes
        if outcome.state is State.DEAD or (outcome.state is State.HELD and outcome.code in TAKEOVERS)
    )
    if not counts:
        return
    lane = tables.lane
    target = str(tx.connection.execute(sa.select(lane.c.target).where(lane.c.id == lane_id)).scalar_one())
    # In the same order everywhere, so that no two transactions wait for each other.
    for (kind, code), count in sorted(counts.items()):
        owe(tx, kind, target=target, code=code, count=count)


def has_due(tx: Transaction) -> bool:
    """Tell whether any notice is to be shared out now."""
    return tx.connection.execute(sa.select(notice.c.id).where(*_is_due(tx)).limit(1)).first() is not None


def share_out(tx: Transaction, wishes: Sequence[Wish]) -> int:
    """Make a posting of each due notice for everybody who wants it, and return how many notices these were.

    From now on they are as they are. One whom nobody wants is told to nobody.
    """
    some = sa.select(notice.c.id).where(*_is_due(tx)).order_by(notice.c.id).limit(AT_A_TIME)
    if tx.dialect == "postgresql":
        some = some.with_for_update(skip_locked=True)
    told = tx.connection.execute(
        sa.update(notice)
        .where(notice.c.id.in_(some.scalar_subquery()), notice.c.told_at.is_(None))
        .values(told_at=tx.now)
        .returning(notice.c.id, notice.c.tenant, notice.c.kind)
    ).all()
    rows = [
        {
            "tenant": row.tenant,
            "notice_id": row.id,
            "destination": wish.destination,
            "state": "waiting",
            "since": tx.now,
            "due_at": tx.now,
        }
        for row in told
        for wish in wishes
        if wish.is_for(row.kind, row.tenant)
    ]
    if rows:
        tx.connection.execute(sa.insert(posting), rows)
    return len(told)


def destinations_due(tx: Transaction) -> frozenset[str]:
    """Return for whom there is something to be sent now."""
    query = sa.select(posting.c.destination).where(*_is_free(tx)).distinct()
    return frozenset(row.destination for row in tx.connection.execute(query))


def claim(tx: Transaction, destination: str, *, lease_ms: Millis) -> Posting | None:
    """Take what is longest due for a receiver; nobody else gets it while the lease lasts. None: nothing is due."""
    first = (
        sa.select(posting.c.id)
        .where(posting.c.destination == destination, *_is_free(tx))
        .order_by(posting.c.due_at, posting.c.id)
        .limit(1)
    )
    if tx.dialect == "postgresql":
        first = first.with_for_update(skip_locked=True)
    taken = tx.connection.execute(
        sa.update(posting)
        .where(posting.c.id == first.scalar_subquery(), *_is_free(tx))
        .values(lease_until=tx.lease_clock() + lease_ms, attempts=posting.c.attempts + 1)
        .returning(posting.c.id, posting.c.notice_id, posting.c.attempts, posting.c.since)
    ).one_or_none()
    if taken is None:
        return None
    query = sa.select(*(notice.c[name] for name in _NOTICE)).where(notice.c.id == taken.notice_id)
    row = tx.connection.execute(query).mappings().one()
    told = Notice(
        id=row["mark"],
        kind=Kind(row["kind"]),
        tenant=row["tenant"],
        target=row["target"],
        code=row["code"],
        count=row["count"],
        at=row["at"],
    )
    return Posting(id=taken.id, attempts=taken.attempts, since=taken.since, notice=told)


def note_sent(tx: Transaction, sent: Posting) -> None:
    """Note that a receiver has a notice, whoever else may be sending it by now."""
    tx.connection.execute(
        sa.update(posting)
        .where(posting.c.id == sent.id, posting.c.state == "waiting")
        .values(state="sent", lease_until=0, failure="")
    )


def put_off(tx: Transaction, failed: Posting, *, due_at: Millis | None, failure: str) -> None:
    """Note that a receiver did not take a notice, and when it is tried again (None: never).

    When the lease ran out and somebody else is sending it, what becomes of it is theirs to say.
    """
    values: dict[str, Any] = {"lease_until": 0, "failure": failure[:200]}
    values |= {"state": "given_up"} if due_at is None else {"due_at": due_at}
    tx.connection.execute(
        sa.update(posting)
        .where(posting.c.id == failed.id, posting.c.state == "waiting", posting.c.attempts == failed.attempts)
        .values(**values)
    )


def give_up_strays(tx: Transaction, *, known: Collection[str], before: Millis) -> dict[str, int]:
    """Give up what was due before an instant and is for none of the known receivers; returns how many, by receiver."""
    gone = tx.connection.execute(
        sa.update(posting)
        .where(
            posting.c.state == sa.literal_column("'waiting'"),
            posting.c.due_at < before,
            posting.c.destination.not_in(list(known)),
        )
        .values(state="given_up", failure="the configuration no longer names it")
        .returning(posting.c.destination)
    )
    return dict(Counter(row.destination for row in gone))


def forget(tx: Transaction, *, before: Millis) -> bool:
    """Remove some of the notices that were told before an instant; True when there may be more of them."""
    rest = sa.exists().where(posting.c.notice_id == notice.c.id, posting.c.state == "waiting")
    query = sa.select(notice.c.id).where(notice.c.told_at < before, ~rest).order_by(notice.c.id).limit(AT_A_TIME)
    ids = [row.id for row in tx.connection.execute(query)]
    if ids:
        old = sets.id_rows(tx, ids)
        tx.connection.execute(sa.delete(posting).where(sets.among(posting.c.notice_id, old)))
        tx.connection.execute(sa.delete(notice).where(sets.among(notice.c.id, old)))
    return len(ids) == AT_A_TIME


def _is_due(tx: Transaction) -> tuple[sa.ColumnElement[bool], ...]:
    return notice.c.told_at.is_(None), notice.c.due_at <= tx.now


def _is_free(tx: Transaction) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        posting.c.state == sa.literal_column("'waiting'"),
        posting.c.due_at <= tx.now,
        posting.c.lease_until <= tx.lease_clock(),
    )
