"""Many clients at once, in one thread that mostly waits: they must not take the processor from whom they measure."""

import itertools
import selectors
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from scim_bridge.sandbox.benches.connection import PATIENCE_S, BenchFailed, Connection

LOOK_EVERY_S = 0.1

Named = tuple[str, bytes]
"""What a request is counted as, and its bytes."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One request that was answered."""

    name: str
    status: int
    took_ms: float


class _Client:
    """Sends its next request once the last one is answered."""

    def __init__(self, connection: Connection, requests: Iterator[Named]) -> None:
        self.connection = connection
        self._requests = requests
        self._name = ""
        self._sent_at = 0.0

    def send_next(self) -> bool:
        """Send the next request; False when there is none."""
        following = next(self._requests, None)
        if following is None:
            return False
        self._name, content = following
        self._sent_at = time.perf_counter()
        self.connection.send(content)
        return True

    def receive(self) -> Answered | None:
        """Read what came; return the answer once it is whole."""
        answer = self.connection.receive()
        if answer is None:
            return None
        return Answered(self._name, answer.status, (time.perf_counter() - self._sent_at) * 1000)


def push(connections: Sequence[Connection], requests: Sequence[Sequence[Named]], *, look: Named) -> list[Answered]:
    """Send every client's requests in its order, all clients at once, and return the answers.

    The last connection is for somebody who looks ten times a second.

    Raises:
        BenchFailed: an answer does not come.
    """
    *pushing, looking = connections
    looker = _Client(looking, itertools.repeat(look))
    with selectors.DefaultSelector() as waiting:
        for connection, series in zip(pushing, requests, strict=True):
            client = _Client(connection, iter(series))
            if client.send_next():
                waiting.register(connection, selectors.EVENT_READ, client)
        return list(_answers(waiting, looker))


def _answers(waiting: selectors.BaseSelector, looker: _Client) -> Iterator[Answered]:
    look_at = heard_at = time.monotonic()
    is_looking = False
    # Until who looks has an answer too: it would be taken for the answer to the next request on that connection.
    while waiting.get_map():
        now = time.monotonic()
        if now - heard_at > PATIENCE_S:
            raise BenchFailed(f"no client was answered for {PATIENCE_S:g} s")
        if not is_looking and now >= look_at:
            waiting.register(looker.connection, selectors.EVENT_READ, looker)
            is_looking, look_at = looker.send_next(), now + LOOK_EVERY_S
        for key, _ in waiting.select(LOOK_EVERY_S):
            client: _Client = key.data
            answered = client.receive()
            if answered is None:
                continue
            heard_at = time.monotonic()
            yield answered
            if client is looker:
                waiting.unregister(client.connection)
                is_looking = False
            elif not client.send_next():
                waiting.unregister(client.connection)
