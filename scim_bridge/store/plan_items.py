"""The operations of replay plans: what is expected of them, whether they still stand as planned, and putting back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.people import Priority
from scim_bridge.domain.resources import USER
from scim_bridge.store import audits, plans, replays, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.plans import Fate, Plan, Status
from scim_bridge.store.replays import Replayed

replay, item = tables.replay, tables.replay_item
operation, resource, lane, link = tables.operation, tables.resource, tables.lane, tables.link
entry = tables.entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """People of a plan who are alike: in one lane, with the same need, all of them leaving or none."""

    lane_id: int
    target: str
    share: str
    """to_create, to_look_up or others, as `planning.estimate.Shares` names them."""
    is_out: bool
    """The directory says that they are not to be active."""
    is_known_active: bool
    """Their accounts were last known to be active."""
    people: int
    operations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How the world differs from the one that a plan was made for."""

    ended: int = 0
    """Operations that are no longer dead."""
    changed: int = 0
    """Operations that are, and whose person has changed in the directory, is owed more, or was tried in between."""
    people: Sequence[Mapping[str, Any]] = ()
    """The first of them: operation_id, target, scim_id, document, and state (None: the operation is gone)."""


@dataclass(frozen=True, slots=True)
class AsOf:
    """How far the books of a plan's people had come when it was planned: the instant alone would not order them."""

    operation: int
    """The newest of their operations."""
    entry: int
    """The last entry of one that died."""


def parts(tx: Transaction, number: int, *, only_planned: bool = False) -> list[Part]:
    """Return the people of a plan by lane and need; with `only_planned`, those whose turn has not come."""
    is_out = sa.or_(resource.c.active == 0, resource.c.deleted_at.is_not(None))
    people = (
        sa.select(
            item.c.lane_id,
            _share().label("share"),
            sa.case((sa.and_(resource.c.kind == USER, is_out), 1), else_=0).label("is_out"),
            sa.case((link.c.active == 1, 1), else_=0).label("is_known_active"),
            sa.func.count().label("operations"),
        )
        .select_from(_people())
        .where(item.c.replay_id == number)
        .group_by(item.c.lane_id, item.c.resource_id, "share", "is_out", "is_known_active")
    )
    if only_planned:
        people = people.where(item.c.state == Fate.PLANNED.value)
    each = people.subquery("people")
    kinds = (each.c.lane_id, lane.c.target, each.c.share, each.c.is_out, each.c.is_known_active)
    query = (
        sa.select(*kinds, sa.func.count().label("people"), sa.func.sum(each.c.operations).label("operations"))
        .join(lane, lane.c.id == each.c.lane_id)
        .group_by(*kinds)
        .order_by(lane.c.target, each.c.share)
    )
    return [
        Part(
            lane_id=row.lane_id,
            target=row.target,
            share=row.share,
            is_out=bool(row.is_out),
            is_known_active=bool(row.is_known_active),
            people=row.people,
            operations=int(row.operations),
        )
        for row in tx.connection.execute(query)
    ]


def known_active(tx: Transaction, number: int, lane_id: int, *, is_out: bool) -> list[tuple[int, str]]:
    """Return a plan's users in a lane whose accounts are known to be active, each with the document.

    They are those who are out by the directory, or those who are not.
    """
    out = sa.or_(resource.c.active == 0, resource.c.deleted_at.is_not(None))
    query = (
        sa.select(resource.c.id, resource.c.document)
        .select_from(_people())
        .where(
            item.c.replay_id == number,
            item.c.lane_id == lane_id,
            resource.c.kind == USER,
            link.c.active == 1,
            out if is_out else sa.not_(out),
        )
        .distinct()
        .order_by(resource.c.id)
    )
    return [(row.id, row.document) for row in tx.connection.execute(query)]


def as_of(tx: Transaction, number: int) -> AsOf:
    """Return how far the books of a plan's people have come."""
    theirs = sa.and_(operation.c.resource_id == item.c.resource_id, operation.c.lane_id == item.c.lane_id)
    newest = sa.select(sa.func.max(operation.c.id)).select_from(item.join(operation, theirs))
    died = sa.and_(entry.c.operation_id == item.c.operation_id, entry.c.outcome == sa.literal_column("'dead'"))
    last = sa.select(sa.func.max(entry.c.id)).select_from(item.join(entry, died))
    found = (tx.connection.execute(query.where(item.c.replay_id == number)).scalar() or 0 for query in (newest, last))
    return AsOf(*found)


