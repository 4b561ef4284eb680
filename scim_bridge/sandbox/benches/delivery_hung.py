"""A target that is silent, beside one that is not."""

from collections.abc import Sequence
from pathlib import Path

from scim_bridge.sandbox.benches import delivery_arrivals as arrivals
from scim_bridge.sandbox.benches import delivery_stage as stage
from scim_bridge.sandbox.benches.delivery_finding import Finding, Line
from scim_bridge.sandbox.benches.delivery_stage import Lane, Limit, Stage
from scim_bridge.sandbox.stories.worlds import Process

PART = "hung"
USERS = 8_000
"""In each half: as many as four windows and a bit take, 200 a call."""

LIMIT = Limit(requests=10, per_s=5)
WORKERS = 2
LEAST_RATIO = 0.95
SILENT_S = 45.0
PATIENCE_S = 120.0


def measure(store_url: str, *, store: str, users: int, folder: Path, seed: int) -> Finding:
    """Have one target told of people while the other answers, and of as many again while it does not."""
    well, ill = Lane(name="well", limit=LIMIT), Lane(name="ill", limit=LIMIT)
    with (
        stage.set_up(store_url, [well, ill], folder=folder, seed=seed) as played,
        played.working(WORKERS) as workers,
    ):
        healthy = _calls_a_window(played, workers, range(users))
        silence = {"answer": "hang", "hang_s": SILENT_S, "times": None, "path": "/api/.*"}
        played.worlds[ill.name].control("POST", "faults", silence)
        hung = _calls_a_window(played, workers, range(users, 2 * users))
        was_silent = any(call["fault"] or call["status"] is None for call in _all_calls(played, ill.name))
        played.worlds[ill.name].control("DELETE", "faults")
    faults = [] if was_silent else ["the silent target was never called"]
    return Finding(part=PART, store=store, users=users, lines=figures(healthy, hung), faults=faults)


def figures(healthy: float, hung: float) -> list[Line]:
    """Return the calls that the well target got in each window, before and while the other is silent."""
    return [
        Line(name="calls a window, both answer", value=healthy),
        Line(name="calls a window, the other is silent", value=hung),
        Line(name="ratio", value=hung / healthy, unit="x", least=LEAST_RATIO),
    ]


def _calls_a_window(played: Stage, workers: Sequence[Process], people: range) -> float:
    before = len(played.calls("well"))
    with played.paused():
        played.owe(people)
    played.await_that(
        lambda: sum(call["items"] for call in played.calls("well")[before:]) >= len(people),
        workers,
        patience_s=PATIENCE_S,
    )
    return arrivals.calls_a_window(arrivals.read(played.calls("well")[before:]), LIMIT)


def _all_calls(played: Stage, lane: str) -> list[dict[str, object]]:
    """Return also the calls that are under way."""
    listed: list[dict[str, object]] = played.worlds[lane].control("GET", "log")["calls"]
    return listed
