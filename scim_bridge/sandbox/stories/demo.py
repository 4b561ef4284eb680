"""`scim-bridge demo`: the whole product with no account, playing a scenario against simulated targets."""

import contextlib
import functools
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from rich.console import Console

from scim_bridge.errors import BridgeError
from scim_bridge.sandbox.interrupts import signals_as_interrupts
from scim_bridge.sandbox.senders.wire import SenderError
from scim_bridge.sandbox.stories import scenarios, stage, summary, verdict
from scim_bridge.sandbox.stories.play import NeverSo, Play, Stopped
from scim_bridge.sandbox.stories.progress import Progress, glance
from scim_bridge.sandbox.stories.scenarios import Scenario
from scim_bridge.sandbox.stories.setting import Simulated
from scim_bridge.sandbox.targets.limits import ALL

HELP = "help"
"""The name that asks for the names."""

LOOK_EVERY_S = 0.5
SMALL_EDIT_EVERY_S = 5.0
EDITED = 6
"""People who take turns at being edited while a demo stays up."""

INTERRUPTED = 130


def run(*, once: bool, scenario: str | None = None, as_json: bool = False, port: int | None = None) -> int:
    """Play a scenario and return the exit code: 0 when it ended as it should, 1 when not, 2 for an unknown one.

    Without `once` the product then stays up until Ctrl-C. Nothing is read from or written to the current folder, and
    everything that was started is stopped. To be called in the main thread.
    """
    if scenario == HELP:
        sys.stdout.writelines(f"{line}\n" for line in scenarios.listed())
        return 0
    chosen = scenarios.SCENARIOS.get(scenario or scenarios.DEFAULT)
    if chosen is None:
        sys.stderr.write(f"scim-bridge demo: there is no scenario {scenario!r}; there are:\n")
        sys.stderr.writelines(f"  {line}\n" for line in scenarios.listed())
        return 2
    console = Console(stderr=as_json)
    try:
        with signals_as_interrupts():
            return _Demo(chosen, console, as_json=as_json, port=port or 0).run(once=once)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BridgeError as error:
        sys.stderr.write(f"scim-bridge demo: {error}\n")
        return 1


class _Demo:
    """One run."""

    def __init__(self, scenario: Scenario, console: Console, *, as_json: bool, port: int) -> None:
        self._scenario = scenario
        self._console = console
        self._as_json = as_json
        self._port = port
        self._began = time.monotonic()

    def run(self, *, once: bool) -> int:
        self._print(f"{self._scenario.name}: {self._scenario.shows}")
        self._print(f"SCIM Bridge with {', '.join(map(_described, self._scenario.setting.targets))}")
        with stage.set_up(self._scenario.setting, port=self._port) as ready, Progress(self._console) as progress:
            played = Play(ready, once=once, say=progress.say)
            with contextlib.ExitStack() as playing:
                pool = playing.enter_context(ThreadPoolExecutor(1, thread_name_prefix="script"))
                playing.callback(played.stop)
                faults = self._watch(played, progress, pool.submit(self._scenario.script, played))
            progress.end()
            judged = verdict.judge(
                ready.store,
                ready.worlds,
                self._scenario.setting.targets,
                played.desired(),
                played.expected,
                elapsed_s=time.monotonic() - self._began,
                faults=faults,
            )
            if self._as_json:
                print(json.dumps(summary.to_json(judged, scenario=self._scenario.name), ensure_ascii=False))  # noqa: T201 - what --json is for
            else:
                summary.show(judged, self._console)
            if faults:
                self._print(ready.bridge.last_words())
            if not once:
                self._stay(played)
            return 0 if judged.is_good else 1

    def _watch(self, played: Play, progress: Progress, script: "Future[None]") -> list[str]:
        """Show progress until the script is over; return what went wrong on the way."""
        deadline = time.monotonic() + self._scenario.deadline_s
        while True:
            played.stage.bridge.check()
            is_over = script.done()
            progress.show(glance(played.stage, act=played.act, pushed=played.pushed()))
            if is_over:
                error = script.exception()
                return [] if error is None else [_told(error)]
            if time.monotonic() > deadline:
                played.stop()
                return [f"it was not over after {self._scenario.deadline_s:g} s"]
            time.sleep(LOOK_EVERY_S)

    def _stay(self, played: Play) -> None:
        """Keep the product up, with a small edit now and then, until Ctrl-C."""
        ready = played.stage
        for line in (
            "",
            f"console         {ready.origin}/console/",
            f"operator token  {ready.operator_token()}",
            f"SCIM            {ready.scim_url}",
            *(f"token of {source:<6} {token}" for source, token in ready.tokens.items()),
            *(
                f"{name:<15} {world.origin}/_sim/state (what it holds), /_sim/log (calls)"
                for name, world in ready.worlds.items()
            ),
            f"look            scim-bridge status --config {ready.config}",
            f"                scim-bridge failed list --config {ready.config}",
            "",
            f"Okta edits somebody every {SMALL_EDIT_EVERY_S:g} s. Ctrl-C stops and removes everything.",
        ):
            self._print(line)
        with contextlib.suppress(KeyboardInterrupt):
            for edit in _small_edits(played):
                ready.bridge.check()
                try:
                    edit()
                except SenderError as error:
                    self._print(_told(error))
                time.sleep(SMALL_EDIT_EVERY_S)

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _small_edits(played: Play) -> Iterator[Callable[[], object]]:
    """Give one little change after the other, without end: for a demo that stays up."""
    sent = played.okta.sent if "okta" in played.stage.tokens else {}
    active = [each.person for each in sent.values() if each.active]
    if not active:
        return itertools.repeat(bool)
    return (
        functools.partial(played.okta.update_user, each.evolve(family_name=f"{each.family_name[:20]} No. {number}"))
        for number, each in enumerate(itertools.cycle(active[-EDITED:]), start=1)
    )


def _described(target: Simulated) -> str:
    limits = " and ".join(
        f"{window.requests} {'calls' if window.applies_to == ALL else 'writes'} in {window.per_s:g} s"
        for window in target.windows
    )
    return f"a simulated {target.name} ({limits or 'no limit'})"


def _told(error: BaseException) -> str:
    if isinstance(error, SenderError):
        return f"a push was not accepted: {error}. {error.detail}".strip()
    if isinstance(error, Stopped):
        return "the story was stopped"
    if isinstance(error, (BridgeError, NeverSo)):
        return str(error)
    raise error
