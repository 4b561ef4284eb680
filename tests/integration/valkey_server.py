"""A real Valkey on a unix socket, which a test may kill and start again."""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

from scim_bridge.supervisor import valkey


class ValkeyServer:
    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._server = self._stack.enter_context(valkey.held(folder))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._server.socket}"

    def start(self) -> None:
        spec = self._server.spec()
        self._process = subprocess.Popen(
            spec.command, env=dict(spec.environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._server.answers)

    def kill(self) -> None:
        if self._process is not None:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def close(self) -> None:
        self.kill()
        self._stack.close()


def until(holds: object, *, patience_s: float = 15.0) -> None:
    """Wait until something holds; the only way to learn what another process does."""
    assert callable(holds)
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.02)
