"""Putting dead operations back after the cause was mended."""

import getpass
import os
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain.instants import Millis
from scim_bridge.operators import failed
from scim_bridge.store import replays, reports
from scim_bridge.store.engine import Store
from scim_bridge.store.reports import Chosen

PEOPLE_A_TRANSACTION = 500
"""So that a replay of many people never keeps senders waiting for long."""


def operator_name() -> str:
    """Return who is at the keyboard, as the books name them: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a number that has no name.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def run(
    store: Store,
    dispatcher: Dispatcher,
    *,
    who: str,
    tenant: str | None = None,
    target: str | None = None,
    code: str | None = None,
    klass: str | None = None,
    since: Millis | None = None,
    until: Millis | None = None,
    user: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Have the chosen dead operations tried again and return how many; with `dry_run`, how many there are.

    What is sent is what the directory says now, so a replay never undoes something newer. A run that is broken off
    has put back whole people, and may simply be run again.

    Raises:
        UsageError: no such code or class.
    """
    codes = failed.codes_of(code, klass)
    with store.across_tenants("find what is to be replayed") as tx:
        chosen = Chosen(
            tenant=tenant,
            target=target,
            codes=codes,
            since=since,
            until=until,
            resource_ids=failed.people_named(tx, user),
        )
        found = reports.dead(tx, chosen)
    result: dict[str, Any] = {"operations": len(found), "waiting": 0, "superseded": 0, "runs": [], "dry_run": dry_run}
    if dry_run:
        return result
    by_tenant: dict[str, list[Mapping[str, Any]]] = {}
    for row in found:
        by_tenant.setdefault(row["tenant"], []).append(row)
    asked = {"target": target, "code": code, "class": klass, "since": since, "until": until, "by_user": bool(user)}
    for name, rows in by_tenant.items():
        _replay_tenant(store, dispatcher, name, rows, who=who, asked=asked, result=result)
    return result


def _replay_tenant(
    store: Store,
    dispatcher: Dispatcher,
    tenant: str,
    rows: Iterable[Mapping[str, Any]],
    *,
    who: str,
    asked: Mapping[str, Any],
    result: dict[str, Any],
) -> None:
    pairs = list(dict.fromkeys((row["lane_id"], row["resource_id"]) for row in rows))
    moved = 0
    for start in range(0, len(pairs), PEOPLE_A_TRANSACTION):
        with store.begin(tenant) as tx:
            replayed = replays.put_back(tx, pairs[start : start + PEOPLE_A_TRANSACTION], who=who)
        moved += len(replayed.waiting) + len(replayed.superseded)
        result["waiting"] += len(replayed.waiting)
        result["superseded"] += len(replayed.superseded)
        for target, urgent in replayed.wakes.items():
            dispatcher.wake(tenant, target, urgent=urgent)
    with store.begin(tenant) as tx:
        result["runs"].append(replays.note_run(tx, who=who, chosen=asked, operations=moved))
