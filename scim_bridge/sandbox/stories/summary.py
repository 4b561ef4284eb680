"""The end of a story in words that anybody understands, and the same as JSON."""

from typing import Any

from rich.console import Console

from scim_bridge.sandbox.stories.verdict import MOST_SINGLES, TargetVerdict, Verdict


def to_json(verdict: Verdict) -> dict[str, Any]:
    """Return the summary as JSON members."""
    tenant = verdict.ledger["tenants"][0]
    return {
        "ok": verdict.is_good,
        "faults": list(verdict.faults),
        "elapsed_s": round(verdict.elapsed_s, 1),
        "people": verdict.people,
        "pushed": {"changes": sum(verdict.changes.values()), "by_source": dict(verdict.changes)},
        "merged": _merged(verdict),
        "targets": {each.target: _target_json(each) for each in verdict.targets},
        "single_trakstar_calls": {
            "total": sum(verdict.singles.values()),
            "at_most": MOST_SINGLES,
            **verdict.singles,
        },
        "failed": [
            {
                "target": each.target,
                "user_name": each.user_name,
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
    told += _singles_lines(verdict)
    told += _failure_lines(verdict)
    tenant = verdict.ledger["tenants"][0]
    balance = "balanced" if verdict.ledger["balanced"] else "NOT BALANCED"
    operations = sum(tenant["operations"].values())
    told.append(f"ledger      {balance}, {tenant['changes']['accepted']} changes, {operations} operations")
    told.append(f"time        {verdict.elapsed_s:.0f} s, start of all processes included")
    told.append("")
    if verdict.is_good:
        told.append("Nothing is open, and both targets hold what was pushed, save the people named above.")
    else:
        told += ["This did not end as it should:", *(f"  - {fault}" for fault in verdict.faults)]
    return told


def _target_json(each: TargetVerdict) -> dict[str, Any]:
    return {
        "accounts": each.accounts,
        "calls": each.calls,
        "fewest_calls": each.fewest.calls,
        "fewest_calls_for": each.fewest.parts,
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
    parts = ", ".join(f"{calls} {name}" for name, calls in each.fewest.parts.items())
    known = f"the fewest for the whole story, were nothing merged on the way: {each.fewest.calls} ({parts})"
    leavers = (
        "" if each.slowest_leaver_s is None else f"; the slowest leaver was out after {each.slowest_leaver_s:.1f} s"
    )
    settled = f"{each.delivered} delivered, {each.unchanged} needed no call, {each.conflicts} conflicts resolved"
    return [
        f"{each.target:<11} {each.calls} calls; {known}",
        f"            {each.refused_by_limit} refused by its limit; at most {each.most_in_window} calls in any window",
        f"            {settled}{leavers}",
    ]


def _singles_lines(verdict: Verdict) -> list[str]:
    parts = ", ".join(f"{count} {name}" for name, count in verdict.singles.items())
    total = sum(verdict.singles.values())
    return [
        f"singles     {total} of Trakstar's calls were about one person ({parts}; at most {MOST_SINGLES} by plan):",
        "            its API edits, archives and groups one person a call, and takes 10 calls in 10 s. Groups that are",
        "            known when a person is created ride in the create.",
    ]


def _failure_lines(verdict: Verdict) -> list[str]:
    told = [f"failed      {len(verdict.failures)} people, each alone, nobody else was held up:"]
    for each in verdict.failures:
        told.append(f'            {each.target}: {each.user_name}: {each.code}; it said "{each.said}"')
        told.append(f"            -> {each.advice}")
    return told


def _merged(verdict: Verdict) -> int:
    return sum(each.merged for each in verdict.targets)
