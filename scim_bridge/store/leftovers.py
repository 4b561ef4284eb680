"""What sources leave behind that are not configured any more: events and files that wait, and words out of date."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import imports, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.hr_events import FETCH, WAITING

event, contribution, identity, import_ = tables.hr_event, tables.contribution, tables.identity, tables.import_

_NOT_CONFIGURED = (
    "The source is not configured any more, and what its rows said is forgotten. Name it in the configuration and send"
    " the file again."
)


def forget_events(
    tx: Transaction, *, configured: Mapping[str, Collection[str]], before: Millis, limit: int
) -> dict[tuple[str, str], int]:
    """Remove the oldest events that wait for a source that is not configured, and return how many of which source.

    `configured` has, here and below, the sources of each tenant.
    """
    old = (
        sa.select(event.c.id, event.c.tenant, event.c.source)
        .where(event.c.state.in_((WAITING, FETCH)), event.c.at < before, ~_is_among(tx, event, configured))
        .order_by(event.c.id)
        .limit(limit)
    )
    found: dict[tuple[str, str], list[int]] = {}
    for row in tx.connection.execute(old):
        found.setdefault((row.tenant, row.source), []).append(row.id)
    numbers = [number for some in found.values() for number in some]
    if numbers:
        tx.connection.execute(sa.delete(event).where(sets.among(event.c.id, sets.id_rows(tx, numbers))))
    return {place: len(some) for place, some in found.items()}


def refuse_imports(
    tx: Transaction, *, configured: Mapping[str, Collection[str]], before: Millis
) -> list[tuple[str, str, str]]:
    """Refuse files that wait for a source that is not configured, and forget what their rows said.

    Return tenant, source and name of each.
    """
    refused = tx.connection.execute(
        sa.update(import_)
        .where(
            import_.c.status == imports.WAITING,
            import_.c.at < before,
            ~_is_among(tx, import_, configured),
        )
        .values(status=imports.REFUSED, reason=_NOT_CONFIGURED, finished_at=tx.now)
        .returning(import_.c.id, import_.c.tenant, import_.c.source, import_.c.name)
    ).all()
    for row in refused:
        imports.drop_fields(tx, row.id)
    return [(row.tenant, row.source, row.name) for row in refused]


def succeeded(tx: Transaction, tenant: str, former: str, successor: str, *, behind: int, limit: int) -> list[int]:
    """Return people behind one, in the order of their numbers, of whom a replaced source and its successor spoke."""
    before, after = contribution.alias("before"), contribution.alias("after")
    query = (
        sa.select(before.c.resource_id)
        .join(after, sa.and_(after.c.tenant == before.c.tenant, after.c.resource_id == before.c.resource_id))
        .where(
            before.c.tenant == tenant,
            before.c.source == former,
            after.c.source == successor,
            before.c.resource_id > behind,
        )
        .order_by(before.c.resource_id)
        .limit(limit)
    )
    return list(tx.connection.execute(query).scalars())


def retract(tx: Transaction, source: str, resource_ids: Sequence[int]) -> None:
    """Remove what a source said of people, who are locked. Should it speak again, its rows are looked at anew."""
    for table, statement in (
        (contribution, sa.delete(contribution)),
        (identity, sa.update(identity).values(row_digest=None)),
    ):
        tx.connection.execute(
            statement.where(
                table.c.tenant == tx.tenant,
                table.c.source == source,
                sets.among(table.c.resource_id, sets.id_rows(tx, resource_ids)),
            )
        )


def _is_among(tx: Transaction, table: sa.Table, configured: Mapping[str, Collection[str]]) -> Any:
    pairs = [(tenant, source) for tenant, sources in configured.items() for source in sources]
    named = _rows(tx, pairs, "named", ("tenant", "source"))
    return (
        sa.select(sa.literal(1))
        .where(named.c.tenant == table.c.tenant, named.c.source == table.c.source)
        .correlate(table)
        .exists()
    )


def _rows(tx: Transaction, rows: Iterable[Sequence[str]], name: str, columns: Sequence[str]) -> Any:
    packed = sa.literal(sets.packed(rows), sa.Text)
    return sets.rows_in(packed, dict.fromkeys(columns, sa.Text), dialect=tx.dialect, name=name)
