"""Several bridges side by side, each with a share of the rounds: a round is mostly waiting for deadlines to pass."""

import queue
import threading
from collections.abc import Iterator, Sequence

from scim_bridge.sandbox import interrupts
from scim_bridge.sandbox.chaos import draws, ground, rounds
from scim_bridge.sandbox.chaos.draws import Round
from scim_bridge.sandbox.chaos.rounds import Played

_Told = Played | BaseException | None


def play(store: str, *, numbers: Sequence[int], seed: int, abreast: int) -> Iterator[Played]:
    """Play the rounds of these numbers on up to `abreast` bridges and give each when it is over.

    When the caller ends before the last round, or by an exception, all bridges are taken down.

    Raises:
        StageFailed: a part does not start.
    """
    told: queue.SimpleQueue[_Told] = queue.SimpleQueue()
    stopping = threading.Event()
    drawn = [draws.drawn(number, seed=seed, store=store) for number in numbers]
    shares = [share for share in (drawn[place::abreast] for place in range(abreast)) if share]
    threads = [
        threading.Thread(target=_play_share, args=(store, share, told, stopping), name=f"bridge-{number}")
        for number, share in enumerate(shares, 1)
    ]
    try:
        with interrupts.undisturbed():
            for thread in threads:
                thread.start()
        yield from _all_told(told, len(threads))
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _all_told(told: "queue.SimpleQueue[_Told]", players: int) -> Iterator[Played]:
    while players:
        match told.get():
            case Played() as played:
                yield played
            case None:
                players -= 1
            case error:
                raise error


def _play_share(
    store: str, share: Sequence[Round], told: "queue.SimpleQueue[_Told]", stopping: threading.Event
) -> None:
    # In a thread of its own: what went wrong there is told to whoever asked for the rounds.
    try:
        with ground.laid_out(store, stopping=stopping) as laid:
            for played in rounds.play_all(laid, share):
                told.put(played)
    except ground.Stopped:
        pass
    except BaseException as error:  # noqa: BLE001 - raised again by the thread that waits
        told.put(error)
    told.put(None)
