"""Carries operators' errands out: looks at the target, and writes into the store what it found."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import structlog

from scim_bridge.domain.instants import Millis
from scim_bridge.store import audits, errands
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.store.errands import Errand
from workers import probes, reconcile, visits
from workers.drift import Report
from workers.runtime import Runtime

LEASE_MS = 30_000
"""How long an errand is held without a sign of life; then another worker takes it up."""

RENEW_EVERY_S = 8.0

PATIENCE_S = 5.0
"""So long another worker's shift at the lane is waited for; then the errand is put off."""

AGAIN_MS = 5_000
"""So long an errand rests whose lane was at work."""

TRIED_FOR_MS = 600_000
"""An errand whose lane is always at work is given up after this long."""

MOST_TAKINGS = 3
"""An errand is given up that was taken up so often and never heard of again: it may be what ends its process."""

GIVEN_BACK_WITHIN = 10
"""So many times, a second apart, it is tried to give an errand back that the store's absence broke off."""

AT_ONCE = 2
"""So many errands one process works on at the same time."""

LINES_AT_A_TIME = 1_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What came of an errand."""

    status: str
    answer: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[Mapping[str, Any]] = ()
    reason: str = ""


def start(runtime: Runtime, tenant: str, number: int) -> None:
    """Work on an errand in a thread of its own: this worker must stay free for leavers.

    While there are enough of them, nothing is done: the relay wakes whoever has room.
    """
    busy = [thread for thread in runtime.errands if thread.is_alive()]
    if len(busy) < AT_ONCE:
        # A daemon: what a process leaves undone that ends, another takes up when the lease is over.
        thread = threading.Thread(target=_work, args=(runtime, tenant, number), name=f"errand-{number}", daemon=True)
        thread.start()
        busy.append(thread)
    runtime.errands[:] = busy


def finish(runtime: Runtime, *, patience_s: float) -> None:
    """Wait for errands that are being worked on, as long as that at the most for each."""
    for thread in runtime.errands:
        thread.join(patience_s)


def _work(runtime: Runtime, tenant: str, number: int) -> None:
    try:
        work(runtime, tenant, number)
    except StoreUnavailable as error:
        log.warning("errand_broken_off", tenant=tenant, errand=number, reason=str(error))
    except Exception:
        # This is the thread's outermost place; the errand is taken up again when its lease is over.
        log.exception("errand_broke", tenant=tenant, errand=number)


def work(runtime: Runtime, tenant: str, number: int) -> None:
    """Carry one errand out, unless it is over or somebody else works on it.

    Raises:
        StoreUnavailable: it stays open, and is taken up again.
    """
    with runtime.store.begin(tenant) as tx:
        held = errands.take(tx, number, lease_ms=LEASE_MS)
    if held is None:
        return
    try:
        _hold(runtime, held)
    except StoreUnavailable:
        _give_back(runtime, held)
        raise


def _give_back(runtime: Runtime, held: Errand) -> None:
    """Give an errand back as soon as the store is there again: that it was away is no fault of the errand's."""
    for _ in range(GIVEN_BACK_WITHIN):
        try:
            with runtime.store.begin(held.tenant) as tx:
                errands.put_off(tx, held, wait_ms=AGAIN_MS)
        except StoreUnavailable:
            runtime.pause(1.0)
        else:
            return


def _hold(runtime: Runtime, held: Errand) -> None:
    tenant, number = held.tenant, held.id
    with _Keeper(runtime.store, held) as keeper:
        ended = _carry_out(runtime, held, lost=keeper.lost)
        if ended is None:
            with runtime.store.begin(tenant) as tx:
                errands.put_off(tx, held, wait_ms=AGAIN_MS)
        elif not record(runtime.store, held, ended):
            log.warning("errand_lost", tenant=tenant, errand=number)


