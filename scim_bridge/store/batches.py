"""Batches: one row a call, written with its slot before the call, open until settled."""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.domain.people import Step
from scim_bridge.domain.states import State
from scim_bridge.store import ledger, outbox, prepared, quota, seals, tables
from scim_bridge.store.engine import Transaction, compact_json
from scim_bridge.store.prepared import Prepared

batch = tables.batch


DRY_RUN = "dry_run"
"""The status of a call that was only planned: `mode = "dry-run"` makes none."""


class Overtaken(Exception):  # noqa: N818 - a fact: what was planned is no longer so
    """Some of the operations no longer wait: a newer change came. Plan again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBatch:
    """A call that is out, or whose worker died before it could settle."""

    id: int
    number: int
    epoch: int
    step: str
    operation_ids: tuple[int, ...]
    slot_id: int | None
    deadline_at: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One call of a lane: what it was for, and when it was begun."""

    step: str
    opened_at: Millis

    @property
    def is_create(self) -> bool:
        """Whether it was for new people."""
        return self.step == Step.CREATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """How one call of a lane ended, if it has."""

    number: int
    epoch: int
    status: str
    http_status: int | None
    deadline_at: Millis
    settled_at: Millis | None


def open_batch(
    tx: Transaction,
    *,
    lane_id: int,
    epoch: int,
    step: str,
    operation_ids: Sequence[int],
    method: str,
    path: str,
    request: Mapping[str, object],
    quota_name: str,
    klass: str,
    deadline_ms: int,
) -> OpenBatch:
    """Write slot, batch and `sending` in the caller's one transaction, before the call goes out.

    Raises:
        Overtaken: an operation no longer waits; the caller's transaction must be undone.
    """
    deadline_at = tx.now + deadline_ms
    slot_id = quota.take(tx, quota=quota_name, klass=klass, deadline_at=deadline_at)
    number = _next_number(tx, lane_id)
    row = {
        "lane_id": lane_id,
        "number": number,
        "epoch": epoch,
        "step": step,
        "method": method,
        "path": path,
        "request": compact_json(request),
        "status": "open",
        "slot_id": slot_id,
        "deadline_at": deadline_at,
        "settled_at": None,
    }
    return OpenBatch(
        id=_insert(tx, row, operation_ids),
        number=number,
        epoch=epoch,
        step=step,
        operation_ids=tuple(operation_ids),
        slot_id=slot_id,
        deadline_at=deadline_at,
    )


def record_dry_run(
    tx: Transaction,
    *,
    lane_id: int,
    epoch: int,
    step: str,
    operation_ids: Sequence[int],
    method: str,
    path: str,
    request: Mapping[str, object],
) -> int:
    """Write a call that would have been made, and `sending`; returns its id. It takes no slot, and is settled already.

    Raises:
        Overtaken: as `open_batch`.
    """
    row = {
        "lane_id": lane_id,
        "number": _next_number(tx, lane_id),
        "epoch": epoch,
        "step": step,
        "method": method,
        "path": path,
        "request": compact_json(request),
        "status": DRY_RUN,
        "slot_id": None,
        "deadline_at": tx.now,
        "settled_at": tx.now,
    }
    return _insert(tx, row, operation_ids)


def _insert(tx: Transaction, row: Mapping[str, object], operation_ids: Sequence[int]) -> int:
    whole = {
        **row,
        "tenant": tx.tenant,
        "items": json.dumps(list(operation_ids)),
        "answer": None,
        "http_status": None,
        "late": 0,
        "opened_at": tx.now,
    }
    statement = sa.insert(batch).values(seals.sealed_row(batch, whole)).returning(batch.c.id)
    batch_id = int(tx.connection.execute(statement).scalar_one())
    _mark_sending(tx, batch_id, operation_ids)
    return batch_id


def _next_number(tx: Transaction, lane_id: int) -> int:
    """Return the lane's next batch number; batches are numbered without a gap, so that a missing one shows."""
    return int(
        tx.connection.execute(
            sa.update(tables.lane)
            .where(tables.lane.c.id == lane_id)
            .values(batches=tables.lane.c.batches + 1)
            .returning(tables.lane.c.batches)
        ).scalar_one()
    )


