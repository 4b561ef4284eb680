"""How many people may be deactivated in a window before a person is asked, whatever the changes were called."""

import math

from scim_bridge.settings.models import GuardSettings

_ROUNDING = 1e-9
"""A share is written in tenths and hundredths, which binary fractions miss by less than this."""


def most_in_window(guard: GuardSettings, *, active: int) -> int:
    """Return how many deactivations of one window are let through.

    Number and share hold both, so the smaller counts; neither does before the window's `min`-th deactivation. `active`
    is how many users in scope the directory had before these people left.
    """
    of_all = math.floor(guard.share * active + _ROUNDING)
    return max(guard.min - 1, min(guard.max, of_all), 0)


def needs_the_share(guard: GuardSettings, *, deactivations: int) -> bool:
    """Tell whether it takes the number of active users to judge so many deactivations of a window."""
    return max(guard.min - 1, 0) < deactivations and guard.max > guard.min - 1
