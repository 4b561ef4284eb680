"""How a receiver tells that a notice is the bridge's. Needs nothing but Python; config/README.md shows it."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

TOLERANCE_S = 300


class NotGenuine(Exception):  # noqa: N818 - it says what it is
    """The message is not the bridge's, was changed, or is old."""


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now_s: float | None = None) -> dict[str, Any]:
    """Return the notice that a request holds.

    Its id stays the same when it comes again, so whoever has seen the id has seen the notice.

    Raises:
        NotGenuine: it must not be believed.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id, sent_at = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not sent_at.isdigit() or abs((time.time() if now_s is None else now_s) - int(sent_at)) > TOLERANCE_S:
        raise NotGenuine("sent too long ago, or without a time")
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    digest = hmac.new(key, f"{message_id}.{sent_at}.".encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    if not any(hmac.compare_digest(expected, each) for each in given.get("webhook-signature", "").split()):
        raise NotGenuine("not signed with our secret")
    notice: dict[str, Any] = json.loads(body)
    return notice
