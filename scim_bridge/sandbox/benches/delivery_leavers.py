"""Deactivations while thousands of creates wait: each is in the very next call."""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scim_bridge.sandbox.benches import delivery_arrivals as arrivals
from scim_bridge.sandbox.benches import delivery_stage as stage
from scim_bridge.sandbox.benches import figures as benches
from scim_bridge.sandbox.benches.connection import BenchFailed, Connection, request
from scim_bridge.sandbox.benches.delivery_arrivals import Arrival
from scim_bridge.sandbox.benches.delivery_finding import Finding, Line
from scim_bridge.sandbox.benches.delivery_stage import Lane, Limit, Stage
from scim_bridge.sandbox.benches.front_door import TENANT
from scim_bridge.sandbox.benches.questions import PATCH_OP
from scim_bridge.store import batches
from scim_bridge.store.batches import Sent

PART = "leavers"
USERS = 100_000
LEAVERS = 60
LIMIT = Limit()
LATENCY_S = (0.0, 0.3)
EVERY_S = (0.5, 3.5)
"""The least and the most time from one deactivation to the next; on average two calls of three are left for creates."""

MOST_LATE_S = 1.0
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """One deactivation: whose account it is in the target, and when its 2xx had come."""

    account_id: str
    told_ms: float


def measure(store_url: str, *, store: str, users: int, folder: Path, seed: int) -> Finding:
    """Deactivate people whom the target knows while it is told of many whom it does not."""
    lane = Lane(name="trakstar", limit=LIMIT, latency_s=LATENCY_S)
    dice = random.Random(seed)  # noqa: S311 - the same pauses for the same seed
    with (
        stage.set_up(store_url, [lane], folder=folder, seed=seed) as played,
        played.open_door() as (door, token),
        played.working(1) as workers,
    ):
        # One more: whoever leaves first has the ids of all looked up.
        played.owe(range(LEAVERS + 1))
        played.await_done(workers, patience_s=PATIENCE_S)
        deactivate(door, token, played.crowd.scim_id(LEAVERS))
        played.await_done(workers, patience_s=PATIENCE_S)
        played.owe(range(LEAVERS + 1, LEAVERS + 1 + users))
        known = len(played.calls(lane.name))
        played.await_that(lambda: len(played.calls(lane.name)) > known, workers, patience_s=PATIENCE_S)
        accounts = {held.user_name: held.account_id for held in played.worlds[lane.name].state().accounts}
        left = []
        for number in range(LEAVERS):
            time.sleep(dice.uniform(*EVERY_S))
            told_ms = deactivate(door, token, played.crowd.scim_id(number))
            left.append(Left(account_id=accounts[played.crowd.user_name(number)], told_ms=told_ms))
        played.await_that(lambda: _are_archived(played, left), workers, patience_s=PATIENCE_S)
        log = arrivals.read(played.calls(lane.name))
        with played.store.begin(TENANT, write=False) as tx:
            sent = batches.sent(tx, played.lane_ids()[0])
    return Finding(part=PART, store=store, users=users, lines=figures(log, left, sent, limit=LIMIT))


def figures(log: Sequence[Arrival], left: Sequence[Left], sent: Sequence[Sent], *, limit: Limit) -> list[Line]:
    """Return how many creates went ahead of a leaver, and how long after the first possible moment each was out."""
    late_s = lateness_s(log, left, limit)
    return [
        Line(name="leavers archived", value=len(late_s), least=len(left)),
        Line(name="creates sent ahead of a leaver", value=overtakings(log, left, sent), most=0),
        Line(
            name="p99 after there was room", value=benches.percentile(late_s or [0.0], 99), unit="s", most=MOST_LATE_S
        ),
        Line(name="p50 after there was room", value=benches.percentile(late_s or [0.0], 50), unit="s"),
        Line(name="answers 429", value=arrivals.refused(log), most=0),
    ]


def lateness_s(log: Sequence[Arrival], left: Sequence[Left], limit: Limit) -> list[float]:
    """Return for each leaver the seconds from the first moment at which the target would have taken the call.

    That moment is the deactivation's 2xx, or when the window next had room for the call in its turn.
    """
    found = []
    for leaver in left:
        at = _archive_of(log, leaver)
        if at is None:
            continue
        free_ms = leaver.told_ms
        if at >= limit.requests:
            free_ms = max(free_ms, log[at - limit.requests].at_ms + limit.per_s * 1000)
        found.append(max(0.0, log[at].at_ms - free_ms) / 1000)
    return found


def overtakings(log: Sequence[Arrival], left: Sequence[Left], sent: Sequence[Sent]) -> int:
    """Return how many creates were begun after a deactivation's 2xx and still reached the target before its archive.

    A call that was out already is none of them: the store says when each create was begun, in the order of its calls.
    """
    creates = [arrival for arrival in log if arrival.is_create]
    begun_ms = sorted(each.opened_at for each in sent if each.is_create)
    count = 0
    for leaver in left:
        at = _archive_of(log, leaver)
        if at is None:
            continue
        count += sum(
            opened_at > leaver.told_ms and create.at_ms < log[at].at_ms
            for create, opened_at in zip(creates, begun_ms, strict=False)
        )
    return count


def deactivate(door: Connection, token: str, scim_id: str) -> float:
    """Deactivate a user over HTTP and return when the answer had come, in milliseconds since 1970 UTC.

    Raises:
        BenchFailed: the answer is no 2xx.
    """
    operation = {"op": "replace", "path": "active", "value": False}
    document = {"schemas": [PATCH_OP], "Operations": [operation]}
    answer = door.ask(request("PATCH", f"/Users/{scim_id}", token, document))
    if not 200 <= answer.status < 300:
        raise BenchFailed(f"the front door answered a deactivation with {answer.status}")
    return time.time() * 1000


def _archive_of(log: Sequence[Arrival], leaver: Left) -> int | None:
    path = f"/user/{leaver.account_id}/archive"
    return next((at for at, call in enumerate(log) if call.is_archive and call.path.endswith(path)), None)


def _are_archived(played: Stage, left: Sequence[Left]) -> bool:
    log = arrivals.read(played.calls("trakstar"))
    return all(_archive_of(log, leaver) is not None for leaver in left)
