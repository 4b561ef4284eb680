"""Spreads connections evenly over the processes of the front door.

The kernel deals them out by chance. Of a dozen that a sender keeps open, ten may so come to one process, whose requests
then wait for each other while the other process idles. So who gets a connection and has more than another passes it on.
"""

import array
import contextlib
import mmap
import socket
import time
from collections.abc import Callable, Iterator, Sequence

MOST_SILENT_MS = 2000
"""Whoever has not told for so long of itself gets nothing: its loop turns once a second at least."""


class Spread:
    """What the processes know of each other; made before they fork. Each has a place of its own."""

    def __init__(self, places: int, *, now_ms: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000) -> None:
        """Make room for so many processes. The clock must be the same for all."""
        self.places = range(places)
        self._now_ms = now_ms
        # One writer for each cell: nobody needs a lock.
        cells = memoryview(mmap.mmap(-1, 8 * (3 + places) * max(1, places))).cast("q")
        self._connections, self._told_at, self._taken, *self._passed = (
            cells[places * row : places * (row + 1)] for row in range(3 + places)
        )
        # Both ends are every process's: what a killed one leaves unread, its successor finds.
        self._inboxes = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in self.places]
        for each in (end for pair in self._inboxes for end in pair):
            each.settimeout(0)

    def close(self) -> None:
        """Forget what nobody took."""
        for each in (end for pair in self._inboxes for end in pair):
            each.close()

    def free_place(self, taken: Sequence[int | None]) -> int | None:
        """Return a place that nobody has, None where there is none: who has no place takes no part."""
        return next((place for place in self.places if place not in taken), None)

    def tell(self, place: int, connections: int) -> None:
        """Tell the others that one is there, and how many connections it has."""
        self._connections[place] = connections
        self._told_at[place] = self._now_ms()

    def leave(self, place: int) -> None:
        """Tell the others to send nothing any more."""
        self._told_at[place] = 0

    def lighter(self, place: int) -> int | None:
        """Return who has the fewest connections, if that is fewer than one has oneself."""
        earliest = self._now_ms() - MOST_SILENT_MS
        there = [each for each in self.places if each == place or self._told_at[each] > earliest]
        least = min(there, key=lambda each: (self._weight(each), each != place))
        return None if least == place else least

    def _weight(self, place: int) -> int:
        """Return how many connections one has, those included that are on the way to it."""
        return self._connections[place] + sum(passed[place] for passed in self._passed) - self._taken[place]

    def pass_on(self, connection: socket.socket, place: int, *, to: int, listener: int) -> bool:
        """Give a connection, accepted here at the listener of this number, to another; False when it takes none now."""
        descriptor = array.array("i", [connection.fileno()])
        try:
            self._inboxes[to][1].sendmsg([bytes([listener])], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)])
        except OSError:
            return False
        self._passed[place][to] += 1
        return True

    def inbox(self, place: int) -> socket.socket:
        """Return what can be read once there is something to `take`."""
        return self._inboxes[place][0]

    def take(self, place: int) -> Iterator[tuple[socket.socket, int]]:
        """Give the connections that others passed on, each with the number of its listener."""
        with contextlib.suppress(BlockingIOError):
            while True:
                told, descriptors, _, _ = socket.recv_fds(self.inbox(place), 1, 1)
                self._taken[place] += 1
                for descriptor in descriptors:
                    yield socket.socket(fileno=descriptor), told[0]
