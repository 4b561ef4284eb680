"""Replay plans: which dead operations are to be put back, as things stood when it was planned, and who agreed."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Literal

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import prepared, reports, sets, tables
from scim_bridge.store.engine import Transaction, compact_json
from scim_bridge.store.prepared import Prepared
from scim_bridge.store.reports import Chosen

replay, item = tables.replay, tables.replay_item
operation, resource, lane, entry = tables.operation, tables.resource, tables.lane, tables.entry

KEPT_MS = 90 * 86_400_000
"""So long it is known of each operation of a replay what became of it there."""

FORGOTTEN_AT_ONCE = 2_000

Policy = Literal["update", "skip", "hold"]
"""What becomes of accounts that were there before us, as a target's on_conflict."""


class Status(StrEnum):
    """Where a replay stands."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    STALE = "stale"
    """It was to be approved when the world was no longer the one it was made for."""


class Fate(StrEnum):
    """What became of a plan's operation by the replay itself."""

    PLANNED = "planned"
    PUT_BACK = "put_back"
    SUPERSEDED = "superseded"
    """A newer one of the same person waits, and carries it; or a later replay has put it back again."""
    PASSED = "passed"
    """It was no longer dead when its turn came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One replay as the store has it."""

    id: int
    tenant: str
    who: str
    filter: Mapping[str, Any]
    operations: int
    """How many it has put back, or had superseded."""
    status: str
    at: Millis
    figures: Mapping[str, Any]
    policy: Policy | None
    approved_by: str | None
    approved_at: Millis | None
    ended_at: Millis | None
    reason: str
    """Why it is stale."""


_COLUMNS = [replay.c[each.name] for each in fields(Plan)]


def make(
    tx: Transaction,
    chosen: Chosen,
    *,
    who: str,
    asked: Mapping[str, Any],
    policy: Policy | None = None,
    operation_ids: Collection[int] | None = None,
    is_approved: bool = False,
) -> int | None:
    """Write a plan of the chosen dead operations of the tenant and return its number; None when nothing is dead.

    `asked` is kept as what was chosen; `operation_ids` choose too. One that `is_approved` may run at once.
    """
    row = {
        "tenant": tx.tenant,
        "who": who,
        "filter": compact_json(asked),
        "operations": 0,
        "status": (Status.RUNNING if is_approved else Status.PLANNED).value,
        "at": tx.now,
        "policy": policy,
        "approved_by": who if is_approved else None,
        "approved_at": tx.now if is_approved else None,
    }
    number = int(tx.connection.execute(sa.insert(replay).values(row).returning(replay.c.id)).scalar_one())
    dead = _dead(
        tx,
        chosen,
        sa.literal(tx.tenant, sa.Text),
        sa.literal(number, sa.BigInteger),
        operation.c.id,
        operation.c.lane_id,
        operation.c.resource_id,
        resource.c.version,
        operation_ids=operation_ids,
    )
    names = ["tenant", "replay_id", "operation_id", "lane_id", "resource_id", "version"]
    made = sa.insert(item).from_select(names, dead)
    if tx.connection.execute(made, execution_options={"preserve_rowcount": True}).rowcount:
        return number
    tx.connection.execute(sa.delete(replay).where(replay.c.id == number))
    return None


def count_dead(tx: Transaction, chosen: Chosen) -> dict[str, int]:
    """Return how many dead operations are chosen, by tenant."""
    dead = _dead(tx, chosen, operation.c.tenant.label("tenant")).subquery("dead")
    query = (
        sa.select(dead.c.tenant, sa.func.count().label("operations")).group_by(dead.c.tenant).order_by(dead.c.tenant)
    )
    return {row.tenant: int(row.operations) for row in tx.connection.execute(query)}


def fetch(tx: Transaction, number: int, *, locks: bool = False) -> Plan | None:
    """Return the tenant's replay of this number, None where there is none.

    With `locks` nobody else works on it, or decides about it, until the transaction ends.
    """
    query = sa.select(*_COLUMNS).where(replay.c.id == number, replay.c.tenant == tx.tenant)
    if locks and tx.dialect == "postgresql":
        query = query.with_for_update(key_share=True)
    row = tx.connection.execute(query).mappings().one_or_none()
    return None if row is None else _plan(row)