def _carry_out(runtime: Runtime, held: Errand, *, lost: threading.Event) -> Ended | None:
    """Return what came of an errand; None: it is to be tried again."""
    if runtime.target_settings(held.tenant, held.target) is None:
        return Ended(status=errands.FAILED, reason=errands.GONE)
    if held.takings > MOST_TAKINGS:
        reason = f"Its worker ended {MOST_TAKINGS} times before it was done; look at the workers' logs, then ask again."
        return Ended(status=errands.FAILED, reason=reason)
    try:
        if held.kind == errands.PROBE:
            return probed(probes.probe(runtime, held.tenant, held.target, patience_s=PATIENCE_S))
        report = reconcile.reconcile(
            runtime,
            held.tenant,
            held.target,
            repair=bool(held.asked.get("repair")),
            max_calls=held.asked.get("max_calls"),
            patience_s=PATIENCE_S,
            lost=lost,
        )
        return reconciled(report)
    except visits.LaneAtWork as error:
        is_over = runtime.clock() - held.at > TRIED_FOR_MS
        return Ended(status=errands.FAILED, reason=str(error)) if is_over else None
    except visits.CannotReconcile as error:
        return None if runtime.stopping.is_set() else Ended(status=errands.FAILED, reason=str(error))
    except StoreUnavailable:
        raise
    except Exception as error:
        # An errand that fails for a fault of ours would do so each time.
        log.exception("errand_failed", tenant=held.tenant, errand=held.id)
        return Ended(status=errands.FAILED, reason=f"This is a fault of scim-bridge: {type(error).__name__}.")


def reconciled(report: Report) -> Ended:
    """Return what reconciling found, as it is kept."""
    lines = [
        {
            "kind": each.drift.value,
            "resource_id": each.resource_id,
            "account_id": each.account_id,
            "detail": list(each.parts),
        }
        for each in report.differences
    ]
    return Ended(status=errands.DONE, answer=report.counts(), lines=lines)


def probed(findings: probes.Findings) -> Ended:
    """Return what a probe found, as it is kept."""
    return Ended(status=errands.DONE, answer=findings.to_json())


def note(
    runtime: Runtime,
    tenant: str,
    target: str,
    *,
    kind: str,
    command: str,
    who: str,
    asked: Mapping[str, Any],
    began_at: Millis,
    ended: Ended,
) -> None:
    """Record an errand that an operator's own `command` has carried out; that it cannot be is only logged."""
    try:
        with runtime.store.begin(tenant) as tx:
            held = errands.note(tx, target=target, kind=kind, who=who, asked=asked, at=began_at)
            audits.append(tx, who=who, what=command, after={"target": target, "errand": held.id, **asked})
        record(runtime.store, held, ended)
    except StoreUnavailable as error:
        log.warning("errand_not_noted", tenant=tenant, target=target, reason=str(error))


def record(store: Store, held: Errand, ended: Ended) -> bool:
    """Write what came of an errand, many lines in several transactions; False where it is somebody else's by now."""
    with store.begin(held.tenant) as tx:
        if not errands.renew(tx, held, lease_ms=LEASE_MS):
            return False
        errands.begin_rows(tx, held)
    for first in range(0, len(ended.lines), LINES_AT_A_TIME):
        with store.begin(held.tenant) as tx:
            if not errands.renew(tx, held, lease_ms=LEASE_MS):
                return False
            errands.add_rows(tx, held, ended.lines[first : first + LINES_AT_A_TIME], first=first + 1)
    with store.begin(held.tenant) as tx:
        return errands.end(tx, held, status=ended.status, answer=ended.answer, reason=ended.reason)


class _Keeper:
    """Renews an errand's lease from a thread of its own."""

    def __init__(self, store: Store, held: Errand) -> None:
        self._store = store
        self._held = held
        self._ended = threading.Event()
        self.lost = threading.Event()
        """Set once the errand is somebody else's."""
        self._thread = threading.Thread(target=self._renew, name=f"errand-lease-{held.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(timeout=15)

    def _renew(self) -> None:
        while not self._ended.wait(RENEW_EVERY_S):
            try:
                with self._store.begin(self._held.tenant) as tx:
                    is_held = errands.renew(tx, self._held, lease_ms=LEASE_MS)
            except StoreUnavailable:
                continue
            if not is_held:
                self.lost.set()
                return
