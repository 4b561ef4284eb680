"""What a script plays with: senders, the targets' switches, the bridge's own figures; and what it says must be true."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

from scim_bridge.sandbox.compare import Desired
from scim_bridge.sandbox.senders.entra import EntraSender
from scim_bridge.sandbox.senders.okta import OktaSender
from scim_bridge.sandbox.senders.people import Person
from scim_bridge.sandbox.stories.expected import Claim, Expected
from scim_bridge.sandbox.stories.stage import Stage
from scim_bridge.sandbox.stories.worlds import World, is_over
from scim_bridge.sandbox.targets.holdings import HeldAccount

SENDING_AT_ONCE = 4
"""Calls that one identity provider has out at a time."""

SENDER_TIMEOUT_S = 10.0
LOOK_EVERY_S = 0.1


class Stopped(Exception):  # noqa: N818 - a fact
    """Somebody asked the story to stop."""


class NeverSo(Exception):  # noqa: N818 - a fact
    """Something that a script waits for did not come to be; the message says what."""


class Play:
    """One run of a script. `act` says what is going on; `stop` makes it end soon, in any thread.

    What a script says must be true in the end stands in `expected`; people of senders that are not ours come into
    `wishes`. Every method that waits raises Stopped when somebody asked for it.
    """

    def __init__(self, stage: Stage, *, once: bool, say: Callable[[str], object]) -> None:
        self.stage = stage
        self.once = once
        """Whether the demo ends with the script, so that nobody is there to act."""
        self.say = say
        """Shows one line to who watches."""
        self.act = "setting up"
        self.expected = Expected()
        self.wishes: list[Desired] = []
        self._stopping = threading.Event()

    @cached_property
    def okta(self) -> OktaSender:
        """A sender that behaves as Okta does."""
        return OktaSender(
            self.stage.scim_url, self.stage.tokens["okta"], timeout_s=SENDER_TIMEOUT_S, sleep=self._stopping.wait
        )

    @cached_property
    def entra(self) -> EntraSender:
        """A sender that behaves as Entra does."""
        return EntraSender(
            self.stage.scim_url, self.stage.tokens["entra"], timeout_s=SENDER_TIMEOUT_S, sleep=self._stopping.wait
        )

    def stop(self) -> None:
        """End the script before its next call."""
        self._stopping.set()

    def desired(self) -> list[Desired]:
        """Return what every target should hold, by the senders' own books."""
        return [*(each for sender in self._senders() for each in sender.record.desired()), *self.wishes]

    def pushed(self) -> int:
        """Return how many people were accepted so far."""
        return sum(len(sender.sent) for sender in self._senders()) + len(self.wishes)

    # What must be true in the end

    def excuse(self, target: str, people: Iterable[Person], code: str | None) -> None:
        """Name people who rightly end otherwise in a target: dead or held with a code, or (None) left as they are."""
        self.expected.exceptions.update({(target, person.user_name): code for person in people})

    def claim(self, text: str, *, holds: bool, **figures: float) -> None:
        """Say what the scenario shows, with the text's figures for machines; the demo fails when it does not hold."""
        self.expected.claims.append(Claim(text=text, holds=holds, figures=figures))

    # Acting

    def push(self, people: Iterable[Person]) -> None:
        """Have Okta assign people."""
        self.each(self.okta.push_user, people)

    def push_waiting(self, people: Iterable[Person]) -> None:
        """Have Okta assign people while the lanes are paused, so that all are due at once."""
        self.stage.pause_lanes()
        self.push(people)
        self.stage.resume_lanes()

    def each(self, do: Callable[[Person], object], people: Iterable[Person]) -> None:
        """Do something for each person, a few at a time; the first failure ends it."""

        def guarded(person: Person) -> None:
            self.go()
            do(person)

        with ThreadPoolExecutor(SENDING_AT_ONCE, thread_name_prefix="sender") as pool:
            futures = [pool.submit(guarded, person) for person in people]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def go(self) -> None:
        """Raise Stopped when somebody asked for it."""
        if self._stopping.is_set():
            raise Stopped

    def fault(self, target: str, *faults: Mapping[str, Any]) -> None:
        """Script faults for a target's next calls."""
        self.world(target).control("POST", "faults", {"faults": [dict(each) for each in faults]})

    def mend(self, target: str) -> None:
        """Let a target be well again."""
        self.world(target).control("DELETE", "faults")

    # Looking

    def world(self, target: str) -> World:
        """Return a simulated target."""
        return self.stage.worlds[target]

    def held(self, target: str, person: Person) -> HeldAccount | None:
        """Return somebody's account in a target."""
        return self.world(target).state().find(person.user_name)

    def calls(self, target: str, *, method: str | None = None, ending: str = "") -> list[Mapping[str, Any]]:
        """Return the calls to a target that are over, in order, by method and by how the path ends."""
        listed = self.world(target).control("GET", "log")["calls"]
        return [
            call
            for call in listed
            if is_over(call) and method in {None, call["method"]} and call["path"].endswith(ending)
        ]

    def await_that(self, is_so: Callable[[], bool], what: str, *, within_s: float) -> None:
        """Wait until something is so.

        Raises:
            NeverSo: it is not in time.
        """
        deadline = time.monotonic() + within_s
        while not is_so():
            self.go()
            self.stage.bridge.check()
            if time.monotonic() > deadline:
                raise NeverSo(f"after {within_s:g} s it was still not so that {what}")
            self._stopping.wait(LOOK_EVERY_S)

    def await_done(self, *, within_s: float = 60.0) -> None:
        """Wait until nothing is open; who is held or dead waits for a person, and not for us."""
        self.await_that(lambda: not self.stage.tally().open, "all is delivered", within_s=within_s)

    def await_state(self, target: str, *states: str, within_s: float = 30.0) -> float:
        """Wait until `scim-bridge status` calls a lane by one of these states; returns the seconds that it took."""
        began = time.monotonic()
        self.await_that(
            lambda: self.stage.lane(target)["state"] in states,
            f"the lane {target} is {' or '.join(states)}",
            within_s=within_s,
        )
        return time.monotonic() - began

    def rest(self, seconds: float) -> None:
        """Let so much time go by."""
        self._stopping.wait(seconds)
        self.go()

    def _senders(self) -> list[OktaSender | EntraSender]:
        # Only those who have played: a cached property is in the object's own dictionary then.
        return [self.__dict__[name] for name in ("okta", "entra") if name in self.__dict__]
