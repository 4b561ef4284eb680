"""What became of an import: in all, and row by row as CSV or JSON, written piece by piece."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from scim_bridge.domain import texts
from scim_bridge.domain.instants import to_iso
from scim_bridge.store import imports
from scim_bridge.store.engine import Store
from scim_bridge.store.imports import Import, Staged

PIECE = 2_000

COLUMNS = ("row", "id", "outcome", "code", "field", "advice", "change")


def summary(store: Store, found: Import) -> dict[str, Any]:
    """Return where an import stands: its state, how many rows came to which outcome, and what is wrong with it."""
    return told(found, counted(store, found))


def counted(store: Store, found: Import) -> dict[str, int]:
    """Return how many rows of an import came to which outcome, by a walk through all of them."""
    with store.begin(found.tenant, write=False) as tx:
        return imports.counts(tx, found.id)


def told(found: Import, outcomes: Mapping[str, int]) -> dict[str, Any]:
    """Return where an import stands, of whose outcomes it is known how many there are."""
    return {**heading(found), "outcomes": dict(sorted(outcomes.items()))}


def heading(found: Import) -> dict[str, Any]:
    """Return what there is to say of an import without a look at its rows."""
    return {
        "id": found.name,
        "source": found.source,
        "mode": "snapshot" if found.is_snapshot else "delta",
        "dry_run": found.is_dry_run,
        "status": found.status,
        "rows": found.rows,
        "reason": found.reason,
        "nobody_missing_because": found.spared,
        "said_at": to_iso(found.said_at),
        "received_at": to_iso(found.at),
        "finished_at": None if found.finished_at is None else to_iso(found.finished_at),
    }


def refusals(store: Store, found: Import, *, most: int) -> list[str]:
    """Return what is wrong with the first rows that were refused, a sentence each; ids and advice, no values."""
    with store.begin(found.tenant, write=False) as tx:
        rows = imports.refused(tx, found.id, limit=most)
    return [_refusal(row) for row in rows]


def as_csv(store: Store, found: Import) -> Iterator[str]:
    """Yield the report as CSV. What looks like a formula gets an apostrophe in front."""
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(COLUMNS)
    for rows in _pieces(store, found):
        writer.writerows(map(_cells, rows))
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def as_json(store: Store, found: Import) -> Iterator[str]:
    """Yield the report as a JSON list of objects."""
    before = "["
    for rows in _pieces(store, found):
        told = (json.dumps(as_object(row), ensure_ascii=False) for row in rows)
        yield before + ",\n".join(told)
        before = ",\n"
    yield "[]\n" if before == "[" else "]\n"


def as_object(row: Staged) -> dict[str, Any]:
    """Return what became of a row, as the report has it."""
    return dict(zip(COLUMNS, _values(row), strict=True))


def _pieces(store: Store, found: Import) -> Iterator[list[Staged]]:
    def read(position: int) -> list[Staged]:
        with store.begin(found.tenant, write=False) as tx:
            return imports.rows_after(tx, found.id, position, limit=PIECE)

    # While some are written, the database looks for the next.
    with ThreadPoolExecutor(1, thread_name_prefix="report") as ahead:
        following = ahead.submit(read, 0)
        while rows := following.result():
            following = ahead.submit(read, rows[-1].position)
            yield rows


def _values(row: Staged) -> list[Any]:
    return [row.position, row.external_id, row.outcome or imports.WAITING, row.code, row.field, row.advice, row.change]


def _cells(row: Staged) -> tuple[Any, ...]:
    """Return the cells of a row; outcome and code are words of ours."""
    return (
        row.position,
        _plain(row.external_id),
        row.outcome or imports.WAITING,
        row.code,
        _plain(row.field),
        _plain(row.advice),
        row.change,
    )


def _refusal(row: Staged) -> str:
    whose = f" (id {row.external_id})" if row.external_id else ""
    what = row.code if not row.field else f"{row.code} {row.field}"
    return f"row {row.position}{whose} refused: {what}. {row.advice or ''}".rstrip()


def _plain(text: str | None) -> str | None:
    return texts.as_cell(text) if text else text
