"""Judges a story from outside: the senders' books against what the simulated targets hold, and the ledger."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from scim_bridge.domain import catalogue
from scim_bridge.domain.states import State
from scim_bridge.sandbox.compare import Desired, Difference, DifferenceKind, differences
from scim_bridge.sandbox.stories import bounds
from scim_bridge.sandbox.stories.cast import TRAKSTAR_NAME_LIMIT, Cast
from scim_bridge.sandbox.stories.stage import TARGETS, TENANT
from scim_bridge.sandbox.stories.worlds import World
from scim_bridge.sandbox.targets.holdings import HeldState
from scim_bridge.store import tallies
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

MOST_SINGLES = 60
"""Trakstar calls about one person that the story may cost: each is one of ten in ten seconds."""

NAME_LIMITS: Mapping[str, int | None] = {"trakstar": TRAKSTAR_NAME_LIMIT, "mindtickle": None}

_SINGLE = {
    "updates": ("POST", re.compile(r"/api/v3/user/\d+")),
    "archives": ("POST", re.compile(r"/api/v3/user/\d+/archive")),
    "joins": ("POST", re.compile(r"/api/v3/group/\d+/user/\d+")),
    "leaves": ("DELETE", re.compile(r"/api/v3/group/\d+/user/\d+")),
}

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Somebody whom a target did not take, and why."""

    target: str
    user_name: str
    code: str
    said: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetVerdict:
    """How one target ended."""

    target: str
    accounts: int
    calls: int
    fewest: bounds.Bound
    delivered: int
    unchanged: int
    merged: int
    conflicts: int
    refused_by_limit: int
    most_in_window: int
    slowest_leaver_s: float | None
    differences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """How the story ended; `faults` names whatever is not as it should be."""

    people: int
    changes: Mapping[str, int]
    targets: tuple[TargetVerdict, ...]
    singles: Mapping[str, int]
    failures: tuple[Failure, ...]
    ledger: Mapping[str, Any]
    elapsed_s: float
    faults: tuple[str, ...] = field(default=())

    @property
    def is_good(self) -> bool:
        """Tell whether the story ended as it should."""
        return not self.faults


def judge(
    store: Store,
    worlds: Mapping[str, World],
    cast: Cast,
    desired: list[Desired],
    *,
    elapsed_s: float,
    faults: Iterable[str] = (),
) -> Verdict:
    """Compare what was pushed, what the targets hold and what the books say; `faults` are those known already."""
    for world in worlds.values():
        world.look()
    with store.begin(TENANT, write=False) as tx:
        tally, stuck = tallies.tally(tx), tallies.stuck(tx)
        met = tallies.people_met(tx, "conflict")
        leavers = tallies.slowest_leavers_ms(tx)
    failures = tuple(_failure(each) for each in stuck)
    fewest = {"trakstar": bounds.of_trakstar(cast), "mindtickle": bounds.of_mindtickle(cast)}
    targets = tuple(
        _judge_target(
            worlds[target],
            target,
            desired,
            stuck,
            tally=tally,
            conflicts=met.get(target, 0),
            fewest=fewest[target],
            slowest_ms=leavers.get(target),
        )
        for target in TARGETS
    )
    ledger = verify_ledger(store, TENANT)
    verdict = Verdict(
        people=len(desired),
        changes=dict(tally.changes),
        targets=targets,
        singles=singles_of(worlds["trakstar"].calls),
        failures=failures,
        ledger=ledger,
        elapsed_s=elapsed_s,
    )
    return replace(verdict, faults=(*faults, *_faults(verdict, cast, tally)))


def singles_of(calls: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count the calls to Trakstar that were about one person, by what they did."""
    counted: Counter[str] = Counter()
    for call in calls:
        for name, (method, path) in _SINGLE.items():
            if call["method"] == method and path.fullmatch(call["path"]):
                counted[name] += 1
    return {name: counted[name] for name in _SINGLE}


def most_within(calls: Iterable[Mapping[str, Any]], per_s: float) -> int:
    """Return the largest number of calls that arrived in any stretch of so many seconds."""
    arrivals = sorted(call["arrived_s"] for call in calls)
    most = start = 0
    for place, arrived_s in enumerate(arrivals):
        while arrivals[start] <= arrived_s - per_s:
            start += 1
        most = max(most, place - start + 1)
    return most


def _judge_target(
    world: World,
    target: str,
    desired: list[Desired],
    stuck: list[tallies.Stuck],
    *,
    tally: tallies.Tally,
    conflicts: int,
    fewest: bounds.Bound,
    slowest_ms: int | None,
) -> TargetVerdict:
    state = world.state()
    excused = {each.user_name.casefold() for each in stuck if each.target == target and each.state is State.DEAD}
    return TargetVerdict(
        target=target,
        accounts=len(state.accounts),
        calls=len(world.calls),
        fewest=fewest,
        delivered=tally.of(target, State.DELIVERED),
        unchanged=tally.of(target, State.UNCHANGED, State.SKIPPED),
        merged=tally.of(target, State.SUPERSEDED),
        conflicts=conflicts,
        refused_by_limit=sum(call["status"] == 429 for call in world.calls),
        most_in_window=most_within(world.calls, 10.0 if target == "trakstar" else 60.0),
        slowest_leaver_s=None if slowest_ms is None else slowest_ms / 1000,
        differences=tuple(_told(each) for each in _unexcused(desired, state, NAME_LIMITS[target], excused)),
    )


def _unexcused(
    desired: list[Desired], state: HeldState, name_limit: int | None, excused: Collection[str]
) -> list[Difference]:
    found = differences(desired, state, name_limit=name_limit)
    return [each for each in found if not (each.kind is DifferenceKind.MISSING and each.who.casefold() in excused)]


def _failure(stuck: tallies.Stuck) -> Failure:
    known = catalogue.CATALOGUE.get(stuck.code)
    return Failure(
        target=stuck.target,
        user_name=stuck.user_name,
        code=stuck.code,
        said=stuck.detail,
        advice=known.advice if known else "",
    )


def _faults(verdict: Verdict, cast: Cast, tally: tallies.Tally) -> list[str]:
    faults: list[str] = []
    if tally.open:
        faults.append(f"{tally.open} operations are still open")
    for each in verdict.targets:
        if each.refused_by_limit:
            faults.append(f"{each.target} refused {each.refused_by_limit} calls with 429")
        faults += [f"{each.target} differs: {line}" for line in each.differences[:_SHOWN]]
        if len(each.differences) > _SHOWN:
            faults.append(f"{each.target} differs in {len(each.differences) - _SHOWN} more")
        if each.conflicts != len(cast.present):
            faults.append(f"{each.target}: {each.conflicts} conflicts were met, {len(cast.present)} are in the story")
    failed = {(failure.target, failure.user_name) for failure in verdict.failures}
    if failed != {("trakstar", name) for name in cast.refused}:
        faults.append(f"{len(failed)} people failed; the story has Trakstar refuse {len(cast.refused)}")
    if sum(verdict.singles.values()) > MOST_SINGLES:
        faults.append(f"{sum(verdict.singles.values())} single calls to Trakstar; {MOST_SINGLES} are the most")
    faults += [f"ledger: {fault}" for tenant in verdict.ledger["tenants"] for fault in tenant["faults"][:_SHOWN]]
    if not verdict.ledger["balanced"]:
        faults.append("the ledger does not balance")
    return faults


def _told(difference: Difference) -> str:
    if difference.kind is not DifferenceKind.DIFFERS:
        return f"{difference.who} is {difference.kind}"
    return f"{difference.who}: {difference.field} should be {difference.desired}, is {difference.held}"
