"""What the benches' crowd of clients measures."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scim_bridge.sandbox.benches import rush
from scim_bridge.sandbox.benches.connection import Connection, request

LOOK = "look"
SLOW_S = 0.05


def answered(connection: socket.socket, *, after_s: float) -> None:
    """Answer each request after a while, in the order they come."""
    received = b""
    with connection:
        while piece := connection.recv(65_536):
            received += piece
            while b"\r\n\r\n" in received:
                _, _, received = received.partition(b"\r\n\r\n")
                time.sleep(after_s)
                connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


@contextmanager
def serving(*, slow: int) -> Iterator[int]:
    """Serve on a port; of the connections made, in order, the one of number `slow` takes its time."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            number = 0
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                after_s = SLOW_S if number == slow else 0.0
                threading.Thread(target=answered, args=(connection,), kwargs={"after_s": after_s}, daemon=True).start()
                number += 1

        threading.Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]


@pytest.mark.parametrize("rounds", [2, 3])
def test_who_looks_is_measured_by_the_answer_to_their_own_request(rounds: int) -> None:
    """A series that ends before the look is answered once left that answer to the next series' look."""
    read = request("GET", "/Groups/1", "secret")
    with serving(slow=1) as port, Connection(port) as pushing, Connection(port) as looking:
        for _ in range(rounds):
            answers = rush.push([pushing, looking], [[("add", read)]], look=(LOOK, read))
            looks = [each.took_ms for each in answers if each.name == LOOK]
            assert len(looks) == 1
            assert looks[0] >= SLOW_S * 1000
