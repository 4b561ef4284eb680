"""What Merge's webhooks say: everything that Merge knows of an employee, or nothing about anybody."""

import pytest
from running import hr_senders

from scim_bridge.intake.hr import merge
from scim_bridge.intake.hr.deliveries import Signed, Told
from scim_bridge.intake.webhooks.refusals import WebhookRefused


def read(body: bytes) -> list[Told]:
    return list(merge.read(body, "application/json", Signed(mark="m")))


def test_a_changed_employee_is_told_whole() -> None:
    [told] = read(hr_senders.payload("merge/employee_changed.json"))
    assert (told.row.external_id, told.row.is_whole) == ("0958cbc6-6040-430a-848e-aafacbadf4ae", True)
    assert told.row.fields["work_email"] == "dirna@example.com"
    assert told.row.said_at == 1_792_108_800_000


def test_the_id_of_the_hook_is_no_id_of_the_event() -> None:
    [told] = read(hr_senders.payload("merge/employee_changed.json"))
    assert told.event_id is None


@pytest.mark.parametrize(
    "body",
    [
        b'{"hook": {"event": "Employee.removed"}, "data": {"id": "1"}}',
        b'{"hook": {"event": "Employee.changed"}, "data": {"id": "1", "remote_was_deleted": true}}',
    ],
)
def test_a_removed_employee_is_gone(body: bytes) -> None:
    [told] = read(body)
    assert (told.row.external_id, told.row.is_gone) == ("1", True)


def test_an_employee_without_data_blanks_nothing() -> None:
    [told] = read(b'{"hook": {"event": "Employee.changed"}, "data": {"id": "1"}}')
    assert (told.row.needs_fetch, told.row.is_whole) == (True, False)


def test_a_sync_is_about_nobody() -> None:
    assert read(hr_senders.payload("merge/common_model_synced.json")) == []


@pytest.mark.parametrize("body", [b"{}", b'{"hook": {}}', b'{"hook": "Employee.changed"}', b"null"])
def test_what_is_no_webhook_is_refused(body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        read(body)
