"""What a source's mapping does with a sample: the user, what each target would be sent, and what every rule did."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from scim_bridge.domain import people
from scim_bridge.domain.instants import to_iso
from scim_bridge.domain.rows import Person, Refusal, Row
from scim_bridge.errors import UsageError
from scim_bridge.intake.hr import senders
from scim_bridge.intake.hr.deliveries import Signed
from scim_bridge.intake.webhooks.refusals import WebhookRefused
from scim_bridge.mapping.records import RecordMapping
from scim_bridge.mapping.rows import RowMapping, Told
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import WITHOUT_ROWS, SourceSettings

MOST_ROWS = 20
"""Of a sample; it is to be read by a person."""

_DELIMITERS = ",;\t|"


def source_named(tenant: TenantSettings, name: str) -> SourceSettings:
    """Return a source of a tenant.

    Raises:
        UsageError: there is none of this name, or it sends no rows.
    """
    there = {source.name: source for source in tenant.sources}
    if name not in there:
        raise UsageError(f"the tenant {tenant.id} has no source {name} (there: {', '.join(there) or 'none yet'})")
    if there[name].kind in WITHOUT_ROWS:
        raise UsageError(f"the source {name} sends SCIM, to which no mapping applies")
    return there[name]


def read_sample(path: Path) -> bytes:
    """Return what a file holds.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def encoded(source: SourceSettings, text: str) -> bytes:
    """Return a text as a file of the source would hold it.

    Raises:
        UsageError: its encoding has not all of the characters.
    """
    try:
        return text.encode(source.encoding or "utf-8")
    except UnicodeEncodeError:
        raise UsageError(f"the sample holds characters that {source.encoding} does not have") from None


def report(tenant: TenantSettings, source: SourceSettings, sample: bytes) -> dict[str, Any]:
    """Return what becomes of each row of a sample: CSV, JSON rows, or a webhook as the source sends it.

    Raises:
        UsageError: the sample cannot be read.
    """
    mapping = RowMapping(source)
    targets = {each.name: RecordMapping(each.mapping, each.fields, each.groups) for each in tenant.targets}
    found = [
        _tried(mapping, targets, source, row)
        for row, _ in zip(_rows(mapping, source, sample), range(MOST_ROWS), strict=False)
    ]
    return {"tenant": tenant.id, "source": source.name, "mapping": mapping.digest, "rows": found}


def _tried(
    mapping: RowMapping, targets: Mapping[str, RecordMapping], source: SourceSettings, row: Row
) -> dict[str, Any]:
    kept = Row(
        external_id=row.external_id,
        fields=mapping.only(row.fields),
        position=row.position,
        is_whole=row.is_whole,
        is_gone=row.is_gone,
        needs_fetch=row.needs_fetch,
        said_at=mapping.said_at_of(row.fields) if row.said_at is None else row.said_at,
    )
    what = mapping.person_of(kept)
    return {
        "row": row.position,
        "id": row.external_id,
        "says": _says(row),
        "said_at": None if kept.said_at is None else to_iso(kept.said_at),
        "refused": _refusal(what) if isinstance(what, Refusal) else None,
        "user": _user(what) if isinstance(what, Person) else None,
        "targets": _payloads(targets, what) if isinstance(what, Person) and row.fields else {},
        "rules": [_rule(each) for each in mapping.told(kept)] if row.fields else [],
        "dropped": sorted(row.fields.keys() - mapping.fields),
        "timezone": source.timezone,
    }


def _says(row: Row) -> str:
    if row.is_gone:
        return "that the person is gone"
    if row.needs_fetch:
        return "only that something changed"
    return "all of a person" if row.is_whole else "some of a person's fields"


def _user(person: Person) -> dict[str, Any]:
    return {
        "document": person.document,
        "active": person.active,
        "active_from": None if person.starts_at is None else to_iso(person.starts_at),
        "active_until": None if person.ends_at is None else to_iso(person.ends_at),
        "manager_id": person.manager_id,
    }


def _payloads(targets: Mapping[str, RecordMapping], person: Person) -> dict[str, Any]:
    document = {**_without_blanks(person.document), "active": person.active is not False}
    somebody = people.Person(operation_id=0, resource_id=0, scim_id="", kind="User", document=document)
    payloads: dict[str, Any] = {}
    for name, mapping in targets.items():
        record = mapping.record_of(somebody)
        if isinstance(record, people.Problem):
            payloads[name] = {"refused": {"code": record.code, "field": record.field, "detail": record.detail}}
        else:
            payloads[name] = {"active": record.active, "attributes": dict(record.attributes)}
    return payloads


def _without_blanks(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _without_blanks(value) if isinstance(value, Mapping) else value
        for name, value in document.items()
        if value is not None
    }


def _rule(told: Told) -> dict[str, Any]:
    return {
        "attribute": told.attribute,
        "expression": told.expression,
        "reads": list(told.fields),
        "found": told.found,
        "value": told.value,
        "stated": told.states,
        "refused": None if told.refusal is None else _refusal(told.refusal),
    }


def _refusal(refusal: Refusal) -> dict[str, str]:
    return {"code": refusal.code, "field": refusal.field, "advice": refusal.advice}


def _rows(mapping: RowMapping, source: SourceSettings, content: bytes) -> Iterator[Row]:
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        yield from _of_webhook(source, content) or _of_json(mapping, content)
    else:
        yield from _of_csv(mapping, source, content)


def _of_webhook(source: SourceSettings, content: bytes) -> Sequence[Row]:
    """Return the rows of a delivery as the source's kind sends it; none when it is not one."""
    sender = senders.BY_KIND.get(source.kind)
    if sender is None:
        return ()
    try:
        told = sender.read(content, "application/json", Signed(mark=""))
    except WebhookRefused:
        return ()
    if any(each.refusal is not None or not each.row.external_id for each in told):
        return ()
    return [each.row for each in told]


def _of_json(mapping: RowMapping, content: bytes) -> Iterator[Row]:
    try:
        document = json.loads(content)
    except ValueError as error:
        # The parser names line and column, and quotes nothing.
        raise UsageError(f"the sample is no JSON: {error}") from error
    except RecursionError:
        raise UsageError("the sample is JSON of more levels than can be read") from None
    for position, fields in enumerate(document if isinstance(document, list) else [document], 1):
        if not isinstance(fields, dict):
            raise UsageError(f"row {position} of the sample is no JSON object")
        yield Row(external_id=mapping.id_of(fields), fields=fields, position=position)


def _of_csv(mapping: RowMapping, source: SourceSettings, content: bytes) -> Iterator[Row]:
    text = _decoded(source, content)
    first_line = text.partition("\n")[0]
    delimiter = source.delimiter or max(_DELIMITERS, key=first_line.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    for position, raw in enumerate(_readable(reader), 1):
        fields = {name.strip(): value for name, value in raw.items() if isinstance(name, str)}
        if any(fields.values()):
            yield Row(external_id=mapping.id_of(fields), fields=fields, position=position)


def _readable(reader: Iterable[Mapping[Any, Any]]) -> Iterator[Mapping[Any, Any]]:
    try:
        yield from reader
    except csv.Error as error:
        raise UsageError(f"the sample is no CSV: {error}") from error


def _decoded(source: SourceSettings, content: bytes) -> str:
    for encoding in (source.encoding,) if source.encoding else ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UsageError("the sample is not in the encoding that the source has")
