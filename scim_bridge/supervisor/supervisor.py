"""The loop that watches the children: passes their output on, starts again who dies, stops them in order."""

import contextlib
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FrameType
from typing import TextIO

from scim_bridge.supervisor.output import LinePipe, write_line
from scim_bridge.supervisor.processes import HEALTHY_AFTER_S, Child, Death, ProcessSpec, restart_delay_s

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LOOK_EVERY_S = 1.0
"""A backstop: SIGCHLD wakes the loop when a child ends."""


@dataclass(slots=True)
class _Post:
    """The place of one process: who holds it, or when the next one starts."""

    spec: ProcessSpec
    child: Child | None = None
    started_at: float = 0.0
    start_at: float | None = None
    deaths_in_row: int = 0


class Supervisor:
    """Keeps processes alive. To be used in the main thread only: the kernel ties a child to the thread that made it."""

    def __init__(
        self,
        *,
        on_death: Callable[[Death], None] = lambda _death: None,
        stdout: TextIO = sys.stdout,
        stderr: TextIO = sys.stderr,
    ) -> None:
        """Make a supervisor without children. `on_death` is told of each that died unasked."""
        self.stop_requests = 0
        self._on_death = on_death
        self._stdout = stdout
        self._stderr = stderr
        self._posts: dict[str, _Post] = {}
        self._selector = selectors.DefaultSelector()

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Hear signals while the block runs; whatever children are left at its end are killed."""
        hearing, speaking = socket.socketpair()
        hearing.settimeout(0)
        speaking.settimeout(0)
        former = {number: signal.signal(number, self._hear_stop) for number in STOP_SIGNALS}
        former[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        former_wakeup = signal.set_wakeup_fd(speaking.fileno(), warn_on_full_buffer=False)
        self._selector.register(hearing, selectors.EVENT_READ)
        try:
            yield
        finally:
            self.stop([list(self._posts)], grace_s=0.0)
            signal.set_wakeup_fd(former_wakeup)
            for number, handler in former.items():
                signal.signal(number, handler)
            self._selector.close()
            hearing.close()
            speaking.close()

    def start(self, spec: ProcessSpec) -> None:
        """Start a process and keep it alive from now on."""
        self._posts[spec.name] = _Post(spec)
        self._fill(self._posts[spec.name])

    def pid(self, name: str) -> int | None:
        """Return the process that runs under a name just now."""
        child = self._posts[name].child
        return None if child is None else child.pid

    def deaths_in_row(self) -> dict[str, int]:
        """Return how often each process died without a minute of health between."""
        return {name: post.deaths_in_row for name, post in self._posts.items()}

    def step(self, timeout_s: float = LOOK_EVERY_S) -> None:
        """Wait for something to happen, at most so long, and do what it asks for."""
        self._wait(self._time_to_wait(timeout_s))
        for post in self._posts.values():
            if post.child is not None and post.child.has_ended():
                self._mourn(post)
            if post.child is None and post.start_at is not None and post.start_at <= time.monotonic():
                self._fill(post)

    def stop(self, stages: Sequence[Sequence[str]], *, grace_s: float | None = None) -> None:
        """Stop the named processes, one stage after the other; a second stop request cuts the grace short."""
        requests = self.stop_requests
        for stage in stages:
            posts = [self._posts[name] for name in stage if name in self._posts]
            for post in posts:
                post.start_at = None
                if post.child is not None:
                    post.child.ask_to_end()
            began = time.monotonic()
            while living := [post for post in posts if post.child is not None]:
                for post in living:
                    patience_s = post.spec.grace_s if grace_s is None else grace_s
                    if self.stop_requests > requests or time.monotonic() >= began + patience_s:
                        self._kill(post)
                self._wait(0.1)
                for post in living:
                    if post.child is not None and post.child.has_ended():
                        self._bury(post)

    def say(self, line: str) -> None:
        """Write a line of our own among the children's."""
        write_line(self._stderr, "up", line)

    def _hear_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop_requests += 1

    def _time_to_wait(self, timeout_s: float) -> float:
        starts = [post.start_at for post in self._posts.values() if post.start_at is not None]
        return min([timeout_s, *(max(0.0, start - time.monotonic()) for start in starts)])

    def _wait(self, timeout_s: float) -> None:
        for key, _events in self._selector.select(timeout_s):
            if isinstance(key.data, LinePipe):
                if not key.data.pump():
                    self._selector.unregister(key.fd)
            elif isinstance(key.fileobj, socket.socket):
                with contextlib.suppress(BlockingIOError):
                    key.fileobj.recv(4096)

    def _fill(self, post: _Post) -> None:
        try:
            post.child = Child(post.spec, stdout=self._stdout, stderr=self._stderr)
        except OSError as error:
            post.deaths_in_row += 1
            post.start_at = time.monotonic() + max(1.0, restart_delay_s(post.deaths_in_row))
            self.say(f"{post.spec.name} cannot be started ({error.strerror}); trying again")
            return
        post.started_at = time.monotonic()
        post.start_at = None
        for pipe in post.child.pipes:
            self._selector.register(pipe.descriptor, selectors.EVENT_READ, pipe)

    def _mourn(self, post: _Post) -> None:
        if time.monotonic() - post.started_at >= HEALTHY_AFTER_S:
            post.deaths_in_row = 0
        post.deaths_in_row += 1
        delay_s = restart_delay_s(post.deaths_in_row)
        death = self._bury(post)
        post.start_at = time.monotonic() + delay_s
        again = f"in {delay_s:g} s" if delay_s else "now"
        self.say(f"{death.name} (process {death.pid}) {death.describe()}; starting it again {again}")
        self._on_death(death)

    def _bury(self, post: _Post) -> Death:
        if post.child is None:
            raise ValueError("nobody to bury")
        for pipe in post.child.pipes:
            with contextlib.suppress(KeyError):
                self._selector.unregister(pipe.descriptor)
        death = post.child.bury()
        post.child = None
        return death

    def _kill(self, post: _Post) -> None:
        if post.child is not None:
            post.child.kill_group()
