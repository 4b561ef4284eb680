import pytest

from workers.policy import isolation


@pytest.mark.parametrize(("people", "cap"), [(200, 100), (3, 2), (2, 1), (1, 1), (0, 1)])
def test_a_refused_batch_is_halved_upwards(people: int, cap: int) -> None:
    assert isolation.halved(people) == cap


@pytest.mark.parametrize(
    ("people", "before", "cap"),
    [
        (200, None, 200),  # the first failure only leaves a mark
        (200, 200, 100),  # the second one halves
        (100, 200, 100),  # halved meanwhile by something else: marked anew
        (1, None, 1),
        (1, 1, 1),
    ],
)
def test_a_batch_that_fails_twice_is_halved(people: int, before: int | None, cap: int) -> None:
    assert isolation.cap_after_failure(people, before) == cap


def test_one_bad_user_among_two_hundred_is_alone_after_eight_refusals() -> None:
    cap, refusals = 200, 0
    while cap > 1:
        cap, refusals = isolation.halved(cap), refusals + 1
    assert refusals == 8
