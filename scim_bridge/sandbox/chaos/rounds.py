"""Plays a round: push, break a process at a numbered step, let others go on, and compare from outside."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from scim_bridge.sandbox import compare
from scim_bridge.sandbox.chaos import draws, ground, points
from scim_bridge.sandbox.chaos.draws import Round
from scim_bridge.sandbox.chaos.ground import Ground
from scim_bridge.sandbox.senders.people import Person, generate_people
from scim_bridge.sandbox.senders.wire import SenderError
from scim_bridge.store.verify import verify_ledger

PEOPLE_A_ROUND = 6
REACHED_WITHIN_S = 20.0
SETTLED_WITHIN_S = 120.0
INSISTS_FOR_S = 120.0
LIMITS = {"trakstar": 35, "mindtickle": None}
"""How many characters of a name a target keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """How a round ended. Each list names people or facts; all are empty when nothing is wrong."""

    round: Round
    elapsed_s: float
    was_reached: bool
    """Whether anybody came to the round's point; a round that struck nobody proves nothing."""
    lost: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    other: tuple[str, ...] = ()

    @property
    def faults(self) -> tuple[str, ...]:
        """Return everything that is wrong."""
        unproved = () if self.was_reached else (f"nobody came to point {self.round.order.point}",)
        return (*self.lost, *self.twice, *self.stuck, *self.other, *unproved)


def play_all(laid: Ground, rounds: Iterable[Round]) -> Iterator[Played]:
    """Play rounds one after the other on one bridge and give each when it is over.

    Raises:
        StageFailed: a part does not start.
        ground.Stopped: somebody wanted an end.
    """
    with contextlib.ExitStack() as workers:
        workers.enter_context(laid.worker())
        for one in rounds:
            fresh = generate_people(one.number * PEOPLE_A_ROUND, seed=one.seed)[-PEOPLE_A_ROUND:]
            yield _play(laid, one, fresh, workers)


def _play(laid: Ground, one: Round, fresh: list[Person], workers: contextlib.ExitStack) -> Played:
    began = time.monotonic()
    other: list[str] = []
    stuck: tuple[str, ...] = ()
    laid.order(one.order)
    try:
        _push(laid, one, fresh, other)
        laid.wait_for(laid.was_struck, within_s=REACHED_WITHIN_S)
        was_reached = not points.take_back(laid.order_path)
        if one.moment == "after":
            other += _strike(laid, one.strike)
        if was_reached and one.order.stops:
            stuck = _go_on_beside_one_who_stands_still(laid, fresh[1:], workers)
        elif was_reached and one.order.point not in points.AT_THE_DOOR:
            other += _replace_worker(laid, workers, is_seen=one.lease_is_freed)
    except SenderError as error:
        was_reached = not points.take_back(laid.order_path)
        other.append(f"the front door refused: {error} {error.detail}")
    stuck = stuck or _settle(laid)
    return _judged(laid, one, began=began, was_reached=was_reached, stuck=stuck, other=other)


def _push(laid: Ground, one: Round, fresh: list[Person], other: list[str]) -> None:
    """Push new people, change some of those of the last round, let one of the new ones leave."""
    former = list(laid.sender.sent.values())[-PEOPLE_A_ROUND:-2]
    if one.moment == "before":
        other += _strike(laid, one.strike)
    for person in fresh:
        insist(lambda person=person: laid.sender.push_user(person), pause=laid.pause)  # type: ignore[misc]
    if one.moment == "amid":
        other += _strike(laid, one.strike)
    for sent in former:
        changed = sent.person.evolve(given_name=f"{sent.person.given_name[:20]} {one.number}")
        insist(lambda changed=changed: laid.sender.update_user(changed), pause=laid.pause)  # type: ignore[misc]
    insist(lambda: laid.sender.deactivate(fresh[0].user_name), pause=laid.pause)


def _replace_worker(laid: Ground, workers: contextlib.ExitStack, *, is_seen: bool) -> list[str]:
    """Start a successor of the one who was killed; `is_seen`: its leases are freed at once, as `up` does."""
    dead = laid.crew[-1]
    dead.popen.wait(ground.STOP_S)
    if is_seen:
        laid.free_leases(dead.popen.pid)
    workers.enter_context(laid.worker())
    if dead.popen.returncode == -signal.SIGKILL:
        return []
    return [f"a worker ended by itself:\n{dead.last_words()}"]


def _go_on_beside_one_who_stands_still(
    laid: Ground, leavers: list[Person], workers: contextlib.ExitStack
) -> tuple[str, ...]:
    """Deactivate everybody through a successor, let the one who stood still have its say, and end it in order."""
    still = laid.crew[-1].popen
    for person in leavers:
        insist(lambda person=person: laid.sender.deactivate(person.user_name), pause=laid.pause)  # type: ignore[misc]
    workers.enter_context(laid.worker())
    stuck = _settle(laid)
    still.send_signal(signal.SIGCONT)
    # The call that it was about to make, and `late` in the books; then it is asked to end.
    laid.pause(1.0)
    still.terminate()
    still.wait(ground.STOP_S)
    return stuck


def insist(action: Callable[[], object], *, pause: Callable[[float], object] = time.sleep) -> None:
    """Do as an IdP does: try again until there is a 2xx."""
    deadline = time.monotonic() + INSISTS_FOR_S
    while True:
        try:
            action()
        except SenderError as error:
            if time.monotonic() > deadline or (error.status is not None and error.status < 500):
                raise
            pause(0.1)
        else:
            return


def _strike(laid: Ground, strike: str) -> list[str]:
    """Strike at something else than the process that breaks; returns what went otherwise than meant."""
    match strike:
        case "queue flushed":
            has_struck = laid.flush_queue()
        case "queue restarted":
            has_struck = laid.flush_queue() and laid.signal_child(b"valkey", signal.SIGTERM)
        case "queue killed":
            has_struck = laid.signal_child(b"valkey", signal.SIGKILL)
        case "relay killed":
            has_struck = laid.signal_child(b"relay", signal.SIGKILL)
        case draws.CUT:
            has_struck = laid.cut_connections()
        case _:
            has_struck = True
    return [] if has_struck else [f"the strike missed: {strike}"]


def _settle(laid: Ground) -> tuple[str, ...]:
    if laid.wait_for(lambda: laid.open_operations() == 0, within_s=SETTLED_WITHIN_S):
        return ()
    return (f"{laid.open_operations()} operations are open after {SETTLED_WITHIN_S:.0f} s",)


def _judged(
    laid: Ground, one: Round, *, began: float, was_reached: bool, stuck: tuple[str, ...], other: list[str]
) -> Played:
    # A leaver's other attributes wait for the day of a return.
    desired = [
        each if each.active else replace(each, first_name=None, last_name=None) for each in laid.sender.record.desired()
    ]
    lost: list[str] = []
    twice: list[str] = []
    for target, world in laid.worlds.items():
        state = world.state()
        twice += [f"{target}: {len(state.duplicates())} names have two accounts"] if state.duplicates() else []
        differing = compare.differences(desired, state, name_limit=LIMITS[target])
        lost += [f"{target}: {each.who} {each.kind} {each.field or ''}".strip() for each in differing]
    report = verify_ledger(laid.store)
    other += [f"ledger: {fault}" for tenant in report["tenants"] for fault in tenant["faults"]]
    return Played(
        round=one,
        elapsed_s=time.monotonic() - began,
        was_reached=was_reached,
        lost=tuple(lost),
        twice=tuple(twice),
        stuck=stuck,
        other=tuple(other),
    )
