"""When to repair an account that another system changes again and again: at once a few times, then later and later.

The target tells of each change, so that two systems that want different things would otherwise undo each other for
ever, with two calls a round.
"""

from scim_bridge.domain.instants import Millis

WINDOW_MS: Millis = 86_400_000
"""Drifts are counted over this long."""

AT_ONCE = 3
"""So many drifts of one person in a window are repaired at once: a hand, or a mistake, makes no more of them."""

FIRST_WAIT_MS: Millis = 600_000
MOST_WAIT_MS: Millis = 21_600_000
"""Less than a window, so that who waits so long is still known."""


def wait_ms(earlier: int, *, is_leaver: bool) -> Millis:
    """Return how long a repair waits when there were so many drifts of the person in the window before this one.

    Doubles from ten minutes to six hours. Of somebody who should be out it stays at ten minutes: that weighs more than
    the calls.
    """
    if earlier < AT_ONCE:
        return 0
    return FIRST_WAIT_MS if is_leaver else min(FIRST_WAIT_MS << min(earlier - AT_ONCE, 16), MOST_WAIT_MS)
