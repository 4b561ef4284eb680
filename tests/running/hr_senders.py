"""Signs deliveries as each HR system does, written apart from the code that checks them."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

SECRET = "hrsec-8d21"
FINCH_SECRET = base64.b64encode(b"finch-key-8d21").decode()
DATA = Path(__file__).parents[1] / "data"

Headers = dict[str, str]


def payload(name: str) -> bytes:
    """Return a delivery as it came: `bamboohr/event_based.json`."""
    return (DATA / name).read_bytes()


def secret_of(kind: str) -> str:
    return FINCH_SECRET if kind == "finch" else SECRET


def _mac(body: bytes, secret: str, algorithm: str = "sha256") -> bytes:
    return hmac.new(secret.encode(), body, algorithm).digest()


def bamboohr(body: bytes, *, at_s: float, secret: str = SECRET, iso: bool = False) -> Headers:
    time = datetime.fromtimestamp(int(at_s), UTC).isoformat().replace("+00:00", "Z") if iso else str(int(at_s))
    return {
        "X-BambooHR-Signature": _mac(body + time.encode(), secret).hex(),
        "X-BambooHR-Timestamp": time,
        "User-Agent": "BambooHR-WebHooks/1.0 (+https://www.bamboohr.com)",
    }


def hibob(body: bytes, *, at_s: float, secret: str = SECRET) -> Headers:  # noqa: ARG001 - signs no time
    return {"Bob-Signature": base64.b64encode(_mac(body, secret, "sha512")).decode()}


def merge(body: bytes, *, at_s: float, secret: str = SECRET, padded: bool = True) -> Headers:  # noqa: ARG001 - as above
    text = base64.urlsafe_b64encode(_mac(body, secret)).decode()
    return {"X-Merge-Webhook-Signature": text if padded else text.rstrip("=")}


def generic(body: bytes, *, at_s: float, secret: str = SECRET) -> Headers:
    time = str(int(at_s))
    signature = _mac(f"{time}.".encode() + body, secret).hex()
    return {"X-SCIM-Bridge-Signature": signature, "X-SCIM-Bridge-Timestamp": time}


def finch(body: bytes, *, at_s: float, secret: str = FINCH_SECRET, event_id: str = "evt_1") -> Headers:
    time = str(int(at_s))
    key = base64.b64decode(secret)
    right = hmac.new(key, f"{event_id}.{time}.".encode() + body, hashlib.sha256).digest()
    retired = hmac.new(b"an older key", body, hashlib.sha256).digest()
    signatures = " ".join(f"v1,{base64.b64encode(each).decode()}" for each in (retired, right))
    return {"Finch-Event-Id": event_id, "Finch-Timestamp": time, "Finch-Signature": signatures}


def gusto(body: bytes, *, at_s: float, secret: str = SECRET) -> Headers:  # noqa: ARG001 - as above
    return {"X-Gusto-Signature": _mac(body, secret).hex()}


def personio(body: bytes, *, at_s: float, secret: str = SECRET) -> Headers:  # noqa: ARG001 - as above
    return {"X-Personio-Signature": f"sha256={_mac(body, secret).hex()}"}


def paylocity(body: bytes, *, at_s: float, secret: str = SECRET) -> Headers:  # noqa: ARG001 - as above
    return {"Authorization": f"Bearer {secret}", "Expect": "100-continue", "Connection": "close"}


SIGNERS: dict[str, Callable[..., Headers]] = {
    "bamboohr": bamboohr,
    "finch": finch,
    "generic": generic,
    "gusto": gusto,
    "hibob": hibob,
    "merge": merge,
    "paylocity": paylocity,
    "personio": personio,
}

EXAMPLES = {
    "bamboohr": "bamboohr/event_based.json",
    "finch": "finch/individual_updated.json",
    "generic": "generic/list.json",
    "gusto": "gusto/employee_terminated.json",
    "hibob": "hibob/v2_updated.json",
    "merge": "merge/employee_changed.json",
    "paylocity": "paylocity/employee_change.json",
    "personio": "personio/person_updated.json",
}
"""One delivery of each kind of source."""
