"""Calls that went out lately, counted by quota, class and time, as the limits of targets count them."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction

batch, lane, slot = tables.batch, tables.lane, tables.slot


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Of which quota calls are counted, from when on, and in steps of how long."""

    quota: str
    since: Millis
    step_ms: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many calls of one class went out in one step."""

    place: int
    """Which of those asked about it answers."""
    klass: str
    steps_ago: int
    """0 is the step that ends now."""
    calls: int


def quotas(tx: Transaction) -> dict[int, str]:
    """Return the quota that each of the tenant's lanes was counted against last, by the lane's id.

    A lane is not in it when it has not called for hours: nobody remembers a slot for longer.
    """
    newest = sa.and_(batch.c.lane_id == lane.c.id, batch.c.number == lane.c.batches)
    query = (
        sa.select(lane.c.id, slot.c.quota)
        .select_from(lane.join(batch, newest).join(slot, slot.c.id == batch.c.slot_id))
        .where(lane.c.tenant == tx.tenant, lane.c.configured == 1)
    )
    return {row.id: row.quota for row in tx.connection.execute(query)}


def counts(tx: Transaction, asked: Sequence[Asked]) -> list[Count]:
    """Return the calls of some quotas up to now; steps without any are left out. One statement, by an index."""
    if not asked:
        return []
    rows = [[place, each.quota, each.since, each.step_ms] for place, each in enumerate(asked)]
    columns = {"place": sa.Integer, "quota": sa.Text, "since": sa.BigInteger, "step_ms": sa.BigInteger}
    wanted = sets.rows_in(sa.literal(sets.packed(rows), sa.Text), columns, dialect=tx.dialect, name="wanted")
    now = sa.literal(tx.now, sa.BigInteger)
    steps_ago = ((now - slot.c.sent_at) // wanted.c.step_ms).label("steps_ago")
    lately = sa.and_(slot.c.quota == wanted.c.quota, slot.c.sent_at > wanted.c.since, slot.c.sent_at <= now)
    query = (
        sa.select(wanted.c.place, slot.c["class"].label("klass"), steps_ago, sa.func.count().label("calls"))
        .select_from(wanted.join(slot, lately))
        .group_by(wanted.c.place, slot.c["class"], steps_ago)
    )
    return [Count(**row) for row in tx.connection.execute(query).mappings()]
