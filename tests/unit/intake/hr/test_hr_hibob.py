"""What HiBob's webhooks say: v2 names people and fields, v1 has the values, and the ping says nothing."""

import pytest
from running import hr_senders

from scim_bridge.intake.hr import hibob
from scim_bridge.intake.hr.deliveries import Signed, Told
from scim_bridge.intake.webhooks.refusals import WebhookRefused


def read(body: bytes) -> list[Told]:
    return list(hibob.read(body, "application/json", Signed(mark="m")))


@pytest.mark.parametrize("name", ["v2_updated", "v2_table_entry"])
def test_v2_tells_only_whom_to_fetch(name: str) -> None:
    [told] = read(hr_senders.payload(f"hibob/{name}.json"))
    assert told.row.external_id.startswith("33328838")
    assert (told.row.needs_fetch, told.row.fields, told.row.is_gone) == (True, {}, False)
    assert told.row.said_at == 1_736_341_586_916


def test_v1_tells_the_new_values_beside_the_profile() -> None:
    [told] = read(hr_senders.payload("hibob/v1_updated.json"))
    assert (told.row.external_id, told.row.needs_fetch, told.row.is_whole) == ("3332883894235038", False, False)
    assert told.row.fields["email"] == "zoe.nunez@example.com"
    assert told.row.fields["work"] == {"title": "Team lead"}


def test_a_field_of_the_root_stands_at_the_top() -> None:
    updates = b'[{"id": "root.email", "newValue": "a@b"}]'
    body = b'{"type": "employee.updated", "data": {"employeeId": "1", "fieldUpdates": %s}}' % updates
    assert read(body)[0].row.fields == {"email": "a@b"}


@pytest.mark.parametrize("kind", ["employee.left", "employee.inactivated", "table.entry.created"])
def test_a_turn_in_somebodys_employment_is_looked_at_even_if_it_names_them(kind: str) -> None:
    """Their name alone would say that all is as it was."""
    body = b'{"type": "%s", "employee": {"id": "1", "firstName": "Ann", "surname": "Lee"}}' % kind.encode()
    [told] = read(body)
    assert (told.row.external_id, told.row.needs_fetch, told.row.fields) == ("1", True, {})


def test_a_deleted_employee_needs_no_fetch() -> None:
    [told] = read(b'{"type": "employee.deleted", "data": {"employeeId": "1"}}')
    assert (told.row.is_gone, told.row.needs_fetch) == (True, False)


@pytest.mark.parametrize("kind", ["timeoff.request.approved", "docs.signed", "tasks.created"])
def test_events_of_other_things_are_about_nobody(kind: str) -> None:
    assert read(b'{"type": "%s", "data": {"employeeId": "1"}}' % kind.encode()) == []


@pytest.mark.parametrize("body", [b"Ping test", b"Ping test\n", b'{"text":"Ping test"}', b'{"text": "Ping test"}'])
def test_a_ping_is_known(body: bytes) -> None:
    assert hibob.is_ping(body)


@pytest.mark.parametrize("body", [b"", b"ping", b'{"text":"Ping test","type":"employee.updated"}'])
def test_what_only_looks_like_a_ping_is_none(body: bytes) -> None:
    assert not hibob.is_ping(body)


@pytest.mark.parametrize("body", [b"Ping", b"[]", b"{}", b'{"type": null}'])
def test_what_is_no_webhook_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        read(body)
