"""Our own shape, for scripts and for systems that have no module here: one event, a list, or one a line.

    {"event_id": "e-1", "event": "saved", "id": "1001", "occurred_at": "2026-01-31T18:42:00Z", "fields": {...}}

`X-SCIM-Bridge-Timestamp` is the time in seconds, `X-SCIM-Bridge-Signature` the hexadecimal HMAC-SHA256 of that time, a
dot and the body.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from scim_bridge.domain.rows import Refusal
from scim_bridge.intake.hr import events, reading, signing
from scim_bridge.intake.hr.deliveries import Sender, Signed, Told
from scim_bridge.intake.hr.signing import Encoding
from scim_bridge.intake.webhooks.refusals import WebhookRefused

SIGNATURE, TIMESTAMP = "X-SCIM-Bridge-Signature", "X-SCIM-Bridge-Timestamp"

LINES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"})
"""Content types of one event a line."""

SAVED, CHANGED, DELETED, TOUCHED = "saved", "changed", "deleted", "touched"
"""All of a person; some of their fields; no more of them; only that something of theirs is new."""

_EVENTS = frozenset({SAVED, CHANGED, DELETED, TOUCHED})
_LONGEST_ID = 200


def verify(key: bytes, headers: Mapping[str, str], body: bytes) -> Signed:
    """Return the signature when it is right.

    Raises:
        WebhookRefused: it is not.
    """
    told, told_bytes = signing.header(headers, TIMESTAMP)
    expected = signing.digest(key, told_bytes, b".", body)
    signing.check([headers.get(SIGNATURE, "").strip().removeprefix("sha256=")], expected, Encoding.HEX)
    return Signed(mark=signing.mark_of("generic", expected.hex()), at=signing.signed_time(told))


def read(body: bytes, content_type: str | None, _signed: Signed) -> Sequence[Told]:
    """Return what each event tells; one that cannot be read is refused alone.

    Raises:
        WebhookRefused: the body is neither JSON nor lines of it.
    """
    if (content_type or "").partition(";")[0].strip().lower() in LINES:
        return _lines(body)
    document = reading.read_json(body, content_type)
    found = document if isinstance(document, list) else [document]
    return [_told(each, number) for number, each in enumerate(found, 1)]


def _lines(body: bytes) -> list[Told]:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WebhookRefused(400, "The body must be in UTF-8.") from None
    lines = [line for line in text.split("\n") if line.strip()]
    return [_told(_value(line), number) for number, line in enumerate(lines, 1)]


def _value(line: str) -> Any:
    """Return the JSON value of a line; None where it is none, as for any value that is no object."""
    try:
        return from_json(line, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return None


def _told(event: Any, position: int) -> Told:
    if not isinstance(event, dict):
        return events.not_an_object(position)
    kind = event.get("event", CHANGED)
    fields = reading.object_of(event, "fields")
    event_id = reading.id_of(event.get("event_id"))
    external_id = reading.id_of(event.get("id"))
    told = events.told(
        external_id=external_id,
        said_at=event.get("occurred_at"),
        fields={} if kind == TOUCHED else fields,
        position=position,
        is_whole=kind == SAVED,
        is_gone=kind == DELETED,
        # Some scripts number the run and not the event: then one id stands for many people, and for all that a run
        # tells of one of them.
        event_id=signing.mark_of("generic", external_id, event_id, str(kind)) if event_id else None,
    )
    problem = _problem(kind, fields, event_id)
    return told if problem is None else Told(row=told.row, event_id=told.event_id, refusal=problem)


def _problem(kind: Any, fields: Mapping[str, Any], event_id: str) -> Refusal | None:
    """Return what is wrong with the form of an event."""
    if not isinstance(kind, str) or kind not in _EVENTS:
        return Refusal(code=events.MALFORMED, field="event", advice=f"Must be one of {', '.join(sorted(_EVENTS))}.")
    if len(event_id) > _LONGEST_ID:
        return Refusal(code=events.MALFORMED, field="event_id", advice=f"Must have at most {_LONGEST_ID} characters.")
    if kind in (SAVED, CHANGED) and not fields:
        return Refusal(code=events.MISSING, field="fields", advice="Name the person's fields, or send `touched`.")
    return None


SENDER = Sender(headers=(SIGNATURE, TIMESTAMP), verify=verify, read=read)
