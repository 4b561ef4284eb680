"""The fewest calls of a backlog, and the shortest time that they take: tables of numbers."""

import pytest

from scim_bridge.planning.estimate import PeopleACall, Shares, fewest_calls, shortest_time_s

BY_KIND = PeopleACall(create=200, look_up=1_000_000, other=1)
MIXED = PeopleACall(create=100, look_up=20, other=100, mixed=True)


@pytest.mark.parametrize(
    ("shares", "size", "calls"),
    [
        (Shares(), BY_KIND, 0),
        (Shares(to_create=1), BY_KIND, 1),
        (Shares(to_create=200), BY_KIND, 1),
        (Shares(to_create=201), BY_KIND, 2),
        # Known people go one by one.
        (Shares(others=3), BY_KIND, 3),
        # One look-up for all, then one call each.
        (Shares(to_look_up=3), BY_KIND, 4),
        (Shares(to_create=400, to_look_up=2, others=5), BY_KIND, 10),
        # New and known people share their calls.
        (Shares(to_create=60, others=40), MIXED, 1),
        (Shares(to_create=60, others=41), MIXED, 2),
        (Shares(to_look_up=21), MIXED, 3),
    ],
)
def test_people_share_calls_as_far_as_the_target_takes_them(shares: Shares, size: PeopleACall, calls: int) -> None:
    assert fewest_calls(shares, size) == calls


@pytest.mark.parametrize(
    ("calls", "windows", "seconds"),
    [
        (0, [(10, 10.0)], 0),
        (10, [(10, 10.0)], 0),
        (11, [(10, 10.0)], 10),
        (31, [(10, 10.0)], 30),
        # The narrower of two windows decides.
        (31, [(60, 60.0), (30, 60.0)], 60),
        (5, [], 0),
    ],
)
def test_the_last_call_waits_for_its_window(calls: int, windows: list[tuple[int, float]], seconds: float) -> None:
    assert shortest_time_s(calls, windows) == seconds
