"""Notes requests as they come to the doors of senders, for the day on which an admin says that it does not work.

A request only leaves a few values in memory. A thread of the process writes them, at most once a second, in a short
transaction of its own: of more than that can hold, those that were refused go first, and the rest is counted and lost.
"""

import atexit
import re
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from typing import NamedTuple

import structlog
from flask import Flask, Request, Response, g, request

from scim_bridge import metrics
from scim_bridge.domain.instants import Clock, Millis
from scim_bridge.settings.models import Settings
from scim_bridge.store import inbound, tokens
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.store.inbound import Seen
from scim_bridge.web import credentials, reasons

DOORS = ("/scim/v2", "/hr/v1", "/webhooks")
EVERY_S = 1.0

MOST_AT_ONCE = 200
"""So many are written at a time, by each process."""

MOST_UNKNOWN_AT_ONCE = 50
"""So many of these may be of nobody whom we know: anybody can knock, and must not push out the others."""

LAST_WRITE_S = 2.0
"""So long a process that ends waits for what is not written yet."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})
_ENDPOINTS = frozenset({"Users", "Groups", "Me", "Bulk", "Schemas", "ResourceTypes", "ServiceProviderConfig"})
_PART = re.compile(r"<(?:\w+:)?(\w+)>")
_OUR_ID = re.compile(r"[0-9a-f]{32}")

_log = structlog.get_logger(__name__)


class _Came(NamedTuple):
    """What is left of a request until it is written. Holds no token."""

    at: Millis
    method: str
    path: str
    rule: str | None
    parts: Mapping[str, str]
    status: int
    took_ms: int
    tenant: str | None
    token_id: str | None
    source: str | None
    correlation_id: str
    answer: bytes
    is_ours: bool


def install(app: Flask, store: Store, settings: Settings, *, clock: Clock) -> "InboundLog":
    """Note every request that comes to a sender's door. What measures requests must be installed, too."""
    log = InboundLog(store, names=names_of(settings), clock=clock)
    app.after_request(log.note)
    return log


def names_of(settings: Settings) -> frozenset[tuple[str, str]]:
    """Return the tenants with their targets and sources, by whose names some addresses go."""
    targets = {(tenant.id, target.name) for tenant in settings.tenants for target in tenant.targets}
    return frozenset(targets | {(tenant.id, source.name) for tenant in settings.tenants for source in tenant.sources})


