"""The story: what an Okta-like and an Entra-like sender do, in which order, over real HTTP."""

import functools
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from scim_bridge.sandbox.compare import Desired
from scim_bridge.sandbox.senders.entra import EntraSender
from scim_bridge.sandbox.senders.okta import OktaSender
from scim_bridge.sandbox.senders.people import Person
from scim_bridge.sandbox.stories import cast
from scim_bridge.sandbox.stories.stage import TARGETS, Stage

SENDING_AT_ONCE = 4
"""Calls that one identity provider has out at a time."""

SENDER_TIMEOUT_S = 10.0


class Stopped(Exception):  # noqa: N818 - a fact
    """Somebody asked the story to stop."""


class Story:
    """Plays the story on a stage. `act` says what is going on; `stop` makes it end soon, in any thread."""

    def __init__(self, stage: Stage, players: cast.Cast) -> None:
        self.act = "setting up"
        self._stage = stage
        self._cast = players
        self._stopping = threading.Event()
        self.okta = OktaSender(stage.scim_url, stage.tokens["okta"], timeout_s=SENDER_TIMEOUT_S, sleep=self._sleep)
        self.entra = EntraSender(stage.scim_url, stage.tokens["entra"], timeout_s=SENDER_TIMEOUT_S, sleep=self._sleep)

    def stop(self) -> None:
        """End the story before its next call."""
        self._stopping.set()

    def desired(self) -> list[Desired]:
        """Return what both targets should hold, by the senders' own books."""
        return [*self.okta.record.desired(), *self.entra.record.desired()]

    def play(self) -> None:
        """Play all acts; returns when the last push is accepted, not when it is delivered.

        Raises:
            Stopped: by `stop`.
            SenderError: the bridge did not accept.
        """
        self._furnish()
        self._first_load()
        self._live()
        self.act = "all pushed; delivering"

    def small_edits(self) -> Iterator[Callable[[], object]]:
        """Give one little change after the other, without end: for a demo that stays up."""
        for number, person in enumerate(itertools.cycle(self._cast.renamed), start=1):
            changed = person.evolve(family_name=f"{person.family_name[:20]} No. {number}")
            yield functools.partial(self.okta.update_user, changed)

    def _furnish(self) -> None:
        """Put into the targets who is there already, and tell Trakstar whom to refuse."""
        for target in TARGETS:
            self._stage.worlds[target].control("POST", "seed", {"users": self._cast.seeds()})
        self._stage.worlds["trakstar"].control("POST", "refuse", dict(self._cast.refused))

    def _first_load(self) -> None:
        """Okta's first assignment, with the lanes paused as an operator would: people wait for their groups."""
        self.act = "first load from Okta; delivery is paused until people and groups are in"
        self._stage.pause_lanes()
        self.okta.test_connection()
        self._each(self.okta.push_user, self._cast.okta)
        for name, members in self._cast.groups.items():
            self._go()
            self.okta.push_group(name, [person.user_name for person in members])
        self._each(lambda person: self.okta.update_user(person.evolve(title="Trainee")), self._cast.edited_early)
        self._each(lambda person: self.okta.update_user(person.evolve(title="Associate")), self._cast.edited_early)
        self._each(lambda person: self.okta.deactivate(person.user_name), self._cast.passing)
        self._stage.resume_lanes()

    def _live(self) -> None:
        """Entra's people one by one into lanes that deliver, and Okta's joiners, movers and leavers between them."""
        half = len(self._cast.entra) // 2
        self.act = "Entra pushes people one by one; delivery goes on meanwhile"
        self.entra.test_connection()
        self._each(self.entra.push_user, self._cast.entra[:half])
        self.act = "Okta renames, moves and deactivates people"
        self._each(lambda person: self.okta.deactivate(person.user_name), self._cast.leavers)
        for suffix in ("Interim", "Married"):
            self._each(self.okta.update_user, [_renamed(person, suffix) for person in self._cast.renamed])
        self._move()
        self.act = "Entra pushes the rest of its people, then a group"
        self._each(self.entra.push_user, self._cast.entra[half:])
        self._go()
        self.entra.push_group(self._cast.late_group, [person.user_name for person in self._cast.late_members])

    def _move(self) -> None:
        name = self._cast.mover.user_name
        sales = {person.user_name for person in self._cast.groups["Sales"]} - {name}
        engineering = {person.user_name for person in self._cast.groups["Engineering"]} | {name}
        self._go()
        self.okta.push_group("Engineering", engineering)
        self._go()
        self.okta.push_group("Sales", sales)

    def _each(self, do: Callable[[Person], object], people: Iterable[Person]) -> None:
        """Do something for each person, a few at a time; the first failure ends it."""

        def guarded(person: Person) -> None:
            self._go()
            do(person)

        with ThreadPoolExecutor(SENDING_AT_ONCE, thread_name_prefix="sender") as pool:
            futures = [pool.submit(guarded, person) for person in people]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _go(self) -> None:
        if self._stopping.is_set():
            raise Stopped

    def _sleep(self, seconds: float) -> None:
        self._stopping.wait(seconds)


def _renamed(person: Person, suffix: str) -> Person:
    return person.evolve(family_name=f"{person.family_name[:20]} {suffix}", title="Senior Associate")
