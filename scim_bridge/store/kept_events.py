"""HR events that are kept, as operators look at them: of all tenants, by tenant, source and state."""

from dataclasses import dataclass

import sqlalchemy as sa

from scim_bridge.store import tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.hr_events import Kept, kept_of

event = tables.hr_event


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One kept event and whose it is."""

    tenant: str
    source: str
    kept: Kept


def find(tx: Transaction, number: int) -> Placed | None:
    """Return an event by its number, None when there is none (any more)."""
    row = tx.connection.execute(sa.select(event).where(event.c.id == number)).first()
    return None if row is None else Placed(tenant=row.tenant, source=row.source, kept=kept_of(row))


def chosen(
    tx: Transaction, *, tenant: str | None, source: str | None, state: str | None, limit: int, after: int = 0
) -> tuple[list[Placed], dict[str, int]]:
    """Return the first of the chosen events in the order in which they came, and how many there are in each state.

    Of those behind the event `after` the first are given; the count is of all of them.
    """
    named = [
        column == value
        for column, value in ((event.c.tenant, tenant), (event.c.source, source), (event.c.state, state))
        if value is not None
    ]
    rows = tx.connection.execute(sa.select(event).where(*named, event.c.id > after).order_by(event.c.id).limit(limit))
    found = [Placed(tenant=row.tenant, source=row.source, kept=kept_of(row)) for row in rows]
    counted = sa.select(event.c.state, sa.func.count().label("events")).where(*named).group_by(event.c.state)
    return found, {row.state: int(row.events) for row in tx.connection.execute(counted)}


def sources(tx: Transaction) -> frozenset[tuple[str, str]]:
    """Return tenant and source of all who have kept events."""
    rows = tx.connection.execute(sa.select(event.c.tenant, event.c.source).distinct())
    return frozenset((row.tenant, row.source) for row in rows)
