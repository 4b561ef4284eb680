from dataclasses import replace
from typing import Any

import pytest
from fakes.people import person
from fakes.shipped import shipped_settings

from scim_bridge.domain.people import Problem, Record
from scim_bridge.mapping import records
from scim_bridge.mapping.expressions import ExpressionRefused
from scim_bridge.mapping.records import RecordMapping
from scim_bridge.settings.models import FieldSettings, GroupSettings

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def mapped(document: dict[str, Any], mapping: dict[str, str], **fields: FieldSettings) -> Record | Problem:
    return RecordMapping(mapping, fields).record_of(replace(person(1), document=document))


@pytest.mark.parametrize(
    ("expression", "document", "value"),
    [
        ("userName", {"userName": "ann"}, "ann"),
        ("name.givenName", {"name": {"givenName": "Zoë"}}, "Zoë"),
        (f'"{ENTERPRISE}".department', {ENTERPRISE: {"department": "R&D"}}, "R&D"),
        ("emails[?type=='work'].value | [0]", {"emails": [{"value": "h"}, {"type": "work", "value": "w"}]}, "w"),
        ("nickName || userName", {"userName": "ann"}, "ann"),
        ("join(' ', [name.givenName, name.familyName])", {"name": {"givenName": "A", "familyName": "B"}}, "A B"),
    ],
)
def test_a_field_is_what_its_expression_finds(expression: str, document: dict[str, Any], value: str) -> None:
    record = mapped(document, {"field": expression})
    assert isinstance(record, Record)
    assert record.attributes == {"field": value}


@pytest.mark.parametrize("empty", [None, "", "   ", [], {}])
def test_empty_values_are_left_out(empty: object) -> None:
    record = mapped({"title": empty, "userName": "ann"}, {"title": "title", "userName": "userName"})
    assert isinstance(record, Record)
    assert record.attributes == {"userName": "ann"}


@pytest.mark.parametrize(
    ("document", "rule", "code"),
    [
        ({}, FieldSettings(required=True), "missing_field"),
        ({"title": " "}, FieldSettings(required=True), "missing_field"),
        ({"title": "x" * 36}, FieldSettings(max_length=35), "too_long"),
        ({"title": "ann"}, FieldSettings(pattern=r"[^@\s]+@[^@\s]+"), "invalid_value"),
        ({"title": "a@b\nc"}, FieldSettings(pattern=r"[^@\s]+@[^@\s]+"), "invalid_value"),  # the whole value must fit
    ],
)
def test_a_broken_rule_is_a_problem_of_its_field(document: dict[str, Any], rule: FieldSettings, code: str) -> None:
    problem = mapped(document, {"title": "title"}, title=rule)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.field) == (code, "title")


@pytest.mark.parametrize(
    "value",
    [
        "x" * 35,
        "Ж" * 35,  # characters count, not bytes
        "😀" * 35,
    ],
)
def test_a_value_of_exactly_the_length_is_fine(value: str) -> None:
    record = mapped({"title": value}, {"title": "title"}, title=FieldSettings(max_length=35))
    assert isinstance(record, Record)
    assert record.attributes == {"title": value}


def test_a_value_is_shortened_where_the_rule_says_so() -> None:
    rule = FieldSettings(max_length=5, on_too_long="shorten")
    record = mapped({"title": "Anna Maria"}, {"title": "title"}, title=rule)
    assert isinstance(record, Record)
    assert record.attributes == {"title": "Anna"}  # and leaves no space at the end


def test_a_required_field_without_an_expression_is_missed() -> None:
    problem = mapped({"userName": "ann"}, {}, lastName=FieldSettings(required=True))
    assert isinstance(problem, Problem)
    assert problem.field == "lastName"


def test_an_expression_that_fails_for_a_person_is_a_problem_without_the_value() -> None:
    problem = mapped({"title": "secret"}, {"title": "abs(title)"})
    assert isinstance(problem, Problem)
    assert problem.code == "mapping_failed"
    assert "secret" not in repr(problem)


