"""The dead-letter inbox: what is no longer tried, grouped, page by page, or as a list of ids; however many there are.

The code of a dead operation is its `reason`, for settling writes both; when it ended is in its last entry of death.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.states import State
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.reports import IS_DEAD, Chosen

operation, entry, lane = tables.operation, tables.entry, tables.lane
resource, change = tables.resource, tables.change

MOST_ID = 2**63 - 1
"""What both databases take as a number."""

_DIED: sa.ColumnElement[str] = sa.literal_column("'dead'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The dead of one lane that have one code."""

    tenant: str
    target: str
    code: str
    operations: int
    people: int
    oldest_at: Millis
    """When the first of them ended."""
    newest_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which operation it is, whose and where it stands."""

    id: int
    tenant: str
    target: str
    lane_id: int
    resource_id: int
    state: State


def groups(tx: Transaction, chosen: Chosen) -> list[Group]:
    """Return the chosen dead by lane and code, the most people in front."""
    found = _found(tx, chosen).subquery("found")
    counted = (
        sa.select(
            found.c.lane_id,
            found.c.code,
            sa.func.count().label("operations"),
            sa.func.count(found.c.resource_id.distinct()).label("people"),
            sa.func.min(found.c.at).label("oldest_at"),
            sa.func.max(found.c.at).label("newest_at"),
        )
        .where(*_within(found, chosen))
        .group_by(found.c.lane_id, found.c.code)
        .subquery("counted")
    )
    query = (
        sa.select(lane.c.tenant, lane.c.target, *(each for each in counted.c if each.name != "lane_id"))
        .join(lane, lane.c.id == counted.c.lane_id)
        .order_by(counted.c.people.desc(), lane.c.tenant, lane.c.target, counted.c.code)
    )
    return [Group(**row) for row in tx.connection.execute(query).mappings()]


def page(
    tx: Transaction, chosen: Chosen, *, after: tuple[Millis, int] | None = None, limit: int, newest_first: bool = True
) -> list[dict[str, Any]]:
    """Return the next of the chosen dead behind a row (when it ended, its id), in the order in which they ended."""
    found = _found(tx, chosen).subquery("found")
    query = sa.select(found.c.id).where(*_within(found, chosen)).limit(limit)
    order: tuple[Any, ...] = (found.c.at, found.c.id)
    if after is not None:
        at, last = after
        ended, same = (found.c.at < at, found.c.id < last) if newest_first else (found.c.at > at, found.c.id > last)
        query = query.where(sa.or_(ended, sa.and_(found.c.at == at, same)))
    query = query.order_by(*(each.desc() if newest_first else each for each in order))
    return _in_order(tx, list(tx.connection.execute(query).scalars()))


def all_of(tx: Transaction, chosen: Chosen) -> list[dict[str, Any]]:
    """Return all of the chosen dead, the first that ended in front, as `page` does."""
    return _in_order(tx, ids_of(tx, chosen))


def _in_order(tx: Transaction, ids: Sequence[int]) -> list[dict[str, Any]]:
    by_id = {row["id"]: row for row in rows_of(tx, ids)}
    return [by_id[each] for each in ids if each in by_id]


def ended_at(tx: Transaction, operation_id: int) -> Millis | None:
    """Return when an operation ended last as dead, None when it never did, or is not the tenant's."""
    if not 0 < operation_id <= MOST_ID:
        return None
    query = sa.select(sa.func.max(entry.c.at)).where(entry.c.operation_id == operation_id, entry.c.outcome == _DIED)
    if tx.tenant is not None:
        query = query.where(entry.c.tenant == tx.tenant)
    found = tx.connection.execute(query).scalar()
    return None if found is None else int(found)


def ids_of(tx: Transaction, chosen: Chosen) -> list[int]:
    """Return all of the chosen dead by their ids, the first that ended in front."""
    found = _found(tx, chosen).subquery("found")
    query = sa.select(found.c.id).where(*_within(found, chosen)).order_by(found.c.at, found.c.id)
    return list(tx.connection.execute(query).scalars())


