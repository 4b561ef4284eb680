"""One process that is kept alive: what starts it, the child that runs, and when it is started again."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TextIO

from scim_bridge.supervisor import leash
from scim_bridge.supervisor.output import LinePipe

RESTART_DELAYS_S = (0.0, 0.5, 1.0, 2.0)
"""Before the first restart, the second, and so on; the last one stays."""

HEALTHY_AFTER_S = 60.0
"""A child that lived so long starts its series of delays anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSpec:
    """What a process is: its name in the output, its command, and how it is stopped."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    # How long it may take after SIGTERM before its group is killed.
    grace_s: float = 15.0
    # What the kernel sends it when the supervisor dies without stopping it.
    orphan_signal: signal.Signals = signal.SIGTERM
    # Open files that it inherits.
    inherit: Sequence[int] = ()
    # Lines of its output that hold one of these are dropped.
    muted: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Death:
    """How a child ended."""

    name: str
    pid: int
    # The exit code; negative: the number of the signal that killed it.
    code: int

    def describe(self) -> str:
        """Return the end in words."""
        if self.code >= 0:
            return f"ended with exit code {self.code}"
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-self.code).name}"
        return f"was killed by signal {-self.code}"


def restart_delay_s(deaths_in_row: int) -> float:
    """Return how long to wait before a restart: at once after the first death, then longer, at most 2 s."""
    return RESTART_DELAYS_S[min(max(deaths_in_row, 1), len(RESTART_DELAYS_S)) - 1]


class Child:
    """A running process in a group of its own, tied to our life, its output piped to us."""

    def __init__(self, spec: ProcessSpec, *, stdout: TextIO, stderr: TextIO) -> None:
        """Start it.

        Raises:
            OSError: the machine refuses another process.
        """
        self.spec = spec
        tied = [sys.executable, "-I", "-S", str(Path(leash.__file__)), str(int(spec.orphan_signal)), str(os.getpid())]
        self._popen = subprocess.Popen(  # noqa: S603 - our own commands
            [*tied, *spec.command],
            env=dict(spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            process_group=0,
            pass_fds=tuple(spec.inherit),
            umask=0o077,
        )
        self.pid = self._popen.pid
        self.pipes = [
            LinePipe(_take_over(self._popen.stdout), spec.name, stdout, muted=spec.muted),
            LinePipe(_take_over(self._popen.stderr), spec.name, stderr, muted=spec.muted),
        ]

    def ask_to_end(self) -> None:
        """Send SIGTERM to the process itself; what it started is its own to stop."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def kill_group(self) -> None:
        """Kill the process and whatever it left in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def has_ended(self) -> bool:
        """Tell whether the process has ended. It is not reaped, so its number and its group stay its own."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def bury(self) -> Death:
        """Reap an ended process: kill what its group left over, pass on its last words, say how it ended."""
        self.kill_group()
        for pipe in self.pipes:
            pipe.pump()
            pipe.close()
        return Death(self.spec.name, self.pid, self._popen.wait())


def _take_over(pipe: IO[bytes] | None) -> int:
    """Return a descriptor of our own and leave none to the Popen object, whose files would warn when forgotten."""
    if pipe is None:
        raise ValueError("the child was started without a pipe")
    with pipe:
        return os.dup(pipe.fileno())
