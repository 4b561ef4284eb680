"""The fewest calls of a backlog, and the shortest time that they take: tables of numbers."""

import pytest

from scim_bridge.domain.people import Step
from scim_bridge.planning.calls import Abilities
from scim_bridge.planning.estimate import (
    PeopleACall,
    Shares,
    fewest_calls,
    people_a_call,
    read_people_a_call,
    shortest_time_s,
)

ONE_BY_ONE = {Step.LOOK_UP: 20, Step.CREATE: 1, Step.UPDATE: 1}
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
        # Without PATCH a known person is read first.
        (Shares(to_create=4, others=3), PeopleACall(requests=2), 10),
    ],
)
def test_people_share_calls_as_far_as_the_target_takes_them(shares: Shares, size: PeopleACall, calls: int) -> None:
    assert fewest_calls(shares, size) == calls


@pytest.mark.parametrize(
    ("abilities", "size"),
    [
        (Abilities(sizes=ONE_BY_ONE), PeopleACall(look_up=20)),
        (
            Abilities(sizes={**ONE_BY_ONE, Step.CREATE: 50, Step.UPDATE: 50}, mixed=50, mixable=frozenset(ONE_BY_ONE)),
            PeopleACall(create=50, look_up=20, other=50, mixed=True),
        ),
        # Bulk without PATCH: only new users share calls.
        (
            Abilities(
                sizes={**ONE_BY_ONE, Step.CREATE: 50},
                mixed=50,
                mixable=frozenset({Step.CREATE}),
                reads_beside={Step.UPDATE: 1},
            ),
            PeopleACall(create=50, look_up=20, requests=2),
        ),
    ],
)
def test_what_a_call_carries_follows_from_the_abilities(abilities: Abilities, size: PeopleACall) -> None:
    assert people_a_call(abilities) == size
    assert read_people_a_call(size.to_json()) == size


@pytest.mark.parametrize("recorded", [None, [], {}, {"create": 1}, {**PeopleACall().to_json(), "other": "9"}])
def test_what_another_version_recorded_is_not_taken_for_figures(recorded: object) -> None:
    assert read_people_a_call(recorded) is None


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
