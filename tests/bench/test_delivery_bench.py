"""`bench delivery` with few people: each part plays with real workers, and tells what it found."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from scim_bridge.cli import main


def played(tmp_path: Path, *parts: str, users: int, exit_code: tuple[int, ...] = (0,)) -> dict[str, dict[str, float]]:
    """Play some parts; return their figures by part. How fast they are, a busy machine cannot tell."""
    chosen = [argument for part in parts for argument in ("--part", part)]
    options = ["--users", str(users), "--store", "sqlite", "--seed", "11", "--dir", str(tmp_path), "--json"]
    done = CliRunner().invoke(main, ["bench", "delivery", *chosen, *options])
    assert done.exit_code in exit_code, done.output
    report = json.loads(done.stdout)
    assert done.exit_code == (1 if report["missed"] else 0)
    assert list(tmp_path.iterdir()) == []
    return {each["part"]: each["figures"] for each in report["parts"]}


def test_new_people_arrive_in_the_fewest_calls(tmp_path: Path) -> None:
    found = played(tmp_path, "creates", users=250)
    assert found["creates"]["create calls"] == 2
    assert found["creates"]["answers 429"] == 0


def test_choosing_is_timed_in_both_backlogs(tmp_path: Path) -> None:
    """The short backlog is the long one, where there are so few."""
    (figures,) = played(tmp_path, "choosing", users=40, exit_code=(0, 1)).values()
    assert figures["choosing among 40"] > 0


@pytest.mark.parametrize("users", ["0", "10000001"])
def test_a_number_of_users_that_makes_no_sense_is_refused(users: str) -> None:
    done = CliRunner().invoke(main, ["bench", "delivery", "--users", users])
    assert done.exit_code == 2
    assert "is not in the range" in done.output


def test_a_part_that_is_none_is_refused() -> None:
    done = CliRunner().invoke(main, ["bench", "delivery", "--part", "speed"])
    assert done.exit_code == 2
    assert "'speed' is not one of" in done.output
