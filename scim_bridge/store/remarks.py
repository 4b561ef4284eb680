"""Remarks: what operators have written beside an operation. They go when the operation goes."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction

remark = tables.remark


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """One remark."""

    operation_id: int
    who: str
    text: str = field(repr=False)
    at: Millis


def add(tx: Transaction, operation_ids: Iterable[int], *, who: str, text: str) -> None:
    """Write the same remark beside operations, which the caller knows to be the tenant's."""
    rows = sets.id_rows(tx, operation_ids, "remarked")
    told = sa.select(
        sa.literal(tx.tenant, sa.Text), rows.c.id, sa.literal(who), sa.literal(text), sa.literal(tx.now, sa.BigInteger)
    ).order_by(rows.c.id)
    tx.connection.execute(sa.insert(remark).from_select(["tenant", "operation_id", "who", "text", "at"], told))


def of(tx: Transaction, operation_ids: Iterable[int]) -> dict[int, list[Remark]]:
    """Return the remarks of operations, the first written in front; who has none is not in it."""
    columns = (remark.c[name] for name in ("operation_id", "who", "text", "at"))
    query = (
        sa.select(*columns)
        .where(sets.among(remark.c.operation_id, sets.id_rows(tx, operation_ids)))
        .order_by(remark.c.id)
    )
    found: dict[int, list[Remark]] = {}
    for row in tx.connection.execute(query).mappings():
        found.setdefault(row["operation_id"], []).append(Remark(**row))
    return found
