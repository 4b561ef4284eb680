"""What operators ask of the audit: who did what and when, and whether anybody has changed what it says."""

import json
from collections.abc import Mapping
from typing import Any

from scim_bridge.domain.instants import Millis, to_iso
from scim_bridge.errors import UsageError
from scim_bridge.operators import existing
from scim_bridge.settings.models import Settings
from scim_bridge.store import audit_chain, audit_proof, audits
from scim_bridge.store.audit_chain import Head
from scim_bridge.store.engine import Store, Unreadable

MOST = 500
"""Entries of one page."""

DOES_NOT_FIT = (
    "The audit does not fit; whoever runs the service sees at the command line why: scim-bridge audit verify."
)
"""What a token is told in place of the faults."""


def list_entries(
    store: Store,
    settings: Settings,
    *,
    tenant: str | None = None,
    who: str | None = None,
    what: str | None = None,
    since: Millis | None = None,
    until: Millis | None = None,
    after: int | None = None,
    limit: int = 50,
) -> dict[str, Any]:
    """Return a page of entries, the newest in front, and the id behind which the next page begins.

    `what` is a command, or its first words: "token" is any of its commands.

    Raises:
        UsageError: no such tenant, times that leave nothing between them, a limit that is none.
    """
    existing.check(store, settings, tenant=tenant)
    if since is not None and until is not None and since >= until:
        raise UsageError(f"nothing is since {to_iso(since)} but before {to_iso(until)}; exchange them")
    if not 1 <= limit <= MOST:
        raise UsageError(f"a page has 1 to {MOST} entries")
    for name, text in (("who", who), ("what", what)):
        if text is not None and not text.isprintable():
            raise UsageError(f"{name} must be printable text")
    chosen = audits.Chosen(tenant=tenant, who=who, what=what, since=since, until=until)
    door = store.across_tenants("list the audit") if tenant is None else store.begin(tenant, write=False)
    with door as tx:
        found = audits.page(tx, chosen, after=after, limit=limit + 1)
    return {
        "items": [_shown(row) for row in found[:limit]],
        "next": found[limit - 1]["id"] if len(found) > limit else None,
    }


def verify(store: Store, *, expect: str | None = None) -> dict[str, Any]:
    """Recompute the chain of all tenants' entries and return what was found; `expect` is a head as logs write it.

    Raises:
        UsageError: `expect` is no head.
    """
    expected = None if expect is None else _head(expect)
    try:
        with store.across_tenants("verify the audit", snapshot=True) as tx:
            proof = audit_proof.prove(tx, expected=expected)
    except Unreadable:
        proof = audit_proof.unreadable()
    return {
        "verified": not proof.faults,
        "entries": proof.entries,
        "head": str(proof.head),
        "cut": str(proof.cut) if proof.cut.number else None,
        "expected": expect,
        "waiting": proof.waiting,
        "waiting_since": None if proof.waiting_since is None else to_iso(proof.waiting_since),
        "faults": list(proof.faults),
    }


def verify_for_token(store: Store, *, expect: str | None = None) -> dict[str, Any]:
    """Verify as `verify` does, and return what the admin of one tenant may know of a chain that all tenants share.

    What does not fit, and how many entries there are, is told at the command line only; the head is there to be noted.

    Raises:
        UsageError: `expect` is no head.
    """
    found = verify(store, expect=expect)
    told = {name: found[name] for name in ("verified", "expected", "head")}
    return {**told, "fault": None if found["verified"] else DOES_NOT_FIT}


def _head(text: str) -> Head:
    head = audit_chain.parse_head(text)
    if head is None:
        raise UsageError(
            "the expected head must be NUMBER:LINK, as audit verify prints it and the relay logs it (event audit_head)"
        )
    return head


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "number": row["number"],
        "tenant": row["tenant"],
        "at": to_iso(row["at"]),
        "who": row["who"],
        "what": row["what"],
        "before": _read(row["before"]),
        "after": _read(row["after"]),
        "link": row["link"],
    }


def _read(text: str) -> Any:
    """Return what an entry says; of one that was altered by hand, the text."""
    try:
        return json.loads(text) if text else None
    except ValueError:
        return text
