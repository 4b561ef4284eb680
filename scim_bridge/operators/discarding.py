"""Giving dead operations up: nothing is sent for them any more, and the books say who decided so and why."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from scim_bridge.domain.states import State
from scim_bridge.errors import OutOfDate, UsageError
from scim_bridge.operators import inbox, notes
from scim_bridge.operators.inbox import Filters
from scim_bridge.store import audits, dead_letters, discards
from scim_bridge.store.dead_letters import Place
from scim_bridge.store.engine import Store

PEOPLE_A_TRANSACTION = 500
"""So that giving up many never keeps senders waiting for long."""

MOST_CHARACTERS = 500
"""Of a reason: it stands in the books of each operation."""


def discard(
    store: Store,
    tenant: str | None,
    filters: Filters | None = None,
    *,
    who: str,
    reason: str,
    operations: Collection[int] | None = None,
    expected: int | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Give up the dead operations that filters choose, or that are named, and return how many these are.

    Of those that are named and not dead, `passed` says what became of them; nothing is done to them. A change of the
    person that comes later is sent as ever. `tenant` is None for all tenants. With `dry_run` they are only counted.
    With `expected`, nothing is done unless so many are dead. A run that is broken off has given up whole people, and
    may simply be run again.

    Raises:
        UsageError: neither filters nor operations are given, or both; no such code or class; no good reason.
        NotThere: one of the operations does not exist, or not for this tenant; nothing was done.
        OutOfDate: not as many are dead as were expected; nothing was done.
    """
    words = notes.checked(reason, what="a reason", most=MOST_CHARACTERS)
    if (filters is None) == (operations is None):
        raise UsageError("say what to discard: by filters, or by the numbers of operations")
    if operations is not None:
        places = notes.named(store, tenant, operations)
    else:
        with inbox.door(store, tenant, "find what is to be discarded") as tx:
            places = dead_letters.places_of(tx, dead_letters.ids_of(tx, inbox.chosen_by(tx, filters or Filters())))
    dead = [each for each in places if each.state is State.DEAD]
    passed = [_passed(each) for each in places if each.state is not State.DEAD]
    if expected not in {None, len(dead)}:
        are = "is" if len(dead) == 1 else "are"
        raise OutOfDate(f"{len(dead):,} {are} dead now, not {expected:,} as you were asked about; look again")
    done = len(dead) if dry_run else sum(_give_up(store, each, who=who, reason=words) for each in _slices(dead))
    return {"operations": len(dead), "discarded": 0 if dry_run else done, "passed": passed, "dry_run": dry_run}


def _give_up(store: Store, places: Sequence[Place], *, who: str, reason: str) -> int:
    """Give up some operations of one tenant as far as they are dead still; return how many these were."""
    with store.begin(places[0].tenant) as tx:
        gone = set(discards.give_up(tx, {each.id: each.resource_id for each in places}, who=who, reason=reason))
        by_target: dict[str, list[int]] = {}
        for each in places:
            if each.id in gone:
                by_target.setdefault(each.target, []).append(each.id)
        for target, ids in sorted(by_target.items()):
            after = {"target": target, "operations": sorted(ids), "reason": reason}
            audits.append(tx, who=who, what="failed discard", before={"state": State.DEAD.value}, after=after)
    return len(gone)


def _slices(places: Sequence[Place]) -> Iterator[list[Place]]:
    """Yield places of one tenant at a time, whole people, few enough for a transaction."""
    by_tenant: dict[str, dict[int, list[Place]]] = {}
    for each in places:
        by_tenant.setdefault(each.tenant, {}).setdefault(each.resource_id, []).append(each)
    for people in by_tenant.values():
        numbers = sorted(people)
        for start in range(0, len(numbers), PEOPLE_A_TRANSACTION):
            yield [each for number in numbers[start : start + PEOPLE_A_TRANSACTION] for each in people[number]]


def _passed(place: Place) -> dict[str, Any]:
    return {
        "operation": place.id,
        "state": place.state.value,
        "says": f"operation {place.id} is {place.state.value}, not dead: there is nothing to discard",
    }
