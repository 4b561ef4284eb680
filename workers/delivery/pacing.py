"""How long a lane's backlog is: a long one is sent evenly, a short one in bursts."""

from scim_bridge.domain.instants import Millis
from scim_bridge.store import due
from workers.delivery import choosing
from workers.delivery.post import Post

LONG_WINDOWS = 20
"""A backlog of more windows than this is long."""

COUNTED_FOR_MS = 5_000
"""So long a count is believed: it takes longer the more people wait."""

MOST_COUNTED = 200_000
"""A backlog of so many people is long, whatever the target takes."""


class Pace:
    """Counts the backlog of one lane now and then."""

    def __init__(self, post: Post) -> None:
        """Name the lane."""
        self._post = post
        self._counted_at: Millis | None = None
        self._is_long = False

    def is_long(self, plan: choosing.Plan) -> bool:
        """Tell whether the backlog fills more than 20 windows, if those behind need as many calls as those planned."""
        windows = self._post.windows
        if not windows or not plan.calls:
            return False
        most_calls = LONG_WINDOWS * min(window.requests for window in windows)
        if len(plan.calls) > most_calls or plan.backlog < choosing.PEOPLE_AT_A_TIME:
            return len(plan.calls) > most_calls
        now = self._post.now()
        if self._counted_at is None or self._counted_at <= now - COUNTED_FOR_MS:
            most = min(MOST_COUNTED, plan.backlog * most_calls // len(plan.calls))
            with self._post.store.begin(self._post.tenant, write=False) as tx:
                self._is_long = due.count_due(tx, self._post.lane_id, most=most + 1) > most
            self._counted_at = now
        return self._is_long
