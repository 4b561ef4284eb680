"""Choosing who is next in a short backlog and in a long one."""

import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path

from scim_bridge.sandbox.benches import delivery_stage as stage
from scim_bridge.sandbox.benches.delivery_finding import Finding, Line
from scim_bridge.sandbox.benches.delivery_stage import Lane
from scim_bridge.sandbox.benches.front_door import TENANT
from scim_bridge.sandbox.stories import worlds

PART = "choosing"
USERS = 1_000_000
FEW = 1_000
"""The backlog that the long one is compared with: as many as are looked at in one go."""

MOST_RATIO = 2.0
ROUNDS = 25
PATIENCE_S = 300.0


def measure(store_url: str, *, store: str, users: int, folder: Path, seed: int) -> Finding:
    """Have a worker's process choose in turns on two lanes of one database that differ by their backlog."""
    short, long = Lane(name="short"), Lane(name="long")
    with stage.set_up(store_url, [short, long], folder=folder, seed=seed) as played:
        ids = played.lane_ids()
        few = min(FEW, users)
        played.owe(range(few), to=ids)
        played.owe(range(few, users), to=ids[1:])
        # What was built is on its way to the disk still, and would be charged to whoever asks first.
        os.sync()
        command = [*worlds.PYTHON, "-m", "workers.stopwatch", "--config", str(played.config), "--tenant", TENANT]
        command += ["--rounds", str(ROUNDS), short.name, long.name]
        with worlds.running("stopwatch", command, folder=folder, patience_s=worlds.END_S) as process:
            told = json.loads(process.await_line("[", patience_s=PATIENCE_S))
    return Finding(part=PART, store=store, users=users, lines=figures(*told, few=few, users=users))


def figures(few_ms: Sequence[float], many_ms: Sequence[float], *, few: int, users: int) -> list[Line]:
    """Return the median times of both lanes, and their ratio."""
    short, long = statistics.median(few_ms), statistics.median(many_ms)
    return [
        Line(name=f"choosing among {few:,}", value=short, unit="ms"),
        Line(name=f"choosing among {users:,}", value=long, unit="ms"),
        Line(name="ratio", value=long / short, unit="x", most=MOST_RATIO),
    ]
