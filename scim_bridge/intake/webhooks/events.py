"""What a webhook says, as far as we listen: that somebody's account was made, or taken away."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scim2_models import SCIMException

from scim_bridge.intake.scim import payloads
from scim_bridge.intake.webhooks.refusals import WebhookRefused

HEARD = {"user.provisioned": True, "user.deprovisioned": False}
"""The events that we listen to, and whether the account is active after each."""

LONGEST = 320
"""Characters of an account's id or of an address."""

_NAMES = ("email", "userName", "username")
_MOST_OF_A_NUMBER = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One person's account came or went. `names` are what else the person may be known by: userName, address."""

    kind: str
    active: bool
    account_id: str | None = field(repr=False)
    names: tuple[str, ...] = field(repr=False)


def read(body: bytes, content_type: str | None) -> Event | None:
    """Return the event in a body, None for one that we do not listen to.

    The form is `{"event": ..., "data": {"userId": ...}, "companyId": ...}`; the company is not looked at, because the
    secret tells it.

    Raises:
        WebhookRefused: it is no such thing.
    """
    document = _json(body, content_type)
    kind = document.get("event")
    if not isinstance(kind, str):
        raise WebhookRefused(400, "The member `event` must be a text, such as user.provisioned.")
    active = HEARD.get(kind)
    if active is None:
        return None
    data = document.get("data")
    if not isinstance(data, dict):
        raise WebhookRefused(400, "The member `data` must be an object that says who it is about.")
    account_id = _text(data, "userId")
    names = tuple(dict.fromkeys(name for key in _NAMES if (name := _text(data, key)) is not None))
    if account_id is None and not names:
        raise WebhookRefused(400, "The member `data` must say who it is about, by `userId`.")
    return Event(kind=kind, active=active, account_id=account_id, names=names)


def _json(body: bytes, content_type: str | None) -> dict[str, Any]:
    try:
        payloads.check_encoding(body, content_type)
        document = payloads.read_json(body)
    except SCIMException as error:
        raise WebhookRefused(int(error.status), str(error.detail)) from None
    assert isinstance(document, dict)  # noqa: S101 - anything else was refused
    return document


def _text(data: Mapping[str, Any], name: str) -> str | None:
    """Return a member that names somebody; None when it is not there."""
    value = data.get(name)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _MOST_OF_A_NUMBER:
        return str(value)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise WebhookRefused(400, f"The member `data.{name}` must be a text of 1 to {LONGEST} characters.")
    return value
