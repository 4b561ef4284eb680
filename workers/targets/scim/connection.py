"""The way to one SCIM service, and the requests of one submit: one as a rule, each further one counted by delivery."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scim_bridge.settings.models import LimitSettings
from workers.http import HttpClient, Response
from workers.targets import port

LEAST_S = 0.1
"""A call that has less time left is not begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the service is, and how it is called."""

    base_url: str
    http: HttpClient
    timeout_s: float = 10.0
    timeout_bulk_s: float = 60.0
    timeout_listing_s: float = 300.0


def wait_within(limits: Sequence[LimitSettings], *, reads: int) -> float:
    """Return the seconds that a call of so many reads and a write waits for room when a limit is too narrow for all."""
    return max((limit.per_s * (reads // limit.requests) for limit in limits), default=0.0)


class Conversation:
    """The requests of one submit, all within its deadline."""

    def __init__(
        self, connection: Connection, *, deadline_s: float, count: Callable[[], None] = port.uncounted
    ) -> None:
        """Begin one. `count` counts every request but the first, before it is sent."""
        self._connection = connection
        self._count = count
        self._ends_at = time.monotonic() + deadline_s
        self._is_first = True

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> Response:
        """Make one call and return its answer, of any status.

        Raises:
            Unreachable: nothing was sent; also when no time is left for a further call.
            NoRoom: the quota has no room for it in time; it was not sent.
            AnswerLost: the request may have left, and its whole answer did not arrive.
        """
        if not self._is_first:
            self._count()
        self._is_first = False
        left_s = self._ends_at - time.monotonic()
        if left_s < LEAST_S:
            raise port.Unreachable(f"{method}: no time was left for a further call; nothing was sent")
        url = self._connection.base_url + path
        return self._connection.http.send(method, url, body=body, query=query, headers=headers, deadline_s=left_s)
