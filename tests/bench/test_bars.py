"""Which figures miss which bar."""

import pytest

from scim_bridge.sandbox.benches import bars, figures, questions
from scim_bridge.sandbox.benches.figures import Figure

GET, FIRST, PROJECTED, SKIP, CURSOR, POST = (
    "GET by id",
    questions.FIRST_PAGE,
    questions.PROJECTED_PAGE,
    questions.MIDDLE_BY_INDEX,
    "list page in the middle, by cursor",
    "POST",
)


def figure(p50_ms: float, p99_ms: float = 1.0, cpu_ms: float | None = None) -> Figure:
    return Figure(requests=300, p50_ms=p50_ms, p99_ms=p99_ms, cpu_ms=cpu_ms)


@pytest.mark.parametrize(
    ("store", "name", "small", "large", "told"),
    [
        ("sqlite", GET, figure(4.9), figure(14.6), []),  # within three times
        ("sqlite", GET, figure(5.0), figure(5.0), ["p50 5.0 ms, the bar is 5 ms"]),
        ("sqlite", GET, figure(1.0), figure(3.1), ["p50 3.1 ms, more than 3 times the 1.0 ms of few users"]),
        ("sqlite", GET, figure(4.0), figure(4.0, p99_ms=20.0), ["p99 20.0 ms, the bar is 20 ms"]),
        ("sqlite", GET, figure(4.0, p99_ms=99.0), figure(4.0), []),  # p99 is promised of many users
        ("sqlite", POST, figure(14.9), figure(44.0, p99_ms=99.0), []),  # p99 is promised of look-ups alone
        ("sqlite", POST, figure(15.0), figure(15.0), ["p50 15.0 ms, the bar is 15 ms"]),
        ("sqlite", SKIP, figure(2.0), figure(149.0), []),  # this one may grow
        ("sqlite", SKIP, figure(2.0), figure(150.0), ["p50 150.0 ms, the bar is 150 ms"]),
        ("postgresql", SKIP, figure(2.0), figure(299.0), []),
        ("postgresql", SKIP, figure(2.0), figure(300.0), ["p50 300.0 ms, the bar is 300 ms"]),
        ("sqlite", CURSOR, figure(40.0), figure(119.0), []),  # no bar but growth
        ("sqlite", CURSOR, figure(6.0), figure(18.5), ["p50 18.5 ms, more than 3 times the 6.0 ms of few users"]),
        ("sqlite", FIRST, figure(9.0, cpu_ms=4.9), figure(9.0, cpu_ms=4.9), []),
        (
            "sqlite",
            FIRST,
            figure(9.0, cpu_ms=4.9),
            figure(9.0, cpu_ms=5.0),
            ["5.0 ms of processor time, the bar is 5 ms"],
        ),
        (
            "sqlite",
            PROJECTED,
            figure(9.0, cpu_ms=10.0),
            figure(9.0),  # not known: not judged
            ["10.0 ms of processor time, the bar is 10 ms"],
        ),
    ],
)
def test_a_figure_is_held_against_its_bar(store: str, name: str, small: Figure, large: Figure, told: list[str]) -> None:
    found = bars.missed(store, {1_000: {name: small}, 1_000_000: {name: large}})
    assert [sentence.partition(f"{name}: ")[2] for sentence in found] == told
    assert all(sentence.startswith(f"{store}, 1,000") for sentence in found)


def test_many_users_alone_are_held_against_three_times_the_bars() -> None:
    assert bars.missed("sqlite", {1_000_000: {GET: figure(14.9)}}) == []
    assert bars.missed("sqlite", {1_000_000: {GET: figure(15.1)}}) == [
        "sqlite, 1,000,000 users, GET by id: p50 15.1 ms, the bar is 15 ms"
    ]


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([7.0], 99, 7.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 50, 2.0),
        ([float(number) for number in range(1, 301)], 99, 297.0),
        ([float(number) for number in range(1, 101)], 99, 99.0),
    ],
)
def test_a_percentile_is_one_of_the_values(values: list[float], percent: int, expected: float) -> None:
    assert figures.percentile(values, percent) == expected


def test_the_processor_time_of_all_is_shared_out() -> None:
    assert figures.figure_of([1.0, 2.0], cpu_ms=9.0).cpu_ms == 4.5
