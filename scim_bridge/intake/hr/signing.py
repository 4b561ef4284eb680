"""What the senders' signature schemes have in common: digests compared in constant time, and times read off headers."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

from scim_bridge.domain import instants
from scim_bridge.domain.instants import Millis
from scim_bridge.intake.webhooks.refusals import WebhookRefused

WINDOW_MS = 300_000
"""The time of a delivery may be off by five minutes, either way."""

NOT_SIGNED = (
    "The request is not signed as this address asks. Compare the address, the kind of the source and the secret that"
    " both sides hold."
)
"""Said of everything that no secret of ours has signed, whatever is wrong with it."""

STALE = (
    "The signature is right, but its time is more than 5 minutes away from this server's. Sign anew when sending again,"
    " and set both clocks."
)

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
_FIRST_IN_MILLIS = 100_000_000_000
_LEAST, _MOST = 946_684_800_000, 4_102_444_800_000
"""From 2000 to 2100: a time outside was never meant."""


class ImpossibleTime(ValueError):  # noqa: N818 - it says what a value is
    """A value is no instant, or one far from our days."""


class Encoding(StrEnum):
    """How a digest is written in a header."""

    HEX = "hex"
    BASE64 = "base64"


def digest(key: bytes, *parts: bytes, algorithm: str = "sha256") -> bytes:
    """Return the HMAC of the parts, one after the other."""
    made = hmac.new(key, digestmod=algorithm)
    for part in parts:
        made.update(part)
    return made.digest()


def check(offered: Iterable[str], expected: bytes, encoding: Encoding) -> None:
    """Refuse when none of the signatures is the expected digest. Of base64 either alphabet will do, padded or not.

    Raises:
        WebhookRefused: none is.
    """
    right = expected.hex() if encoding is Encoding.HEX else base64.b64encode(expected).decode("ascii").rstrip("=")
    is_right = False
    for text in offered:
        told = text.strip()
        told = told.lower() if encoding is Encoding.HEX else told.rstrip("=").replace("-", "+").replace("_", "/")
        is_right |= hmac.compare_digest(told.encode("utf-8", "replace"), right.encode("ascii"))
    if not is_right:
        raise WebhookRefused(401, NOT_SIGNED)


def header(headers: Mapping[str, str], name: str) -> tuple[str, bytes]:
    """Return a header as text, and as the bytes that were signed; both empty when it is not there."""
    text = headers.get(name, "")
    return text, text.encode("utf-8", "replace")


def mark_of(*parts: str) -> str:
    """Return what tells something from all others, of one length and holding nothing of it."""
    # As JSON, in which no part can end as the next begins.
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def signed_time(text: str) -> Millis:
    """Return the time that was signed.

    Raises:
        WebhookRefused: it is none.
    """
    try:
        found = instant_of(text)
    except ImpossibleTime:
        found = None
    if found is None:
        raise WebhookRefused(401, "The signature is right, but the time that was signed cannot be read.")
    return found


def check_time(at: Millis | None, now: Millis) -> None:
    """Refuse what was signed too long ago, or too far ahead; where no time is signed, nothing is refused.

    Raises:
        WebhookRefused: its time is not within five minutes of ours.
    """
    if at is not None and abs(now - at) > WINDOW_MS:
        raise WebhookRefused(401, STALE)


def instant_of(value: object) -> Millis | None:
    """Return an instant written as ISO 8601 or as seconds or milliseconds since 1970; None for an empty value.

    A time without an offset is one of UTC: the senders that write none mean it so.

    Raises:
        ImpossibleTime: it is none.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ImpossibleTime
    text = str(value).strip()
    if _NUMBER.fullmatch(text):
        number = float(text)
        found = round(number if number >= _FIRST_IN_MILLIS else number * 1000)
    else:
        found = _of_iso(text)
    if not _LEAST <= found <= _MOST:
        raise ImpossibleTime
    return found


def _of_iso(text: str) -> Millis:
    try:
        moment = datetime.fromisoformat(text)
        return instants.of_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ImpossibleTime from None
