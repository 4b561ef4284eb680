"""Jobs that crashed: our own fault, not a target's. Where each broke off, and putting it back; the queue built anew."""

import re
from typing import Any

from scim_bridge import dispatch
from scim_bridge.dispatch import Crashed, Dispatcher
from scim_bridge.domain.instants import to_iso
from scim_bridge.errors import NotThere, UsageError
from scim_bridge.store import audits, due, reports
from scim_bridge.store.engine import Store

MOST_SHOWN = 500

_FRAME = re.compile(r"\s*(?:File \"(?P<file>[^\"]+)\", line (?P<line>\d+), in (?P<name>\S+)|(?P<ours>\S+:\d+:\S+))")
_KIND = re.compile(r"(?P<opening>caused by |holds |)(?:\w+\.)*(?P<kind>[A-Z]\w*)(?:: .*)?")
_MOVED = re.compile(r"Moved to \w+, due to (?P<kind>\w+), at .*")
"""What RQ notes of a job whose worker died."""


def crashed(url: str, *, tenant: str | None = None, limit: int = MOST_SHOWN) -> dict[str, Any]:
    """Return the jobs that crashed, the last in front: when, which function with what, and where it broke off.

    Of a traceback only kinds of errors and places are shown: messages may quote people. `tenant` is None for all.

    Raises:
        QueueSilent: the queue does not answer.
    """
    found = dispatch.crashed(url, tenant=tenant)[: min(limit, MOST_SHOWN)]
    tracebacks = dispatch.tracebacks(url, [each.id for each in found])
    return {"crashed": [_shown(each, tracebacks.get(each.id, "")) for each in found]}


def put_back(store: Store, url: str, *, who: str, tenant: str | None = None, job: str | None = None) -> dict[str, Any]:
    """Have one crashed job, or with no `job` all of them, run again, and return how many these are.

    A job is run by what the store says then; twice is no harm. What is none of the bridge's functions is left alone.

    Raises:
        NotThere: no such job has crashed, or not for this tenant, or it was put back already.
        UsageError: the job is none of ours.
        QueueSilent: the queue does not answer.
    """
    found = dispatch.crashed(url, tenant=tenant)
    if job is not None:
        found = [each for each in found if each.id == job]
        if not found:
            raise NotThere(f"no job {job!r} has crashed, or it was put back already")
    with store.across_tenants("look up whose jobs crashed") as tx:
        tenants = reports.tenants(tx)
    ours = [each for each in found if each.is_ours and each.tenant in tenants]
    if job is not None and not ours:
        raise UsageError(f"the job {job!r} is none of the bridge's, so it is not run; the queue forgets it by itself")
    by_tenant: dict[str, list[Crashed]] = {}
    for each in ours:
        by_tenant.setdefault(str(each.tenant), []).append(each)
    count = 0
    for name, jobs in sorted(by_tenant.items()):
        ids = dispatch.run_again(url, jobs)
        count += len(ids)
        if ids:
            with store.begin(name) as tx:
                audits.append(tx, who=who, what="queue retry", after={"jobs": ids})
    if job is not None and not count:
        raise NotThere(f"the job {job!r} was put back already")
    return {"jobs": count, "left_alone": len(found) - len(ours)}


def rebuild(store: Store, dispatcher: Dispatcher, url: str, *, who: str, tenant: str | None = None) -> dict[str, Any]:
    """Wake every lane that has work now, by the store alone, and return which; for a queue that was lost or emptied.

    The relay does the same by itself within moments, wherever one runs. A lane that somebody works at, or that is
    paused, needs no wake.

    Raises:
        QueueSilent: the queue does not answer, so that nobody can be told.
    """
    if dispatch.last_heard(url) is None:
        raise dispatch.QueueSilent
    with store.across_tenants("wake every lane that has work") as tx:
        wanting, _ = due.lanes_to_wake(tx, early_ms=0)
    chosen = [each for each in wanting if tenant in (None, each[0])]
    by_tenant: dict[str, list[str]] = {}
    for name, target, urgent in chosen:
        dispatcher.wake(name, target, urgent=urgent)
        by_tenant.setdefault(name, []).append(target)
    for name, targets in sorted(by_tenant.items()):
        with store.begin(name) as tx:
            audits.append(tx, who=who, what="queue rebuild", after={"targets": sorted(targets)})
    return {"lanes": [{"tenant": name, "target": target, "urgent": urgent} for name, target, urgent in chosen]}


def _shown(job: Crashed, traceback: str) -> dict[str, Any]:
    return {
        "job": job.id,
        "at": None if job.at is None else to_iso(job.at),
        "queue": job.queue,
        "function": job.function,
        "tenant": job.tenant,
        "arguments": list(job.arguments),
        "is_ours": job.is_ours,
        "traceback": frames(traceback),
    }


def frames(traceback: str) -> list[str]:
    """Return the kinds of errors and the places that a traceback names, a line each, and none of its messages.

    Both forms are read: what our worker keeps, and Python's own, for what RQ notes by itself.
    """
    told = []
    for number, line in enumerate(traceback.splitlines()):
        if (frame := _FRAME.fullmatch(line)) is not None:
            told.append(frame["ours"] or f"{frame['file']}:{frame['line']}:{frame['name']}")
        elif (moved := _MOVED.fullmatch(line)) is not None:
            told.append(moved["kind"])
        # Any other line may be one of a message that goes on.
        elif (found := _KIND.fullmatch(line)) is not None and (number == 0 or _is_title(found)):
            told.append(found["opening"] + found["kind"])
    return told


def _is_title(found: re.Match[str]) -> bool:
    return bool(found["opening"]) or found["kind"].endswith(("Error", "Exception"))
