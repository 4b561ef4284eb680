"""Finding the one that spoils a batch: halve it until the bad one stands alone.

One bad user among n is alone after about log2(n) refused calls; all others go through.
"""


def halved(people: int) -> int:
    """Return how many people may share a call after one of so many was refused; never less than one."""
    return max(1, (people + 1) // 2)


def cap_after_failure(people: int, cap: int | None) -> int:
    """Return how many may share a call after one of so many failed with 5xx while other calls were answered.

    The first failure may be the target's and only leaves a mark: a cap of the same size. A second one halves it.
    """
    return halved(people) if cap is not None and cap <= people else people
