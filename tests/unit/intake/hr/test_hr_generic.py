"""What our own JSON says: one event, a list of them, or one a line; each has its own fate."""

import pytest
from running import hr_senders

from scim_bridge.intake.hr import generic
from scim_bridge.intake.hr.deliveries import Signed, Told
from scim_bridge.intake.webhooks.refusals import WebhookRefused


def read(body: bytes, content_type: str = "application/json") -> list[Told]:
    return list(generic.read(body, content_type, Signed(mark="m")))


def test_a_list_tells_of_each_person() -> None:
    saved, changed, deleted, touched = read(hr_senders.payload("generic/list.json"))
    assert (saved.row.external_id, saved.row.is_whole, saved.row.said_at) == ("1001", True, 1_795_165_964_000)
    assert (changed.row.external_id, changed.row.is_whole, changed.row.fields) == (
        "0042",
        False,
        {"title": "Team lead"},
    )
    assert (deleted.row.external_id, deleted.row.is_gone) == ("7", True)
    assert (touched.row.external_id, touched.row.needs_fetch) == ("8", True)
    assert [told.row.position for told in (saved, changed, deleted, touched)] == [1, 2, 3, 4]
    assert not any(told.refusal for told in (saved, changed, deleted, touched))


def test_one_event_is_a_list_of_one() -> None:
    [told] = read(b'{"id": "1", "fields": {"title": "x"}}')
    assert (told.row.is_whole, told.refusal, told.event_id) == (False, None, None)


def test_a_line_that_is_no_json_is_refused_alone() -> None:
    first, bad, last = read(hr_senders.payload("generic/lines.ndjson"), "application/x-ndjson; charset=utf-8")
    assert (first.row.external_id, last.row.external_id) == ("1001", "1003")
    assert (first.refusal, last.refusal) == (None, None)
    assert bad.refusal is not None
    assert (bad.row.position, last.row.position) == (2, 3)


def test_an_id_of_an_event_is_the_same_however_often_it_is_sent() -> None:
    first, second = (read(b'{"event_id": "e", "id": "1", "fields": {"a": %d}}' % number) for number in (1, 2))
    assert first[0].event_id == second[0].event_id is not None


def test_one_id_for_events_about_two_people_is_two_events() -> None:
    ann, bob = read(b'[{"event_id": "e", "id": "1", "event": "deleted"}, {"event_id": "e", "id": "2"}]')
    assert ann.event_id != bob.event_id


def test_one_id_for_news_of_a_person_who_leaves_then_is_two_events() -> None:
    changed, deleted = read(
        b'[{"event_id": "run-1", "id": "1", "fields": {"a": 1}}, {"event_id": "run-1", "id": "1", "event": "deleted"}]'
    )
    assert changed.event_id != deleted.event_id


def test_ids_that_hold_the_ends_of_others_are_told_apart() -> None:
    first, second = (read(b'{"event_id": "%s", "id": "%s"}' % ids)[0] for ids in ((b"a", b"b\\nc"), (b"c\\na", b"b")))
    assert first.event_id != second.event_id


@pytest.mark.parametrize(
    ("event", "code", "field"),
    [
        (b'{"event": "hired", "id": "1", "fields": {"a": 1}}', "invalid_value", "event"),
        (b'{"event": [], "id": "1", "fields": {"a": 1}}', "invalid_value", "event"),
        (b'{"event": "saved", "id": "1"}', "missing_field", "fields"),
        (b'{"id": "1", "fields": []}', "missing_field", "fields"),
        (b'{"id": "1", "fields": {"a": 1}, "occurred_at": "0000-00-00"}', "impossible_date", "timestamp"),
        (b'{"id": "1", "fields": {"a": 1}, "event_id": "%s"}' % (b"e" * 201), "invalid_value", "event_id"),
        (b"5", "invalid_value", ""),
    ],
)
def test_an_event_that_makes_no_sense_is_refused_with_its_reason(event: bytes, code: str, field: str) -> None:
    [told, good] = read(b"[%s, {}]" % event)[:2]
    assert told.refusal is not None
    assert (told.refusal.code, told.refusal.field) == (code, field)
    assert good.row.position == 2


@pytest.mark.parametrize("body", [b"", b"{", b"[1,", b"\xff\xfe", b"[" * 5000])
def test_what_is_no_json_is_refused_whole(body: bytes) -> None:
    with pytest.raises(WebhookRefused) as refused:
        read(body)
    assert refused.value.status == 400


def test_lines_that_are_no_utf8_are_refused_whole() -> None:
    with pytest.raises(WebhookRefused):
        read(b"\xff\n", "application/x-ndjson")
