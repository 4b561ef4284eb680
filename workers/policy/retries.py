"""When to try again: later each time, never all at once."""

from scim_bridge.domain.instants import Millis

FIRST_MS = 2_000
LONGEST_MS = 900_000

FIRST_NOTICE_MS = 5_000
LONGEST_NOTICE_MS = 3_600_000


def backoff_ms(failures: int, *, jitter: float) -> Millis:
    """Return how long to wait after so many failures in a row: 2, 4, 8 s and so on, at most 15 minutes.

    `jitter` from 0 to 1 lengthens the wait by up to a half, so that those who failed together do not return together.
    """
    # The shift is bounded because the number of failures is not.
    plain = FIRST_MS << min(max(failures, 1) - 1, 16)
    return min(round(plain * (1 + jitter / 2)), LONGEST_MS)


def notice_wait_ms(failures: int, *, jitter: float) -> Millis:
    """Return how long a notice waits that was not taken so often: 5, 10, 20 s and so on, at most an hour.

    `jitter` as of `backoff_ms`, of which the longest wait has its share too: nobody is in a hurry by then.
    """
    plain = min(FIRST_NOTICE_MS << min(max(failures, 1) - 1, 16), LONGEST_NOTICE_MS)
    return round(plain * (1 + jitter / 2))


def is_spent(attempts: int, *, max_attempts: int) -> bool:
    """Tell whether an operation that was tried so often is tried no more."""
    return attempts >= max_attempts
