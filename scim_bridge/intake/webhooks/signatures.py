"""Who sent a webhook: both of MindTickle's signature schemes, over the bytes as they came.

The vendor's documents contradict each other; `webhook_scheme` says which of the two a target uses, or that either will
do. Nothing here depends on whether there is such a target: an address that nobody has is answered like a wrong secret.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from scim_bridge.domain.instants import Millis
from scim_bridge.intake.webhooks.refusals import WebhookRefused

WINDOW_MS = 300_000
"""A webhook's time may be off by five minutes, either way."""

NOT_SIGNED = (
    "The webhook is not signed as this address asks. The signature is the HMAC-SHA256, in hexadecimal, of the time, a"
    " separator and the body as sent, with the secret that both sides know."
)
"""Said of everything that no secret of ours has signed, whatever is wrong with it."""

_SECONDS_OR_MILLIS = re.compile(r"[0-9]{1,15}")
_FIRST_IN_MILLIS = 100_000_000_000
"""From here on a number is taken for milliseconds: as seconds it would be in the year 5138."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way of signing: the headers that carry signature and time, and what stands between time and body."""

    signature_header: str
    time_header: str
    separator: bytes


FORMS = {
    "A": Form("X-MindTickle-Signature", "X-MindTickle-Timestamp", b"."),
    "B": Form("X-MT-Webhook-Signature", "X-MT-Webhook-Timestamp", b":"),
}
"""Both schemes, by the names that `webhook_scheme` has for them."""

HEADERS = tuple(name for form in FORMS.values() for name in (form.signature_header, form.time_header))


class Scheme(StrEnum):
    """What a target signs with."""

    A = "A"
    B = "B"
    ANY = "any"

    def takes(self, name: str) -> bool:
        """Tell whether the form of this name will do."""
        return self in (Scheme.ANY, Scheme(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What a target's webhooks are signed with."""

    secret: bytes = field(repr=False)
    scheme: Scheme


NOBODY = Door(secret=secrets.token_bytes(32), scheme=Scheme.ANY)
"""Stands for a target that there is not, or that has no secret: the same work is done, and no signature is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A right signature: what tells it from every other, and the instant that it names."""

    mark: str
    at: Millis


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse headers that no sender of webhooks would send, whoever is asked for.

    Raises:
        WebhookRefused: one came twice, or a time is no number of seconds.
    """
    for name in HEADERS:
        # The server joins a header that came twice with a comma, and neither of its values can have one.
        if "," in headers.get(name, ""):
            raise WebhookRefused(400, f"The header {name} came more than once. Send it once.")
    for form in FORMS.values():
        told = headers.get(form.time_header)
        if told is not None and not _SECONDS_OR_MILLIS.fullmatch(told):
            raise WebhookRefused(400, f"The header {form.time_header} must be the time in seconds since 1970 UTC.")


def verify(door: Door, headers: Mapping[str, str], body: bytes) -> Signed:
    """Return the signature when it is right. The time that it takes tells nothing about the door.

    Raises:
        WebhookRefused: it is not, or there is none.
    """
    right: Signed | None = None
    for name, form in FORMS.items():
        told = headers.get(form.time_header, "")
        expected = hmac.new(door.secret, told.encode("utf-8", "replace") + form.separator, hashlib.sha256)
        expected.update(body)
        offered = headers.get(form.signature_header, "").strip().lower().encode("utf-8", "replace")
        is_right = hmac.compare_digest(offered, expected.hexdigest().encode("ascii"))
        if is_right and told and door.scheme.takes(name):
            right = Signed(mark=f"{name}:{expected.hexdigest()}", at=_instant(told))
    if right is None:
        raise WebhookRefused(401, NOT_SIGNED)
    return right


def check_time(signed: Signed, now: Millis) -> None:
    """Refuse what was signed too long ago, or too far ahead; only who knows the secret, or once saw its work, is told.

    Raises:
        WebhookRefused: its time is not within five minutes of ours.
    """
    if abs(now - signed.at) > WINDOW_MS:
        raise WebhookRefused(
            401,
            "The signature is right, but its time is more than 5 minutes away from this server's."
            " Sign anew when sending again, and set both clocks.",
        )


def _instant(told: str) -> Millis:
    number = int(told)
    return number if number >= _FIRST_IN_MILLIS else number * 1000
