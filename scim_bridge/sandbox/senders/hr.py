"""A sender that behaves as an HR system does: signed webhooks in our own JSON, and a file in the evening."""

import hashlib
import hmac
import http.client
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from scim_bridge.sandbox.senders.wire import RETRIED, SenderError

ATTEMPTS = 6
LOOK_EVERY_S = 0.05
PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HrSender:
    """Calls the HR side of one bridge as one source; holds no connection. Every method raises SenderError."""

    origin: str
    tenant: str
    source: str
    secret: str = field(repr=False)
    """What events are signed with."""
    token: str = field(repr=False)
    """What files are sent with."""
    timeout_s: float = 60.0
    sleep: Callable[[float], object] = time.sleep

    def tell(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Send one webhook and return what became of each event."""
        body = json.dumps(events, ensure_ascii=False).encode()
        told = str(int(time.time()))
        signature = hmac.new(self.secret.encode(), f"{told}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-SCIM-Bridge-Timestamp": told,
            "X-SCIM-Bridge-Signature": signature,
        }
        answer = self._call("POST", f"/hr/v1/events/{self.tenant}/{self.source}", body, headers)
        return list(answer["events"])

    def send_snapshot(self, content: bytes, *, said_at: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Send a file that names everybody, wait until it is worked off, and return its summary and its report."""
        query = urlencode({"mode": "snapshot", "said_at": said_at})
        taken = self._call("POST", f"/hr/v1/imports?{query}", content, {"Content-Type": "text/csv", **self._bearer})
        deadline = time.monotonic() + PATIENCE_S
        while (summary := self._call("GET", taken["location"], None, self._bearer))["status"] != "done":
            if time.monotonic() > deadline:
                raise SenderError("GET", "/hr/v1/imports", 200, f"the import is {summary['status']} for too long")
            self.sleep(LOOK_EVERY_S)
        return summary, self._call("GET", summary["report"]["json"], None, self._bearer)

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _call(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        endpoint = "/".join(path.partition("?")[0].split("/")[:4])
        for attempt in range(ATTEMPTS):
            try:
                status, answer = self._exchange(method, path, body, headers)
            except (OSError, http.client.HTTPException) as exc:
                raise SenderError(method, endpoint, None) from exc
            if status not in RETRIED:
                break
            self.sleep(0.2 * 2**attempt)
        if not 200 <= status < 300:
            raise SenderError(method, endpoint, status, answer.decode(errors="replace")[:300])
        return json.loads(answer)

    def _exchange(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, bytes]:
        parts = urlsplit(self.origin)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.timeout_s)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()
