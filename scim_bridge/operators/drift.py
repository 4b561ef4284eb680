"""Errands to a target, and what they found: how its accounts differ from the directory, what it says it can do."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain import texts
from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.errors import NotThere, UsageError
from scim_bridge.store import audits, errands, histories, lanes
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.errands import PROBE, RECONCILE, Errand

PAGE = 50
MOST_OF_A_PAGE = 500
CSV_PAGE = 2_000
MOST_CALLS = 1_000_000

DRIFTS = ("missing", "differing", "extra", "unclear", "held")
"""Kinds of rows that reconciling finds."""

_COLUMNS = ("drift", "user", "id", "account", "parts")

_COMMANDS = {RECONCILE: "reconcile", PROBE: "target probe"}
"""What the audit calls each kind."""


def check(*, kind: str, repair: bool, extra: bool, max_calls: int | None) -> None:
    """Raise UsageError where an errand of this kind cannot be asked like this.

    `extra` adds nothing to `repair`: an account that a link of ours names is found by its link and, where its person
    has left, closed by `repair` alone, for no leaver waits for a further word; one that no link names is never touched.
    """
    if kind not in errands.KINDS:
        raise UsageError(f"there is no errand of kind {kind}; there are {', '.join(errands.KINDS)}")
    if kind == PROBE and (repair or max_calls is not None):
        raise UsageError("a probe repairs nothing, and is one call: leave --repair and --max-calls out")
    if extra and not repair:
        raise UsageError("--extra goes with --repair: without it nothing is changed at all")
    if max_calls is not None and not 1 <= max_calls <= MOST_CALLS:
        raise UsageError(f"--max-calls is a number from 1 to {MOST_CALLS}")


def ask(
    store: Store,
    dispatcher: Dispatcher,
    *,
    tenant: str,
    target: str,
    who: str,
    kind: str = RECONCILE,
    repair: bool = False,
    extra: bool = False,
    max_calls: int | None = None,
) -> dict[str, Any]:
    """Ask for something of a target; returns the errand that will hold the answer.

    One of a kind is open at a time: while one is, it is returned, whatever else was asked for (`is_new` False).

    Raises:
        UsageError: it cannot be asked like this.
        NotThere: the tenant has no such target.
    """
    check(kind=kind, repair=repair, extra=extra, max_calls=max_calls)
    asked = {} if kind == PROBE else {"repair": repair, "max_calls": max_calls}
    with store.begin(tenant) as tx:
        if target not in {name for _, name in lanes.configured_targets(tx)}:
            raise NotThere(f"the tenant {tenant} has no target {target}")
        errand, is_new = errands.ask(tx, target=target, kind=kind, who=who, asked=asked)
        if is_new:
            after = {"target": target, "errand": errand.id, **asked}
            audits.append(tx, who=who, what=_COMMANDS[kind], after=after)
    if is_new:
        dispatcher.wake_errand(tenant, errand.id)
    return {"errand": errand.id, "status": errand.status, "is_new": is_new, **errand.asked}


def show(store: Store, *, tenant: str, number: int) -> dict[str, Any]:
    """Return where an errand stands and, once it is done, the figures that it brought back.

    Raises:
        NotThere: the tenant has no such errand.
    """
    with store.begin(tenant, write=False) as tx:
        return _shown(_errand(tx, number))


def listed(
    store: Store,
    *,
    tenant: str,
    target: str | None = None,
    kind: str | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> dict[str, Any]:
    """Return a page of errands, newest first; `next` is the `after` of the next page, None at the end."""
    size = _page(limit)
    with store.begin(tenant, write=False) as tx:
        found = errands.listed(tx, target=target, kind=kind, after=after, limit=size + 1)
    items = [_shown(each) for each in found[:size]]
    return {"items": items, "next": items[-1]["errand"] if len(found) > size else None}


def rows(
    store: Store,
    *,
    tenant: str,
    number: int,
    kind: str | None = None,
    after: int | None = None,
    limit: int = PAGE,
) -> dict[str, Any]:
    """Return a page of what an errand found: whose account differs, and in which parts.

    Raises:
        NotThere: the tenant has no such errand.
        UsageError: no row is of that kind.
    """
    if kind is not None and kind not in DRIFTS:
        raise UsageError(f"there is no drift {kind}; there are {', '.join(DRIFTS)}")
    size = _page(limit)
    with store.begin(tenant, write=False) as tx:
        _errand(tx, number)
        found = errands.rows(tx, number, kind=kind, after=after, limit=size + 1)
    items = [_row(each) for each in found[:size]]
    return {"items": items, "next": items[-1]["row"] if len(found) > size else None}


def as_csv(store: Store, *, tenant: str, number: int) -> Iterator[str]:
    """Return what an errand found as a CSV file, piece by piece: no transaction is open between two pieces.

    Raises:
        NotThere: the tenant has no such errand.
    """
    with store.begin(tenant, write=False) as tx:
        _errand(tx, number)
    return _pieces(store, tenant=tenant, number=number)


def _pieces(store: Store, *, tenant: str, number: int) -> Iterator[str]:
    after: int | None = None
    yield _csv([_COLUMNS])
    while True:
        with store.begin(tenant, write=False) as tx:
            found = errands.rows(tx, number, after=after, limit=CSV_PAGE)
        if not found:
            return
        after = found[-1]["position"]
        lines = [_row(each) for each in found]
        yield _csv([[_cell(line[name]) for name in _COLUMNS] for line in lines])


def _csv(lines: Any) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(lines)
    return written.getvalue()


def _cell(value: Any) -> str:
    text = ", ".join(value) if isinstance(value, list) else str(value or "")
    return texts.as_cell(text)


def _page(limit: int) -> int:
    return min(max(1, limit), MOST_OF_A_PAGE)


def _errand(tx: Transaction, number: int) -> Errand:
    found = errands.get(tx, number)
    if found is None:
        raise NotThere(f"the tenant {tx.tenant} has no errand {number}")
    return found


def _shown(errand: Errand) -> dict[str, Any]:
    return {
        "errand": errand.id,
        "tenant": errand.tenant,
        "target": errand.target,
        "kind": errand.kind,
        "who": errand.who,
        "repair": bool(errand.asked.get("repair")),
        "max_calls": errand.asked.get("max_calls"),
        "status": errand.status,
        "reason": errand.reason,
        "asked_at": to_iso(errand.at),
        "began_at": _iso(errand.began_at),
        "ended_at": _iso(errand.ended_at),
        "found": dict(errand.answer) if errand.status == errands.DONE else None,
    }


def _row(line: Mapping[str, Any]) -> dict[str, Any]:
    document = line["document"]
    return {
        "row": line["position"],
        "drift": line["kind"],
        "id": line["scim_id"],
        "user": None if document is None else histories.label_of(histories.document_of(document)) or None,
        "account": line["account_id"],
        "parts": line["detail"],
    }


def _iso(at: Millis | None) -> str | None:
    return None if at is None else to_iso(at)
