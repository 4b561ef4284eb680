"""HiBob's webhooks: v2, which names people and fields only, v1, which has their values, and the ping of the set-up.

https://apidocs.hibob.com/reference/getting-started-webhooks; `Bob-Signature` is the HMAC-SHA512 of the body in base64.
No time is signed: what is sent again is known by its signature, and what is old by `triggeredAt`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scim_bridge.intake.hr import events, reading, signing
from scim_bridge.intake.hr.deliveries import Sender, Signed, Told
from scim_bridge.intake.hr.signing import Encoding
from scim_bridge.intake.webhooks.refusals import WebhookRefused

SIGNATURE = "Bob-Signature"

PINGS = frozenset({b"Ping test", b'"Ping test"', b'{"text":"Ping test"}', b'{"text": "Ping test"}'})
"""What HiBob sends to see that an address is there; it must get 200 before it sends anything else."""

_ABOUT_PEOPLE = ("employee.", "table.entry.")
_GONE = "employee.deleted"
_WITH_VALUES = frozenset({"employee.created", "employee.joined", "employee.updated"})
"""What v1 tells with the values that are new. Of a new row of a table, say, it tells none."""
_ROOT = "root."


def is_ping(body: bytes) -> bool:
    """Tell whether a body only asks whether somebody is here."""
    return body.strip() in PINGS


def verify(key: bytes, headers: Mapping[str, str], body: bytes) -> Signed:
    """Return the signature when it is right.

    Raises:
        WebhookRefused: it is not.
    """
    expected = signing.digest(key, body, algorithm="sha512")
    signing.check([headers.get(SIGNATURE, "")], expected, Encoding.BASE64)
    return Signed(mark=signing.mark_of("hibob", expected.hex()))


def read(body: bytes, content_type: str | None, _signed: Signed) -> Sequence[Told]:
    """Return whom a webhook is about.

    Raises:
        WebhookRefused: it is no webhook of HiBob.
    """
    document = reading.read_object(body, content_type)
    kind = document.get("type")
    if not isinstance(kind, str):
        raise WebhookRefused(400, "The body must have a `type` like employee.updated.")
    if not kind.startswith(_ABOUT_PEOPLE):
        return []
    data, employee = reading.object_of(document, "data"), reading.object_of(document, "employee")
    return [
        events.told(
            external_id=data.get("employeeId") or employee.get("id"),
            fields=_with_values(_profile(employee), data.get("fieldUpdates")) if kind in _WITH_VALUES else {},
            is_gone=kind == _GONE,
            said_at=document.get("triggeredAt"),
        )
    ]


def _profile(employee: Mapping[str, Any]) -> dict[str, Any]:
    """Return what v1 says of the person beside what changed, by the names of fields."""
    return {name: value for name, value in employee.items() if name != "id" and not isinstance(value, dict | list)}


def _with_values(profile: dict[str, Any], updates: Any) -> dict[str, Any]:
    """Return a profile with the new values of v1, where their ids (`work.title`) say; v2 gives ids alone."""
    for each in updates if isinstance(updates, list) else ():
        if isinstance(each, dict) and isinstance(each.get("id"), str) and "newValue" in each:
            *within, name = each["id"].removeprefix(_ROOT).split(".")
            place = profile
            for part in within:
                if not isinstance(place.get(part), dict):
                    place[part] = {}
                place = place[part]
            place[name] = each["newValue"]
    return profile


SENDER = Sender(headers=(SIGNATURE,), verify=verify, read=read)
