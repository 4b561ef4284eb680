"""The chain of the audit: each committed entry has a number, and a digest of itself and of all entries before it.

Whoever decides something appends an entry and waits for nobody. Its place in the chain is given afterwards, to what is
committed by then, by one writer at a time: whoever holds the row of `audit_head`.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import sets, tables
from scim_bridge.store.engine import Transaction

AT_A_TIME = 1_000
"""Entries that are given a place, or let go, in one transaction."""

COVERED = ("id", "tenant", "who", "what", "before", "after", "at", "number")
"""The columns that a link covers: all but the link."""

_HEAD = re.compile(r"0:|[1-9][0-9]{0,17}:[0-9a-f]{64}")

audit, audit_head = tables.audit, tables.audit_head


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The place of an entry in the chain: whoever knows one can tell whether all up to it is still as it was."""

    number: int
    link: str

    def __str__(self) -> str:
        """Return it as logs and commands write it; of a chain without entries, 0 and nothing."""
        return f"{self.number}:{self.link}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Where the chain ends, and where retention has cut it: what is left begins behind that."""

    head: Head
    cut: Head
    logged_at: Millis


def parse_head(text: str) -> Head | None:
    """Return the head that a text like 41:9f86d0... names, None when it names none."""
    if _HEAD.fullmatch(text) is None:
        return None
    number, _, link = text.partition(":")
    return Head(number=int(number), link=link)


def link_of(previous: str, row: Mapping[str, Any]) -> str:
    """Return the link of an entry that stands behind the one with the link `previous`."""
    # What somebody put there by hand may be nothing that JSON knows.
    told = json.dumps({name: row[name] for name in COVERED}, sort_keys=True, separators=(",", ":"), default=repr)
    return hashlib.sha256(f"{previous}{told}".encode()).hexdigest()


def ends(tx: Transaction) -> Ends | None:
    """Return where the chain ends; None when somebody has removed what says so."""
    return _ends(tx, sa.select(audit_head).where(audit_head.c.id == 1))


def is_waiting(tx: Transaction) -> bool:
    """Tell whether any entry has no place yet."""
    return tx.connection.execute(sa.select(audit.c.id).where(audit.c.number.is_(None)).limit(1)).first() is not None


def give_places(tx: Transaction) -> int:
    """Give the first entries without a place theirs, and return how many these were: AT_A_TIME, or all."""
    here = _locked(tx)
    query = sa.select(audit).where(audit.c.number.is_(None)).order_by(audit.c.id).limit(AT_A_TIME)
    rows = tx.connection.execute(query).mappings().all()
    if here is None or not rows:
        return 0
    number, link, placed = here.head.number, here.head.link, list[tuple[int, int, str]]()
    for row in rows:
        number += 1
        link = link_of(link, {**row, "number": number})
        placed.append((row["id"], number, link))
    columns = {"id": sa.BigInteger, "number": sa.BigInteger, "link": sa.Text}
    given = sets.rows_in(sa.literal(sets.packed(placed), sa.Text), columns, dialect=tx.dialect, name="placed")
    named = sa.update(audit).where(audit.c.id == given.c.id)
    if tx.dialect == "postgresql":
        # Row-level security lets it use no index for numbers out of JSON; this one's holds hardly anything. SQLite,
        # which looks each entry up by its key, would walk through all of that index for each.
        named = named.where(audit.c.number.is_(None))
    tx.connection.execute(named.values(number=given.c.number, link=given.c.link))
    _note(tx, number=number, link=link)
    return len(placed)


def log_due(tx: Transaction, *, every_ms: Millis) -> Head | None:
    """Return the head when it was not logged for so long, and note that it is now; None: not yet, or none there."""
    row = tx.connection.execute(
        sa.update(audit_head)
        .where(audit_head.c.id == 1, audit_head.c.number > 0, audit_head.c.logged_at <= tx.now - every_ms)
        .values(logged_at=tx.now)
        .returning(audit_head.c.number, audit_head.c.link)
    ).one_or_none()
    return None if row is None else Head(number=row.number, link=row.link)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What retention did: where the chain begins now, how many entries went, and whether there may be more to let go.

    `is_sound` is False where the old entries do not fit their links: then they stay, for they are evidence.
    """

    at: Head
    entries: int
    is_sound: bool = True

    @property
    def may_be_more(self) -> bool:
        """Tell whether there may be more that is old enough."""
        return self.is_sound and self.entries == AT_A_TIME


def cut(tx: Transaction, *, before: Millis) -> Cut | None:
    """Remove the oldest entries that have a place, up to the first one that is not so old; None: there are none."""
    here = _locked(tx)
    if here is None:
        return None
    has_place = sa.and_(audit.c.number > here.cut.number, audit.c.number <= here.head.number)
    query = sa.select(audit).where(has_place).order_by(audit.c.number).limit(AT_A_TIME)
    last, entries = here.cut, 0
    for row in map(dict, tx.connection.execute(query).mappings()):
        if row["at"] >= before:
            break
        if row["number"] != last.number + 1 or row["link"] != link_of(last.link, row):
            return Cut(at=here.cut, entries=0, is_sound=False)
        last, entries = Head(number=row["number"], link=row["link"]), entries + 1
    if not entries:
        return None
    tx.connection.execute(sa.delete(audit).where(has_place, audit.c.number <= last.number))
    _note(tx, cut_number=last.number, cut_link=last.link)
    return Cut(at=last, entries=entries)


def take_turns(tx: Transaction) -> None:
    """Make transactions that act by what the audit says last follow one another; on SQLite all writers do."""
    _locked(tx)


def _locked(tx: Transaction) -> Ends | None:
    query = sa.select(audit_head).where(audit_head.c.id == 1)
    return _ends(tx, query.with_for_update() if tx.dialect == "postgresql" else query)


def _ends(tx: Transaction, query: Any) -> Ends | None:
    row = tx.connection.execute(query).one_or_none()
    if row is None:
        return None
    return Ends(
        head=Head(number=row.number, link=row.link),
        cut=Head(number=row.cut_number, link=row.cut_link),
        logged_at=row.logged_at,
    )


def _note(tx: Transaction, **values: Any) -> None:
    tx.connection.execute(sa.update(audit_head).where(audit_head.c.id == 1).values(values))
