"""People of whom a source of rows first said that they have left: that is all that the store holds of them.

They are tombstones in the directory, as if they had been there and were deleted. Nobody sees them, and no target is
owed anything; but what the source said before they left makes nobody of them, however late it comes.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.resources import USER
from scim_bridge.store import prepared, sets, tables
from scim_bridge.store.engine import Transaction
from scim_bridge.store.prepared import Prepared

identity, contribution, resource = tables.identity, tables.contribution, tables.resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """Somebody who had left before anybody heard of them."""

    external_id: str = field(repr=False)
    said_at: Millis
    """When the source last said that they have left."""
    row_digest: str | None = field(default=None, repr=False)
    resource_id: int | None = None
    """None: they are not kept yet."""


def of_source(tx: Transaction, source: str, external_ids: Iterable[str]) -> dict[str, Stranger]:
    """Return which ids of a source name strangers, by id."""
    rows = _OF_SOURCE.rows(tx, tenant=tx.tenant, source=source, ids=sets.packed(external_ids))
    return {
        row.external_id: Stranger(
            external_id=row.external_id, said_at=row.said_at, row_digest=row.row_digest, resource_id=row.resource_id
        )
        for row in rows
    }


def bury(tx: Transaction, numbers: Sequence[tuple[int, int]]) -> None:
    """Add tombstones under numbers that are reserved for them, each with its version."""
    rows = [[number, tx.tenant, uuid4().hex, version, *[tx.now] * 3] for number, version in numbers]
    _BURY.send(tx, rows=sets.packed(rows))


def _of_source(dialect: str) -> sa.Executable:
    said = sa.and_(
        contribution.c.tenant == identity.c.tenant,
        contribution.c.source == identity.c.source,
        contribution.c.resource_id == identity.c.resource_id,
    )
    return (
        sa.select(identity.c.external_id, identity.c.resource_id, identity.c.row_digest, contribution.c.said_at)
        .join(resource, resource.c.id == identity.c.resource_id)
        .join(contribution, said)
        .where(
            identity.c.tenant == prepared.text("tenant"),
            identity.c.source == prepared.text("source"),
            sets.one_of(identity.c.external_id, prepared.text("ids"), dialect=dialect, name="asked"),
            resource.c.deleted_at.is_not(None),
            # Who was deleted while nobody recorded for this source is none: it still says that they work there.
            contribution.c.active == sa.literal_column("0"),
        )
    )


def _bury(dialect: str) -> sa.Executable:
    names = ("id", "tenant", "scim_id", "version", "created_at", "modified_at", "deleted_at")
    columns = {name: resource.c[name].type for name in names}
    rows = sets.rows_in(prepared.text("rows"), columns, dialect=dialect, name="given")
    same = {"kind": sa.literal_column(f"'{USER}'"), "document": sa.literal_column("'{}'"), "active": sa.text("0")}
    return sa.insert(resource).from_select([*names, *same], sa.select(rows, *same.values()))


_OF_SOURCE = Prepared(_of_source)
_BURY = Prepared(_bury)
