"""People whom a mapping kept out, replayed by a plan once it is mended: the fewest calls, in the time first shown."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scim_bridge import dispatch, wiring
from scim_bridge.domain.instants import Millis
from scim_bridge.operators import replay_plans
from scim_bridge.sandbox.benches import delivery_arrivals as arrivals
from scim_bridge.sandbox.benches import delivery_stage as stage
from scim_bridge.sandbox.benches.delivery_arrivals import Arrival
from scim_bridge.sandbox.benches.delivery_creates import A_CALL
from scim_bridge.sandbox.benches.delivery_finding import Finding, Line
from scim_bridge.sandbox.benches.delivery_stage import Lane, Limit, Stage
from scim_bridge.sandbox.benches.front_door import TENANT
from scim_bridge.settings import loading
from scim_bridge.settings.models import Settings
from scim_bridge.store import plans
from scim_bridge.store.plans import Status
from scim_bridge.store.verify import verify_ledger

PART = "replay"
USERS = 10_000
LATENCY_S = (0.0, 0.3)
MOST_OF_ETA = 1.05

TOO_SHORT, LONG_ENOUGH = "max_length = 1\n", "max_length = 100\n"
"""Of first names, as the mapping first has it and as it is mended."""

PATIENCE_S = 120.0


def measure(store_url: str, *, store: str, users: int, folder: Path, seed: int) -> Finding:
    """Have new people refused by the mapping, mend it, and have them replayed at the target's real limit."""
    limit = Limit()
    lane = Lane(
        name="trakstar",
        limit=limit,
        latency_s=LATENCY_S,
        concurrency=limit.requests,
        fields=f"[tenants.targets.fields.firstName]\n{TOO_SHORT}",
    )
    with stage.set_up(store_url, [lane], folder=folder, seed=seed) as played:
        played.owe(range(users))
        with played.working(1) as workers:
            played.await_done(workers, patience_s=PATIENCE_S)
        refused_calls = len(played.calls(lane.name))
        _mend(played)
        mended_ms = wiring.now_ms()
        with played.working(1) as workers:
            # What a process takes to start is no part of the replay.
            played.await_that(lambda: _are_up(played, since=mended_ms), workers, patience_s=PATIENCE_S)
            began_s = time.monotonic()
            planned = _plan(played)
            plan_s = time.monotonic() - began_s
            approved_s, number = time.monotonic(), int(planned["replay"])
            replay_plans.approve(played.store, _settings(played), tenant=TENANT, number=number, who="bench")
            patience_s = PATIENCE_S + 3 * arrivals.least_s(math.ceil(users / A_CALL), limit)
            played.await_that(lambda: _is_done(played, number), workers, patience_s=patience_s)
            took_s = time.monotonic() - approved_s
        log = arrivals.read(played.calls(lane.name))[refused_calls:]
        faults = [] if verify_ledger(played.store, TENANT)["balanced"] else ["the books do not agree"]
        held = played.worlds[lane.name].state().counts["accounts"]
    lines = figures(log, users=users, held=held, eta_s=planned["figures"]["eta_s"], plan_s=plan_s, took_s=took_s)
    foretold = planned["figures"]["calls"]
    if foretold != len(log):
        faults.append(f"{foretold} calls were foretold, and {len(log)} made")
    return Finding(part=PART, store=store, users=users, lines=lines, faults=faults)


def figures(log: Sequence[Arrival], *, users: int, held: int, eta_s: float, plan_s: float, took_s: float) -> list[Line]:
    """Return what a replay cost; `log` are its calls. Of a short one the time is mostly that of its beginning."""
    lines = [
        Line(name="users in the target", value=held, least=users),
        Line(name="calls", value=len(log), most=math.ceil(users / A_CALL)),
        Line(name="answers 429", value=arrivals.refused(log), most=0),
        Line(name="planning", value=plan_s, unit="s"),
        Line(name="time first shown", value=eta_s, unit="s"),
        Line(name="time taken", value=took_s, unit="s"),
    ]
    if eta_s >= Limit().per_s:
        lines.append(Line(name="of the time first shown", value=took_s / eta_s, unit="x", most=MOST_OF_ETA))
    return lines


def _mend(played: Stage) -> None:
    text = played.config.read_text(encoding="utf-8")
    played.config.write_text(text.replace(TOO_SHORT, LONG_ENOUGH), encoding="utf-8")


def _are_up(played: Stage, *, since: Millis) -> bool:
    heard = dispatch.last_heard(wiring.queue_url(played.settings)) or {}
    return all((heard.get(process) or 0) >= since for process in dispatch.PROCESSES)


def _settings(played: Stage) -> Settings:
    return loading.load(played.config, environ={})


def _plan(played: Stage) -> dict[str, Any]:
    return replay_plans.plan(played.store, _settings(played), tenant=TENANT, who="bench", code="too_long")


def _is_done(played: Stage, number: int) -> bool:
    with played.store.begin(TENANT, write=False) as tx:
        found = plans.fetch(tx, number)
    return found is not None and found.status == Status.DONE and played.is_done()
