"""The dead-letter inbox: what is no longer tried, in groups, page by page, and as CSV."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from scim_bridge.domain.catalogue import CATALOGUE
from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.domain.texts import as_cell
from scim_bridge.errors import NotThere, UsageError
from scim_bridge.operators import failed
from scim_bridge.store import dead_letters, remarks
from scim_bridge.store.dead_letters import Group
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.remarks import Remark
from scim_bridge.store.reports import Chosen

A_PAGE = 50
MOST_A_PAGE = 500

PIECE = 1_000
"""So many rows of an export are read at once."""

COLUMNS = (
    *("operation", "tenant", "target", "kind", "user", "id", "code", "class", "owner", "advice", "detail"),
    *("attempts", "at", "age_s", "source", "change", "batch", "correlation_id", "notes"),
)
"""Of an export; as `items` names them, save that each note is a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which of the dead are meant; what is None does not choose. Times are when they ended."""

    target: str | None = None
    code: str | None = None
    klass: str | None = None
    """A trouble of the catalogue: data, config, ..."""
    since: Millis | None = None
    until: Millis | None = None
    user: str | None = None
    """Anything that `user show` takes."""


EVERYTHING = Filters()


def groups(store: Store, tenant: str | None, filters: Filters = EVERYTHING) -> dict[str, Any]:
    """Return the dead by target and code, the most people in front, with what the catalogue says of each code.

    `tenant` is None for all tenants, here and below.

    Raises:
        UsageError: no such code or class.
    """
    with door(store, tenant, "group what failed") as tx:
        found = dead_letters.groups(tx, chosen_by(tx, filters))
        return {"groups": [_group(each, now=tx.now) for each in found]}


def items(
    store: Store,
    tenant: str | None,
    filters: Filters = EVERYTHING,
    *,
    after: int | None = None,
    limit: int = A_PAGE,
    newest_first: bool = True,
) -> dict[str, Any]:
    """Return a page of the dead in the order in which they ended, and behind which operation the next page begins.

    Each is as `failed list` shows it, with its notes and its age. `after` is `next` of the page before; the operation
    may have been put back or discarded meanwhile.

    Raises:
        UsageError: no such code or class, or no such limit.
        NotThere: the tenant has no dead operation `after`, and never had.
    """
    if not 1 <= limit <= MOST_A_PAGE:
        raise UsageError(f"a page has from 1 to {MOST_A_PAGE} rows")
    with door(store, tenant, "list what failed") as tx:
        place = None
        if after is not None:
            ended_at = dead_letters.ended_at(tx, after)
            if ended_at is None:
                raise NotThere(f"there is no dead operation {after} to go on behind")
            place = (ended_at, after)
        rows = dead_letters.page(tx, chosen_by(tx, filters), after=place, limit=limit + 1, newest_first=newest_first)
        found = _items(tx, rows[:limit])
    return {"items": found, "next": found[-1]["operation"] if len(rows) > limit else None}


def as_csv(store: Store, tenant: str | None, filters: Filters = EVERYTHING) -> Iterator[str]:
    """Yield the dead as CSV, the first that ended in front, piece by piece. No cell is a formula.

    Raises:
        UsageError: no such code or class.
    """
    with door(store, tenant, "export what failed") as tx:
        ids = dead_letters.ids_of(tx, chosen_by(tx, filters))
    return _pieces(store, tenant, ids)


def door(store: Store, tenant: str | None, reason: str) -> AbstractContextManager[Transaction]:
    """Open a transaction that only reads, of one tenant or across all."""
    return store.across_tenants(reason) if tenant is None else store.begin(tenant, write=False)


def chosen_by(tx: Transaction, filters: Filters) -> Chosen:
    """Return what the filters mean to the store.

    Raises:
        UsageError: no such code or class.
    """
    return Chosen(
        target=filters.target,
        codes=failed.codes_of(filters.code, filters.klass),
        since=filters.since,
        until=filters.until,
        resource_ids=failed.people_named(tx, filters.user),
    )


def told(remark: Remark) -> dict[str, Any]:
    """Return a remark as operators see it."""
    return {"who": remark.who, "text": remark.text, "at": to_iso(remark.at)}


def _group(group: Group, *, now: Millis) -> dict[str, Any]:
    code = CATALOGUE.get(group.code)
    return {
        "tenant": group.tenant,
        "target": group.target,
        "code": group.code,
        "operations": group.operations,
        "people": group.people,
        "oldest_at": to_iso(group.oldest_at),
        "newest_at": to_iso(group.newest_at),
        "oldest_s": max(0, (now - group.oldest_at) // 1000),
        "class": None if code is None or code.trouble is None else str(code.trouble),
        "advice": "" if code is None else code.advice,
        "owner": "operator" if code is None else code.owner,
    }


def _items(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    notes = remarks.of(tx, [row["id"] for row in rows])
    return [
        {
            **failed.shown(row),
            "age_s": max(0, (tx.now - row["at"]) // 1000),
            "notes": [told(each) for each in notes.get(row["id"], ())],
        }
        for row in rows
    ]


def _pieces(store: Store, tenant: str | None, ids: Sequence[int]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    for start in range(0, len(ids), PIECE):
        piece = ids[start : start + PIECE]
        with door(store, tenant, "export what failed") as tx:
            by_id = {row["id"]: row for row in dead_letters.rows_of(tx, piece)}
            found = _items(tx, [by_id[each] for each in piece if each in by_id])
        writer.writerows(map(_cells, found))
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def _cells(item: Mapping[str, Any]) -> list[Any]:
    notes = "\n".join(f"{note['at']} {note['who']}: {note['text']}" for note in item["notes"])
    values = [notes if name == "notes" else item[name] for name in COLUMNS]
    return [as_cell(value) if isinstance(value, str) else value for value in values]
