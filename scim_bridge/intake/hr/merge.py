"""Merge's webhooks of changed employees, with the whole of what Merge knows of them.

https://docs.merge.dev/basics/webhooks/merge-webhooks; `X-Merge-Webhook-Signature` is the HMAC-SHA256 of the body in
URL-safe base64. `hook.id` names the hook and not the event, so that the signature is what tells events apart.
"""

from collections.abc import Mapping, Sequence

from scim_bridge.intake.hr import events, reading, signing
from scim_bridge.intake.hr.deliveries import Sender, Signed, Told
from scim_bridge.intake.hr.signing import Encoding
from scim_bridge.intake.webhooks.refusals import WebhookRefused

SIGNATURE = "X-Merge-Webhook-Signature"

_GONE = frozenset({"employee.removed", "employee.deleted"})
_ABOUT_PEOPLE = _GONE | {"employee.added", "employee.created", "employee.changed", "employee.updated"}


def verify(key: bytes, headers: Mapping[str, str], body: bytes) -> Signed:
    """Return the signature when it is right.

    Raises:
        WebhookRefused: it is not.
    """
    expected = signing.digest(key, body)
    signing.check([headers.get(SIGNATURE, "")], expected, Encoding.BASE64)
    return Signed(mark=signing.mark_of("merge", expected.hex()))


def read(body: bytes, content_type: str | None, _signed: Signed) -> Sequence[Told]:
    """Return whom a webhook is about; nobody where it tells of a sync, a linked account or another model.

    Raises:
        WebhookRefused: it is no webhook of Merge.
    """
    document = reading.read_object(body, content_type)
    kind = reading.object_of(document, "hook").get("event")
    if not isinstance(kind, str):
        raise WebhookRefused(400, "The body must have a `hook.event` like Employee.changed.")
    if kind.lower() not in _ABOUT_PEOPLE:
        return []
    data = reading.object_of(document, "data")
    return [
        events.told(
            external_id=data.get("id"),
            fields={name: value for name, value in data.items() if name != "id"},
            is_whole=True,
            is_gone=kind.lower() in _GONE or data.get("remote_was_deleted") is True,
            said_at=data.get("modified_at"),
        )
    ]


SENDER = Sender(headers=(SIGNATURE,), verify=verify, read=read)