def difference(tx: Transaction, number: int, *, most: int, as_of: AsOf | None = None) -> Difference | None:
    """Return how the world differs from the plan's, with so many people at the most; None when it does not.

    With `as_of` of when it was planned, also who is owed something since, or was put back and has died again.
    """
    joined = (
        item.join(lane, lane.c.id == item.c.lane_id)
        .outerjoin(operation, operation.c.id == item.c.operation_id)
        .outerjoin(resource, resource.c.id == item.c.resource_id)
    )
    has_ended = sa.or_(operation.c.id.is_(None), operation.c.state != sa.literal_column("'dead'"))
    is_changed = sa.or_(resource.c.id.is_(None), resource.c.version != item.c.version, *_went_on(as_of))
    differs = (item.c.replay_id == number, sa.or_(has_ended, is_changed))
    counted = sa.select(
        sa.func.count().label("found"), sa.func.sum(sa.case((has_ended, 1), else_=0)).label("ended")
    ).select_from(joined)
    row = tx.connection.execute(counted.where(*differs)).one()
    if not row.found:
        return None
    first = (
        sa.select(
            item.c.operation_id,
            lane.c.target,
            resource.c.scim_id,
            resource.c.document,
            operation.c.state,
        )
        .select_from(joined)
        .where(*differs)
        .order_by(item.c.operation_id)
        .limit(most)
    )
    people = [dict(each) for each in tx.connection.execute(first).mappings()]
    return Difference(ended=int(row.ended), changed=row.found - int(row.ended), people=people)


def _went_on(as_of: AsOf | None) -> list[sa.ColumnElement[bool]]:
    """Return the conditions that somebody is owed something newer, or that an operation has not just stayed dead."""
    if as_of is None:
        return []
    newer = operation.alias("newer")
    is_owed = sa.exists().where(
        newer.c.resource_id == item.c.resource_id, newer.c.lane_id == item.c.lane_id, newer.c.id > as_of.operation
    )
    has_moved = sa.exists().where(entry.c.operation_id == item.c.operation_id, entry.c.id > as_of.entry)
    return [is_owed.correlate(item), has_moved.correlate(item)]


def page(tx: Transaction, number: int, *, after: int, limit: int) -> list[Mapping[str, Any]]:
    """Return the newest operation of each person of a plan, by their numbers, those behind `after`.

    Each has operation_id, target, state (a `Fate`) and reason, the code of what killed it.
    """
    newer, newer_item = operation.alias("newer"), item.alias("newer_item")
    # One within the other: side by side, SQLite would walk through all the plan for each person.
    is_of_plan = sa.exists().where(newer_item.c.replay_id == number, newer_item.c.operation_id == newer.c.id)
    has_newer = sa.exists().where(
        newer.c.resource_id == item.c.resource_id,
        newer.c.lane_id == item.c.lane_id,
        newer.c.id > item.c.operation_id,
        is_of_plan.correlate(newer),
    )
    query = (
        sa.select(item.c.operation_id, lane.c.target, item.c.state, operation.c.reason)
        .join(lane, lane.c.id == item.c.lane_id)
        .join(operation, operation.c.id == item.c.operation_id)
        .where(item.c.replay_id == number, item.c.operation_id > after, ~has_newer)
        .order_by(item.c.operation_id)
        .limit(limit)
    )
    return [dict(row) for row in tx.connection.execute(query).mappings()]


def lanes_of(tx: Transaction, number: int) -> list[int]:
    """Return the ids of the lanes that a plan is about."""
    query = sa.select(item.c.lane_id).where(item.c.replay_id == number).distinct().order_by(item.c.lane_id)
    return list(tx.connection.execute(query).scalars())


def fates(tx: Transaction, number: int) -> dict[str, int]:
    """Return how many operations of a plan have met each `Fate`."""
    query = (
        sa.select(item.c.state, sa.func.count().label("number"))
        .where(item.c.replay_id == number)
        .group_by(item.c.state)
    )
    return {row.state: int(row.number) for row in tx.connection.execute(query)}


