import pytest

from workers.policy import retries


@pytest.mark.parametrize(
    ("failures", "jitter", "wait_ms"),
    [
        (1, 0.0, 2_000),  # the first wait
        (2, 0.0, 4_000),  # doubles
        (5, 0.0, 32_000),
        (1, 1.0, 3_000),  # jitter lengthens by up to a half
        (9, 0.0, 512_000),
        (10, 0.0, 900_000),  # capped at 15 minutes
        (9, 1.0, 768_000),
        (10, 1.0, 900_000),  # the cap holds with jitter too
        (100_000, 0.5, 900_000),  # no overflow
        (0, 0.0, 2_000),  # never less than the first
    ],
)
def test_waits_double_up_to_a_quarter_of_an_hour(failures: int, jitter: float, wait_ms: int) -> None:
    assert retries.backoff_ms(failures, jitter=jitter) == wait_ms


@pytest.mark.parametrize(("attempts", "is_spent"), [(0, False), (7, False), (8, True), (9, True)])
def test_attempts_are_spent_at_the_maximum(attempts: int, is_spent: bool) -> None:  # noqa: FBT001 - a table's column
    assert retries.is_spent(attempts, max_attempts=8) is is_spent


@pytest.mark.parametrize(
    ("failures", "jitter", "wait_ms"),
    [(1, 0.0, 5_000), (2, 0.0, 10_000), (2, 1.0, 15_000), (11, 0.0, 3_600_000), (10**9, 0.0, 3_600_000)],
)
def test_a_notice_waits_from_five_seconds_to_an_hour(failures: int, jitter: float, wait_ms: int) -> None:
    assert retries.notice_wait_ms(failures, jitter=jitter) == wait_ms
