"""How many living resources a tenant has: kept by every transaction that adds or removes some, never counted.

One row would make all writers of a tenant queue, so on PostgreSQL there are several a kind and the count is their sum.
A single row of them may well be negative: who is created through one connection may be deleted through another.
"""

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.resources import USER
from scim_bridge.store import prepared, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared
from scim_bridge.store.trips import Step

population = tables.population

SHARDS = 16
"""Rows a kind on PostgreSQL. SQLite has one writer at a time, and one row."""

_SHARD = {"sqlite": "0", "postgresql": f"pg_backend_pid() % {SHARDS}"}


def note(tx: Transaction, counts: Mapping[str, int]) -> None:
    """Add to the counts of the transaction's tenant; a kind's number is how many more (or fewer) there are.

    Call it last in a transaction: the rows stay locked until the commit, and who holds them must wait for nothing else.
    """
    changes = sorted((kind, change) for kind, change in counts.items() if change)
    if not changes:
        return
    # All take the rows in the order of the kinds, so that no two can wait for each other.
    given: dict[str, str | int | None] = {"tenant": tx.tenant}
    for number, (kind, change) in enumerate(changes):
        given |= {f"kind_{number}": kind, f"change_{number}": change}
    _upsert(len(changes)).run(tx, **given)


def living(tx: Transaction, kinds: Collection[str]) -> int:
    """Return how many living resources of these kinds the transaction's tenant has."""
    return int(_sum(tuple(sorted(kinds))).rows(tx, tenant=tx.tenant)[0].living or 0)


@cache
def living_of(kind: str) -> Step:
    """Return what `living` asks of a `tenant`, as a step of a trip."""
    return Step(lambda _dialect: _select_sum((kind,)))


def active_users(tx: Transaction) -> int:
    """Return how many living users of the transaction's tenant are active. Counted: reads the index of them all."""
    resource = tables.resource
    query = sa.select(sa.func.count()).where(
        resource.c.tenant == tx.tenant,
        resource.c.kind == USER,
        resource.c.deleted_at.is_(None),
        resource.c.active == 1,
    )
    return int(tx.connection.execute(query).scalar_one())


@cache
def _upsert(rows: int) -> Prepared:
    def build(dialect: str) -> sa.TextClause:
        values = ", ".join(f"(:tenant, :kind_{row}, {_SHARD[dialect]}, :change_{row})" for row in range(rows))
        return sa.text(
            f"INSERT INTO population (tenant, kind, shard, living) VALUES {values} "  # noqa: S608 - only names, numbers
            "ON CONFLICT (tenant, kind, shard) DO UPDATE SET living = population.living + excluded.living"
        )

    return Prepared(build)


@cache
def _sum(kinds: tuple[str, ...]) -> Prepared:
    return Prepared(lambda _dialect: _select_sum(kinds))


def _select_sum(kinds: tuple[str, ...]) -> sa.Select[Any]:
    of_kinds = sa.or_(*(population.c.kind == kind for kind in kinds))
    total = sa.cast(sa.func.sum(population.c.living), sa.BigInteger).label("living")
    return sa.select(total).where(population.c.tenant == prepared.text("tenant"), of_kinds)
