"""The way to one SCIM service, and the calls of one submit: one as a rule, evenly paced where it takes several."""

import time
from collections.abc import Callable, Mapping
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
    spacing_s: float = 0.0
    """Between the calls of one submit: delivery counts only the first of them against the quota."""
    pause: Callable[[float], object] = time.sleep


def spacing_of(limits: list[LimitSettings]) -> float:
    """Return the seconds between calls at which every limit is kept for ever."""
    return max((limit.per_s / limit.requests for limit in limits), default=0.0)


class Conversation:
    """The calls of one submit, all within its deadline."""

    def __init__(self, connection: Connection, *, deadline_s: float) -> None:
        self._connection = connection
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
            AnswerLost: the request may have left, and its whole answer did not arrive.
        """
        if not self._is_first:
            self._connection.pause(self._connection.spacing_s)
        self._is_first = False
        left_s = self._ends_at - time.monotonic()
        if left_s < LEAST_S:
            raise port.Unreachable(f"{method}: no time was left for a further call; nothing was sent")
        url = self._connection.base_url + path
        return self._connection.http.send(method, url, body=body, query=query, headers=headers, deadline_s=left_s)
