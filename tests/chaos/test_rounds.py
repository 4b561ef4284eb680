"""A short version of `scim-bridge chaos`: failure mode 16, with the processes that really run."""

import re

import pytest
from click.testing import CliRunner

from scim_bridge.cli import main
from scim_bridge.sandbox.chaos import points, rounds


def test_a_worker_that_stood_still_brings_nobody_back_who_was_deactivated_meanwhile() -> None:
    """The first round of a run always stops a worker after its batch is committed and before the call."""
    assert rounds.drawn(1, seed=4).stops
    ended = CliRunner().invoke(main, ["chaos", "--rounds", "1", "--seed", "4"])
    assert ended.exit_code == 0, ended.output
    assert ended.output.splitlines()[-1] == "1 rounds, seed 4: 0 lost, 0 twice applied, 0 stuck, 0 otherwise wrong"


@pytest.mark.parametrize("seed", [0, 1, 8, 4711])
def test_nine_rounds_break_at_every_step_and_stop_once(seed: int) -> None:
    drawn = [rounds.drawn(number, seed=seed) for number in range(1, 11)]
    assert {each.point for each in drawn} == set(points.POINTS)
    assert drawn[0].stops


def test_a_round_tells_its_seed() -> None:
    told = rounds.drawn(3, seed=9).told
    assert re.match(r"killed at \d \(.+\); ", told)
