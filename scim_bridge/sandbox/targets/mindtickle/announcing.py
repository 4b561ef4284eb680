"""The webhooks of the simulated MindTickle: it tells a URL on this machine whose account came or went."""

import hashlib
import hmac
import http.client
import json
import queue
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

from scim_bridge.domain.instants import Clock
from scim_bridge.sandbox.targets.mindtickle.options import MindTickleOptions

_TIMEOUT_S = 10.0
_FORMS = {
    "A": ("X-MindTickle-Signature", "X-MindTickle-Timestamp", "."),
    "B": ("X-MT-Webhook-Signature", "X-MT-Webhook-Timestamp", ":"),
}


class Announcer:
    """Sends webhooks from a thread of its own, in order and each once, as the options of the moment say.

    `statuses` are what they were answered; 0: nobody answered.
    """

    def __init__(self, options: Callable[[], MindTickleOptions], company_id: Callable[[], str], clock: Clock) -> None:
        """Send nothing until the options name a URL."""
        self._options = options
        self._company_id = company_id
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
        self._is_sending = False
        self._last = 0
        self.statuses: list[int] = []

    def tell(self, account_id: str, *, active: bool) -> None:
        """Let an event go out; returns at once."""
        if self._options().webhook_url is None:
            return
        kind = "user.provisioned" if active else "user.deprovisioned"
        document = {"event": kind, "data": {"userId": account_id}, "companyId": self._company_id()}
        with self._lock:
            self._last += 1
            self._waiting.put((f"evt-{self._last:08d}", json.dumps(document).encode()))
            if not self._is_sending:
                self._is_sending = True
                threading.Thread(target=self._send_all, name="webhooks", daemon=True).start()

    def _send_all(self) -> None:
        """Send what waits; the thread ends with it."""
        while True:
            with self._lock:
                if self._waiting.empty():
                    self._is_sending = False
                    return
            event_id, body = self._waiting.get()
            options = self._options()
            if options.webhook_url is not None:
                self.statuses.append(self._send(options, options.webhook_url, event_id, body))

    def _send(self, options: MindTickleOptions, url: str, event_id: str, body: bytes) -> int:
        parts = urlsplit(url)
        time = str(self._clock() // 1000)
        signature_header, time_header, separator = _FORMS[options.webhook_scheme]
        signed = f"{time}{separator}".encode() + body
        headers = {
            "Content-Type": "application/json",
            "X-MT-Event-Id": event_id,
            time_header: time,
            signature_header: hmac.new(options.webhook_secret.encode(), signed, hashlib.sha256).hexdigest(),
        }
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_TIMEOUT_S)
        try:
            connection.request("POST", parts.path, body, headers)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()
