"""gunicorn's worker at the front door: a request reaches a thread only when it has arrived whole.

One loop reads and writes all connections and never waits for one of them; threads see requests and answers in memory.
So whoever sends, or reads, slowly or never, holds memory up to a bound and no thread. It leans on the loop and the
shutdown of gunicorn 27's ThreadWorker.
"""

import errno
import gc
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from gunicorn import http
from gunicorn.workers.gthread import ThreadWorker

from scim_bridge import wiring
from scim_bridge.settings.models import WebSettings
from scim_bridge.web.capacity import connections_within_reach, limits_of, most_held_of
from scim_bridge.web.receiving import Connection, Exchange, Stage, kept
from scim_bridge.web.refusals import RequestRefused, note, refusal_of, render, too_much
from scim_bridge.web.spread import Spread
from scim_bridge.web.threads import Threads

LINGER_S = 2.0
"""How long a sender may take to read the last answer before its connection is cut."""

READER_S = 30.0
"""How long a sender may read nothing of an answer."""

STOP_S = 1.0
"""How long a stopping process keeps a connection that holds no whole request; one may be on the way."""

LOOK_EVERY_S = 0.2

_NO_DESCRIPTOR_LEFT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class FrontDoor(ThreadWorker):  # type: ignore[misc] # gunicorn tells no types
    """One process of the front door."""

    spread: Spread | None = None
    """Shared by all processes; gunicorn's configuration gives each a place there."""
    place: int | None = None

    def init_process(self) -> None:
        """Read what bounds requests, then begin to serve."""
        self.prepare(wiring.load_settings("web").web)
        super().init_process()

    def prepare(self, settings: WebSettings) -> None:
        """Be ready for connections, of which there are none yet."""
        self.settings = settings
        self.limits = limits_of(self.settings)
        self.most_held = most_held_of(self.settings, self.limits)
        self.connections: set[Connection] = set()
        self.held = 0
        self.look_at = 0.0
        self.served: deque[Connection] = deque()
        self.is_called = False
        self.alive_told_at = 0.0
        self.worker_connections = connections_within_reach(self.settings.max_connections)

    def load_wsgi(self) -> None:
        """Load the application. What it consists of stays for good, so the garbage collector need not look at it.

        It would, every few hundred requests, and all of them would stand still for a tenth of a second.
        """
        super().load_wsgi()
        gc.collect()
        gc.freeze()
        if self.spread is not None and self.place is not None:
            self.poller.register(self.spread.inbox(self.place), selectors.EVENT_READ, self._take_over)
            self.spread.tell(self.place, 0)

    # --- what gunicorn's loop calls

    def accept(self, listener: socket.socket) -> None:
        """Take a connection and wait for its first request, or pass it on to a process that has fewer."""
        try:
            accepted, client = listener.accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTOR_LEFT and not self._close_least_needed():
                time.sleep(0.01)  # threads have all: the next to end makes room
            return
        if self._pass_on(accepted, self.sockets.index(listener)):
            accepted.close()
        else:
            self._begin(accepted, client, listener)

    def _pass_on(self, accepted: socket.socket, listener: int) -> bool:
        if self.spread is None or self.place is None:
            return False
        lighter = self.spread.lighter(self.place)
        return lighter is not None and self.spread.pass_on(accepted, self.place, to=lighter, listener=listener)

    def _take_over(self, _inbox: socket.socket) -> None:
        """Begin with the connections that others passed on."""
        for accepted, listener in self.spread.take(self.place) if self.spread and self.place is not None else ():
            try:
                client = accepted.getpeername()
            except OSError:
                accepted.close()  # it has left meanwhile
            else:
                if self.nr_conns >= self.worker_connections:
                    self._close_least_needed()
                self._begin(accepted, client, self.sockets[listener])

    def _begin(self, accepted: socket.socket, client: Any, listener: socket.socket) -> None:
        connection = Connection(accepted, client, listener.getsockname(), limits=self.limits)
        self.connections.add(connection)
        self.nr_conns += 1
        self._tell()
        self._on_event(connection, self._receive)

    def _tell(self) -> None:
        if self.spread is not None and self.place is not None:
            if self.alive:
                self.spread.tell(self.place, self.nr_conns)
            else:
                self.spread.leave(self.place)

    def notify(self) -> None:
        """Tell the master that this process is alive: now and then, not at each turn of the loop."""
        now = time.monotonic()
        if now >= self.alive_told_at + LOOK_EVERY_S:
            self.alive_told_at = now
            super().notify()

    def get_thread_pool(self) -> Threads:
        """Start what serves requests."""
        return Threads(self.cfg.threads)

    def enqueue_req(self, conn: Connection) -> None:
        """Hand a request to the threads."""
        self.tpool.submit(partial(self._serve, conn))

    def _go_on_with_served(self) -> None:
        """Go on with the connections whose requests threads have served."""
        self.is_called = False  # first: who is done from here on calls again
        while self.served:
            connection = self.served.popleft()
            connection.stage = Stage.ANSWERING
            connection.sock.offer(b"")
            self._on_event(connection, self._go_on)

    def murder_pending(self) -> None:
        """At each turn of the loop: keep to the bounds, and end what has taken too long."""
        self._go_on_with_served()
        self._tell()
        self._hold_no_more_than_allowed()
        if self.nr_conns >= self.worker_connections:
            self._close_least_needed()
        now = time.monotonic()
        if now >= self.look_at:
            self.look_at = now + LOOK_EVERY_S
            for connection in [each for each in self.connections if each.deadline <= now]:
                self._run_out(connection)

    def _cap_keepalive(self, deadline: float) -> None:  # noqa: ARG002 - gunicorn's
        """When stopping: end soon what has not arrived whole by now; nothing of it is recorded."""
        self._go_on_with_served()
        for connection in self.connections:
            if connection.stage in {Stage.IDLE, Stage.RECEIVING}:
                connection.deadline = min(connection.deadline, time.monotonic() + STOP_S)

    # --- in a thread

    def _serve(self, connection: Connection) -> None:
        stays = False
        try:
            stays = self.handle(connection)
        finally:
            connection.stays = connection.stays and stays
            self.served.append(connection)
            # Nearly always there is nothing to do but to wait for the next request, which calls the loop by itself.
            is_awaited = connection.is_watched and connection.awaited == self._receive
            if not (is_awaited and connection.has_all_told() and self.alive) and not self.is_called:
                # One call for all who are done by the time that the loop hears it.
                self.is_called = True
                self.method_queue.defer(self._go_on_with_served)

    def handle(self, conn: Connection) -> bool:
        """Serve the request of a connection; True when another may follow. The answer leaves as far as it goes."""
        request = None
        try:
            request = self._parse(conn)
            return bool(self.handle_request(request, conn))
        except Exception as error:  # noqa: BLE001 - what is raised here ends one request, not the process
            self.handle_error(request, conn.sock, conn.client, error)
            return False
        finally:
            if request is not None:
                request.body.close()
            conn.send()

    def _parse(self, connection: Connection) -> Any:
        """Return the request as gunicorn reads it.

        Raises:
            ParseException: it is malformed, or gunicorn has another opinion of where it ends.
        """
        parser = http.RequestParser(self.cfg, connection.sock, connection.client)
        request = next(parser)
        request.body = kept(request.body)
        # The body is here; gunicorn would ask for it once more.
        request._expected_100_continue = False  # noqa: SLF001
        if not connection.sock.is_read() or parser.unreader.take_buffered():
            raise RequestRefused(400, "It is not clear where the request ends. Send it again, with its true length.")
        return request

    def handle_error(self, req: Any, client: Exchange, addr: Any, exc: Exception) -> None:  # noqa: ARG002 - gunicorn's
        """Answer what gunicorn could not read, or what broke the application, in place of whatever was begun."""
        refusal = refusal_of(exc)
        if refusal.status >= 500:
            self.log.error("Error handling request", exc_info=exc)
        client.answer[:] = render(refusal, request_line=client.request_line)
        note(refusal)

    # --- in the loop

    def _stay_idle(self, connection: Connection) -> None:
        connection.stage = Stage.IDLE
        self._wait(connection, self.cfg.keepalive, selectors.EVENT_READ, self._receive)

    def _receive(self, connection: Connection) -> None:
        try:
            may_come_more = connection.receive()
        except RequestRefused as refusal:
            self._refuse(connection, refusal)
            return
        if connection.has_begun():
            self._advance(connection)
            if not may_come_more and connection.stage is Stage.RECEIVING:
                self._refuse(connection, RequestRefused(400, "The request ended before it was whole. Send it again."))
        elif not may_come_more:
            self._close(connection)
        elif not connection.is_watched:
            self._stay_idle(connection)

    def _advance(self, connection: Connection) -> None:
        """Hand a request that is whole to a thread; wait for the rest of one that is not."""
        try:
            is_whole = connection.take_request()
        except RequestRefused as refusal:
            self._refuse(connection, refusal)
            return
        if is_whole:
            connection.stage, connection.deadline = Stage.SERVED, float("inf")
            self._weigh(connection)
            self.enqueue_req(connection)
            return
        if connection.stage is not Stage.RECEIVING:
            connection.stage = Stage.RECEIVING
            self._wait(connection, self.settings.receive_timeout_s, selectors.EVENT_READ, self._receive)
        self._weigh(connection)

    def _go_on(self, connection: Connection) -> None:
        """Send the rest of an answer, then wait for the next request or for the sender to leave."""
        self._weigh(connection)
        if connection.sock.answer:
            connection.stage = Stage.ANSWERING
            self._wait(connection, READER_S, selectors.EVENT_WRITE, self._send)
        elif not connection.stays:
            self._linger(connection)
        elif connection.has_begun():
            connection.stage = Stage.IDLE
            self._advance(connection)
        else:
            self._stay_idle(connection)

    def _send(self, connection: Connection) -> None:
        connection.send()
        self._go_on(connection)

    def _refuse(self, connection: Connection, refusal: RequestRefused) -> None:
        connection.refuse(refusal)
        note(refusal)
        self._go_on(connection)

    def _linger(self, connection: Connection) -> None:
        """Close in two steps (RFC 9112 section 9.6), without waiting as gunicorn's own closing does."""
        connection.stage = Stage.CLOSING
        try:
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(connection)
        else:
            self._wait(connection, LINGER_S, selectors.EVENT_READ, self._read_away)

    def _read_away(self, connection: Connection) -> None:
        may_come_more = connection.receive()
        connection.forget()
        if not may_come_more:
            self._close(connection)

    def _run_out(self, connection: Connection) -> None:
        if connection.stage is Stage.RECEIVING:
            within_s = self.settings.receive_timeout_s
            self._refuse(
                connection,
                RequestRefused(408, f"The request did not arrive whole within {within_s:g} s. Send it again."),
            )
        else:
            self._close(connection)

    # --- bounds

    def _close_least_needed(self) -> bool:
        """Make room for a new connection; False when threads have a request of each.

        The oldest goes: a sender that means well is done within milliseconds, or can connect again after an idle while.
        """
        self._go_on_with_served()
        waiting = [each for each in self.connections if each.stage is not Stage.SERVED]
        if not waiting:
            return False
        least = min(waiting, key=lambda each: (each.stage is not Stage.CLOSING, each.since))
        if least.stage is Stage.RECEIVING:
            self._refuse(least, too_much())
        self._close(least)
        return True

    def _hold_no_more_than_allowed(self) -> None:
        """Give up the longest requests and answers that are under way, so that short ones always get through."""
        while self.held > self.most_held:
            waiting = [each for each in self.connections if each.stage in {Stage.RECEIVING, Stage.ANSWERING}]
            longest = max(waiting, key=lambda each: each.weight, default=None)
            if longest is None:
                return
            if longest.stage is Stage.RECEIVING:
                self._refuse(longest, too_much())
            else:
                self._close(longest)

    def _weigh(self, connection: Connection) -> None:
        weight = connection.weigh()
        self.held += weight - connection.weight
        connection.weight = weight

    # --- the poller

    def _wait(self, connection: Connection, within_s: float, event: int, go_on: Callable[[Connection], None]) -> None:
        """Go on with a connection once it can be read or written, and end it when that takes too long."""
        if not connection.is_watched or connection.awaited != go_on:
            self._ignore(connection)
            self.poller.register(connection.socket, event, partial(self._on_awaited, connection, go_on))
            connection.is_watched, connection.awaited = True, go_on
        connection.since = time.monotonic()
        connection.deadline = connection.since + (within_s if self.alive else min(within_s, STOP_S))

    def _on_awaited(self, connection: Connection, go_on: Callable[[Connection], None], _socket: socket.socket) -> None:
        # Another connection's event in the same turn may have brought this one further. What remains shows again.
        if connection.is_watched and connection.awaited == go_on:
            self._on_event(connection, go_on)

    def _on_event(self, connection: Connection, go_on: Callable[[Connection], None]) -> None:
        if connection.stage is Stage.CLOSED:
            return
        if connection.stage is Stage.SERVED and not self._is_served(connection):
            return
        try:
            go_on(connection)
        except Exception as error:
            # A defect here costs one connection, not the process and all of them.
            self.log.exception("connection lost", exc_info=error)
            self._close(connection)

    def _is_served(self, connection: Connection) -> bool:
        """Tell whether a connection waits for its next request, now that its sender sends on, or has left."""
        self._go_on_with_served()
        if connection.stage is Stage.SERVED:
            # Seen to once it has its answer. Nearly never, so it was watched on meanwhile.
            self._ignore(connection)
            # A thread that was done in between has seen it watched, and has not called.
            self._go_on_with_served()
            return False
        # What is at another stage, and is still to be read, shows at the next turn.
        return connection.stage is Stage.IDLE

    def _ignore(self, connection: Connection) -> None:
        if connection.is_watched:
            self.poller.unregister(connection.socket)
            connection.is_watched = False

    def _close(self, connection: Connection) -> None:
        if connection.stage is Stage.CLOSED:
            return
        self._ignore(connection)
        connection.stage = Stage.CLOSED
        connection.forget()
        connection.socket.close()
        self.connections.discard(connection)
        self.nr_conns -= 1
        self.held -= connection.weight