def standing(tx: Transaction, number: int) -> dict[str, int]:
    """Return how many people whom a replay has put back stand where now: by the state of their newest operation."""
    moved = (
        sa.select(item.c.lane_id, item.c.resource_id)
        .where(item.c.replay_id == number, item.c.state.in_([Fate.PUT_BACK.value, Fate.SUPERSEDED.value]))
        .distinct()
        .subquery("moved")
    )
    newest = (
        sa.select(sa.func.max(operation.c.id))
        .where(operation.c.resource_id == moved.c.resource_id, operation.c.lane_id == moved.c.lane_id)
        .correlate(moved)
        .scalar_subquery()
    )
    now = operation.alias("now")
    query = (
        sa.select(now.c.state, sa.func.count().label("number"))
        .select_from(moved.join(now, now.c.id == newest))
        .group_by(now.c.state)
    )
    return {row.state: int(row.number) for row in tx.connection.execute(query)}


def next_people(tx: Transaction, number: int, *, most: int) -> tuple[int, list[int]] | None:
    """Return the lane and the people whose turn is next: leavers first, then lane by lane, those alike together.

    Who needs the same goes in the same calls: people who come in such portions fill them. None: nobody is left.
    """
    rank = sa.case((sa.func.min(operation.c.priority) == Priority.LEAVER, 0), else_=1).label("rank")
    share = _share().label("share")
    query = (
        sa.select(rank, item.c.lane_id, share, item.c.resource_id)
        .select_from(_people().outerjoin(operation, operation.c.id == item.c.operation_id))
        .where(item.c.replay_id == number, item.c.state == Fate.PLANNED.value)
        .group_by(item.c.lane_id, item.c.resource_id, "share")
        .order_by("rank", item.c.lane_id, "share", item.c.resource_id)
        .limit(most)
    )
    rows = tx.connection.execute(query).all()
    if not rows:
        return None
    first = rows[0]
    alike = [row for row in rows if (row.rank, row.lane_id, row.share) == (first.rank, first.lane_id, first.share)]
    return first.lane_id, [row.resource_id for row in alike]


def put_back(tx: Transaction, number: int, lane_id: int, resource_ids: Iterable[int]) -> Replayed:
    """Put these people's dead operations back as a running replay of the tenant wants it, and note it there.

    Whoever was put back meanwhile, by this replay or by another, is left alone. With the last of them the replay ends.
    """
    plan = _running(tx, number)
    if plan is None:
        return Replayed()
    planned = _still_planned(tx, number, lane_id, resource_ids)
    pairs = [(lane_id, each) for each in sorted(set(planned.values()))]
    replayed = replays.put_back(tx, pairs, who=plan.approved_by or plan.who)
    _mark(tx, number, lane_id, planned, replayed)
    _take_over(tx, number, [each for each in replayed.waiting if each not in planned], replayed)
    plans.note(tx, number, operations=plan.operations + len(replayed.waiting) + len(replayed.superseded))
    _end_if_done(tx, plan)
    return replayed


def finish(tx: Transaction, number: int) -> None:
    """End a running replay that has nobody left whom it could put back."""
    plan = _running(tx, number)
    if plan is not None:
        left = sa.update(item).where(item.c.replay_id == number, item.c.state == Fate.PLANNED.value)
        tx.connection.execute(left.values(state=Fate.PASSED.value))
        _end_if_done(tx, plan)


def _running(tx: Transaction, number: int) -> Plan | None:
    """Return a replay that runs, so that nobody else works on it until the transaction ends."""
    plan = plans.fetch(tx, number, locks=True)
    return plan if plan is not None and plan.status == Status.RUNNING else None


def _end_if_done(tx: Transaction, plan: Plan) -> None:
    counts = fates(tx, plan.id)
    if not counts.get(Fate.PLANNED, 0):
        plans.note(tx, plan.id, status=Status.DONE.value, ended_at=tx.now)
        told = {fate.value: counts.get(fate, 0) for fate in Fate if fate is not Fate.PLANNED}
        audits.append(tx, who=plan.approved_by or plan.who, what="replay done", after={"replay": plan.id, **told})


def _still_planned(tx: Transaction, number: int, lane_id: int, resource_ids: Iterable[int]) -> dict[int, int]:
    """Return the operations of these people whose turn is still to come, each with its person."""
    theirs = _still_to_come(tx, number, lane_id, resource_ids)
    query = sa.select(item.c.operation_id, item.c.resource_id).where(*theirs)
    return {row.operation_id: row.resource_id for row in tx.connection.execute(query)}


