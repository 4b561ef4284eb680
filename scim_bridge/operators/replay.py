"""Putting dead operations back after the cause was mended."""

import contextlib
import functools
import getpass
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from scim_bridge.dispatch import Dispatcher
from scim_bridge.domain.instants import Millis
from scim_bridge.operators import failed, replay_plans
from scim_bridge.store import audits, plan_items, plans
from scim_bridge.store.engine import Contended, Store
from scim_bridge.store.plans import Fate
from scim_bridge.store.reports import Chosen

_Result = TypeVar("_Result")

PEOPLE_A_TRANSACTION = 1_000
"""So that a replay of many people never keeps senders waiting for long; a whole number of calls of every size."""

TRIES = 10
"""A transaction that was undone because it was in somebody's way is tried so often in all."""


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

    What is sent is what the directory says now, so a replay never undoes something newer. Of each tenant it is a plan
    that is approved as it is made; a run that is broken off is ended by the relay, and may simply be run again.

    Raises:
        UsageError: no such code or class.
        Contended: others were in the way again and again; the relay goes on with what was begun.
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
        found = plans.count_dead(tx, chosen)
    result: dict[str, Any] = {"operations": sum(found.values()), "waiting": 0, "superseded": 0, "runs": []}
    result["dry_run"] = dry_run
    if dry_run:
        return result
    asked = replay_plans.asked_for(
        target=target, code=code, klass=klass, since=since, until=until, by_user=user is not None
    )
    for name in found:
        with store.begin(name) as tx:
            number = plans.make(tx, chosen, who=who, asked=asked, is_approved=True)
            if number is not None:
                audits.append(tx, who=who, what="replay run", after={"replay": number, "filter": asked})
        if number is not None:
            _put_back(store, dispatcher, name, number, result)
    return result


def _put_back(store: Store, dispatcher: Dispatcher, tenant: str, number: int, result: dict[str, Any]) -> None:
    """Work off a replay here and now. A relay that finds it lends a hand, and ends it should this be broken off."""
    while True:
        with store.begin(tenant, write=False) as tx:
            turn = plan_items.next_people(tx, number, most=PEOPLE_A_TRANSACTION)
        if turn is None:
            break
        wakes = _tried(functools.partial(_put_portion_back, store, tenant, number, turn))
        for target, urgent in wakes.items():
            dispatcher.wake(tenant, target, urgent=urgent)
    operations, waiting = _tried(functools.partial(_ended, store, tenant, number))
    result["waiting"] += waiting
    result["superseded"] += operations - waiting
    result["runs"].append(number)


def _put_portion_back(store: Store, tenant: str, number: int, turn: tuple[int, list[int]]) -> Mapping[str, bool]:
    with store.begin(tenant) as tx:
        return plan_items.put_back(tx, number, *turn).wakes


def _ended(store: Store, tenant: str, number: int) -> tuple[int, int]:
    """End a replay that has nobody left; return how many operations it moved, and how many of them wait again."""
    with store.begin(tenant) as tx:
        plan_items.finish(tx, number)
        ended, fates = plans.fetch(tx, number), plan_items.fates(tx, number)
    return 0 if ended is None else ended.operations, fates.get(Fate.PUT_BACK, 0)


def _tried(work: Callable[[], _Result]) -> _Result:
    """Return what a transaction gives, beginning it again when it was in somebody's way."""
    for _ in range(TRIES - 1):
        with contextlib.suppress(Contended):
            return work()
    return work()
