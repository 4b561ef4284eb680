"""The only way out: calls to configured addresses, each with a total deadline, none of which tells a secret.

Nothing here logs, and no error holds a header, a body or a query: only the method, the path and what went wrong.
"""

import logging
import socket
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from workers.targets.port import AnswerLost, CallFailed, Unreachable

MAX_BODY_BYTES = 64 * 1024 * 1024
"""The largest answer that is read: a listing of some 200,000 accounts."""

CHUNK_BYTES = 65_536

GRACE_S = 1.0
"""A read's own timeout comes so much after the call's deadline: the watch ends calls, and says so."""

# The library's own records hold whole URLs, so also filters with addresses in them: none is made.
logging.getLogger("urllib3").setLevel(logging.CRITICAL + 1)


class ForbiddenDestination(Unreachable):
    """The address is none of the configured ones; nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer as it came, whatever its status. Header names are found in any letter case."""

    status: int
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    body: bytes = field(repr=False, default=b"")


class _Watch:
    """Ends one call at its deadline by shutting its socket, and knows whether the request may have left.

    A read timeout alone is no deadline: a peer that sends a byte now and then resets it for ever.
    """

    def __init__(self) -> None:
        self.connection: HTTPConnection | None = None
        self.socket: socket.socket | None = None
        self.may_have_sent = False
        self.expired = False

    def begin_sending(self) -> None:
        """Note that the request is about to leave, unless the deadline has passed while connecting."""
        if self.expired:
            raise TimeoutError
        self.may_have_sent = True

    def cut(self) -> None:
        """Shut the socket, so that whoever waits on it wakes up."""
        self.expired = True
        sock = self.socket or getattr(self.connection, "sock", None)
        if sock is not None:
            with suppress(OSError):
                # Not the TLS wrapper's own shutdown: that one is not safe while another thread reads.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


_running: ContextVar[_Watch | None] = ContextVar("running_call", default=None)


class _Watched(HTTPConnection):
    """A connection that tells the running call's watch how far it has come."""

    def connect(self) -> None:
        watch = _running.get()
        if watch is not None:
            watch.connection = self
        super().connect()
        if watch is not None:
            watch.begin_sending()

    def request(self, *args: Any, **kwargs: Any) -> None:
        watch = _running.get()
        if watch is not None:
            watch.connection = self
            if self.sock is not None:
                watch.begin_sending()
        super().request(*args, **kwargs)

    def getresponse(self) -> Any:
        watch = _running.get()
        if watch is not None:
            # After "Connection: close" the connection forgets its socket while the body is still to come.
            watch.socket = self.sock
        return super().getresponse()


class _WatchedTls(_Watched, HTTPSConnection):
    """The same over TLS; the handshake, too, happens before anything is sent."""


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class _WatchedAdapter(HTTPAdapter):
    """An adapter whose connections can be watched; it never retries, for a retry would be a second call."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _TlsPool}


def _origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of an address.

    Raises:
        ValueError: when it is no plain http or https address.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise ValueError("an address must be http:// or https:// with a host and without credentials")
    return parts.scheme, parts.hostname.lower(), parts.port or (443 if parts.scheme == "https" else 80)


class HttpClient:
    """Calls to one remote system. Thread-safe: every thread keeps connections of its own.

    `bases` are the configured addresses; nothing else is ever called, no redirect followed, no cookie kept and no
    proxy or credential taken from the environment.
    """

    def __init__(
        self,
        bases: tuple[str, ...],
        *,
        headers: Mapping[str, str],
        connect_timeout_s: float = 5.0,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        """Keep the addresses and the headers of every call.

        Raises:
            ValueError: when a base is no plain http or https address.
        """
        self._origins = frozenset(_origin(base) for base in bases)
        self._headers = {"User-Agent": "scim-bridge", "Accept-Encoding": "gzip", **headers}
        self._connect_timeout_s = connect_timeout_s
        self._max_body_bytes = max_body_bytes
        self._threads = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._lock = threading.Lock()

    def send(
        self,
        method: str,
        url: str,
        *,
        deadline_s: float,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Make one call and return its answer, of any status, within `deadline_s` seconds in all.

        Raises:
            Unreachable: it is certain that nothing was sent (ForbiddenDestination among them).
            AnswerLost: the request may have left, and its whole answer did not arrive.
        """
        self._check(method, url)
        target = f"{url}?{urlencode(query)}" if query else url
        watch = _Watch()
        timer = threading.Timer(deadline_s, watch.cut)
        timer.daemon = True
        token = _running.set(watch)
        timer.start()
        failure: str | None = None
        try:
            response = self._exchange(method, target, body, {**self._headers, **(headers or {})}, deadline_s)
        except _Unusable as exc:
            failure = str(exc)
        except (requests.RequestException, OSError, ValueError) as exc:
            failure = type(exc).__name__
        finally:
            timer.cancel()
            _running.reset(token)
        # Raised out here so that no traceback chains to the library's error, whose text holds the whole URL.
        if failure is None and not watch.expired:
            return response
        raise self._failed(method, url, watch, failure, deadline_s)

    def close(self) -> None:
        """Close every thread's connections."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            session.close()

    def _check(self, method: str, url: str) -> None:
        try:
            allowed = _origin(url) in self._origins
        except ValueError:
            allowed = False
        if not allowed:
            raise ForbiddenDestination(f"{method}: the address is none of the configured ones; nothing was sent")

    def _exchange(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], deadline_s: float
    ) -> Response:
        ends_at = time.monotonic() + deadline_s
        with self._session().request(
            method,
            url,
            data=body,
            headers=dict(headers),
            allow_redirects=False,
            stream=True,
            timeout=(min(self._connect_timeout_s, deadline_s), deadline_s + GRACE_S),
        ) as answer:
            content = bytearray()
            for chunk in answer.iter_content(CHUNK_BYTES):
                content += chunk
                if len(content) > self._max_body_bytes:
                    raise _Unusable(f"the answer is larger than {self._max_body_bytes} bytes")
                if time.monotonic() > ends_at:
                    raise TimeoutError
            if not content and not _is_framed(answer):
                raise _Unusable("the answer may have been cut off before its body")
            return Response(status=answer.status_code, headers=CaseInsensitiveDict(answer.headers), body=bytes(content))

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = requests.Session()
            session.trust_env = False
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
            session.headers.clear()
            for scheme in ("http://", "https://"):
                session.mount(scheme, _WatchedAdapter(pool_connections=4, pool_maxsize=4, max_retries=0))
            self._threads.session = session
            with self._lock:
                self._sessions.add(session)
        return session

    @staticmethod
    def _failed(method: str, url: str, watch: _Watch, failure: str | None, deadline_s: float) -> CallFailed:
        where = f"{method} {urlsplit(url).hostname}"
        if watch.expired:
            failure = f"not finished after {deadline_s:g} s"
        if watch.may_have_sent:
            return AnswerLost(f"{where}: {failure}")
        return Unreachable(f"{where}: {failure}")


class _Unusable(Exception):  # noqa: N818 - it never leaves this module
    """What arrived is no whole answer; the message says why."""


def _is_framed(answer: requests.Response) -> bool:
    """Tell whether the head says how long the body is; a head that broke off half-way does not."""
    headers = answer.headers
    return answer.status_code in {204, 304} or "Content-Length" in headers or "Transfer-Encoding" in headers