def places_of(tx: Transaction, ids: Collection[int]) -> list[Place]:
    """Return where operations stand, whatever became of them, by person; those that there are, of the tenant."""
    columns = (operation.c.id, operation.c.tenant, lane.c.target, operation.c.lane_id, operation.c.resource_id)
    query = (
        sa.select(*columns, operation.c.state)
        .join(lane, lane.c.id == operation.c.lane_id)
        .where(sets.among(operation.c.id, sets.id_rows(tx, (each for each in ids if 0 < each <= MOST_ID))))
        .order_by(operation.c.tenant, operation.c.resource_id, operation.c.id)
    )
    if tx.tenant is not None:
        query = query.where(operation.c.tenant == tx.tenant)
    rows = tx.connection.execute(query).mappings()
    return [Place(**{**row, "state": State(row["state"])}) for row in rows]


def rows_of(tx: Transaction, ids: Collection[int]) -> list[dict[str, Any]]:
    """Return the operations of some ids that are dead, in no order, each with its person and its last entry."""
    query = (
        sa.select(
            *(operation.c[name] for name in ("id", "tenant", "lane_id", "resource_id", "change_number", "attempts")),
            lane.c.target,
            *(resource.c[name] for name in ("scim_id", "kind", "document")),
            change.c.source,
            change.c.correlation_id,
        )
        .select_from(
            operation.join(lane, lane.c.id == operation.c.lane_id)
            .join(resource, resource.c.id == operation.c.resource_id)
            .outerjoin(change, change.c.number == operation.c.change_number)
        )
        .where(sets.among(operation.c.id, sets.id_rows(tx, ids)), operation.c.state == _DIED)
    )
    if tx.tenant is not None:
        query = query.where(operation.c.tenant == tx.tenant)
    last = _last_entries(tx, ids)
    rows = tx.connection.execute(query).mappings()
    return [{**row, **last[row["id"]]} for row in rows if row["id"] in last]


def _last_entries(tx: Transaction, ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Return what was entered last of operations, by their ids.

    In a statement of its own: beside others PostgreSQL would look for the last of all entries there are.
    """
    columns = (entry.c[name] for name in ("operation_id", "code", "detail", "batch_id", "at"))
    query = sa.select(*columns).where(sets.among(entry.c.operation_id, sets.id_rows(tx, ids))).order_by(entry.c.id)
    rows = tx.connection.execute(query).mappings()
    return {row["operation_id"]: {name: row[name] for name in ("code", "detail", "batch_id", "at")} for row in rows}


def _found(tx: Transaction, chosen: Chosen) -> sa.Select[Any]:
    """Return all that is chosen but by time: id, lane, person, code, and when it ended."""
    died_at = (
        sa.select(sa.func.max(entry.c.at))
        .where(entry.c.operation_id == operation.c.id, entry.c.outcome == _DIED)
        .correlate(operation)
        .scalar_subquery()
    )
    query = sa.select(
        operation.c.id, operation.c.lane_id, operation.c.resource_id, operation.c.reason.label("code")
    ).add_columns(died_at.label("at"))
    query = query.where(IS_DEAD)
    lanes = _lanes(tx, chosen)
    if lanes is not None:
        query = query.where(sets.among(operation.c.lane_id, sets.id_rows(tx, lanes, "lanes")))
    if chosen.codes is not None:
        query = query.where(operation.c.reason.in_(sorted(chosen.codes)))
    if chosen.resource_ids is not None:
        people = sets.id_rows(tx, sorted(chosen.resource_ids), "people")
        query = query.where(sets.among(operation.c.resource_id, people))
    # Without an offset SQLite looks each end up again wherever it is asked for.
    return query.offset(0)


def _lanes(tx: Transaction, chosen: Chosen) -> list[int] | None:
    """Return the lanes of the chosen tenant and target, None for all there are."""
    tenant = tx.tenant if tx.tenant is not None else chosen.tenant
    if tenant is None and chosen.target is None:
        return None
    query = sa.select(lane.c.id).order_by(lane.c.id)
    if tenant is not None:
        query = query.where(lane.c.tenant == tenant)
    if tx.tenant is not None and chosen.tenant not in (None, tx.tenant):
        return []
    if chosen.target is not None:
        query = query.where(lane.c.target == chosen.target)
    return list(tx.connection.execute(query).scalars())


def _within(found: Any, chosen: Chosen) -> list[Any]:
    conditions = []
    if chosen.since is not None:
        conditions.append(found.c.at >= chosen.since)
    if chosen.until is not None:
        conditions.append(found.c.at < chosen.until)
    return conditions
