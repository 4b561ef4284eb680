"""Whom a row describes: what is kept, what is refused, and what a row that is not whole leaves as it was."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from scim_bridge.domain.rows import Person, Refusal, Row
from scim_bridge.mapping.rows import RowMapping
from scim_bridge.settings.sources import SourceSettings

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MAPPING = {
    "externalId": "id",
    "userName": "email",
    "name.givenName": "nick || first",
    "name.familyName": "last",
    "emails": "email",
    "title": "job.title",
    "department": "department",
    "manager": "boss.id || boss",
    "active": "status",
    "startDate": "hired",
    "endDate": "leaves",
    "meta.lastModified": "changed",
}
ANN = {"id": "007", "email": "Ann@X.com ", "first": "Ann", "last": "Ó'Neil", "status": "Active"}


def mapping(**changes: Any) -> RowMapping:
    """Return the mapping of a source in Berlin."""
    keys: dict[str, Any] = {
        "name": "hr",
        "kind": "generic",
        "timezone": "Europe/Berlin",
        "mapping": MAPPING,
        "active_values": ["active"],
        "inactive_values": ["inactive"],
    }
    return RowMapping(SourceSettings(**(keys | changes)))


def row(fields: Mapping[str, Any], **changes: Any) -> Row:
    return Row(**({"external_id": "007", "fields": fields, "position": 1} | changes))


def person(fields: Mapping[str, Any], *, of: RowMapping | None = None, **changes: Any) -> Person:
    found = (of or mapping()).person_of(row(fields, **changes))
    assert isinstance(found, Person), found
    return found


def refusal(fields: Mapping[str, Any], *, of: RowMapping | None = None, **changes: Any) -> Refusal:
    found = (of or mapping()).person_of(row(fields, **changes))
    assert isinstance(found, Refusal), found
    return found


def midnight(zone: str, *day: int) -> int:
    return int(datetime(*day, tzinfo=ZoneInfo(zone)).timestamp() * 1000)  # type: ignore[arg-type,misc]


def test_a_whole_row_states_every_attribute_of_its_mapping() -> None:
    found = person({**ANN, "job": {"title": "Lead"}, "boss": {"id": 4}, "hired": "2026-03-01"})
    assert found.document == {
        "externalId": "007",
        "userName": "Ann@X.com ",
        "name": {"givenName": "Ann", "familyName": "Ó'Neil"},
        "emails": [{"value": "Ann@X.com ", "type": "work", "primary": True}],
        "title": "Lead",
        ENTERPRISE: {"department": None},
    }
    assert (found.active, found.manager_id, found.ends_at) == (True, "4", None)
    assert found.starts_at == midnight("Europe/Berlin", 2026, 3, 1)


@pytest.mark.parametrize(("value", "kept"), [("007", "007"), (7, "7"), (7.0, "7"), (None, ""), ("", ""), ({}, "")])
def test_an_id_is_kept_as_it_is_written(value: object, kept: str) -> None:
    assert mapping().id_of({"id": value}) == kept


def test_formula_text_stays_text() -> None:
    assert person({**ANN, "job": {"title": '=HYPERLINK("x")'}}).document["title"] == '=HYPERLINK("x")'


@pytest.mark.parametrize("none", ["0000-00-00", "0000-00-00T00:00:00", "", "  ", None, "9999-12-31"])
def test_these_mean_that_there_is_no_date(none: str | None) -> None:
    assert person({**ANN, "hired": none, "leaves": none}).ends_at is None


@pytest.mark.parametrize(
    ("text", "last_day"),
    [
        ("2026-03-28", (2026, 3, 29)),
        ("2026-03-29", (2026, 3, 30)),  # a day of 23 hours
        ("2026-12-31T23:59:59Z", (2027, 1, 1)),
        ("31.12.2026", (2027, 1, 1)),
    ],
)
def test_the_last_day_ends_at_midnight_where_the_source_is(text: str, last_day: tuple[int, int, int]) -> None:
    found = person({**ANN, "leaves": text}, of=mapping(date_format="%d.%m.%Y"))
    assert found.ends_at == midnight("Europe/Berlin", *last_day)


@pytest.mark.parametrize("text", ["2026-02-30", "31.12.2026", "soon", "0001-01-01", 20260101, True, "2026-13-01"])
def test_a_date_that_cannot_be_is_refused_with_its_field(text: object) -> None:
    found = refusal({**ANN, "leaves": text})
    assert (found.code, found.field) == ("impossible_date", "endDate")
    assert "leaves" in found.advice
    assert str(text) not in found.advice


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"first": "", "last": " "}, "row_without_name", "name"),
        ({"email": None}, "missing_field", "userName"),
        ({"status": "Sabbatical"}, "unknown_status", "active"),
        ({"last": "a\x00b"}, "invalid_value", "name.familyName"),
        ({"email": ["a@x.com"]}, "invalid_value", "userName"),
    ],
)
def test_a_row_of_which_nobody_can_be_made_is_refused(changes: Mapping[str, Any], code: str, field: str) -> None:
    found = refusal({**ANN, **changes})
    assert (found.code, found.field) == (code, field)


def test_a_row_without_an_id_is_refused() -> None:
    assert refusal(ANN, external_id="").code == "row_without_id"


@pytest.mark.parametrize("trouble", [{"first": None, "last": None}, {"email": ""}, {"hired": "31.31.31"}])
def test_trouble_with_the_data_of_a_leaver_keeps_nobody_active(trouble: Mapping[str, Any]) -> None:
    found = person({**ANN, "status": "Inactive", **trouble})
    assert found.active is False
    assert found.document.get("userName", "") is not None


@pytest.mark.parametrize(
    ("value", "active"), [("ACTIVE ", True), ("inactive", False), (True, True), (False, False), ("", None)]
)
def test_a_status_is_compared_without_case_or_outer_spaces(value: object, active: bool | None) -> None:  # noqa: FBT001
    assert person({**ANN, "status": value}).active is active


def test_the_star_stands_for_every_other_status() -> None:
    assert person({**ANN, "status": "Retired"}, of=mapping(inactive_values=["*"])).active is False


def test_a_row_that_is_not_whole_states_only_what_it_names() -> None:
    found = person({"job": {"title": None}, "boss": ""}, is_whole=False)
    assert found.document == {"externalId": "007", "title": None}
    assert (found.active, found.starts_at, found.manager_id) == (None, None, "")


def test_a_row_that_is_not_whole_tells_that_an_end_was_called_off() -> None:
    found = person({"leaves": "0000-00-00"}, is_whole=False)
    assert (found.ends_at, found.says_end, found.says_start) == (None, True, False)


@pytest.mark.parametrize("fields", [{"nick": None}, {"first": ""}])
def test_one_empty_field_of_two_blanks_nothing(fields: Mapping[str, Any]) -> None:
    assert "name" not in person(fields, is_whole=False).document


def test_one_filled_field_of_two_is_stated() -> None:
    assert person({"first": "Anna"}, is_whole=False).document["name"] == {"givenName": "Anna"}


def test_a_row_that_is_not_whole_cannot_take_the_user_name_away() -> None:
    assert refusal({"email": ""}, is_whole=False).field == "userName"


@pytest.mark.parametrize(("changes", "active"), [({"needs_fetch": True}, None), ({"is_gone": True}, False)])
def test_a_row_without_data_blanks_nothing(changes: Mapping[str, Any], active: bool | None) -> None:  # noqa: FBT001
    found = person({}, **changes)
    assert found.document == {}
    assert (found.active, found.manager_id) == (active, None)


def test_nobody_is_their_own_manager() -> None:
    assert person({**ANN, "boss": "007"}).manager_id == ""


def test_only_what_the_mapping_reads_passes_the_door() -> None:
    raw = {
        **ANN,
        "ssn": "123",
        "job": {"title": "Lead", "salary": 9},
        "boss": {"id": "4", "ssn": "456"},
        "status": {"since": "2020"},
    }
    assert mapping().only(raw) == {**ANN, "job": {"title": "Lead"}, "boss": {"id": "4"}, "status": {}}
    assert mapping().fields == {path.split(".")[0] for path in raw} - {"ssn"} | {
        *("nick", "department", "hired", "leaves", "changed"),
    }


def test_a_boss_who_is_plain_text_passes_too() -> None:
    assert mapping().only({"boss": "4"}) == {"boss": "4"}


@pytest.mark.parametrize(
    ("text", "zone"),
    [("2026-03-01T12:00:00Z", "UTC"), ("2026-03-01T12:00:00", "Europe/Berlin"), ("2026-03-01 12:00", "Europe/Berlin")],
)
def test_when_it_was_said_is_in_the_zone_of_the_source_unless_it_says_its_own(text: str, zone: str) -> None:
    assert mapping().said_at_of({"changed": text}) == midnight(zone, 2026, 3, 1, 12)


@pytest.mark.parametrize("value", ["yesterday", None, 12])
def test_a_time_that_cannot_be_read_is_none(value: object) -> None:
    assert mapping().said_at_of({"changed": value}) is None


def test_the_digest_changes_with_what_rows_mean() -> None:
    digests = {mapping(**each).digest for each in ({}, {"timezone": "UTC"}, {"mapping": {**MAPPING, "title": "x"}})}
    assert len(digests) == 3
    assert mapping(paused=True).digest == mapping().digest


def test_no_refusal_holds_a_value() -> None:
    found = refusal({**ANN, "status": "secret-word"})
    assert "secret-word" not in repr(found)
