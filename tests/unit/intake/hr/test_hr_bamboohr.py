"""What BambooHR's webhooks say: fields that the admin chose, or only that something changed."""

import json

import pytest
from running import hr_senders

from scim_bridge.intake.hr import bamboohr
from scim_bridge.intake.hr.deliveries import Signed, Told
from scim_bridge.intake.webhooks.refusals import WebhookRefused

SENT_AT = 1_795_166_000_000
JSON, FORM = "application/json", "application/x-www-form-urlencoded; charset=utf-8"


def read(body: bytes, content_type: str = JSON) -> list[Told]:
    return list(bamboohr.read(body, content_type, Signed(mark="m", at=SENT_AT)))


def test_a_field_based_webhook_tells_the_fields_of_each_employee() -> None:
    updated, deleted = read(hr_senders.payload("bamboohr/field_based.json"))
    assert (updated.row.external_id, updated.row.position, updated.row.is_whole) == ("4711", 1, False)
    assert updated.row.fields["jobTitle"] == "Team lead"
    assert updated.row.fields["firstName"] == "Zoë"
    assert updated.row.said_at == 1_795_165_964_000
    assert (deleted.row.external_id, deleted.row.is_gone, deleted.row.needs_fetch) == ("0042", True, False)


def test_a_field_based_form_tells_the_same() -> None:
    [told] = read(hr_senders.payload("bamboohr/field_based.form"), FORM)
    assert (told.row.external_id, told.row.said_at) == ("4711", SENT_AT)
    assert told.row.fields == {"firstName": "Zoë", "jobTitle": "Team lead", "4047": "blue"}


@pytest.mark.parametrize(("name", "content_type"), [("event_based.json", JSON), ("event_based.form", FORM)])
def test_an_event_based_webhook_tells_only_whom_to_fetch(name: str, content_type: str) -> None:
    [told] = read(hr_senders.payload(f"bamboohr/{name}"), content_type)
    assert (told.row.external_id, told.row.needs_fetch, told.row.is_gone) == ("67890", True, False)
    assert (told.row.fields, told.row.said_at) == ({}, 1_769_884_920_000)


def test_a_deleted_employee_needs_no_fetch() -> None:
    [told] = read(b'{"type": "employee.deleted", "data": {"employeeId": 67890}}')
    assert (told.row.external_id, told.row.is_gone, told.row.needs_fetch) == ("67890", True, False)


def test_an_event_is_known_by_its_body_if_that_tells_the_time() -> None:
    timed, timeless = (
        read(b'{"type": "employee.updated", %s"data": {"employeeId": 1}}' % time)[0]
        for time in (b'"timestamp": "2026-01-31T18:42:00Z", ', b"")
    )
    assert timed.event_id is not None
    assert (timeless.event_id, timeless.row.said_at) == (None, SENT_AT)


def test_an_update_without_fields_blanks_nothing() -> None:
    [told] = read(b'{"employees": [{"id": 5, "action": "Updated", "changedFields": ["status"]}]}')
    assert told.row.needs_fetch
    assert not told.row.is_whole


def test_an_employee_that_is_no_object_is_refused_alone() -> None:
    good, bad = read(json.dumps({"employees": [{"id": 5, "fields": {"a": {"value": 1}}}, "5"]}).encode())
    assert good.refusal is None
    assert bad.refusal is not None
    assert bad.refusal.code == "invalid_value"


def test_an_impossible_time_is_refused_alone() -> None:
    [told] = read(b'{"employees": [{"id": 5, "timestamp": "2026-02-31", "fields": {"a": {"value": 1}}}]}')
    assert told.refusal is not None
    assert (told.refusal.code, told.refusal.field) == ("impossible_date", "timestamp")


def test_events_of_other_things_are_about_nobody() -> None:
    assert read(b'{"type": "applicant.created", "data": {}}') == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", JSON),
        (b"[]", JSON),
        (b"{", JSON),
        (b"{}", JSON),
        (b'{"type": 5}', JSON),
        (b"", FORM),
        (b"a=1&a[b]=2", FORM),
        (b"\xff=1", FORM),
        (b"&".join(b"a=1" for _ in range(20_001)), FORM),
        ('{"type": "é"}'.encode("latin-1"), "application/json; charset=latin-1"),
    ],
)
def test_what_is_no_webhook_is_refused_whole(body: bytes, content_type: str) -> None:
    with pytest.raises(WebhookRefused) as refused:
        read(body, content_type)
    assert refused.value.status in (400, 415)