def page(tx: Transaction, *, before: int | None, limit: int) -> list[Plan]:
    """Return the tenant's replays, the newest first, those older than the replay `before`."""
    query = sa.select(*_COLUMNS).where(replay.c.tenant == tx.tenant).order_by(replay.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(replay.c.id < before)
    return [_plan(row) for row in tx.connection.execute(query).mappings()]


def running(tx: Transaction) -> list[Plan]:
    """Return the replays of all tenants that are to be worked on, the one that was approved first in front."""
    query = (
        sa.select(*_COLUMNS).where(replay.c.status == Status.RUNNING.value).order_by(replay.c.approved_at, replay.c.id)
    )
    return [_plan(row) for row in tx.connection.execute(query).mappings()]


def tenant_of(tx: Transaction, number: int) -> str | None:
    """Return whose replay this is, None where there is none."""
    found: str | None = tx.connection.execute(sa.select(replay.c.tenant).where(replay.c.id == number)).scalar()
    return found


def note(tx: Transaction, number: int, **values: object) -> None:
    """Set columns of a replay; figures are given as they are."""
    if "figures" in values:
        values["figures"] = compact_json(values["figures"])
    tx.connection.execute(sa.update(replay).where(replay.c.id == number).values(values))


def policies(tx: Transaction, operation_ids: Iterable[int]) -> dict[int, Policy]:
    """Return the conflict policy that a replay put each of these operations back with; most have none of their own."""
    found = {row.operation_id: row.policy for row in _POLICIES.rows(tx, operations=sets.packed(operation_ids))}
    return {operation_id: policy for operation_id, policy in found.items() if policy is not None}


def forget(tx: Transaction, *, before: Millis) -> bool:
    """Remove some operations of replays that were made before an instant and are not at work; False: there are none.

    The replay itself, with its figures, stays; one that nobody has approved since is approved no more.
    """
    tx.connection.execute(
        sa.update(replay)
        .where(replay.c.at < before, replay.c.status == Status.PLANNED.value)
        .values(status=Status.STALE.value, ended_at=tx.now, reason="nobody has approved it for a quarter of a year")
    )
    old = (
        sa.select(item.c.replay_id, item.c.operation_id)
        .join(replay, replay.c.id == item.c.replay_id)
        .where(replay.c.at < before, replay.c.status != Status.RUNNING.value)
        .limit(FORGOTTEN_AT_ONCE)
    )
    gone = tx.connection.execute(sa.delete(item).where(sa.tuple_(item.c.replay_id, item.c.operation_id).in_(old)))
    return gone.rowcount > 0


def _plan(row: Any) -> Plan:
    return Plan(**{**row, "filter": json.loads(row["filter"]), "figures": json.loads(row["figures"])})


def _dead(
    tx: Transaction, chosen: Chosen, *columns: Any, operation_ids: Collection[int] | None = None
) -> sa.Select[Any]:
    """Return the query for columns of the chosen dead operations."""
    joined = operation.join(lane, lane.c.id == operation.c.lane_id).join(
        resource, resource.c.id == operation.c.resource_id
    )
    conditions: list[Any] = [reports.IS_DEAD]
    tenant = tx.tenant if tx.tenant is not None else chosen.tenant
    if tenant is not None:
        conditions.append(lane.c.tenant == tenant)
    if chosen.target is not None:
        conditions.append(lane.c.target == chosen.target)
    if chosen.codes is not None:
        # What killed it is noted with it.
        conditions.append(operation.c.reason.in_(sorted(chosen.codes)))
    if chosen.resource_ids is not None:
        conditions.append(sets.among(operation.c.resource_id, sets.id_rows(tx, sorted(chosen.resource_ids))))
    if operation_ids is not None:
        conditions.append(sets.among(operation.c.id, sets.id_rows(tx, sorted(operation_ids), "named")))
    if chosen.since is not None or chosen.until is not None:
        ended_at = (
            sa.select(sa.func.max(entry.c.at))
            .where(entry.c.operation_id == operation.c.id, entry.c.outcome == sa.literal_column("'dead'"))
            .correlate(operation)
            .scalar_subquery()
        )
        conditions += [ended_at >= chosen.since] if chosen.since is not None else []
        conditions += [ended_at < chosen.until] if chosen.until is not None else []
    return sa.select(*columns).select_from(joined).where(*conditions)


def _policies(dialect: str) -> sa.Executable:
    asked = sets.ids_in(prepared.text("operations"), dialect=dialect, name="asked")
    # What put it back last is what counts: it has taken the state from those before.
    return (
        sa.select(item.c.operation_id, replay.c.policy)
        .join(replay, replay.c.id == item.c.replay_id)
        .where(sets.among(item.c.operation_id, asked), item.c.state == sa.literal_column("'put_back'"))
    )


_POLICIES = Prepared(_policies, is_planned_anew=True)
