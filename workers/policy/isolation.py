"""Finding the one that spoils a batch: halve it until the bad one stands alone."""


def next_cap(people: int) -> int | None:
    """Return how many people may share a call after one of `people` was refused; None when it was a single person.

    One bad user among n is alone after about log2(n) refused calls; all others go through.
    """
    return (people + 1) // 2 if people > 1 else None
