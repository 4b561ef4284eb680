"""When to try again, and when to stop."""

from dataclasses import dataclass

FIRST_S = 2.0
LONGEST_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDecision:
    """Whether an operation is tried again, and after how many seconds; `delay_s` None: it is dead."""

    delay_s: float | None

    @property
    def is_dead(self) -> bool:
        """Tell whether the attempts are spent."""
        return self.delay_s is None


def backoff_s(failures: int, *, jitter: float) -> float:
    """Return the seconds to wait after so many failures in a row: 2, 4, 8 and so on, at most 15 minutes.

    `jitter` from 0 to 1 lengthens the wait by up to a half, so that many who failed together do not return together.
    """
    # The exponent is bounded because 2.0 ** 2000 overflows.
    plain = FIRST_S * 2.0 ** min(max(failures, 1) - 1, 16)
    return min(plain * (1 + jitter / 2), LONGEST_S)


def decide_retry(attempts: int, *, max_attempts: int, jitter: float) -> RetryDecision:
    """Decide what follows a failed attempt; `attempts` counts it."""
    if attempts >= max_attempts:
        return RetryDecision(delay_s=None)
    return RetryDecision(delay_s=backoff_s(attempts, jitter=jitter))
