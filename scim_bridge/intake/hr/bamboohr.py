"""BambooHR's webhooks, field-based and event-based, as JSON and as a form.

https://documentation.bamboohr.com/docs/webhooks; the signature is the hexadecimal HMAC-SHA256 of the body followed by
the header that names the time.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from scim_bridge.domain.instants import Millis
from scim_bridge.intake.hr import events, reading, signing
from scim_bridge.intake.hr.deliveries import Sender, Signed, Told
from scim_bridge.intake.hr.signing import Encoding
from scim_bridge.intake.webhooks.refusals import WebhookRefused

SIGNATURE, TIMESTAMP = "X-BambooHR-Signature", "X-BambooHR-Timestamp"

_EVENTS = ("employee.created", "employee.updated", "employee.deleted")
_GONE = "deleted"


def verify(key: bytes, headers: Mapping[str, str], body: bytes) -> Signed:
    """Return the signature when it is right.

    Raises:
        WebhookRefused: it is not.
    """
    told, told_bytes = signing.header(headers, TIMESTAMP)
    expected = signing.digest(key, body, told_bytes)
    signing.check([headers.get(SIGNATURE, "")], expected, Encoding.HEX)
    return Signed(mark=signing.mark_of("bamboohr", expected.hex()), at=signing.signed_time(told))


def read(body: bytes, content_type: str | None, signed: Signed) -> Sequence[Told]:
    """Return whom a webhook is about: with the fields that the admin chose, or by id alone.

    Raises:
        WebhookRefused: it is no webhook of BambooHR.
    """
    document = reading.read_object(body, content_type)
    employees = document.get("employees")
    if isinstance(employees, list):
        return [_with_fields(each, number, signed.at) for number, each in enumerate(employees, 1)]
    kind = document.get("type")
    if not isinstance(kind, str):
        raise WebhookRefused(400, "The body must have `employees`, or a `type` like employee.updated.")
    if kind not in _EVENTS:
        return []
    told_at = document.get("timestamp")
    # Whoever is made is told of twice, as created and as updated: both want the same look at them.
    return [
        events.told(
            external_id=reading.object_of(document, "data").get("employeeId"),
            said_at=told_at or signed.at,
            is_gone=kind.endswith(_GONE),
            # Without a time, the next change of the same fields has the same body.
            event_id=signing.mark_of("bamboohr", body.hex()) if told_at else None,
        )
    ]


def _with_fields(employee: Any, position: int, sent_at: Millis | None) -> Told:
    """Return what one element of `employees` tells; what is not among its fields stays as it was."""
    if not isinstance(employee, dict):
        return events.not_an_object(position)
    given = reading.object_of(employee, "fields")
    fields = {name: value.get("value") if isinstance(value, dict) else value for name, value in given.items()}
    is_gone = str(employee.get("action", "")).lower() == _GONE
    return events.told(
        external_id=employee.get("id"),
        fields=fields,
        position=position,
        is_gone=is_gone,
        said_at=employee.get("timestamp") or sent_at,
    )


SENDER = Sender(headers=(SIGNATURE, TIMESTAMP), verify=verify, read=read)
