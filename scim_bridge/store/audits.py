"""The audit: which operator decided what, when and why. Append-only; holds ids and reasons, no personal data."""

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from scim_bridge.domain.instants import Millis
from scim_bridge.store import tables
from scim_bridge.store.engine import Transaction, compact_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which entries are meant; what is None does not choose."""

    tenant: str | None = None
    who: str | None = None
    what: str | None = None
    """A command, or its first words: "token" is any of its commands."""
    since: Millis | None = None
    until: Millis | None = None


def append(
    tx: Transaction, *, who: str, what: str, after: Mapping[str, Any], before: Mapping[str, Any] | None = None
) -> None:
    """Record that `who` did `what` (a command's name), how things stood before, and what was decided.

    It gets its place in the chain later (see audit_chain), so that whoever decides waits for nobody.
    """
    row = {
        "tenant": tx.tenant,
        "who": who,
        "what": what,
        "before": compact_json(before) if before else "",
        "after": compact_json(after),
        "at": tx.now,
    }
    tx.connection.execute(sa.insert(tables.audit).values(row))


def page(tx: Transaction, chosen: Chosen, *, after: int | None = None, limit: int) -> Sequence[Mapping[str, Any]]:
    """Return the newest entries that are chosen; with `after`, those older than the one of that id."""
    audit = tables.audit.c
    conditions: list[Any] = []
    tenant = tx.tenant if tx.tenant is not None else chosen.tenant
    if tenant is not None:
        conditions.append(audit.tenant == tenant)
    if chosen.who is not None:
        conditions.append(audit.who == chosen.who)
    if chosen.what is not None:
        conditions.append(sa.or_(audit.what == chosen.what, audit.what.startswith(f"{chosen.what} ", autoescape=True)))
    if chosen.since is not None:
        conditions.append(audit.at >= chosen.since)
    if chosen.until is not None:
        conditions.append(audit.at < chosen.until)
    if after:
        conditions.append(audit.id < after)
    query = sa.select(tables.audit).where(*conditions).order_by(audit.id.desc()).limit(limit)
    return [dict(row) for row in tx.connection.execute(query).mappings()]


def newest(tx: Transaction, whats: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return what was decided last, by what it was about; nothing for what the audit does not know."""
    audit = tables.audit.c
    last = (
        sa.select(sa.func.max(audit.id))
        .where(audit.tenant == tx.tenant, audit.what.in_(sa.bindparam("whats", expanding=True)))
        .group_by(audit.what)
    )
    rows = tx.connection.execute(sa.select(audit.what, audit.after).where(audit.id.in_(last)), {"whats": sorted(whats)})
    found = {}
    for row in rows:
        # What somebody altered by hand keeps no process from starting: it is said anew.
        with contextlib.suppress(ValueError):
            found[row.what] = json.loads(row.after)
    return found
