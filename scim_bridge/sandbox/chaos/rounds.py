"""Plays rounds: push, break a worker at a numbered step, let another go on, and compare from outside."""

import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from scim_bridge.sandbox import compare
from scim_bridge.sandbox.chaos import ground, points
from scim_bridge.sandbox.chaos.ground import Ground
from scim_bridge.sandbox.senders.people import Person, generate_people
from scim_bridge.sandbox.senders.wire import SenderError
from scim_bridge.sandbox.stories.setting import TRAKSTAR_NAME_LIMIT
from scim_bridge.store.verify import verify_ledger

PEOPLE_A_ROUND = 6
REACHED_WITHIN_S = 40.0
SETTLED_WITHIN_S = 120.0
STRIKES = ("nothing", "flush the queue", "kill the queue", "cut the database's connections")
LIMITS = {"trakstar": TRAKSTAR_NAME_LIMIT, "mindtickle": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round: what is done to whom follows from its number and the seed."""

    number: int
    seed: int
    point: int
    stops: bool
    strike: str
    lease_is_freed: bool

    @property
    def told(self) -> str:
        """Return what is done, as the command prints it."""
        how = "stopped" if self.stops else "killed"
        return f"{how} at {self.point} ({points.POINTS[self.point]}); {self.strike}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How a round ended. Each list names people or facts; all are empty when nothing is wrong."""

    round: Round
    elapsed_s: float
    lost: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    other: tuple[str, ...] = field(default=())

    @property
    def is_good(self) -> bool:
        """Tell whether nothing is wrong."""
        return not (self.lost or self.twice or self.stuck or self.other)


def drawn(number: int, *, seed: int) -> Round:
    """Return the round of a number: nine ways of breaking in turn, the rest by chance."""
    chance = random.Random(f"{seed}:{number}")  # noqa: S311 - to be had again by its seed
    ways = [*((point, False) for point in points.POINTS), (points.STOPPING_POINT, True)]
    # One after the other from a place that the seed gives, the one that stands still first.
    point, stops = ways[(number - 2 + (seed % len(ways) if number > 1 else 0)) % len(ways)]
    return Round(
        number=number,
        seed=seed,
        point=point,
        stops=stops,
        strike=chance.choice(STRIKES),
        lease_is_freed=chance.random() < 0.5,
    )


def play(store: str, *, rounds: int, seed: int) -> Iterator[Played]:
    """Play rounds on one bridge and give each when it is over.

    Raises:
        StageFailed: a part does not start.
    """
    with ground.laid_out(store) as laid:
        people = generate_people(rounds * PEOPLE_A_ROUND, seed=seed)
        for number in range(1, rounds + 1):
            fresh = people[(number - 1) * PEOPLE_A_ROUND : number * PEOPLE_A_ROUND]
            yield _play(laid, drawn(number, seed=seed), fresh)


def _play(laid: Ground, one: Round, fresh: list[Person]) -> Played:
    began = time.monotonic()
    other: list[str] = []
    crash = f"{one.point}{' stop' if one.stops else ''}"
    with laid.worker("breaking", crash) as breaking:
        former = list(laid.sender.sent.values())
        for person in fresh:
            insist(lambda person=person: laid.sender.push_user(person))  # type: ignore[misc]
        for sent in former[-PEOPLE_A_ROUND:-2]:
            changed = sent.person.evolve(title=f"Title of round {one.number}")
            insist(lambda changed=changed: laid.sender.update_user(changed))  # type: ignore[misc]
        insist(lambda: laid.sender.deactivate(fresh[0].user_name))
        _strike(laid, one.strike)
        popen = breaking.popen
        has_broken = ground.wait_for(
            lambda: ground.stands_still(popen.pid) if one.stops else popen.poll() is not None,
            within_s=REACHED_WITHIN_S,
        )
        if not has_broken:
            other.append(f"the worker never came to point {one.point}")
        elif not one.stops and popen.returncode != -signal.SIGKILL:
            other.append(f"the worker ended by itself:\n{breaking.last_words()}")
        if one.lease_is_freed and not one.stops:
            laid.free_leases(popen.pid)
        if one.stops:
            for person in fresh[1:]:
                insist(lambda person=person: laid.sender.deactivate(person.user_name))  # type: ignore[misc]
        with laid.worker("successor"):
            stuck = _settle(laid)
            if one.stops:
                popen.send_signal(signal.SIGCONT)
                # It has its say: the call that it was about to make, and `late` in the books.
                time.sleep(1.0)
                stuck = stuck or _settle(laid)
    return _judged(laid, one, elapsed_s=time.monotonic() - began, stuck=stuck, other=other)


def insist(action: Callable[[], object]) -> None:
    """Do as an IdP does: try again until there is a 2xx."""
    deadline = time.monotonic() + 120
    while True:
        try:
            action()
        except SenderError as error:
            if time.monotonic() > deadline or (error.status is not None and error.status < 500):
                raise
            time.sleep(0.2)
        else:
            return


def _strike(laid: Ground, strike: str) -> None:
    if strike == "flush the queue":
        laid.flush_queue()
    elif strike == "kill the queue":
        laid.kill_queue()
    elif strike == "cut the database's connections":
        laid.cut_connections()


def _settle(laid: Ground) -> tuple[str, ...]:
    if ground.wait_for(lambda: not laid.open_operations(), within_s=SETTLED_WITHIN_S):
        return ()
    return (f"{laid.open_operations()} operations are open after {SETTLED_WITHIN_S:.0f} s",)


def _judged(laid: Ground, one: Round, *, elapsed_s: float, stuck: tuple[str, ...], other: list[str]) -> Played:
    desired = laid.sender.record.desired()
    lost: list[str] = []
    twice: list[str] = []
    for target, world in laid.worlds.items():
        state = world.state()
        twice += [f"{target}: {len(state.duplicates())} names have two accounts"] if state.duplicates() else []
        differing = compare.differences(desired, state, name_limit=LIMITS[target])
        lost += [f"{target}: {each.who} {each.kind} {each.field or ''}".strip() for each in differing]
    report = verify_ledger(laid.store)
    other += [f"ledger: {fault}" for tenant in report["tenants"] for fault in tenant["faults"]]
    return Played(round=one, elapsed_s=elapsed_s, lost=tuple(lost), twice=tuple(twice), stuck=stuck, other=tuple(other))
