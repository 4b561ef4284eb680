"""Signs webhooks as the vendor's two code samples do, written apart from the code that checks them."""

import hashlib
import hmac
import json
from typing import Any

SECRET = "whsec-3f9a"


def signed(
    body: bytes, *, at_s: float, scheme: str = "A", secret: str = SECRET, event_id: str | None = None
) -> dict[str, str]:
    """Return the headers of a webhook."""
    time = str(int(at_s))
    separator, prefix = {"A": (".", "X-MindTickle-"), "B": (":", "X-MT-Webhook-")}[scheme]
    digest = hmac.new(secret.encode(), f"{time}{separator}".encode() + body, hashlib.sha256).hexdigest()
    headers = {f"{prefix}Signature": digest, f"{prefix}Timestamp": time, "Content-Type": "application/json"}
    return headers if event_id is None else {**headers, "X-MT-Event-Id": event_id}


def event(kind: str = "user.deprovisioned", user_id: Any = "mtu-00000001", **data: Any) -> bytes:
    """Return the body of a webhook about one person."""
    return json.dumps({"event": kind, "data": {"userId": user_id, **data}, "companyId": "acme"}).encode()
