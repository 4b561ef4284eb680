"""How the console writes instants: also those that no calendar has."""

from typing import Any

import pytest

from scim_bridge.web.console import shown
from scim_bridge.web.console.pages import replays

FAR = (-(10**14), 10**15)


@pytest.mark.parametrize("instant", FAR)
def test_an_instant_that_no_calendar_has_is_said_to_be_none(instant: int) -> None:
    assert shown.moment(instant) == "no time"


@pytest.mark.parametrize("instant", FAR)
def test_a_replay_with_such_a_filter_is_shown_but_not_offered_again(instant: int) -> None:
    found: dict[str, Any] = {"filter": {"target": "lms", "since": instant}, "policy": None}
    assert replays.chosen_in_words(found["filter"]) == "target lms, since no time"
    assert replays._again(found) is None
