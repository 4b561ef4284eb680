"""Does each duty when it is due, for as long as the process lives."""

import signal

import structlog

from scim_bridge import metrics
from scim_bridge.store.engine import StoreUnavailable
from workers.relay import (
    chaining,
    dates,
    errands,
    events,
    expiry,
    fetching,
    heartbeat,
    housekeeping,
    imports,
    leftovers,
    notifying,
    reminding,
    replaying,
    statistics,
    wakes,
)
from workers.runtime import Runtime

log = structlog.get_logger(__name__)

DUTIES = {
    "wakes": wakes.run_once,
    "heartbeat": heartbeat.run_once,
    "housekeeping": housekeeping.run_once,
    "expiry": expiry.run_once,
    "reminding": reminding.run_once,
    "imports": imports.run_once,
    "dates": dates.run_once,
    "events": events.run_once,
    "fetching": fetching.run_once,
    "leftovers": leftovers.run_once,
    "notifying": notifying.run_once,
    "errands": errands.run_once,
    "replaying": replaying.run_once,
    "chaining": chaining.run_once,
    "statistics": statistics.run_once,
}

LAST_CALLS_S = 2.0
"""So long a stop waits for notices that are being sent and people who are looked up; what is cut off comes again."""

LONGEST_SLEEP_MS = 1_000
"""A change that was recorded while no wake got through is found this soon."""


def serve(runtime: Runtime) -> None:
    """Run until SIGTERM or SIGINT; outlives outages of the store and of the queue."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: runtime.stopping.set())
    due = dict.fromkeys(DUTIES, 0)
    while not runtime.stopping.is_set():
        run_due(runtime, due)
        now = runtime.clock()
        sleep_ms = min(LONGEST_SLEEP_MS, *(at - now for at in due.values()))
        runtime.stopping.wait(max(0.01, sleep_ms / 1000))
    notifying.finish(runtime, patience_s=LAST_CALLS_S)
    fetching.finish(runtime, patience_s=LAST_CALLS_S)
    chaining.finish(runtime)


def run_due(runtime: Runtime, due: dict[str, int]) -> None:
    """Do every duty whose time has come, and note when it comes again."""
    for name, duty in DUTIES.items():
        now = runtime.clock()
        # Wakes are looked for each time round: what was just recorded has no place in the plan of a moment ago.
        if name != "wakes" and due[name] > now:
            continue
        try:
            due[name] = duty(runtime, now)
        except StoreUnavailable as error:
            log.warning("duty_put_off", duty=name, reason=str(error))
            _put_off(name, due, now)
        except Exception:
            # One duty's fault must not keep the others from being done; this is the process's outermost loop.
            log.exception("duty_failed", duty=name)
            _put_off(name, due, now)


def _put_off(name: str, due: dict[str, int], now: int) -> None:
    metrics.RELAY_FAULTS.labels(duty=name).inc()
    due[name] = now + LONGEST_SLEEP_MS
