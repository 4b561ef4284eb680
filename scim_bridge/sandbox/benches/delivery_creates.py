"""New people at the target's real limit: the fewest calls, in the least time, none of them refused."""

import math
from collections.abc import Sequence
from pathlib import Path

from scim_bridge.sandbox.benches import delivery_arrivals as arrivals
from scim_bridge.sandbox.benches import delivery_stage as stage
from scim_bridge.sandbox.benches.delivery_arrivals import Arrival
from scim_bridge.sandbox.benches.delivery_finding import Finding, Line
from scim_bridge.sandbox.benches.delivery_stage import Lane, Limit

PART = "creates"
USERS = 10_000
A_CALL = 200
"""New users that Trakstar takes in one call."""

LATENCY_S = (0.0, 0.3)
MOST_OF_LEAST = 1.05
LEAST_USED = 0.95


def measure(store_url: str, *, store: str, users: int, folder: Path, seed: int, limit: Limit | None = None) -> Finding:
    """Have new people delivered to one target that answers after a random while."""
    limit = limit or Limit()
    # As many calls out at once as a window takes, or the last of them begins an answer later than it may.
    lane = Lane(name="trakstar", limit=limit, latency_s=LATENCY_S, concurrency=limit.requests)
    with stage.set_up(store_url, [lane], folder=folder, seed=seed) as played:
        played.owe(range(users))
        patience_s = 60 + 3 * arrivals.least_s(math.ceil(users / A_CALL), limit)
        with played.working(1) as workers:
            played.await_done(workers, patience_s=patience_s)
        log = arrivals.read(played.calls(lane.name))
    return Finding(part=PART, store=store, users=users, lines=figures(log, users=users, limit=limit))


def figures(log: Sequence[Arrival], *, users: int, limit: Limit) -> list[Line]:
    """Return what a target's log says of so many new users."""
    creates = [arrival for arrival in log if arrival.is_create]
    fewest = math.ceil(users / A_CALL)
    lines = [
        Line(name="create calls", value=len(creates), most=fewest),
        Line(name="answers 429", value=arrivals.refused(log), most=0),
    ]
    least_s, span_s = arrivals.least_s(len(creates), limit), arrivals.span_s(creates)
    lines.append(Line(name="first to last create", value=span_s, unit="s"))
    if least_s:
        lines.append(Line(name="of the least time", value=span_s / least_s, unit="x", most=MOST_OF_LEAST))
    turn_s = arrivals.turn_s(log, limit)
    if turn_s is not None:
        lines.append(Line(name="quota used", value=limit.per_s / turn_s, least=LEAST_USED))
    return lines
