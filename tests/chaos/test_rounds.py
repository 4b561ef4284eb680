"""A short version of `scim-bridge chaos`: failure mode 16, with the processes that really run."""

import dataclasses
import re

import pytest
from click.testing import CliRunner

from scim_bridge.cli import main
from scim_bridge.sandbox.chaos import draws, points
from scim_bridge.sandbox.chaos.rounds import Played

STANDING_STILL = 17
"""The seed whose first round stops a worker after its batch is committed and before the call."""


def test_a_worker_that_stood_still_brings_nobody_back_who_was_deactivated_meanwhile() -> None:
    first = draws.drawn(1, seed=STANDING_STILL, store="sqlite")
    assert (first.order.point, first.order.stops) == (points.BEFORE_CALL, True)
    ended = CliRunner().invoke(main, ["chaos", "--rounds", "1", "--seed", str(STANDING_STILL)])
    assert ended.exit_code == 0, ended.output
    last = ended.output.splitlines()[-1]
    assert re.sub(r"\d+ s:", "", last) == (
        f"1 rounds, seed {STANDING_STILL},  0 lost, 0 twice applied, 0 stuck, 0 otherwise wrong, 0 never reached"
    )


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
@pytest.mark.parametrize("seed", [0, 1, 8, 4711])
def test_thirteen_rounds_in_a_row_break_at_every_step_in_every_way(seed: int, store: str) -> None:
    for start in (1, 14, 131):
        drawn = [draws.drawn(number, seed=seed, store=store) for number in range(start, start + 13)]
        assert {(each.order.point, each.order.stops) for each in drawn} == set(draws.WAYS)
        assert {each.order.point for each in drawn} == set(points.POINTS)


@pytest.mark.parametrize("seed", [0, 1, 8, 4711])
def test_connections_are_cut_in_one_round_of_six_on_postgresql(seed: int) -> None:
    strikes = [draws.drawn(number, seed=seed, store="postgresql").strike for number in range(1, 61)]
    assert {name: strikes.count(name) for name in strikes} == dict.fromkeys((*draws.STRIKES, draws.CUT), 10)


def test_connections_are_never_cut_on_sqlite_which_has_none() -> None:
    assert draws.CUT not in {draws.drawn(number, seed=3, store="sqlite").strike for number in range(1, 61)}


def test_a_round_follows_from_its_number_whatever_is_played_before() -> None:
    assert draws.drawn(17, seed=4, store="sqlite") == draws.drawn(17, seed=4, store="sqlite")
    assert draws.drawn(17, seed=4, store="sqlite") != draws.drawn(17, seed=5, store="sqlite")


def test_a_round_tells_its_step() -> None:
    assert re.match(r"(killed|stopped) at \d+ \(.+\); ", draws.drawn(3, seed=9, store="sqlite").told)


def test_a_round_whose_point_nobody_came_to_is_no_good_round() -> None:
    good = Played(round=draws.drawn(1, seed=9, store="sqlite"), elapsed_s=1.0, was_reached=True)
    assert good.faults == ()
    [fault] = dataclasses.replace(good, was_reached=False).faults
    assert fault == f"nobody came to point {good.round.order.point}"
