"""Makes rows of what senders tell: with fields, of somebody who is gone, or by id alone."""

from collections.abc import Mapping
from typing import Any

from scim_bridge.domain.rows import Refusal, Row
from scim_bridge.domain.texts import is_storable
from scim_bridge.intake.hr import reading, signing
from scim_bridge.intake.hr.deliveries import Told

MALFORMED, MISSING, IMPOSSIBLE_TIME = "invalid_value", "missing_field", "impossible_date"
"""Codes of the catalogue, for what an event itself can have wrong."""

LONGEST_ID = 320
_NO_ID = f"An id must be a text of at most {LONGEST_ID} characters, and hold none that cannot be kept."


def told(
    *,
    external_id: object,
    said_at: object = None,
    fields: Mapping[str, Any] | None = None,
    position: int = 1,
    is_whole: bool = False,
    is_gone: bool = False,
    event_id: str | None = None,
) -> Told:
    """Return what an event tells of one person. Without fields it tells only that something changed.

    Nothing is ever emptied by an event that names no fields.
    """
    refusal = None
    try:
        instant = signing.instant_of(said_at)
    except signing.ImpossibleTime:
        instant = None
        refusal = Refusal(
            code=IMPOSSIBLE_TIME, field="timestamp", advice="Send the time as ISO 8601, like 2026-01-31T18:42:00Z."
        )
    known_by = reading.id_of(external_id)
    if len(known_by) > LONGEST_ID or not is_storable(known_by):
        known_by, refusal = "", Refusal(code=MALFORMED, field="id", advice=_NO_ID)
    row = Row(
        external_id=known_by,
        fields=fields or {},
        position=position,
        is_whole=is_whole and bool(fields),
        is_gone=is_gone,
        needs_fetch=not fields and not is_gone,
        said_at=instant,
    )
    return Told(row=row, event_id=event_id, refusal=refusal)


def not_an_object(position: int) -> Told:
    """Return what an element that is no object tells: nothing."""
    refusal = Refusal(code=MALFORMED, field="", advice="Each event must be a JSON object.")
    return Told(row=Row(external_id="", fields={}, position=position, needs_fetch=True), refusal=refusal)
