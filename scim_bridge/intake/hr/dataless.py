"""Senders whose events carry ids only: Finch, Gusto, Personio and Paylocity. A table says how each signs and speaks.

An event of theirs is remembered as something to fetch; it never changes a profile.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from scim_bridge.intake.hr import events, reading, signing
from scim_bridge.intake.hr.deliveries import Sender, Signed, Told, takes_any_key
from scim_bridge.intake.hr.signing import Encoding
from scim_bridge.intake.webhooks.refusals import WebhookRefused

Document = Mapping[str, Any]

_FINCH_ID, _FINCH_TIME, _FINCH_SIGNATURE = "Finch-Event-Id", "Finch-Timestamp", "Finch-Signature"
_GUSTO_SIGNATURE = "X-Gusto-Signature"
_PERSONIO_SIGNATURE = "X-Personio-Signature"
_STATIC = "Authorization"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a sender without data names events, people and times."""

    name: str
    kind: Callable[[Document], object]
    person: Callable[[Document], object]
    said_at: Callable[[Document], object] = lambda _document: None
    event_id: Callable[[Document], object] = lambda _document: None
    about_people: tuple[str, ...]
    """What the kinds of events begin with that are about people; no others are heard."""
    gone: frozenset[str] = frozenset()


def _read(dialect: Dialect, body: bytes, content_type: str | None, _signed: Signed) -> Sequence[Told]:
    document = reading.read_object(body, content_type)
    kind = dialect.kind(document)
    if not isinstance(kind, str):
        raise WebhookRefused(400, "The body does not say what happened.")
    if not kind.startswith(dialect.about_people):
        return []
    event_id, external_id = reading.id_of(dialect.event_id(document)), reading.id_of(dialect.person(document))
    return [
        events.told(
            external_id=external_id,
            said_at=dialect.said_at(document),
            is_gone=kind in dialect.gone,
            event_id=signing.mark_of(dialect.name, external_id, event_id) if event_id else None,
        )
    ]


def _verify_finch(key: bytes, headers: Mapping[str, str], body: bytes) -> Signed:
    """Return the signature when one of those in the header is right; each stands behind the version of its scheme."""
    (event_id, id_bytes), (time, time_bytes) = (signing.header(headers, name) for name in (_FINCH_ID, _FINCH_TIME))
    expected = signing.digest(key, id_bytes, b".", time_bytes, b".", body)
    versions = (each.partition(",") for each in headers.get(_FINCH_SIGNATURE, "").split())
    signing.check([text for version, _, text in versions if version == "v1"], expected, Encoding.BASE64)
    # Sent again it has a new time and a new signature, and the id that it had.
    return Signed(mark=signing.mark_of("finch", event_id), at=signing.signed_time(time))


def _verify_digest(name: str, header: str, key: bytes, headers: Mapping[str, str], body: bytes) -> Signed:
    """Return the signature when the header is the body's digest in hexadecimal, behind `sha256=` or alone."""
    expected = signing.digest(key, body)
    signing.check([headers.get(header, "").strip().removeprefix("sha256=")], expected, Encoding.HEX)
    return Signed(mark=signing.mark_of(name, expected.hex()))


def _verify_static(name: str, key: bytes, headers: Mapping[str, str], body: bytes) -> Signed:
    """Return the mark of a body whose sender shows the secret itself."""
    told = headers.get(_STATIC, "").strip()
    offered = told.partition(" ")[2].strip() if told.lower().startswith("bearer ") else told
    # Digests are compared, so that the time that it takes tells nothing of the secret's length.
    seen = signing.digest(b"", offered.encode("utf-8", "replace")).hex()
    signing.check([seen], signing.digest(b"", key), Encoding.HEX)
    return Signed(mark=signing.mark_of(name, signing.digest(key, body).hex()))


def _finch_key(secret: bytes) -> bytes:
    try:
        return base64.b64decode(secret, validate=True)
    except binascii.Error:
        raise ValueError("must be the base64 text that Finch shows") from None


def _member(*path: str) -> Callable[[Document], object]:
    """Return what looks up a member of a member."""

    def find(document: Document) -> object:
        for name in path[:-1]:
            document = reading.object_of(document, name)
        return document.get(path[-1])

    return find


def _first(*ways: Callable[[Document], object]) -> Callable[[Document], object]:
    """Return what takes the first of several places that holds something."""
    return lambda document: next((found for way in ways if (found := way(document)) is not None), None)


_FINCH = Dialect(
    name="finch",
    kind=_member("event_type"),
    person=_member("data", "individual_id"),
    about_people=("individual.", "employment.", "directory."),
    gone=frozenset({"individual.deleted", "directory.deleted"}),
)
# `employee.terminated` is told when somebody enters it, days before it holds; only a look at the person tells more.
_GUSTO = Dialect(
    name="gusto",
    kind=_member("event_type"),
    person=_member("entity_uuid"),
    said_at=_member("timestamp"),
    event_id=_member("uuid"),
    about_people=("employee.", "contractor."),
    gone=frozenset({"employee.deleted", "contractor.deleted"}),
)
_PERSONIO = Dialect(
    name="personio",
    kind=_first(_member("event_type"), _member("event"), _member("type")),
    person=_first(
        _member("data", "person_id"), _member("data", "person", "id"), _member("person_id"), _member("data", "id")
    ),
    said_at=_first(_member("timestamp"), _member("created_at")),
    # Not `id`, which may be that of the subscription.
    event_id=_member("event_id"),
    about_people=("person.", "employment."),
    gone=frozenset({"person.deleted"}),
)
_PAYLOCITY = Dialect(
    name="paylocity",
    kind=lambda document: "employee" if "employeeId" in document else None,
    person=_member("employeeId"),
    about_people=("employee",),
)


def _sender(
    dialect: Dialect,
    headers: tuple[str, ...],
    verify: Callable[[bytes, Mapping[str, str], bytes], Signed],
    *,
    key_of: Callable[[bytes], bytes] = takes_any_key,
) -> Sender:
    return Sender(headers=headers, verify=verify, read=partial(_read, dialect), key_of=key_of)


FINCH = _sender(_FINCH, (_FINCH_ID, _FINCH_TIME, _FINCH_SIGNATURE), _verify_finch, key_of=_finch_key)
GUSTO = _sender(_GUSTO, (_GUSTO_SIGNATURE,), partial(_verify_digest, "gusto", _GUSTO_SIGNATURE))
PERSONIO = _sender(_PERSONIO, (_PERSONIO_SIGNATURE,), partial(_verify_digest, "personio", _PERSONIO_SIGNATURE))
PAYLOCITY = _sender(_PAYLOCITY, (_STATIC,), partial(_verify_static, "paylocity"))
