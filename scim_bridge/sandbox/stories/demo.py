"""`scim-bridge demo`: the whole product with no account, playing a story against simulated targets."""

import contextlib
import json
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor

from rich.console import Console

from scim_bridge.errors import BridgeError
from scim_bridge.sandbox.interrupts import signals_as_interrupts
from scim_bridge.sandbox.senders.wire import SenderError
from scim_bridge.sandbox.stories import cast, stage, summary, verdict
from scim_bridge.sandbox.stories.progress import Progress, glance
from scim_bridge.sandbox.stories.story import Stopped, Story

SCENARIOS = ("story",)

DEADLINE_S = 85.0
"""The story is judged after this time at the latest, done or not."""

LOOK_EVERY_S = 0.5
SMALL_EDIT_EVERY_S = 5.0

INTERRUPTED = 130


def run(*, once: bool, scenario: str | None = None, as_json: bool = False, port: int | None = None) -> int:
    """Play the story and return the exit code: 0 when it ended as it should, 1 when not, 2 for a wrong scenario.

    Without `once` the product then stays up until Ctrl-C. Nothing is read from or written to the current folder, and
    everything that was started is stopped. To be called in the main thread.
    """
    if scenario is not None and scenario not in SCENARIOS:
        sys.stderr.write(f"scim-bridge demo: there is no scenario {scenario!r}; there is {', '.join(SCENARIOS)}\n")
        return 2
    console = Console(stderr=as_json)
    try:
        with signals_as_interrupts():
            return _Demo(console, as_json=as_json, port=port or 0).run(once=once)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BridgeError as error:
        sys.stderr.write(f"scim-bridge demo: {error}\n")
        return 1


class _Demo:
    """One run."""

    def __init__(self, console: Console, *, as_json: bool, port: int) -> None:
        self._console = console
        self._as_json = as_json
        self._port = port
        self._began = time.monotonic()
        self._cast = cast.gather()

    def run(self, *, once: bool) -> int:
        self._console.print(
            "SCIM Bridge with a simulated Trakstar (10 calls in 10 s) and MindTickle (60 in 60 s, 30 of them writes)",
            highlight=False,
            soft_wrap=True,
        )
        with stage.set_up(port=self._port) as ready:
            story = Story(ready, self._cast)
            with contextlib.ExitStack() as playing:
                pool = playing.enter_context(ThreadPoolExecutor(1, thread_name_prefix="story"))
                playing.callback(story.stop)
                faults = self._watch(ready, story, pool.submit(story.play))
            judged = verdict.judge(
                ready.store,
                ready.worlds,
                self._cast,
                story.desired(),
                elapsed_s=time.monotonic() - self._began,
                faults=faults,
            )
            if self._as_json:
                print(json.dumps(summary.to_json(judged), ensure_ascii=False))  # noqa: T201 - what --json is for
            else:
                summary.show(judged, self._console)
            if faults:
                self._console.print(ready.bridge.last_words(), markup=False, highlight=False)
            if not once:
                self._stay(ready, story)
            return 0 if judged.is_good else 1

    def _watch(self, ready: stage.Stage, story: Story, playing: "Future[None]") -> list[str]:
        """Show progress until all is pushed and nothing is open; return what went wrong on the way."""
        with Progress(self._console) as progress:
            while True:
                ready.bridge.check()
                is_pushed = playing.done()
                seen = glance(ready, act=story.act, pushed=len(story.okta.sent) + len(story.entra.sent))
                progress.show(seen)
                if is_pushed and (error := playing.exception()) is not None:
                    return [_told(error)]
                if is_pushed and not seen.tally.open:
                    return []
                if time.monotonic() - self._began > DEADLINE_S:
                    story.stop()
                    return [] if is_pushed else [f"the story was not over after {DEADLINE_S:g} s"]
                time.sleep(LOOK_EVERY_S)

    def _stay(self, ready: stage.Stage, story: Story) -> None:
        """Keep the product up, with a small edit now and then, until Ctrl-C."""
        worlds = ready.worlds
        for line in (
            "",
            f"SCIM            {ready.scim_url}",
            *(f"token of {source:<6} {token}" for source, token in ready.tokens.items()),
            *(
                f"{name:<15} {world.origin}/_sim/state (what it holds), /_sim/log (calls)"
                for name, world in worlds.items()
            ),
            f"look            scim-bridge status --config {ready.config}",
            f"                scim-bridge failed list --config {ready.config}",
            "",
            f"Okta edits somebody every {SMALL_EDIT_EVERY_S:g} s. Ctrl-C stops and removes everything.",
        ):
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)
        with contextlib.suppress(KeyboardInterrupt):
            for edit in story.small_edits():
                ready.bridge.check()
                try:
                    edit()
                except SenderError as error:
                    self._console.print(_told(error), highlight=False, markup=False)
                time.sleep(SMALL_EDIT_EVERY_S)


def _told(error: BaseException) -> str:
    if isinstance(error, SenderError):
        return f"a push was not accepted: {error}. {error.detail}".strip()
    if isinstance(error, Stopped):
        return "the story was stopped"
    if isinstance(error, BridgeError):
        return str(error)
    raise error