def _mark_sending(tx: Transaction, batch_id: int, operation_ids: Sequence[int]) -> None:
    sent = outbox.move(tx, operation_ids, before=State.WAITING, values={"state": State.SENDING.value})
    if len(sent) != len(set(operation_ids)):
        raise Overtaken
    ledger.append_alike(
        tx, operation_ids, outcome=State.SENDING.value, code="ok", detail="", batch_id=batch_id, who="bridge"
    )


def close_batch(
    tx: Transaction,
    batch_id: int,
    *,
    status: str,
    answer: Mapping[str, object],
    http_status: int | None,
    answered_at: Millis | None,
) -> None:
    """Settle a batch as finished or failed; `answered_at` is None when no answer came (the slot keeps its deadline)."""
    values = {
        "status": status,
        "answer": compact_json(answer),
        "http_status": http_status,
        "settled_at": tx.now,
    }
    slot_id = _CLOSE.rows(tx, batch_id=batch_id, **{f"new_{name}": value for name, value in values.items()})[0].slot_id
    if answered_at is not None and slot_id is not None:
        quota.answered(tx, slot_id, answered_at)


def _close(dialect: str) -> sa.Executable:
    columns = ("status", "answer", "http_status", "settled_at")
    values = {name: sa.bindparam(f"new_{name}", type_=batch.c[name].type) for name in columns}
    return (
        sa.update(batch)
        .where(batch.c.id == prepared.number("batch_id"))
        .values(seals.sealed(batch, values, dialect=dialect))
        .returning(batch.c.slot_id)
    )


_CLOSE = Prepared(_close)


def mark_late(tx: Transaction, batch_id: int) -> list[int]:
    """Note that a batch was answered after its worker had lost the lane; returns the operations that it held."""
    items = tx.connection.execute(
        sa.update(batch)
        .where(batch.c.id == batch_id)
        .values(seals.sealed(batch, {"late": 1}, dialect=tx.dialect))
        .returning(batch.c["items"])
    ).scalar_one()
    return [int(item) for item in json.loads(items)]


def sent(tx: Transaction, lane_id: int) -> list[Sent]:
    """Return every call of a lane, in the order in which they were begun."""
    query = sa.select(batch.c.step, batch.c.opened_at).where(batch.c.lane_id == lane_id).order_by(batch.c.number)
    return [Sent(**row) for row in tx.connection.execute(query).mappings()]


def of_step_since(tx: Transaction, lane_id: int, step: str, *, number: int) -> list[Made]:
    """Return a lane's calls of one step with numbers above one, the latest first."""
    query = (
        sa.select(batch.c.number, batch.c.epoch, batch.c.status, batch.c.http_status, batch.c.deadline_at)
        .add_columns(batch.c.settled_at)
        .where(batch.c.lane_id == lane_id, batch.c.number > number, batch.c.step == step)
        .order_by(batch.c.number.desc())
    )
    return [Made(**row) for row in tx.connection.execute(query).mappings()]


def answered_in_a_row(tx: Transaction, lane_id: int, http_status: int, *, most: int) -> int:
    """Return how many of a lane's last settled calls, up to `most`, were all answered with one status."""
    query = (
        sa.select(batch.c.http_status)
        .where(batch.c.lane_id == lane_id, batch.c.settled_at.is_not(None))
        .order_by(batch.c.number.desc())
        .limit(most)
    )
    answers = tx.connection.execute(query).scalars()
    return len(list(itertools.takewhile(lambda answer: answer == http_status, answers)))


def open_before(tx: Transaction, lane_id: int, *, epoch: int) -> list[OpenBatch]:
    """Return a lane's open batches of older epochs: calls that a dead or late worker left behind."""
    query = (
        sa.select(batch)
        .where(batch.c.lane_id == lane_id, batch.c.status == sa.text("'open'"), batch.c.epoch < epoch)
        .order_by(batch.c.id)
    )
    return [
        OpenBatch(
            id=row["id"],
            number=row["number"],
            epoch=row["epoch"],
            step=row["step"],
            operation_ids=tuple(json.loads(row["items"])),
            slot_id=row["slot_id"],
            deadline_at=row["deadline_at"],
        )
        for row in tx.connection.execute(query).mappings()
    ]
