"""The answer to the first request with an Idempotency-Key, so that whoever asks again is answered the same.

A request claims its key before it does anything, keeps its answer in the transaction of its change, and gives it.
A key whose request died is taken over later: had it changed anything, its answer would be there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from scim_bridge.domain.instants import Millis
from scim_bridge.store import tables
from scim_bridge.store.engine import Transaction, compact_json

KEPT_MS = 86_400_000
"""A first answer is given again for this long."""

GIVEN_UP_MS = 60_000
"""A request of which nothing was heard for this long has died, and whoever asks again takes its key over."""

AT_A_TIME = 500

first_answer = tables.first_answer
_GIVEN = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyed:
    """A request with an Idempotency-Key: who sent it and to where, and the digests of its key and of its body."""

    token_id: str
    route: str
    key: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstAnswer:
    """What a request was answered."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Claimed:
    """This request is the first with its key, and must keep an answer or release the key. `owner` is its own name."""

    owner: str


@dataclass(frozen=True, slots=True)
class Running:
    """The first request with this key is not answered yet."""


@dataclass(frozen=True, slots=True)
class Differs:
    """The key was used for another body."""


class ClaimLost(Exception):  # noqa: N818 - a fact about the claim
    """Another request has taken this one's key over; whatever this one did must be undone."""


def claim(tx: Transaction, keyed: Keyed, *, owner: str) -> Claimed | FirstAnswer | Running | Differs:
    """Take a key for a request, or return what became of the first request with it. `owner` is unique to the request.

    Commit before the request does anything else, so that others see that it runs.
    """
    insert = postgresql.insert if tx.dialect == "postgresql" else sqlite.insert
    row_of_ours = {**_identity(tx, keyed), "body": keyed.body, "owner": owner, "started_at": tx.now}
    statement = insert(first_answer).values(row_of_ours).on_conflict_do_nothing().returning(first_answer.c.owner)
    if tx.connection.execute(statement).first() is not None:
        return Claimed(owner)
    found = tx.connection.execute(sa.select(first_answer).where(*_is(tx, keyed))).mappings().one_or_none()
    if found is None:
        # It was released between the two statements; asking again will do.
        return Running()
    row = dict(found)
    age = tx.now - row["started_at"]
    if age >= KEPT_MS:
        return _take_over(tx, keyed, row, owner=owner)
    if row["body"] != keyed.body:
        return Differs()
    if row["status"] is not None and (row["owner"] == _GIVEN or age >= GIVEN_UP_MS):
        return _answer_of(row)
    if row["status"] is None and age >= GIVEN_UP_MS:
        return _take_over(tx, keyed, row, owner=owner)
    return Running()


def keep(tx: Transaction, keyed: Keyed, claimed: Claimed, answer: FirstAnswer, *, is_given: bool = True) -> None:
    """Keep the answer of a request. Not given: the sender still waits, and so does whoever asks again.

    Raises:
        ClaimLost: the key is another request's now; the caller's transaction must be undone.
    """
    kept = tx.connection.execute(
        sa.update(first_answer)
        .where(*_is(tx, keyed), first_answer.c.owner == claimed.owner)
        .values(
            status=answer.status,
            headers=compact_json(answer.headers),
            answer=answer.body,
            owner=_GIVEN if is_given else claimed.owner,
        )
    )
    if kept.rowcount != 1:
        raise ClaimLost


def renew(tx: Transaction, keyed: Keyed, claimed: Claimed) -> None:
    """Note in a transaction of a request's that the request still lives, so that its key is not taken over.

    Raises:
        ClaimLost: it was; the caller's transaction must be undone.
    """
    renewed = tx.connection.execute(
        sa.update(first_answer)
        .where(*_is(tx, keyed), first_answer.c.owner == claimed.owner, first_answer.c.status.is_(None))
        .values(started_at=tx.now)
    )
    if renewed.rowcount != 1:
        raise ClaimLost


def release(tx: Transaction, keyed: Keyed, claimed: Claimed) -> None:
    """Give a key back that no answer was kept for, so that the same request can be tried again at once."""
    tx.connection.execute(
        sa.delete(first_answer).where(
            *_is(tx, keyed), first_answer.c.owner == claimed.owner, first_answer.c.status.is_(None)
        )
    )


def forget(tx: Transaction, *, before: Millis, at_a_time: int = AT_A_TIME) -> bool:
    """Remove some of the answers that are older; True when there may be more of them."""
    started = first_answer.c.started_at
    nth = sa.select(started).where(started < before).order_by(started).offset(at_a_time - 1).limit(1)
    newest: Millis | None = tx.connection.execute(nth).scalar()
    tx.connection.execute(sa.delete(first_answer).where(started < before if newest is None else started <= newest))
    return newest is not None


def _take_over(tx: Transaction, keyed: Keyed, row: Mapping[str, Any], *, owner: str) -> Claimed | Running:
    """Claim a key that nobody is at any more; of several who try, one gets it."""
    taken = tx.connection.execute(
        sa.update(first_answer)
        .where(
            *_is(tx, keyed),
            first_answer.c.owner == row["owner"],
            first_answer.c.started_at == row["started_at"],
            first_answer.c.status.is_(None) if row["status"] is None else first_answer.c.status == row["status"],
        )
        .values(body=keyed.body, owner=owner, status=None, headers=None, answer=None, started_at=tx.now)
    )
    return Claimed(owner) if taken.rowcount == 1 else Running()


def _identity(tx: Transaction, keyed: Keyed) -> dict[str, Any]:
    return {"tenant": tx.tenant, "token_id": keyed.token_id, "route": keyed.route, "key": keyed.key}


def _is(tx: Transaction, keyed: Keyed) -> list[sa.ColumnElement[bool]]:
    return [first_answer.c[name] == value for name, value in _identity(tx, keyed).items()]


def _answer_of(row: Mapping[str, Any]) -> FirstAnswer:
    headers = tuple((str(name), str(value)) for name, value in json.loads(row["headers"]))
    return FirstAnswer(status=row["status"], headers=headers, body=row["answer"])
