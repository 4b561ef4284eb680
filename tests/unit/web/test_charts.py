"""Charts of calls: bars, the limit's line, and the same in words."""

from typing import Any

import pytest

from scim_bridge.web.console.charts import HEIGHT, LEAST_HEIGHT, WIDTH, chart_of


def told(*bars: int, limit: int | None = 10, klass: str | None = None) -> dict[str, Any]:
    return {"bars": list(bars), "limit": limit, "class": klass, "width_s": 2.5, "span_s": 300}


def test_a_bar_stands_on_the_ground_at_its_time() -> None:
    first, last = chart_of(told(5, 0, 0, 10)).bars
    assert (first.x, last.x) == (0, WIDTH * 3 / 4)
    assert last.height == pytest.approx(2 * first.height, abs=0.02)
    assert [round(each.y + each.height, 2) for each in (first, last)] == [HEIGHT, HEIGHT]


def test_a_window_that_is_full_reaches_the_line_of_the_limit() -> None:
    chart = chart_of(told(1, 10))
    assert chart.bars[-1].y == chart.limit_y


def test_the_line_of_the_limit_is_inside_the_chart_however_much_was_sent() -> None:
    chart = chart_of(told(400, 2))
    assert chart.limit_y is not None
    assert 0 < chart.limit_y < HEIGHT
    assert chart.bars[0].y >= 0


def test_one_call_is_seen_among_thousands_that_are_allowed() -> None:
    assert [each.height for each in chart_of(told(0, 1, limit=10_000)).bars] == [LEAST_HEIGHT]


def test_a_chart_says_in_words_what_it_shows() -> None:
    chart = chart_of(told(1_500, 7, limit=2_000, klass="user_write"))
    assert chart.title == "Calls of the class user_write in any 2.5 s, over the last 5 minutes"
    assert chart.says == "Now 7 of 2,000, at most 1,500 of 2,000."


def test_without_a_limit_there_is_no_line() -> None:
    chart = chart_of(told(3, 2, limit=None))
    assert chart.limit_y is None
    assert chart.says == "Now 2, at most 3."


def test_without_calls_there_are_no_bars() -> None:
    chart = chart_of(told(0, 0, limit=None))
    assert (chart.bars, chart.says) == ([], "No calls.")
