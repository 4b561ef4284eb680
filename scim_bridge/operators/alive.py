"""Whether anybody works: when workers and relays were last heard of, by the queue."""

from collections.abc import Mapping
from typing import Any

from scim_bridge import dispatch
from scim_bridge.domain.instants import Millis

QUIET_S = 120
"""A worker at a long call is not heard of for up to a minute and a half."""

_MISSED = {
    dispatch.WORKER: "nothing is delivered until one runs (scim-bridge worker)",
    dispatch.RELAY: "lost wake-ups, dates, notices and retention wait until one runs (scim-bridge relay)",
}


def report(url: str, *, now: Millis) -> dict[str, Any]:
    """Return the queue's state and the seconds since a process of each kind was heard of (None: not for a day)."""
    heard = dispatch.last_heard(url) if url else None
    if heard is None:
        return {"queue": "does not answer", **{f"{process}_heard_s": None for process in dispatch.PROCESSES}}
    ages = {process: None if at is None else max(0, (now - at) // 1000) for process, at in heard.items()}
    return {"queue": "answers", **{f"{process}_heard_s": age for process, age in ages.items()}}


def warnings(told: Mapping[str, Any]) -> list[str]:
    """Return a sentence for whatever a report has that an operator must know; none when all are well."""
    if told["queue"] != "answers":
        return ["the queue does not answer, so that nobody knows whether workers and relay run (scim-bridge up)"]
    found = []
    for process, missed in _MISSED.items():
        age = told[f"{process}_heard_s"]
        if age is None:
            found.append(f"no {process} has been heard of for a day: {missed}")
        elif age > QUIET_S:
            found.append(f"no {process} has been heard of for {age} s: {missed}")
    return found
