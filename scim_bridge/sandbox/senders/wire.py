"""One SCIM call over HTTP, with the patience of an identity provider."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

RETRIED = frozenset({429, 503})
"""Answers after which an identity provider tries the same call again."""


class SenderError(Exception):
    """A call got no answer, or one that is no success. `status` is None when no answer came.

    The text names neither the user nor the address; `detail` is what the server said.
    """

    def __init__(self, method: str, endpoint: str, status: int | None, detail: str = "") -> None:
        what = "got no answer" if status is None else f"was answered {status}"
        super().__init__(f"{method} {endpoint} {what}")
        self.status = status
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class ScimWire:
    """Calls one SCIM service with one token; holds no connection, so that any number of threads may use it."""

    base_url: str
    token: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 60.0
    attempts: int = 6
    """How often a call is made while it is answered 429 or 503."""
    longest_wait_s: float = 10.0
    """The most that a Retry-After is waited for."""
    sleep: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("base_url must be an http or https URL")
        if self.attempts < 1:
            raise ValueError("attempts is at least 1")

    def call(self, method: str, path: str, document: Any = None) -> Any:
        """Return the JSON document of a 2xx answer (None for an empty one); raises SenderError for anything else."""
        endpoint = "/" + path.lstrip("/").partition("/")[0].partition("?")[0]
        for attempt in range(self.attempts):
            try:
                status, headers, body = self._exchange(method, path, document)
            except (OSError, http.client.HTTPException) as exc:
                raise SenderError(method, endpoint, None) from exc
            if status not in RETRIED or attempt == self.attempts - 1:
                break
            self.sleep(min(_wait_s(headers.get("Retry-After"), attempt), self.longest_wait_s))
        if not 200 <= status < 300:
            raise SenderError(method, endpoint, status, _detail(body))
        try:
            return json.loads(body) if body else None
        except ValueError as exc:
            raise SenderError(method, endpoint, status, "the answer is no JSON") from exc

    def _exchange(self, method: str, path: str, document: Any) -> tuple[int, http.client.HTTPMessage, bytes]:
        parts = urlsplit(self.base_url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout_s)
        body = None if document is None else json.dumps(document, ensure_ascii=False).encode()
        try:
            connection.request(
                method, parts.path.rstrip("/") + path, body, {"Authorization": f"Bearer {self.token}", **self.headers}
            )
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


def _wait_s(retry_after: str | None, attempt: int) -> float:
    """Return the wait that Retry-After asks for; without a readable one, it doubles from half a second."""
    if retry_after is not None and retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after or "").timestamp() - time.time())
    except ValueError:
        return 0.5 * float(2**attempt)


def _detail(body: bytes) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return ""
    return str(document.get("detail", "")) if isinstance(document, dict) else ""
