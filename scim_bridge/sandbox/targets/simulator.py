"""A running simulated target: a real HTTP server on loopback around a vendor's rules."""

import contextlib
import ipaddress
import random
import socket
import threading
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Generic, Self, TypeVar
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler
from werkzeug.wrappers import Request

from scim_bridge.sandbox.targets import control
from scim_bridge.sandbox.targets.calls import CallLog
from scim_bridge.sandbox.targets.clocks import Clocks, system_clocks
from scim_bridge.sandbox.targets.faults import Faults
from scim_bridge.sandbox.targets.gate import Gate
from scim_bridge.sandbox.targets.holdings import HeldState
from scim_bridge.sandbox.targets.limits import Limiter, Window
from scim_bridge.sandbox.targets.vendor import Vendor

VendorT = TypeVar("VendorT", bound=Vendor)


class _QuietHandler(WSGIRequestHandler):
    """Writes no access log (the call log has all), and does not wait for acknowledgements between small writes."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's signature
        """Write nothing."""


class _Server(ThreadedWSGIServer):
    """Knows its open connections, so that going down cuts them as a crash would."""

    def __init__(self, *args: Any) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection in a thread of its own."""
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close one connection."""
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of callers who hang up: half of what a simulator is for."""

    def cut_connections(self) -> None:
        """Close every open connection without an answer."""
        for connection in tuple(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Simulator(Generic[VendorT]):
    """One simulated target, to be used as a context manager or by `start` and `stop`.

    `limits` empty switches limits off. `port` 0 takes a free one. Raises ValueError for any but a loopback
    address.
    """

    def __init__(
        self,
        vendor: VendorT,
        *,
        limits: Sequence[Window],
        host: str = "127.0.0.1",
        port: int = 0,
        control_token: str | None = None,
        clocks: Clocks | None = None,
        randomness: random.Random | None = None,
    ) -> None:
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"a simulator serves loopback addresses only, not {host}")
        clocks = clocks or system_clocks()
        self.vendor = vendor
        self.log = CallLog()
        self.faults = Faults()
        self.limiter = Limiter(limits, clocks.monotonic_s)
        self._host = host
        self._port = port
        self._stopping = threading.Event()
        self._lock = threading.RLock()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self._return: threading.Timer | None = None
        self._gate = Gate(
            vendor,
            clocks=clocks,
            limiter=self.limiter,
            log=self.log,
            faults=self.faults,
            # Only the spread of latencies comes from it.
            randomness=randomness or random.Random(0),  # noqa: S311
            stopping=self._stopping,
        )
        self._control = control.Control(
            vendor,
            log=self.log,
            faults=self.faults,
            limiter=self.limiter,
            token=control_token,
            go_down=self.go_down_for,
        )

    @property
    def origin(self) -> str:
        """Scheme, host and port; known from the first start on."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"

    @property
    def urls(self) -> dict[str, str]:
        """The base URLs, by the names that the bridge's configuration of this kind gives them."""
        return {name: self.origin + path for name, path in self.vendor.paths.items()}

    @property
    def base_url(self) -> str:
        """The first of `urls`."""
        return next(iter(self.urls.values()))

    @property
    def state(self) -> HeldState:
        """What the target holds at this moment."""
        return self.vendor.held()

    @property
    def is_up(self) -> bool:
        """Whether connections are accepted."""
        return self._server is not None

    def start(self) -> Self:
        """Listen, on the port of the last time if there was one; starting twice changes nothing."""
        with self._lock:
            if self._server is None:
                self._stopping.clear()
                _refuse_taken_port(self._host, self._port)
                self._server = _Server(self._host, self._port, self._serve, _QuietHandler)
                self._port = self._server.port
                self._thread = threading.Thread(
                    target=self._server.serve_forever,
                    kwargs={"poll_interval": 0.05},
                    name=self.vendor.kind,
                    daemon=True,
                )
                self._thread.start()
        return self

    def stop(self) -> None:
        """Refuse connections and cut those that are open; state, log and script stay. Twice changes nothing."""
        with self._lock:
            if self._return is not None:
                self._return.cancel()
                self._return = None
            if self._server is not None and self._thread is not None:
                self._stopping.set()
                self._server.shutdown()
                self._thread.join()
                self._server.cut_connections()
                self._server = self._thread = None

    def go_down_for(self, seconds: float) -> None:
        """Be unreachable from now on, and listen again on the same port after so many seconds; returns at once."""
        with self._lock:
            if self._server is None:
                return
            self.stop()
            self._return = threading.Timer(seconds, self._come_back)
            self._return.daemon = True
            self._return.start()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _come_back(self) -> None:
        with self._lock:
            # Whoever stopped the simulator meanwhile wants it to stay so.
            if self._return is threading.current_thread():
                self._return = None
                self.start()

    def _serve(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        if request.path.startswith(control.PREFIX):
            return self._control.answer(request)(environ, start_response)
        return self._gate.pass_through(request)(environ, start_response)


def _refuse_taken_port(host: str, port: int) -> None:
    # werkzeug ends the whole process when a port is taken; a simulator inside another program must not.
    if port:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
