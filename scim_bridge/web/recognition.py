"""Remembers for half a second whom a token stands for, so that a busy sender does not cost a look-up a request."""

import threading
from collections import OrderedDict

from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.store.tokens import Principal

KEPT_MS = 500
"""A revoked token is refused by every process this soon; a second is promised."""

ASKED_AGAIN_MS = 250
"""From this age on one request asks the store again, so that not all of them do when nothing is known any more."""

_MOST_TOKENS = 4_096


class Recognition:
    """Right tokens of the last moments, by their digests. Wrong ones are never kept: they may be made right."""

    def __init__(self, clock: Clock) -> None:
        """Start with none."""
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[Millis, Principal]] = OrderedDict()
        self._asked_again: set[str] = set()

    def recall(self, digest: str) -> Principal | None:
        """Return whom a token stands for, when that was found out just now and still holds."""
        known = self._known.get(digest)
        if known is None:
            return None
        asked_at, principal = known
        now = self._clock()
        # A clock that was set back makes the age negative; then the store is asked again.
        if not 0 <= now - asked_at < KEPT_MS or (principal.ends_at is not None and principal.ends_at <= now):
            return None
        return principal

    def is_to_be_asked_again(self, digest: str) -> bool:
        """Tell one request of all that recall the same answer, once it is old, that it is the one to ask again."""
        with self._lock:
            known = self._known.get(digest)
            if known is None or digest in self._asked_again or self._clock() - known[0] < ASKED_AGAIN_MS:
                return False
            self._asked_again.add(digest)
            return True

    def keep(self, digest: str, principal: Principal, *, asked_at: Millis) -> None:
        """Keep what the store answered to a question that was asked at an instant."""
        with self._lock:
            self._known[digest] = (asked_at, principal)
            self._known.move_to_end(digest)
            self._asked_again.discard(digest)
            if len(self._known) > _MOST_TOKENS:
                oldest, _ = self._known.popitem(last=False)
                self._asked_again.discard(oldest)

    def forget(self, digest: str) -> None:
        """Forget a token that the store has said is no good."""
        with self._lock:
            self._known.pop(digest, None)
            self._asked_again.discard(digest)
