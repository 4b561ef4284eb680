"""The way of one call through a simulator: arrival, credential, limit, fault, rules, answer; all of it logged."""

import random
import threading

from werkzeug.wrappers import Request, Response

from scim_bridge.sandbox.targets import calls, effects
from scim_bridge.sandbox.targets.calls import Call, CallLog
from scim_bridge.sandbox.targets.clocks import Clocks
from scim_bridge.sandbox.targets.faults import Fault, Faults
from scim_bridge.sandbox.targets.limits import Admission, Limiter
from scim_bridge.sandbox.targets.vendor import Vendor

MAX_BODY_BYTES = 32 * 1024 * 1024


class Gate:
    """Lets calls through to a vendor's rules, as limits and scripted faults allow.

    A call with a valid credential counts against the limits even when a fault meets it: the vendor saw it arrive.
    A call with a wrong credential or above a limit meets no fault.
    """

    def __init__(
        self,
        vendor: Vendor,
        *,
        clocks: Clocks,
        limiter: Limiter,
        log: CallLog,
        faults: Faults,
        randomness: random.Random,
        stopping: threading.Event,
    ) -> None:
        self._vendor = vendor
        self._clocks = clocks
        self._limiter = limiter
        self._log = log
        self._faults = faults
        self._randomness = randomness
        self._stopping = stopping

    def pass_through(self, request: Request) -> Response:
        """Answer one call; raises ConnectionResetError when a fault closed the connection."""
        credential = self._vendor.credential(request)
        if credential is None:
            admission = Admission(arrived_s=self._clocks.monotonic_s())
        else:
            admission = self._limiter.admit(self._vendor.quota_of(credential), self._vendor.classes(request))
        number = self._log.arrive(self._arrival(request, admission))
        status: int | None = None
        fault = None if credential is None or admission.is_refused else self._faults.take(request.method, request.path)
        try:
            if credential is None:
                response = self._vendor.failure(401, request)
            elif admission.is_refused:
                response = self._vendor.over_limit(admission.wait_s, request)
            else:
                response = self._answer(request, fault)
            status = response.status_code
            return response
        finally:
            self._log.finish(
                number,
                status=status,
                fault=fault.label if fault else None,
                is_applied=credential is not None and not admission.is_refused and (fault is None or fault.is_applied),
            )

    def _arrival(self, request: Request, admission: Admission) -> Call:
        request.max_content_length = MAX_BODY_BYTES
        return Call(
            number=0,
            arrived_s=admission.arrived_s,
            arrived_ms=self._clocks.epoch_ms(),
            method=request.method,
            path=request.path,
            query=request.query_string.decode("latin-1"),
            credential=calls.fingerprint(self._vendor.offered_credential(request)),
            items=self._vendor.count_items(request),
        )

    def _answer(self, request: Request, fault: Fault | None) -> Response:
        least, most = self._faults.latency_s
        if most > 0:
            self._stopping.wait(self._randomness.uniform(least, most))
        if fault is None:
            return self._vendor.answer(request, None)
        if fault.apply_late_s:
            self._stopping.wait(fault.apply_late_s)
        real = self._vendor.answer(request, fault.apply) if fault.is_applied else None
        return effects.spoil(
            fault,
            request,
            real=real,
            failure=lambda status: self._vendor.failure(status, request),
            stopping=self._stopping,
        )
