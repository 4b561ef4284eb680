"""The front door alone, as `scim-bridge web` runs it, knocked at byte by byte."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from running.bridge import Bridge

from scim_bridge.supervisor import ports, readiness
from scim_bridge.supervisor.ports import Address

READY_S = 60

CONFIGURATION = """
data_dir = "var"
[store]
url = "sqlite:///bridge.db"
[queue]
url = "redis://127.0.0.1:1/0"
[[tenants]]
id = "acme"
[web]
bind = "{address}"
admin_bind = "{admin_address}"
{settings}
"""


class Door:
    """A running bridge, knocked at byte by byte."""

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        address = urlsplit(bridge.url)
        self.address = (address.hostname or "", address.port or 0)
        self.token = bridge.token("acme")
        self.opened = list[socket.socket]()

    def connect(self, *, buffer_bytes: int | None = None) -> socket.socket:
        """Return a connection; it is closed at the end of the test, when it was not before."""
        connection = socket.socket()
        self.opened.append(connection)
        if buffer_bytes is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)
        connection.settimeout(10)
        connection.connect(self.address)
        return connection

    def head(self, start: str, *lines: str) -> bytes:
        """Return the head of a request with a token."""
        given = [f"{start} HTTP/1.1", "Host: bridge", f"Authorization: Bearer {self.token}", *lines]
        return "\r\n".join([*given, "", ""]).encode()

    def post(self, document: dict[str, Any], *lines: str, path: str = "/scim/v2/Users") -> bytes:
        body = json.dumps(document).encode()
        length = f"Content-Length: {len(body)}"
        return self.head(f"POST {path}", length, "Content-Type: application/scim+json", *lines) + body

    def time_one(self, connection: http.client.HTTPConnection, path: str) -> float:
        """Return the seconds that one request took."""
        began = time.monotonic()
        connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
        return time.monotonic() - began

    def find(self, user_name: str) -> tuple[int, Any]:
        text = quote(f'userName eq "{user_name}"')
        return self.bridge.request("GET", f"/Users?filter={text}", self.token)

    def is_known(self, name: str) -> bool:
        return bool(self.find(f"{name}@example.com")[1]["totalResults"])


class Answer:
    """One answer, read off a socket."""

    def __init__(self, connection: socket.socket, buffered: bytearray | None = None) -> None:
        received = bytearray() if buffered is None else buffered
        while b"\r\n\r\n" not in received:
            self._more(connection, received)
        head, _, _ = bytes(received).partition(b"\r\n\r\n")
        del received[: len(head) + 4]
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(self.headers.get("content-length", 0))
        while len(received) < length:
            self._more(connection, received)
        self.body = bytes(received[:length])
        del received[:length]

    @staticmethod
    def _more(connection: socket.socket, received: bytearray) -> None:
        data = connection.recv(65_536)
        assert data, f"the connection ended; what had arrived: {bytes(received)!r}"
        received += data


@contextlib.contextmanager
def opened(folder: Path, *, database: Path, settings: str = "") -> Iterator[Door]:
    """Run a front door over a copy of a migrated database until the block ends. Nobody hears its wake-ups."""
    with contextlib.ExitStack() as stack:
        address, admin_address = (stack.enter_context(ports.reserved(Address("127.0.0.1", 0))) for _ in range(2))
        shutil.copy(database, folder / "bridge.db")
        config = folder / "bridge.toml"
        config.write_text(CONFIGURATION.format(address=address, admin_address=admin_address, settings=settings))
        environ = {key: value for key, value in os.environ.items() if not key.startswith("SCIM_BRIDGE")}
        bridge = Bridge(folder=folder, config=config, environ=environ, url=address.url)
        bridge.process = subprocess.Popen(
            [sys.executable, "-m", "scim_bridge", "web", "--config", str(config)],
            cwd=folder,
            env=environ,
            text=True,
            start_new_session=True,
        )
        stack.callback(bridge.stop)
        deadline = time.monotonic() + READY_S
        while not readiness.is_ready(address):
            assert bridge.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield Door(bridge)
