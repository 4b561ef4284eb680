"""Judges a story from outside: the senders' books against what the simulated targets hold, and the ledger."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from scim_bridge.domain import catalogue
from scim_bridge.domain.states import State
from scim_bridge.sandbox.compare import Desired, Difference, DifferenceKind, differences
from scim_bridge.sandbox.stories.bounds import Bound
from scim_bridge.sandbox.stories.expected import Claim, Expected
from scim_bridge.sandbox.stories.setting import Simulated
from scim_bridge.sandbox.stories.stage import TENANT
from scim_bridge.sandbox.stories.worlds import World
from scim_bridge.store import tallies
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

_SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Somebody whom a target did not take, or about whom a person must decide, and why."""

    target: str
    user_name: str
    state: State
    """Dead, or held."""
    code: str
    said: str
    advice: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetVerdict:
    """How one target ended."""

    target: str
    accounts: int
    calls: int
    fewest: Bound | None
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
    failures: tuple[Failure, ...]
    claims: tuple[Claim, ...]
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
    targets: Sequence[Simulated],
    desired: list[Desired],
    expected: Expected,
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
    ledger = verify_ledger(store, TENANT)
    verdict = Verdict(
        people=len(desired),
        changes=dict(tally.changes),
        targets=tuple(
            _judge_target(
                worlds[target.name],
                target,
                desired,
                expected,
                tally=tally,
                conflicts=met.get(target.name, 0),
                slowest_ms=leavers.get(target.name),
            )
            for target in targets
        ),
        failures=tuple(_failure(each) for each in stuck),
        claims=tuple(expected.claims),
        ledger=ledger,
        elapsed_s=elapsed_s,
    )
    return replace(verdict, faults=(*faults, *_faults(verdict, expected, tally)))


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
    target: Simulated,
    desired: list[Desired],
    expected: Expected,
    *,
    tally: tallies.Tally,
    conflicts: int,
    slowest_ms: int | None,
) -> TargetVerdict:
    state, name = world.state(), target.name
    excused = {user_name.casefold() for where, user_name in expected.exceptions if where == name}
    found = differences(desired, state, name_limit=target.name_limit)
    windows = target.windows
    return TargetVerdict(
        target=name,
        accounts=len(state.accounts),
        calls=len(world.calls),
        fewest=expected.fewest.get(name),
        delivered=tally.of(name, State.DELIVERED),
        unchanged=tally.of(name, State.UNCHANGED, State.SKIPPED),
        merged=tally.of(name, State.SUPERSEDED),
        conflicts=conflicts,
        # A 429 that the scenario's script asked for was none of the target's limit.
        refused_by_limit=sum(call["status"] == 429 and call["fault"] is None for call in world.calls),
        most_in_window=most_within(world.calls, windows[0].per_s) if windows else len(world.calls),
        slowest_leaver_s=None if slowest_ms is None else slowest_ms / 1000,
        differences=tuple(_told(each) for each in found if not _is_excused(each, excused)),
    )


def _is_excused(difference: Difference, excused: Collection[str]) -> bool:
    """Tell whether somebody is an exception; that an account is there twice or that nobody asked for it never is."""
    allowed = {DifferenceKind.MISSING, DifferenceKind.DIFFERS}
    return difference.kind in allowed and difference.who.casefold() in excused


def _failure(stuck: tallies.Stuck) -> Failure:
    known = catalogue.CATALOGUE.get(stuck.code)
    return Failure(
        target=stuck.target,
        user_name=stuck.user_name,
        state=stuck.state,
        code=stuck.code,
        said=stuck.detail,
        advice=known.advice if known else "",
    )


def _faults(verdict: Verdict, expected: Expected, tally: tallies.Tally) -> list[str]:
    faults: list[str] = []
    if tally.open:
        faults.append(f"{tally.open} operations are still open")
    for each in verdict.targets:
        if each.refused_by_limit:
            faults.append(f"{each.target} refused {each.refused_by_limit} calls with 429")
        faults += _shortened([f"{each.target} differs: {line}" for line in each.differences])
    faults += _shortened(_wrong_failures(verdict.failures, expected))
    faults += [f"not so: {claim.text}" for claim in verdict.claims if not claim.holds]
    for tenant in verdict.ledger["tenants"]:
        faults += _shortened([f"ledger: {fault}" for fault in tenant["faults"]])
    if not verdict.ledger["balanced"]:
        faults.append("the ledger does not balance")
    return faults


def _wrong_failures(failures: Iterable[Failure], expected: Expected) -> list[str]:
    """Return who ended otherwise than expected: in no way, in another way, or though nobody expected it."""
    ended = {(each.target, each.user_name): each.code for each in failures}
    wanted = {who: code for who, code in expected.exceptions.items() if code is not None}
    wrong = []
    for who in sorted(ended.keys() | wanted.keys()):
        if ended.get(who) != wanted.get(who):
            target, user_name = who
            told, asked = ended.get(who, "in place"), wanted.get(who, "in place")
            wrong.append(f"{target}: {user_name} should be {asked}, is {told}")
    return wrong


def _shortened(lines: list[str]) -> list[str]:
    left = len(lines) - _SHOWN
    return lines if left <= 0 else [*lines[:_SHOWN], f"... and {left} more like these"]


def _told(difference: Difference) -> str:
    if difference.kind is not DifferenceKind.DIFFERS:
        return f"{difference.who} is {difference.kind}"
    return f"{difference.who}: {difference.field} should be {difference.desired}, is {difference.held}"
