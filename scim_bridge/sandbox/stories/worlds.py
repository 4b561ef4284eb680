"""Simulated targets in processes of their own, and their control surfaces."""

import contextlib
import http.client
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scim_bridge.errors import BridgeError
from scim_bridge.sandbox import interrupts
from scim_bridge.sandbox.targets.holdings import HeldState
from scim_bridge.supervisor import leash

START_S = 60.0
END_S = 5.0
CONTROL_S = 10.0

# -P: a folder called `workers` where we were called must not be taken for ours.
PYTHON = (sys.executable, "-P")


class StageFailed(BridgeError):  # noqa: N818 - it says what happened
    """Something that the story needs does not start or ended too early; the message says what."""


@dataclass(slots=True, kw_only=True)
class World:
    """One simulated target: where it is, and every call that reached it so far."""

    name: str
    origin: str
    urls: Mapping[str, str]
    calls: list[Mapping[str, Any]] = field(default_factory=list, repr=False)
    """Those that are over, in order of arrival."""
    _all_over_until: int = 0
    """The number up to which no call is under way any more."""

    def control(self, method: str, name: str, document: object = None) -> Any:
        """Make one call of the control surface and return its JSON.

        Raises:
            StageFailed: the simulator does not answer, or refuses.
        """
        parts = urlsplit(self.origin)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=CONTROL_S)
        try:
            body = None if document is None else json.dumps(document).encode()
            connection.request(method, f"/_sim/{name}", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            if response.status != 200:
                raise StageFailed(f"the simulated {self.name} refused {name}: {answer[:200]!r}")
            return json.loads(answer)
        except (OSError, http.client.HTTPException, ValueError) as exc:
            raise StageFailed(f"the simulated {self.name} does not answer ({type(exc).__name__})") from exc
        finally:
            connection.close()

    def look(self) -> None:
        """Read the calls that came, and those that ended, since the last look."""
        listed = self.control("GET", f"log?after={self._all_over_until}")["calls"]
        before = [call for call in self.calls if call["number"] <= self._all_over_until]
        self.calls = before + [call for call in listed if is_over(call)]
        under_way = (call["number"] for call in listed if not is_over(call))
        last = max((call["number"] for call in listed), default=self._all_over_until)
        self._all_over_until = min(under_way, default=last + 1) - 1

    def state(self) -> HeldState:
        """Return what the target holds now."""
        return HeldState.from_json(self.control("GET", "state"))

    def calls_within(self, per_s: float) -> int:
        """Return how many calls came in the last so many seconds."""
        since_ms = time.time() * 1000 - per_s * 1000
        return sum(call["arrived_ms"] > since_ms for call in self.calls)


def is_over(call: Mapping[str, Any]) -> bool:
    """Tell whether a call of a simulator's log is over: answered, or left without an answer by a scripted fault."""
    return call["status"] is not None or call["fault"] is not None


@contextlib.contextmanager
def simulated(commands: Mapping[str, Sequence[str]], *, folder: Path) -> Iterator[dict[str, World]]:
    """Run simulators until the block ends: by name, the arguments of each, its kind among them.

    Raises:
        StageFailed: one does not start.
    """
    with contextlib.ExitStack() as stack:
        module = [*PYTHON, "-m", "scim_bridge.sandbox.targets"]
        processes = {
            name: stack.enter_context(running(name, [*module, *arguments], folder=folder, patience_s=END_S))
            for name, arguments in commands.items()
        }
        yield {name: _world(name, process) for name, process in processes.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process of the stage. What it prints is in the folder: NAME.out and NAME.log."""

    name: str
    folder: Path
    popen: "subprocess.Popen[bytes]"

    def await_line(self, opening: str, *, patience_s: float) -> str:
        """Return the first line that it prints with this opening.

        Raises:
            StageFailed: it ends before that, or takes too long.
        """
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            has_ended = self.popen.poll() is not None
            *lines, _unfinished = (self.folder / f"{self.name}.out").read_text(encoding="utf-8").split("\n")
            found = next((line for line in lines if line.startswith(opening)), None)
            if found is not None:
                return found
            if has_ended:
                break
            time.sleep(0.05)
        raise StageFailed(f"{self.name} does not start:\n{self.last_words()}")

    def check(self) -> None:
        """Raise StageFailed when it has ended."""
        if self.popen.poll() is not None:
            raise StageFailed(f"{self.name} has ended unasked:\n{self.last_words()}")

    def last_words(self, *, lines: int = 15) -> str:
        """Return the last lines of its log."""
        text = (self.folder / f"{self.name}.log").read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:]) or "(it logged nothing)"


@contextlib.contextmanager
def running(
    name: str, command: Sequence[str], *, folder: Path, patience_s: float, environ: Mapping[str, str] | None = None
) -> Iterator[Process]:
    """Run a process until the block ends. It is tied to our life, and out of reach of the terminal's Ctrl-C."""
    tied = [sys.executable, "-I", "-S", str(Path(leash.__file__)), str(int(signal.SIGTERM)), str(os.getpid())]
    with contextlib.ExitStack() as stack:
        with (
            interrupts.undisturbed(),
            (folder / f"{name}.out").open("wb") as out,
            (folder / f"{name}.log").open("wb") as log,
        ):
            popen = subprocess.Popen(  # noqa: S603 - our own commands
                [*tied, *command],
                cwd=folder,
                env=environment() if environ is None else environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                start_new_session=True,
                umask=0o077,
            )
            stack.callback(_end, popen, patience_s)
        yield Process(name=name, folder=folder, popen=popen)


def environment() -> dict[str, str]:
    """Return our environment without settings of a bridge: a story is the same wherever it is told."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SCIM_BRIDGE_")}
    return {**ours, "PYTHONUNBUFFERED": "1"}


def _world(name: str, process: Process) -> World:
    told = json.loads(process.await_line("{", patience_s=START_S))
    urls = {name: url for name, url in told.items() if name not in {"kind", "origin"}}
    return World(name=name, origin=told["origin"], urls=urls)


def _end(popen: "subprocess.Popen[bytes]", patience_s: float) -> None:
    """Ask a process to end, and kill its whole session when it does not."""
    popen.terminate()
    try:
        popen.wait(patience_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()


def new_secret() -> str:
    """Return a made-up credential."""
    return secrets.token_hex(16)
