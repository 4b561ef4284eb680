"""`bench rows` with few people: what it plans, that it measures, and that it notices what is wrong."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from scim_bridge.cli import main
from scim_bridge.sandbox.benches import snapshots, snapshots_plan
from scim_bridge.sandbox.benches.snapshots import AGAIN, CHANGED, FIRST, TRIED, Run
from scim_bridge.sandbox.benches.snapshots_sending import Told

PLAN = snapshots_plan.make(people=10_000, seed=11)


def a_run(name: str, outcomes: Counter[str], touched: dict[str, str]) -> Run:
    told = Told(outcomes=outcomes, touched=touched)
    return Run(name=name, took_s=1.0, cpu_s=1.0, database_cpu_s=None, peak_mb=100.0, told=told)


def good_runs() -> list[Run]:
    changes = dict(PLAN.changes())
    told = Counter(changes.values()) + Counter(unchanged=PLAN.unchanged)
    return [
        a_run(FIRST, Counter(created=PLAN.people), {}),
        a_run(TRIED, told, changes),
        a_run(CHANGED, told, changes),
        a_run(AGAIN, Counter(unchanged=PLAN.people), {}),
    ]


def missed(runs: Sequence[Run]) -> list[str]:
    return [sentence for sentence, met in snapshots.bars(PLAN, runs) if not met]


def test_a_hundredth_of_the_people_changes() -> None:
    changes = Counter(PLAN.changes().values())
    assert changes == Counter(updated=90, created=5, deactivated=5)
    assert len(PLAN.changes()) == 100


def test_the_files_differ_in_those_who_change_only() -> None:
    first, second = ({line[:8]: line.rpartition(",")[0] for line in lines} for lines in (PLAN.first(), PLAN.second()))
    differing = {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}
    assert differing == PLAN.changes().keys()


def test_the_same_seed_plans_the_same() -> None:
    assert PLAN == snapshots_plan.make(people=10_000, seed=11) != snapshots_plan.make(people=10_000, seed=12)


def test_a_good_run_misses_no_bar() -> None:
    assert missed(good_runs()) == []


@pytest.mark.parametrize(
    ("place", "wrong", "sentence"),
    [
        (2, {"took_s": 20.0}, "1 % changed: 20.0 s, the bar is 20 s"),
        (0, {"peak_mb": 150.0}, "the largest process had 150 MB, the bar is 150 MB"),
        (0, {"told": Told(outcomes=Counter(created=9_999), touched={})}, "everybody is new: 9999 of 10000 rows"),
        (
            3,
            {"told": Told(outcomes=Counter(unchanged=1, updated=1), touched={"1": "updated"})},
            "1 rows became anything",
        ),
    ],
)
def test_what_misses_a_bar_is_told(place: int, wrong: dict[str, object], sentence: str) -> None:
    runs = good_runs()
    runs[place] = replace(runs[place], **wrong)  # type: ignore[arg-type] # fields by name
    assert [each for each in missed(runs) if each.startswith(sentence) or each.endswith(sentence)]


def test_a_change_that_is_not_reported_is_told() -> None:
    runs = good_runs()
    touched = dict(runs[2].told.touched)
    touched.popitem()
    runs[2] = replace(runs[2], told=Told(outcomes=runs[2].told.outcomes, touched=touched))
    assert missed(runs) == ["1 % changed: 99 rows changed somebody, 100 should"]


def test_snapshots_are_worked_off_by_real_processes(tmp_path: Path) -> None:
    """How fast it is, a busy machine cannot tell."""
    arguments = ["bench", "rows", "--rows", "100", "--store", "sqlite", "--json"]
    done = CliRunner().invoke(main, [*arguments, "--dir", str(tmp_path), "--seed", "11"])
    assert done.exit_code in (0, 1), done.output
    report = json.loads(done.stdout)
    assert [fault for fault in report["missed"] if "the bar is" not in fault] == []
    [company] = report["companies"]
    assert [run["outcomes"] for run in company["runs"]] == [
        {"created": 100},
        {"created": 1, "deactivated": 1, "unchanged": 98, "updated": 1},
        {"created": 1, "deactivated": 1, "unchanged": 98, "updated": 1},
        {"unchanged": 100},
    ]
    assert all(40 < run["peak_mb"] < 1_000 for run in company["runs"])
    assert list(tmp_path.iterdir()) == []