@pytest.mark.parametrize(
    ("document", "deleted"),
    [({"active": False}, False), ({"active": "False"}, False), ({}, True), ({"active": True}, True)],
)
def test_trouble_with_a_leavers_data_never_keeps_the_leaver_active(document: dict[str, Any], deleted: bool) -> None:  # noqa: FBT001 - a table's column
    rules = {
        "userName": FieldSettings(),
        "lastName": FieldSettings(required=True),
        "title": FieldSettings(max_length=1),
    }
    mapping = RecordMapping({"userName": "userName", "title": "title", "bad": "abs(title)"}, rules)
    leaver = replace(person(1), document={"userName": "ann", "title": "long", **document}, deleted=deleted)
    assert mapping.record_of(leaver) == Record(active=False, attributes={"userName": "ann"})


def test_somebody_without_active_is_active() -> None:
    record = mapped({"userName": "ann"}, {"userName": "userName"})
    assert isinstance(record, Record)
    assert record.active


GROUPS = {
    "Sales": GroupSettings(group="Sales EMEA", courses=["1", "2"], required_courses=["3"]),
    "Support": GroupSettings(courses=["3"]),
    "*": GroupSettings(group="IdP {displayName}"),
}


@pytest.mark.parametrize(
    ("names", "groups", "courses", "required"),
    [
        ((), set(), set(), set()),
        (("Sales",), {"Sales EMEA"}, {"1", "2"}, {"3"}),
        (("Legal",), {"IdP Legal"}, set(), set()),  # the key * stands for every group that is not named
        (("sales",), {"IdP sales"}, set(), set()),  # names compare exactly
        (("Support",), set(), {"3"}, set()),
        (("Support", "Sales"), {"Sales EMEA"}, {"1", "2"}, {"3"}),  # required once is required
    ],
)
def test_groups_stand_for_groups_and_courses(
    names: tuple[str, ...], groups: set[str], courses: set[str], required: set[str]
) -> None:
    record = RecordMapping({}, {}, GROUPS).record_of(person(1, groups=names))
    assert isinstance(record, Record)
    assert (record.groups, record.courses, record.required_courses) == (groups, courses, required)


def test_a_group_that_is_not_mapped_stands_for_nothing() -> None:
    assert records.target_group({"Sales": GroupSettings(group="S")}, "Legal") is None


@pytest.mark.parametrize(
    ("expression", "fault"),
    [
        ("emails[?primary", "title: the expression ends too early"),
        ("foo bar", "title: cannot be read from character 5 on"),
        ("name.'x", "title: cannot be read from character 6 on"),
        ("", "title: the expression is empty"),
        ("name | lower(@)", "title: there is no function lower()"),
    ],
)
def test_an_expression_that_cannot_be_read_is_named_with_its_place(expression: str, fault: str) -> None:
    assert records.check_mapping({"userName": "userName", "title": expression}) == [fault]
    with pytest.raises(ExpressionRefused):
        RecordMapping({"title": expression})


@pytest.mark.parametrize("kind", ["trakstar", "mindtickle", "scim"])
def test_the_shipped_mapping_maps_an_ordinary_person(kind: str) -> None:
    settings = shipped_settings(kind, {})
    assert records.check_mapping(settings.mapping) == []
    record = RecordMapping(settings.mapping, settings.fields).record_of(person(1))
    assert isinstance(record, Record)
    assert record.attributes["email"] == "user1@example.com"


@pytest.mark.parametrize(
    ("document", "email"),
    [
        ({"emails": [{"value": "a@x.example"}, {"value": "b@x.example", "primary": True}]}, "b@x.example"),
        ({"emails": [{"value": "a@x.example"}, {"value": "b@x.example"}]}, "a@x.example"),
        ({"userName": "ann@x.example"}, "ann@x.example"),
        ({"userName": "ann"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("kind", ["trakstar", "mindtickle", "scim"])
def test_the_shipped_mapping_finds_the_address(kind: str, document: dict[str, Any], email: str | None) -> None:
    settings = shipped_settings(kind, {})
    readable = RecordMapping(settings.mapping, settings.fields).readable(replace(person(1), document=document))
    assert readable.get("email") == email
