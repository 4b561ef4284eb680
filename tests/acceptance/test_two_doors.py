"""Two web processes behind one port: what holds of a token holds at both of them."""

import contextlib
import http.client
import itertools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from running import knocking
from running.bridge import Bridge, children_of

from scim_bridge.store import tokens

REQUESTS_PER_S = 10
TENANT = "acme"


@pytest.fixture(scope="module")
def bridge(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Bridge]:
    """A front door with two web processes, which holds each token to a slow pace."""
    settings = f"workers = 2\nrequests_per_s = {REQUESTS_PER_S}"
    with knocking.opened(tmp_path_factory.mktemp("doors"), database=sqlite_template, settings=settings) as door:
        yield door.bridge


class Connection:
    """One connection to the front door that is kept alive, and so stays with one process."""

    def __init__(self, bridge: Bridge) -> None:
        address = urlsplit(bridge.url)
        self._http = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)

    def ask(self, token: str, path: str = "/Users?count=0", **headers: str) -> tuple[int, dict[str, str], Any]:
        """Make a request and return status, headers and body of the answer."""
        self._http.request("GET", f"/scim/v2{path}", headers={"Authorization": f"Bearer {token}", **headers})
        answer = self._http.getresponse()
        return answer.status, dict(answer.getheaders()), json.loads(answer.read())

    @property
    def local_port(self) -> int:
        return int(self._http.sock.getsockname()[1])

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def connections(bridge: Bridge) -> Iterator[list[Connection]]:
    """Connections to both processes, three at least to each."""
    assert bridge.process is not None
    processes = children_of(bridge.process.pid)
    assert len(processes) == 2
    token, found = bridge.token(TENANT), dict[int, list[Connection]]()
    while min(len(found.get(each, ())) for each in processes) < 3:
        connection = Connection(bridge)
        connection.ask(token)
        found.setdefault(serving(processes, connection.local_port), []).append(connection)
    # One of the one, one of the other, in turn.
    yield [each for pair in itertools.zip_longest(*found.values()) for each in pair if each is not None]
    for each in itertools.chain(*found.values()):
        each.close()


def serving(processes: list[int], peer_port: int) -> int:
    """Return which process has the other end of a connection."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if int(row[2].rpartition(":")[2], 16) == peer_port}
    for pid in processes:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(descriptor.readlink()) in inodes:
                    return pid
    pytest.fail(f"nobody serves the connection from port {peer_port}")


def issue(bridge: Bridge) -> tokens.Issued:
    with contextlib.closing(bridge.store) as store, store.begin(TENANT) as tx:
        return tokens.issue(tx, scopes=["scim"], source="idp")


def in_store(bridge: Bridge, change: Callable[[Any], Any]) -> Any:
    """Make a change as `scim-bridge token` does, in a process of its own."""
    with contextlib.closing(bridge.store) as store, store.begin(TENANT) as tx:
        return change(tx)


def test_a_revoked_token_is_refused_by_both_within_a_second(bridge: Bridge, connections: list[Connection]) -> None:
    issued = issue(bridge)
    # Whoever comes too fast is told so only once it is known who it is.
    assert {connection.ask(issued.value)[0] for connection in connections} <= {200, 429}
    assert in_store(bridge, lambda tx: tokens.revoke(tx, issued.id))
    revoked_at = time.monotonic()
    for connection in connections:
        while connection.ask(issued.value)[0] != 401:
            assert time.monotonic() < revoked_at + 1
            time.sleep(0.02)
    assert {connection.ask(issued.value)[0] for connection in connections} == {401}


def test_within_an_overlap_both_tokens_are_good_at_both(bridge: Bridge, connections: list[Connection]) -> None:
    old = issue(bridge)
    new = in_store(bridge, lambda tx: tokens.rotate(tx, old.id, overlap_ms=2_000))
    rotated_at = time.monotonic()
    pair = connections[:2]
    assert {connection.ask(each.value)[0] for connection in pair for each in (old, new)} == {200}
    time.sleep(max(0.0, rotated_at + 2 - time.monotonic()))
    assert [connection.ask(old.value)[0] for connection in pair] == [401, 401]
    assert [connection.ask(new.value)[0] for connection in pair] == [200, 200]


def test_requests_are_counted_over_both(bridge: Bridge, connections: list[Connection]) -> None:
    token = issue(bridge).value
    began = time.monotonic()
    answers = [connection.ask(token) for _ in range(10) for connection in connections]
    took_s = time.monotonic() - began
    passed = sum(status == 200 for status, _, _ in answers)
    assert {status for status, _, _ in answers} == {200, 429}
    # Each for itself, they would let twice as many through.
    assert REQUESTS_PER_S <= passed <= REQUESTS_PER_S * (1 + took_s) + 2
    waits = {headers["Retry-After"] for status, headers, _ in answers if status == 429}
    assert waits == {"1"}


def test_nobody_is_believed_unasked(bridge: Bridge, connections: list[Connection]) -> None:
    """gunicorn would by itself believe whatever comes from this machine, as all does that comes through a proxy."""
    forged = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Ssl": "on",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-For": "10.0.0.1",
        "SCRIPT_NAME": "/scim",
    }
    status, _, body = connections[0].ask(issue(bridge).value, "/ServiceProviderConfig", **forged)
    assert status == 200
    assert body["meta"]["location"].startswith(f"{bridge.url}/scim/v2/")
