"""What is going on, while it goes on: a live table on a terminal, a plain line now and then elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from scim_bridge.domain.states import State
from scim_bridge.sandbox.stories.setting import Simulated
from scim_bridge.sandbox.stories.stage import Stage
from scim_bridge.sandbox.stories.worlds import World
from scim_bridge.store.tallies import Tally

PLAIN_LINE_EVERY_S = 5.0

DONE = (State.DELIVERED, State.UNCHANGED, State.SKIPPED, State.SUPERSEDED, State.DISCARDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """How far things are at one moment."""

    act: str
    pushed: int
    tally: Tally
    calls: Mapping[str, int]
    in_window: Mapping[str, str]
    """How full each target's window is, in words; empty for a target without a limit."""


def glance(stage: Stage, *, act: str, pushed: int) -> Glance:
    """Look at the store and at both targets."""
    for world in stage.worlds.values():
        world.look()
    return Glance(
        act=act,
        pushed=pushed,
        tally=stage.tally(),
        calls={name: len(world.calls) for name, world in stage.worlds.items()},
        in_window={each.name: _in_window(stage.worlds[each.name], each) for each in stage.setting.targets},
    )


def _in_window(world: World, target: Simulated) -> str:
    if not target.windows:
        return ""
    window = target.windows[0]
    return f"{world.calls_within(window.per_s)} of {window.requests} in {window.per_s:g} s"


class Progress:
    """Shows glances as they come. To be used as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        self._began = time.monotonic()
        self._last_line = float("-inf")
        self._last_act = ""

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Show nothing further; twice changes nothing."""
        if self._live is not None:
            self._live.stop()

    def say(self, line: str) -> None:
        """Show one line that stays."""
        self._console.print(f"{self._elapsed_s():4.0f} s  {line}", highlight=False, markup=False, soft_wrap=True)

    def show(self, seen: Glance) -> None:
        """Show how far things are."""
        if seen.act != self._last_act:
            self._last_act = seen.act
            self.say(seen.act)
        if self._live is not None:
            self._live.update(_table(seen, self._elapsed_s()), refresh=True)
        elif time.monotonic() - self._last_line >= PLAIN_LINE_EVERY_S:
            self._last_line = time.monotonic()
            self.say(_line(seen))

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began


def _table(seen: Glance, elapsed_s: float) -> Table:
    title = f"{elapsed_s:.0f} s · {seen.pushed} people accepted · {seen.tally.recorded} changes recorded"
    table = Table(title=title, title_justify="left")
    table.add_column("target")
    for heading in ("waiting", "sending", "done", "dead", "calls", "in the window"):
        table.add_column(heading, justify="right")
    for target in seen.calls:
        table.add_row(
            target,
            str(seen.tally.of(target, State.WAITING)),
            str(seen.tally.of(target, State.SENDING)),
            str(seen.tally.of(target, *DONE)),
            str(seen.tally.of(target, State.DEAD)),
            str(seen.calls[target]),
            seen.in_window[target],
        )
    return table


def _line(seen: Glance) -> str:
    parts = [f"{seen.pushed} people, {seen.tally.recorded} changes recorded"]
    parts += [
        f"{target}: {seen.tally.of(target, State.WAITING, State.SENDING)} open, "
        f"{seen.tally.of(target, *DONE)} done, {seen.tally.of(target, State.DEAD)} dead, "
        f"{seen.calls[target]} calls{f' ({seen.in_window[target]})' if seen.in_window[target] else ''}"
        for target in seen.calls
    ]
    return "  " + " | ".join(parts)
