"""The end of a story in words that anybody understands, and the same as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import Console

from scim_bridge.domain.states import State
from scim_bridge.sandbox.stories.verdict import Failure, TargetVerdict, Verdict

_MOST_FAILURES = 5
"""People of one target and code that are named; of more, their number is told."""


def to_json(verdict: Verdict, *, scenario: str) -> dict[str, Any]:
    """Return the summary as JSON members."""
    tenant = verdict.ledger["tenants"][0]
    return {
        "scenario": scenario,
        "ok": verdict.is_good,
        "faults": list(verdict.faults),
        "elapsed_s": round(verdict.elapsed_s, 1),
        "people": verdict.people,
        "pushed": {"changes": sum(verdict.changes.values()), "by_source": dict(verdict.changes)},
        "merged": _merged(verdict),
        "targets": {each.target: _target_json(each) for each in verdict.targets},
        "shown": [
            {"text": claim.text, "holds": claim.holds, "figures": dict(claim.figures)} for claim in verdict.claims
        ],
        "failed": [
            {
                "target": each.target,
                "user_name": each.user_name,
                "state": str(each.state),
                "code": each.code,
                "said": each.said,
                "advice": each.advice,
            }
            for each in verdict.failures
        ],
        "ledger": {
            "balanced": verdict.ledger["balanced"],
            "changes": tenant["changes"],
            "operations": tenant["operations"],
        },
    }


def show(verdict: Verdict, console: Console) -> None:
    """Print the summary."""
    for line in lines(verdict):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def lines(verdict: Verdict) -> list[str]:
    """Return the summary's lines."""
    sources = ", ".join(f"{source} {count}" for source, count in sorted(verdict.changes.items()))
    pushed = sum(verdict.changes.values())
    told = [
        "",
        f"pushed      {pushed} changes about {verdict.people} people and their groups ({sources}), all accepted",
        f"merged      {_merged(verdict)} deliveries needed no call: a newer change of the same person took their place",
    ]
    for each in verdict.targets:
        told += _target_lines(each)
    told += [f"{'' if place else 'shown':<11} {claim.text}" for place, claim in enumerate(verdict.claims)]
    dead = [each for each in verdict.failures if each.state is State.DEAD]
    held = [each for each in verdict.failures if each.state is State.HELD]
    told.append(f"failed      {len(dead)} people, each alone, nobody else was held up{':' if dead else ''}")
    told += _failure_lines(dead)
    told += [f"held        {len(held)} deliveries wait for a person's decision:"] if held else []
    told += _failure_lines(held)
    tenant = verdict.ledger["tenants"][0]
    balance = "balanced" if verdict.ledger["balanced"] else "NOT BALANCED"
    operations = sum(tenant["operations"].values())
    told.append(f"ledger      {balance}, {tenant['changes']['accepted']} changes, {operations} operations")
    told.append(f"time        {verdict.elapsed_s:.0f} s, start of all processes included")
    told.append("")
    if verdict.is_good:
        whom = ", save the people named above" if verdict.failures else ""
        told.append(f"Nothing is open, and every target holds what was pushed{whom}.")
    else:
        told += ["This did not end as it should:", *(f"  - {fault}" for fault in verdict.faults)]
    return told


def _target_json(each: TargetVerdict) -> dict[str, Any]:
    fewest = {} if each.fewest is None else {"fewest_calls": each.fewest.calls, "fewest_calls_for": each.fewest.parts}
    return {
        "accounts": each.accounts,
        "calls": each.calls,
        **fewest,
        "most_calls_in_a_window": each.most_in_window,
        "answered_429": each.refused_by_limit,
        "delivered": each.delivered,
        "unchanged": each.unchanged,
        "merged": each.merged,
        "conflicts_resolved": each.conflicts,
        "slowest_leaver_s": each.slowest_leaver_s,
        "differences": list(each.differences),
    }


def _target_lines(each: TargetVerdict) -> list[str]:
    known = ""
    if each.fewest is not None:
        parts = ", ".join(f"{calls} {name}" for name, calls in each.fewest.parts.items())
        known = f"; the fewest for the whole story, were nothing merged on the way: {each.fewest.calls} ({parts})"
    leavers = (
        "" if each.slowest_leaver_s is None else f"; the slowest leaver was out after {each.slowest_leaver_s:.1f} s"
    )
    settled = f"{each.delivered} delivered, {each.unchanged} needed no call, {each.conflicts} conflicts resolved"
    return [
        f"{each.target:<11} {each.calls} calls{known}",
        f"            {each.refused_by_limit} refused by its limit; at most {each.most_in_window} calls in any window",
        f"            {settled}{leavers}",
    ]


def _failure_lines(failures: Sequence[Failure]) -> list[str]:
    told = []
    alike: dict[tuple[str, str], list[Failure]] = {}
    for each in failures:
        alike.setdefault((each.target, each.code), []).append(each)
    for (target, code), people in alike.items():
        for each in people[:_MOST_FAILURES]:
            said = f'; it said "{each.said}"' if each.said else ""
            told.append(f"            {target}: {each.user_name}: {code}{said}")
        if len(people) > _MOST_FAILURES:
            told.append(f"            {target}: {len(people) - _MOST_FAILURES} more: {code}")
        told.append(f"            -> {people[0].advice}")
    return told


def _merged(verdict: Verdict) -> int:
    return sum(each.merged for each in verdict.targets)
