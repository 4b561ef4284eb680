"""Where operations stand, as a sender may be told. One that was superseded stands where its successor stands."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.states import State
from scim_bridge.store import prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared, Row

operation, entry, lane = tables.operation, tables.entry, tables.lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the newest operation of a resource stands in one lane."""

    target: str
    state: State
    code: str | None
    """What the last step ended with; None: nothing was tried yet."""
    at: Millis
    """When the last step was; before the first, when the change was recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """Operations of one change that stand alike in one lane."""

    target: str
    state: State
    code: str | None
    operations: int


def of_resources(tx: Transaction, resource_ids: Sequence[int]) -> dict[int, list[Standing]]:
    """Return where resources stand in each configured lane of the tenant, in one statement however many there are.

    (And one more if an operation was superseded by an older one, as a replay in the middle of a call makes it.)
    Lanes are in the order of their names; one that is owed nothing of a resource is left out, and so is a resource that
    is owed to none.
    """
    found: dict[int, list[Standing]] = {}
    if not resource_ids:
        return found
    rows = _NEWEST.rows(tx, tenant=tx.tenant, resources=sets.packed(resource_ids))
    superseded = [row.id for row in rows if row.state == State.SUPERSEDED]
    successors = {row.origin: row for row in _follow(tx, superseded)}
    for row in rows:
        last = successors.get(row.id) if row.state == State.SUPERSEDED else row
        if last is not None:
            standing = Standing(target=row.target, state=State(last.state), code=last.code, at=last.at)
            found.setdefault(row.resource_id, []).append(standing)
    return found


def of_change(tx: Transaction, number: int) -> list[Fate]:
    """Return where all that a change owes stands; empty when it owes nothing."""
    rows = _OF_CHANGE.rows(tx, tenant=tx.tenant, change=number)
    alike = Counter({(r.target, r.state, r.reason): r.operations for r in rows if r.state != State.SUPERSEDED})
    if any(row.state == State.SUPERSEDED for row in rows):
        superseded = [row.id for row in _SUPERSEDED_OF_CHANGE.rows(tx, tenant=tx.tenant, change=number)]
        alike.update((row.target, row.state, row.code) for row in _follow(tx, superseded))
    return [
        Fate(target=target, state=State(state), code=code, operations=operations)
        for (target, state, code), operations in alike.items()
    ]


def _follow(tx: Transaction, operation_ids: Sequence[int]) -> list[Row]:
    """Return what took the place of superseded operations (their ids are `origin`), at the end of each chain."""
    return _FOLLOWED.rows(tx, operations=sets.packed(operation_ids)) if operation_ids else []


def _newest(dialect: str) -> sa.Executable:
    resources = sets.ids_in(prepared.text("resources"), dialect=dialect, name="shown")
    each = operation.alias("each")
    newest_id = (
        # One step in the index for each resource and lane, however long their history is.
        sa.select(sa.func.max(each.c.id))
        .where(each.c.resource_id == resources.c.id, each.c.lane_id == lane.c.id)
        .correlate(resources, lane)
        .scalar_subquery()
    )
    newest = (
        sa.select(lane.c.target, newest_id.label("id"))
        .select_from(resources.join(lane, sa.true()))
        .where(lane.c.tenant == prepared.text("tenant"), lane.c.configured == sa.literal_column("1"))
        .cte("newest")
        # Put into the rest, PostgreSQL would look for each of these ids in all operations there are.
        .prefix_with("MATERIALIZED", dialect="postgresql")
    )
    return (
        sa.select(operation.c.id, operation.c.resource_id, newest.c.target, operation.c.state, *_last_steps())
        .select_from(newest.join(operation, operation.c.id == newest.c.id))
        .order_by(operation.c.resource_id, newest.c.target)
    )


def _of_change(_dialect: str) -> sa.Executable:
    alike = (lane.c.target, operation.c.state, operation.c.reason)
    return (
        sa.select(*alike, sa.func.count().label("operations"))
        .select_from(operation.join(lane, lane.c.id == operation.c.lane_id))
        .where(*_IS_OF_CHANGE)
        .group_by(*alike)
        .order_by(*alike)
    )


def _superseded_of_change(_dialect: str) -> sa.Executable:
    return sa.select(operation.c.id).where(*_IS_OF_CHANGE, operation.c.state == _SUPERSEDED)


def _followed(dialect: str) -> sa.Executable:
    origins = sets.ids_in(prepared.text("operations"), dialect=dialect, name="origins")
    chain = sa.select(origins.c.id.label("origin"), origins.c.id.label("id")).cte("chain", recursive=True)
    # Nothing is joined here, lest PostgreSQL read all entries there are: it cannot know how few it has to follow.
    # The last of a chain leads to NULL, where this ends.
    chain = chain.union_all(
        sa.select(chain.c.origin, _last_step(entry.c.superseded_by, of=chain.c.id)).where(chain.c.id > 0)
    )
    return (
        sa.select(chain.c.origin, lane.c.target, operation.c.state, *_last_steps())
        .select_from(chain.join(operation, operation.c.id == chain.c.id).join(lane, lane.c.id == operation.c.lane_id))
        .where(operation.c.state != _SUPERSEDED)
    )


def _last_steps() -> tuple[sa.Label[Any], sa.Label[Any]]:
    """Return what an operation's last step ended with, and when it was."""
    code = _last_step(entry.c.code, of=operation.c.id)
    at = sa.func.coalesce(_last_step(entry.c.at, of=operation.c.id), operation.c.received_at)
    return code.label("code"), at.label("at")


def _last_step(column: sa.Column[Any], *, of: sa.ColumnElement[int]) -> sa.ScalarSelect[Any]:
    """Return a column of an operation's last entry. What superseded it stands in the last: nothing comes after that."""
    return sa.select(column).where(entry.c.operation_id == of).order_by(entry.c.id.desc()).limit(1).scalar_subquery()


_SUPERSEDED: sa.ColumnElement[str] = sa.literal_column(f"'{State.SUPERSEDED.value}'")
_IS_OF_CHANGE = (
    operation.c.tenant == prepared.text("tenant"),
    operation.c.change_number == prepared.number("change"),
)
_NEWEST = Prepared(_newest)
_OF_CHANGE = Prepared(_of_change)
_SUPERSEDED_OF_CHANGE = Prepared(_superseded_of_change)
_FOLLOWED = Prepared(_followed)