def _mark(tx: Transaction, number: int, lane_id: int, planned: Mapping[int, int], replayed: Replayed) -> None:
    """Note what became of operations (each with its person) whose turn it was; most of them met the same."""
    put_back = planned.keys() & set(replayed.waiting)
    superseded = planned.keys() & set(replayed.superseded)
    fates_met = [
        (Fate.PUT_BACK, put_back),
        (Fate.SUPERSEDED, superseded),
        (Fate.PASSED, planned.keys() - put_back - superseded),
    ]
    *fewer, (most_met, _) = sorted(fates_met, key=lambda met: len(met[1]))
    theirs = _still_to_come(tx, number, lane_id, planned.values())
    for fate, ids in fewer:
        if ids:
            told = sa.update(item).where(*theirs, _is_among(tx, item.c.operation_id, sorted(ids)))
            tx.connection.execute(told.values(state=fate.value))
    tx.connection.execute(sa.update(item).where(*theirs).values(state=most_met.value))


def _take_over(tx: Transaction, number: int, unplanned: Sequence[int], replayed: Replayed) -> None:
    """Note that what waits again was put back by this replay and by none before: its policy is the one that counts.

    A person's newest operation is what waits, also where the plan has only an older one: it becomes an item too.
    """
    if not replayed.waiting:
        return
    if unplanned:
        insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
        columns = (operation.c[name] for name in ("tenant", "id", "lane_id", "resource_id"))
        told = (sa.literal(number, sa.BigInteger), sa.literal(Fate.PUT_BACK.value, sa.Text))
        found = (
            sa.select(*columns, resource.c.version, *told)
            .join(resource, resource.c.id == operation.c.resource_id)
            .where(_is_among(tx, operation.c.id, unplanned))
        )
        names = ["tenant", "operation_id", "lane_id", "resource_id", "version", "replay_id", "state"]
        added = insert(item).from_select(names, found)
        keys = ["replay_id", "operation_id"]
        tx.connection.execute(added.on_conflict_do_update(index_elements=keys, set_={"state": added.excluded.state}))
    before = sa.update(item).where(
        _is_among(tx, item.c.operation_id, replayed.waiting),
        item.c.state == sa.literal_column(f"'{Fate.PUT_BACK.value}'"),
        item.c.replay_id != number,
    )
    tx.connection.execute(before.values(state=Fate.SUPERSEDED.value))


def _still_to_come(
    tx: Transaction, number: int, lane_id: int, resource_ids: Iterable[int]
) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        item.c.replay_id == number,
        item.c.state == sa.literal_column(f"'{Fate.PLANNED.value}'"),
        _is_among(tx, item.c.resource_id, sorted(set(resource_ids))),
        item.c.lane_id == lane_id,
    )


def _is_among(tx: Transaction, column: sa.ColumnElement[int], ids: Iterable[int]) -> sa.ColumnElement[bool]:
    """Return the condition that a column holds one of many numbers, so that its index is asked for each.

    PostgreSQL would rather compare every row that is left of a plan with every number of a list of rows.
    """
    if tx.dialect == "postgresql":
        return column == sa.any_(sets.array_of(sa.literal(sets.packed(ids), sa.Text)))
    found: sa.ColumnElement[bool] = sets.among(column, sets.id_rows(tx, ids))
    return found


def _people() -> sa.FromClause:
    is_theirs = sa.and_(link.c.lane_id == item.c.lane_id, link.c.resource_id == item.c.resource_id)
    return item.join(resource, resource.c.id == item.c.resource_id).outerjoin(link, is_theirs)


def _share() -> sa.ColumnElement[str]:
    """Return what somebody needs first, as `reports` reckons it of those who wait."""
    wants_look_up = sa.or_(
        link.c.doubt.is_not(None),
        sa.and_(link.c.active.is_(None), resource.c.active == 0),
        sa.and_(link.c.active.is_not(None), link.c.account_id.is_(None)),
    )
    return sa.case(
        (resource.c.kind != USER, sa.literal_column("'others'")),
        (wants_look_up, sa.literal_column("'to_look_up'")),
        (link.c.active.is_(None), sa.literal_column("'to_create'")),
        else_=sa.literal_column("'others'"),
    )
