"""Requests as they came to the front door: whose, where to, and how they ended. What they said is kept nowhere."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.operator_tables import inbound

KEPT_MS = 7 * 86_400_000
MOST_OF_A_TENANT = 5_000
AT_A_TIME = 500

REFUSED_FROM = 400
"""Statuses from here on tell of requests that were refused."""

_ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request. `tenant` is None where the token's public part, or nothing, tells whose it is."""

    at: Millis
    method: str
    route: str
    status: int
    took_ms: int
    tenant: str | None
    token_id: str | None
    source: str | None
    correlation_id: str
    detail: str = ""


_COLUMNS: Mapping[str, Any] = {
    "at": sa.BigInteger,
    "method": sa.Text,
    "route": sa.Text,
    "status": sa.Integer,
    "took_ms": sa.Integer,
    "tenant": sa.Text,
    "token_id": sa.Text,
    "source": sa.Text,
    "correlation_id": sa.Text,
    "detail": sa.Text,
}


def append(tx: Transaction, seen: Sequence[Seen]) -> None:
    """Keep requests, in their order, by one statement.

    Of whom only a token's public part is known, the tenant and the source are that token's; of a token that there is
    not, nobody's.
    """
    if seen:
        tx.connection.execute(_insertion(tx.dialect), {_ROWS: sets.packed(astuple(each) for each in seen)})


@cache
def _insertion(dialect: str) -> sa.Insert:
    given = sets.rows_in(sa.bindparam(_ROWS, type_=sa.Text), _COLUMNS, dialect=dialect, name="seen")
    known = tables.token
    told = {
        **{name: given.c[name] for name in _COLUMNS},
        "tenant": sa.func.coalesce(given.c.tenant, known.c.tenant, ""),
        "token_id": known.c.id,
        "source": sa.func.coalesce(given.c.source, known.c.source, ""),
    }
    rows = given.outerjoin(known, known.c.id == given.c.token_id)
    return sa.insert(inbound).from_select(list(told), sa.select(*told.values()).select_from(rows).order_by(given.c.at))


def listed(
    tx: Transaction,
    *,
    after: int | None = None,
    limit: int,
    status: int | None = None,
    least_status: int = 0,
) -> list[dict[str, Any]]:
    """Return requests of the transaction's tenant (or of all), the newest in front; `after`: older than that one."""
    query = sa.select(inbound).order_by(inbound.c.id.desc()).limit(limit)
    if tx.tenant is not None:
        query = query.where(inbound.c.tenant == tx.tenant)
    if after is not None:
        query = query.where(inbound.c.id < after)
    if status is not None:
        query = query.where(inbound.c.status == status)
    if least_status:
        query = query.where(inbound.c.status >= least_status)
    return [dict(row) for row in tx.connection.execute(query).mappings()]


def forget(
    tx: Transaction,
    *,
    before: Millis,
    since: Millis,
    most: int = MOST_OF_A_TENANT,
    at_a_time: int = AT_A_TIME,
) -> bool:
    """Remove some of what is older than `before`, and of what a tenant has too many of; True when there may be more.

    Only of tenants that have got one since `since` it is looked whether they have too many.
    """
    old = sa.select(inbound.c.id).where(inbound.c.at < before).order_by(inbound.c.at).limit(at_a_time)
    removed = _remove(tx, [row.id for row in tx.connection.execute(old)])
    ends = sets.rows_in(
        sa.literal(sets.packed(_ends(tx, since=since, most=most)), sa.Text),
        {"tenant": sa.Text, "end": sa.BigInteger},
        dialect=tx.dialect,
        name="ends",
    )
    over = (
        sa.select(inbound.c.id)
        .join(ends, sa.and_(inbound.c.tenant == ends.c.tenant, inbound.c.id <= ends.c.end))
        .limit(at_a_time)
    )
    removed_over = _remove(tx, [row.id for row in tx.connection.execute(over)])
    return at_a_time in {removed, removed_over}


def _ends(tx: Transaction, *, since: Millis, most: int) -> list[tuple[str, int]]:
    """Return the tenants that have too many, of those that have got one since then, with the newest that is too old."""
    lively = sa.select(inbound.c.tenant).where(inbound.c.at >= since).distinct().subquery("lively")
    own = inbound.alias("own")
    newest_over = (
        sa.select(own.c.id).where(own.c.tenant == lively.c.tenant).order_by(own.c.id.desc()).offset(most).limit(1)
    )
    query = sa.select(lively.c.tenant, newest_over.scalar_subquery().label("end"))
    return [(row.tenant, row.end) for row in tx.connection.execute(query) if row.end is not None]


def _remove(tx: Transaction, ids: Sequence[int]) -> int:
    if ids:
        tx.connection.execute(sa.delete(inbound).where(sets.among(inbound.c.id, sets.id_rows(tx, ids))))
    return len(ids)
