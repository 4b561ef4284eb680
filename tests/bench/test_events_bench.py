"""`bench events` with few events: what it plans, that it measures, and that it notices what was lost."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from scim_bridge.cli import main
from scim_bridge.sandbox.benches import events_plan

AT = 1_700_000_000_000


def plan(seed: int = 11) -> events_plan.Plan:
    return events_plan.make(count=1_000, people=100, first_at=AT, every_ms=20, seed=seed)


def test_a_tenth_of_the_events_come_twice() -> None:
    numbers = [event.number for event in plan().arriving]
    assert (len(numbers), len(numbers) - len(set(numbers)), plan().duplicates) == (1_000, 100, 100)


def test_a_twentieth_of_the_events_are_late() -> None:
    first = list(dict.fromkeys(event.number for event in plan().arriving))
    behind = sum(number < max(first[:place], default=-1) for place, number in enumerate(first))
    assert plan().late == 45
    assert 40 <= behind <= 45


def test_what_was_said_last_is_what_must_be_known() -> None:
    events = plan().arriving
    newest = max((event for event in events if event.person == events[0].person), key=lambda event: event.said_at)
    assert plan().titles()[f"person{events[0].person}@example.com"] == newest.title


def test_the_same_seed_says_the_same() -> None:
    assert plan(3).arriving == plan(3).arriving != plan(4).arriving


@pytest.mark.parametrize("store", ["sqlite"])
def test_no_event_is_lost(tmp_path: Path, store: str) -> None:
    """How fast it is, a busy machine cannot tell."""
    arguments = ["bench", "events", "--seconds", "1", "--rate", "90", "--store", store, "--json"]
    done = CliRunner().invoke(main, [*arguments, "--dir", str(tmp_path), "--seed", "11"])
    assert done.exit_code in (0, 1), done.output
    report = json.loads(done.stdout)
    [stream] = report["streams"]
    assert stream["statuses"] == {"200": 90}
    assert stream["outcomes"]["duplicate"] == 9
    assert [fault for fault in report["missed"] if "p99" not in fault] == []
    assert list(tmp_path.iterdir()) == []
