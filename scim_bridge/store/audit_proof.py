"""Proves the chain of the audit: recomputes every link, entry by entry, and names the first that does not fit."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.store import tables
from scim_bridge.store.audit_chain import AT_A_TIME, COVERED, Ends, Head, ends, link_of
from scim_bridge.store.engine import Transaction

WAITING_MS = 120_000
"""An entry without a place for longer than this tells that nobody gives places."""

NO_HEAD = Head(number=0, link="")

audit = tables.audit


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was found."""

    entries: int
    """Those that were recomputed and fit."""
    head: Head
    cut: Head
    waiting: int
    """Entries that have no place yet."""
    waiting_since: Millis | None
    faults: tuple[str, ...]


def prove(tx: Transaction, *, expected: Head | None = None) -> Proof:
    """Recompute the whole chain; with `expected`, also prove that it passes through that head.

    A chain that somebody has computed anew from altered entries fits itself: only a head that was noted elsewhere shows
    it. Every statement must see the same instant.
    """
    here = ends(tx)
    waiting, since = _waiting(tx)
    faults = [] if here is not None else ["the row that says where the chain ends is missing: removed"]
    here = here or Ends(head=NO_HEAD, cut=NO_HEAD, logged_at=0)
    walk = _walk(tx, here.cut, expected)
    if walk.fault is not None:
        faults.append(walk.fault)
    elif not faults:
        faults += _compared(here.head, walk.reached)
    if expected is not None:
        faults += _misses(walk, here, expected)
    if since is not None and tx.now - since > WAITING_MS:
        faults.append(f"{_counted(waiting)} no place since {to_iso(since)}; the relay gives them, is one running?")
    return Proof(
        entries=walk.entries,
        head=here.head,
        cut=here.cut,
        waiting=waiting,
        waiting_since=since,
        faults=tuple(faults),
    )


def unreadable() -> Proof:
    """Return what is found where the database itself cannot read an entry, so that nothing can be recomputed."""
    fault = "the database cannot read a text of the audit: altered"
    return Proof(entries=0, head=NO_HEAD, cut=NO_HEAD, waiting=0, waiting_since=None, faults=(fault,))


@dataclass(slots=True, kw_only=True)
class _Walked:
    """How far the chain was followed."""

    reached: Head
    passed: Head | None
    """The head at the expected one's number."""
    entries: int = 0
    fault: str | None = None


def _walk(tx: Transaction, cut: Head, expected: Head | None) -> _Walked:
    walked = _Walked(reached=cut, passed=cut)
    for row in _rows(tx):
        walked.fault = _misfit(tx, walked.reached, row)
        if walked.fault is not None:
            break
        walked.reached = Head(number=row["number"], link=row["link"])
        walked.entries += 1
        if expected is not None and expected.number == row["number"]:
            walked.passed = walked.reached
    return walked


def _misfit(tx: Transaction, before: Head, row: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the entry found behind `before`, None when it belongs there."""
    number, found = before.number + 1, row["number"]
    if found < number:
        return f"entry {found} (id {row['id']}) stands where there is one already, or none any more: added"
    if found == number and row["link"] == link_of(before.link, row):
        return None
    moved = _belonging(tx, before, row)
    if moved is not None:
        place = "without a number" if moved["number"] is None else f"as number {moved['number']}"
        return f"entry {number} (id {moved['id']}) stands {place}: reordered"
    if found > number:
        missing = f"entry {number} is" if found == number + 1 else f"entries {number} to {found - 1} are"
        return f"{missing} missing before entry {found} (id {row['id']}): removed"
    return f"entry {number} (id {row['id']}) does not fit its link: altered, or put in another's place"


def _belonging(tx: Transaction, before: Head, row: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the entry that once stood behind `before`, when it stands somewhere else now."""
    number = before.number + 1
    for each in _rows(tx, beyond=before.number, with_waiting=True):
        if each["number"] == number:
            continue
        for own_id in {each["id"], row["id"]}:
            link = link_of(before.link, {**each, "number": number, "id": own_id})
            if link in {each["link"], row["link"]}:
                return each
    return None


def _compared(head: Head, reached: Head) -> Iterator[str]:
    if reached.number < head.number:
        first = reached.number + 1
        missing = f"entry {first} is" if first == head.number else f"entries {first} to {head.number} are"
        yield f"{missing} missing from the end: removed"
    elif reached.number > head.number:
        yield f"entry {head.number + 1} stands behind the head: added"
    elif reached.link != head.link:
        yield f"the head {head} does not fit entry {reached.number}: altered"


def _misses(walked: _Walked, here: Ends, expected: Head) -> Iterator[str]:
    if expected.number < here.cut.number:
        yield (
            f"the head {expected.number} cannot be proved: retention has cut the chain at {here.cut}; "
            "give a head from then on"
        )
    elif walked.passed is not None and walked.passed.number == expected.number:
        if walked.passed.link != expected.link:
            yield f"the chain does not pass through {expected}: it was written anew, or is another's"
    elif walked.fault is None:
        yield f"the chain ends at {walked.reached.number}, before {expected.number}: entries are missing from its end"
    else:
        yield f"the chain was followed to {walked.reached.number} only, not to {expected.number}"


def _rows(tx: Transaction, *, beyond: int | None = None, with_waiting: bool = False) -> Iterator[Mapping[str, Any]]:
    """Yield the entries with a place in its order, then (if asked for) those without; few in memory at a time."""
    columns = [audit.c[name] for name in (*COVERED, "link")]
    last_number, last_id = -(2**62) if beyond is None else beyond, 2**62
    while True:
        behind = sa.or_(audit.c.number > last_number, sa.and_(audit.c.number == last_number, audit.c.id > last_id))
        query = sa.select(*columns).where(audit.c.number >= last_number, behind)
        rows = tx.connection.execute(query.order_by(audit.c.number, audit.c.id).limit(AT_A_TIME)).mappings().all()
        yield from map(dict, rows)
        if len(rows) < AT_A_TIME:
            break
        last_number, last_id = rows[-1]["number"], rows[-1]["id"]
    if with_waiting:
        waiting = tx.connection.execute(sa.select(*columns).where(audit.c.number.is_(None)))
        yield from map(dict, waiting.mappings())


def _waiting(tx: Transaction) -> tuple[int, Millis | None]:
    row = tx.connection.execute(
        sa.select(sa.func.count().label("entries"), sa.func.min(audit.c.at).label("since")).where(
            audit.c.number.is_(None)
        )
    ).one()
    return row.entries, row.since


def _counted(entries: int) -> str:
    return "1 entry has" if entries == 1 else f"{entries} entries have"
