"""Requests as they came to the front door: whose, where to, and how they ended. What they said is kept nowhere."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.operator_tables import inbound
from scim_bridge.store.prepared import Prepared

KEPT_MS = 7 * 86_400_000
MOST_OF_A_TENANT = 5_000
AT_A_TIME = 500

REFUSED_FROM = 400
"""Statuses from here on tell of requests that were refused."""


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
    is_known: bool = True
    """Whether the token was a good one: else its public part is whatever somebody sent."""


def append(tx: Transaction, seen: Sequence[Seen]) -> None:
    """Keep requests, in the order in which they came.

    Of whom only a token's public part is known, the tenant and the source are that token's; of a token that there is
    not, nobody's. Where the address tells the tenant, an unproved token is kept only if it is that tenant's.
    """
    if not seen:
        return
    owners = _owners(
        tx, {each.token_id for each in seen if each.token_id is not None and (each.tenant is None or not each.is_known)}
    )
    rows = [_row(each, owners) for each in sorted(seen, key=lambda each: each.at)]
    _APPEND.send(tx, rows=sets.packed(rows))


def _owners(tx: Transaction, token_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """Return the tenant and the source of each token that there is."""
    if not token_ids:
        return {}
    known = tables.token
    query = sa.select(known.c.id, known.c.tenant, known.c.source).where(
        sets.among(known.c.id, sets.text_rows(tx, sorted(token_ids)))
    )
    return {row.id: (row.tenant, row.source) for row in tx.connection.execute(query)}


def _row(seen: Seen, owners: Mapping[str, tuple[str, str]]) -> list[Any]:
    tenant, source, token_id = seen.tenant, seen.source, seen.token_id
    if tenant is None:
        tenant, source = owners.get(token_id or "", ("", ""))
        token_id = token_id if token_id in owners else None
    elif not seen.is_known and owners.get(token_id or "", ("", ""))[0] != tenant:
        token_id = None
    return [
        *(tenant, seen.method, seen.route, seen.status, token_id, source or "", seen.correlation_id),
        *(seen.detail, seen.took_ms, seen.at),
    ]


_COLUMNS = ("tenant", "method", "route", "status", "token_id", "source", "correlation_id", "detail", "took_ms", "at")


def _append(dialect: str) -> sa.Executable:
    # As rows of one JSON text, which the database reads while the process goes on with its requests: the values of two
    # hundred rows, one by one, would keep them all waiting.
    rows = sets.rows_in(
        prepared.text("rows"), {name: inbound.c[name].type for name in _COLUMNS}, dialect=dialect, name="came"
    )
    return sa.insert(inbound).from_select(list(_COLUMNS), sa.select(rows))


_APPEND = Prepared(_append)


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
