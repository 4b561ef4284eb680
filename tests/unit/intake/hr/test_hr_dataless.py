"""What senders without data say: whose profile to fetch. Nothing of it changes a profile."""

import pytest
from running import hr_senders

from scim_bridge.intake.hr import senders
from scim_bridge.intake.hr.deliveries import Signed, Told
from scim_bridge.intake.webhooks.refusals import WebhookRefused


def read(kind: str, body: bytes) -> list[Told]:
    return list(senders.BY_KIND[kind].read(body, "application/json", Signed(mark="m")))


@pytest.mark.parametrize(
    ("kind", "external_id", "said_at"),
    [
        ("finch", "8d3fe2b1-4c0c-4d9f-9f7a-3b3b3b3b3b3b", None),
        ("gusto", "bcfc9744-0ab3-4ef3-ab0d-e728255d659c", 1_671_058_841_000),
        ("personio", "1234567", 1_795_165_964_000),
        ("paylocity", "100234", None),
    ],
)
def test_an_event_tells_only_whom_to_fetch(kind: str, external_id: str, said_at: int | None) -> None:
    [told] = read(kind, hr_senders.payload(hr_senders.EXAMPLES[kind]))
    assert (told.row.external_id, told.row.said_at) == (external_id, said_at)
    assert (told.row.needs_fetch, told.row.is_gone, told.row.is_whole, told.row.fields) == (True, False, False, {})


def test_a_termination_that_was_entered_at_gusto_ends_nothing() -> None:
    [told] = read("gusto", hr_senders.payload("gusto/employee_terminated.json"))
    assert not told.row.is_gone


def test_an_event_of_gusto_is_known_by_its_uuid() -> None:
    body = hr_senders.payload("gusto/employee_terminated.json")
    [first], [second] = read("gusto", body), read("gusto", body.replace(b"1671058841", b"1671058842"))
    assert first.event_id == second.event_id is not None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("gusto", b'{"uuid": "u", "event_type": "employee.updated", "entity_uuid": "1"}'),
        ("personio", b'{"event_id": "u", "event_type": "person.updated", "data": {"person_id": "1"}}'),
    ],
)
def test_one_id_for_events_about_two_people_is_two_events(kind: str, body: bytes) -> None:
    [first], [second] = read(kind, body), read(kind, body.replace(b'"1"', b'"2"'))
    assert first.event_id != second.event_id


def test_what_may_be_a_subscriptions_id_tells_no_event_of_personio() -> None:
    [told] = read("personio", b'{"id": "s", "event_type": "person.updated", "data": {"person_id": "1"}}')
    assert told.event_id is None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("finch", b'{"event_type": "individual.deleted", "data": {"individual_id": "1"}}'),
        ("gusto", b'{"event_type": "employee.deleted", "entity_uuid": "1"}'),
        ("personio", b'{"event_type": "person.deleted", "data": {"person_id": 1}}'),
    ],
)
def test_who_is_deleted_is_gone(kind: str, body: bytes) -> None:
    [told] = read(kind, body)
    assert (told.row.external_id, told.row.is_gone, told.row.needs_fetch) == ("1", True, False)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("finch", b'{"event_type": "job.data_sync_all.completed", "data": {}}'),
        ("gusto", b'{"event_type": "company.provisioned", "entity_uuid": "1"}'),
        ("personio", b'{"event_type": "document.created", "data": {}}'),
    ],
)
def test_events_of_other_things_are_about_nobody(kind: str, body: bytes) -> None:
    assert read(kind, body) == []


@pytest.mark.parametrize("kind", ["finch", "gusto", "personio", "paylocity"])
@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'"employee.updated"', b""])
def test_what_is_no_event_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        read(kind, body)
