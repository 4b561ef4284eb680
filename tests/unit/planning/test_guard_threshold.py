"""How many deactivations of a window the guard lets through."""

import pytest

from scim_bridge.planning import guard
from scim_bridge.settings.models import GuardSettings


@pytest.mark.parametrize(
    ("number", "share", "least", "active", "most"),
    [
        (50, 0.1, 10, 1000, 50),  # the number is smaller
        (50, 0.1, 10, 300, 30),  # the share is smaller
        (50, 0.1, 10, 309, 30),  # no part of a person
        (50, 0.1, 10, 50, 9),  # neither applies before the tenth
        (50, 0.1, 0, 50, 5),
        (50, 0.1, 1, 50, 5),
        (50, 0.07, 0, 100, 7),  # 0.07 * 100 is a little more than 7 in binary
        (50, 0.29, 0, 100, 29),  # 0.29 * 100 is a little less than 29
        (0, 1.0, 0, 1000, 0),  # every deactivation asks
        (0, 1.0, 10, 1000, 9),
        (50, 0.0, 1, 1000, 0),
        (50, 1.0, 1, 0, 0),
    ],
)
def test_the_smaller_of_number_and_share_counts_from_min_on(
    number: int, share: float, least: int, active: int, most: int
) -> None:
    settings = GuardSettings(max=number, share=share, min=least)
    assert guard.most_in_window(settings, active=active) == most


@pytest.mark.parametrize(
    ("number", "least", "deactivations", "is_needed"),
    [(50, 10, 9, False), (50, 10, 10, True), (50, 0, 1, True), (9, 10, 100, False), (10, 10, 10, True)],
)
def test_the_directory_is_counted_only_where_the_share_may_decide(
    number: int, least: int, deactivations: int, *, is_needed: bool
) -> None:
    settings = GuardSettings(max=number, min=least)
    assert guard.needs_the_share(settings, deactivations=deactivations) is is_needed