class InboundLog:
    """The requests of one process that are not written yet. Thread-safe; its thread starts with the first request."""

    def __init__(self, store: Store, *, names: Collection[tuple[str, str]], clock: Clock) -> None:
        """Write to this store. `names` are those of addresses that tell themselves whose they are."""
        self._store = store
        self._names = frozenset(names)
        self._clock = clock
        # Bounded, too, for two threads that both find room at the same moment.
        self._refused: deque[_Came] = deque(maxlen=MOST_AT_ONCE)
        self._fine: deque[_Came] = deque(maxlen=MOST_AT_ONCE)
        self._unknown: deque[_Came] = deque(maxlen=MOST_UNKNOWN_AT_ONCE)
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._ending = threading.Event()
        self._is_down = False

    def note(self, response: Response) -> Response:
        """Keep of a request what will be written of it; called with its answer, which is returned."""
        asked: Request = request._get_current_object()  # type: ignore[attr-defined] # noqa: SLF001 - once, not each time
        if asked.path.startswith(DOORS):
            waiting = self._place_of(response)
            if len(waiting) >= (waiting.maxlen or 0):
                metrics.INBOUND_DROPPED.inc()
            else:
                waiting.append(_came(asked, response, self._clock()))
            if self._thread is None:
                self._start()
        return response

    def write(self) -> int:
        """Write what waits, as far as one transaction holds, and return how many requests that were."""
        unknown, refused, fine = _taken(self._unknown), _taken(self._refused), _taken(self._fine)
        came = sorted([*refused, *unknown, *fine][:MOST_AT_ONCE], key=lambda each: each.at)
        lost = len(refused) + len(unknown) + len(fine) - len(came)
        if came:
            try:
                seen = [_seen(each, self._names) for each in came]
                with self._store.across_tenants("note requests that came in", write=True) as tx:
                    inbound.append(tx, seen)
                self._is_down = False
            except StoreUnavailable as error:
                lost, came = lost + len(came), []
                if not self._is_down:
                    _log.warning("requests_not_noted", reason=str(error))
                self._is_down = True
        if lost:
            metrics.INBOUND_DROPPED.inc(lost)
        return len(came)

    def close(self) -> None:
        """Write what waits and end; waits for that only shortly."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(LAST_WRITE_S)

    def _place_of(self, response: Response) -> deque[_Came]:
        if response.status_code < inbound.REFUSED_FROM:
            return self._fine
        return self._refused if g.get("principal") is not None else self._unknown

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                # A daemon: one that waits for a database that stands still must not keep the process from ending.
                self._thread = threading.Thread(target=self._write_on, name="inbound", daemon=True)
                self._thread.start()
                atexit.register(self.close)

    def _write_on(self) -> None:
        is_over = False
        while not is_over:
            is_over = self._ending.wait(EVERY_S)
            try:
                self.write()
            except Exception:  # noqa: BLE001 - the thread's outermost place: what comes next is tried again
                _log.exception("noting_requests_failed")


def _taken(waiting: deque[_Came]) -> list[_Came]:
    return [waiting.popleft() for _ in range(len(waiting))]


def _came(asked: Request, response: Response, now: Millis) -> _Came:
    told = g._get_current_object()  # noqa: SLF001 - as above
    principal = told.get("principal")
    is_refused = response.status_code >= inbound.REFUSED_FROM
    rule = asked.url_rule
    return _Came(
        at=now,
        method=asked.method,
        path=asked.path,
        rule=None if rule is None else rule.rule,
        parts=asked.view_args or {},
        status=response.status_code,
        took_ms=int((time.monotonic() - told.get("began_at", 0.0)) * 1000),
        tenant=None if principal is None else principal.tenant,
        token_id=_token_id(asked) if principal is None else principal.token_id,
        source=None if principal is None else principal.source,
        correlation_id=told.get("correlation_id", ""),
        answer=response.get_data() if is_refused and response.is_sequence else b"",
        is_ours=told.get("is_refused_by_us", True),
    )


def _token_id(asked: Request) -> str | None:
    """Return the public part of the token that a request bears, good or not."""
    value = credentials.token_of(asked.headers.get("Authorization"))
    return None if value is None else tokens.token_id_of(value)


def _seen(came: _Came, names: Collection[tuple[str, str]]) -> Seen:
    tenant, source = came.tenant, came.source
    named = (came.parts.get("tenant", ""), came.parts.get("target") or came.parts.get("source") or "")
    if tenant is None and named in names:
        tenant, source = named
    is_refused = came.status >= inbound.REFUSED_FROM
    return Seen(
        at=came.at,
        method=came.method if came.method in _METHODS else "other",
        route=_route(came, is_named=named in names),
        status=came.status,
        took_ms=came.took_ms,
        tenant=tenant,
        token_id=came.token_id,
        is_known=came.tenant is not None,
        source=source,
        correlation_id=came.correlation_id,
        detail=reasons.reason(came.status, came.answer, is_ours=came.is_ours) if is_refused else "",
    )


def _route(came: _Came, *, is_named: bool) -> str:
    """Return the address without what a sender may have put there; our own ids and names stay."""
    if came.rule is None:
        return f"{next(door for door in DOORS if came.path.startswith(door))}/{{path}}"

    def shown(found: re.Match[str]) -> str:
        name = found[1]
        value = came.parts.get(name, "")
        is_known = (
            value in _ENDPOINTS
            if name == "resource_endpoint"
            else is_named
            if name in {"tenant", "target", "source"}
            else _OUR_ID.fullmatch(value) is not None
        )
        return value if is_known else f"{{{name.removeprefix('resource_')}}}"

    return _PART.sub(shown, came.rule)
