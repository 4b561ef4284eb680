"""PATCH of users by the rules of RFC 7644 section 3.5.2, row by row."""

from typing import Any

import pytest

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
WORK = {"value": "a@x", "type": "work", "primary": True}
HOME = {"value": "b@x", "type": "home"}
ANN = {
    "userName": "ann@example.com",
    "title": "Boss",
    "name": {"givenName": "Ann", "familyName": "Doe"},
    "emails": [WORK, HOME],
    ENTERPRISE: {"department": "IT", "costCenter": "C1"},
}
GONE = object()


@pytest.fixture
def ann(sender: Any) -> dict[str, Any]:
    return dict(sender.post("/Users", ANN).json)


@pytest.mark.parametrize(
    ("operation", "becomes"),
    [
        # 3.5.2.1 add: a single value is replaced
        ({"op": "add", "path": "title", "value": "Chief"}, {"title": "Chief"}),
        ({"op": "add", "path": "nickName", "value": "An"}, {"nickName": "An"}),
        ({"op": "add", "path": "TITLE", "value": "Chief"}, {"title": "Chief"}),
        ({"op": "ADD", "path": f"{CORE}:title", "value": "Chief"}, {"title": "Chief"}),
        # a complex value takes the sub-attributes on
        ({"op": "add", "path": "name", "value": {"middleName": "M"}}, {"name": {**ANN["name"], "middleName": "M"}}),
        ({"op": "add", "path": "name.givenName", "value": "Anna"}, {"name": {**ANN["name"], "givenName": "Anna"}}),
        # a list takes the value on, a value that is there is not added again
        ({"op": "add", "path": "emails", "value": [{"value": "c@x"}]}, {"emails": [WORK, HOME, {"value": "c@x"}]}),
        ({"op": "add", "path": "emails", "value": {"value": "c@x"}}, {"emails": [WORK, HOME, {"value": "c@x"}]}),
        ({"op": "add", "path": "emails", "value": [HOME]}, {}),
        # there is one primary value
        (
            {"op": "add", "path": "emails", "value": [{"value": "c@x", "primary": True}]},
            {"emails": [{**WORK, "primary": False}, HOME, {"value": "c@x", "primary": True}]},
        ),
        # without a path the value is a part of the resource
        ({"op": "add", "value": {"title": "Chief", "nickName": "An"}}, {"title": "Chief", "nickName": "An"}),
        (
            {"op": "add", "path": f"{ENTERPRISE}:division", "value": "D"},
            {ENTERPRISE: {**ANN[ENTERPRISE], "division": "D"}},
        ),
        ({"op": "add", "value": {ENTERPRISE: {"division": "D"}}}, {ENTERPRISE: {**ANN[ENTERPRISE], "division": "D"}}),
        # 3.5.2.2 remove
        ({"op": "remove", "path": "title"}, {"title": GONE}),
        ({"op": "remove", "path": "nickName"}, {}),
        ({"op": "remove", "path": "name.givenName"}, {"name": {"familyName": "Doe"}}),
        ({"op": "remove", "path": "name"}, {"name": GONE}),
        ({"op": "remove", "path": "emails"}, {"emails": GONE}),
        ({"op": "remove", "path": 'emails[type eq "work"]'}, {"emails": [HOME]}),
        ({"op": "remove", "path": 'emails[value sw "a" or type eq "home"]'}, {"emails": GONE}),
        ({"op": "remove", "path": 'emails[not (type eq "work")]'}, {"emails": [WORK]}),
        ({"op": "remove", "path": 'emails[type eq "other"]'}, {}),
        (
            {"op": "remove", "path": 'emails[type eq "work"].primary'},
            {"emails": [{"value": "a@x", "type": "work"}, HOME]},
        ),
        ({"op": "remove", "path": f"{ENTERPRISE}:department"}, {ENTERPRISE: {"costCenter": "C1"}}),
        ({"op": "remove", "path": ENTERPRISE}, {ENTERPRISE: GONE, "schemas": [CORE]}),
        # 3.5.2.3 replace
        ({"op": "replace", "path": "title", "value": "Chief"}, {"title": "Chief"}),
        ({"op": "replace", "path": "nickName", "value": "An"}, {"nickName": "An"}),
        (
            {"op": "replace", "path": "name", "value": {"givenName": "Anna"}},
            {"name": {**ANN["name"], "givenName": "Anna"}},
        ),
        ({"op": "replace", "path": "emails", "value": [{"value": "c@x"}]}, {"emails": [{"value": "c@x"}]}),
        ({"op": "replace", "path": "emails", "value": []}, {"emails": GONE}),
        (
            {"op": "replace", "path": 'emails[type eq "work"].value', "value": "c@x"},
            {"emails": [{**WORK, "value": "c@x"}, HOME]},
        ),
        (
            {"op": "replace", "path": 'emails[type eq "home"].primary', "value": True},
            {"emails": [{**WORK, "primary": False}, {**HOME, "primary": True}]},
        ),
        ({"op": "replace", "path": "title", "value": None}, {"title": GONE}),
        ({"op": "replace", "path": "active", "value": False}, {"active": False}),
        (
            {"op": "replace", "value": {"title": "Chief", "name": {"givenName": "Anna"}}},
            {"title": "Chief", "name": {**ANN["name"], "givenName": "Anna"}},
        ),
        # what is read-only may be sent with the value that it has
        ({"op": "replace", "value": {"id": "something else", "title": "Chief"}}, {"title": "Chief"}),
    ],
)
def test_an_operation_does_what_the_rfc_says(
    sender: Any, ann: dict[str, Any], operation: dict[str, Any], becomes: dict[str, Any]
) -> None:
    wanted = {name: value for name, value in {**ann, **becomes}.items() if value is not GONE}
    answer = sender.patch(f"/Users/{ann['id']}", operation)
    assert answer.status_code == 200, answer.text
    read = sender.get(f"/Users/{ann['id']}").json
    assert answer.json == read
    assert {**read, "meta": None} == {**wanted, "meta": None}
    assert (read["meta"]["version"] == ann["meta"]["version"]) == (not becomes)


def test_operations_are_done_in_order(sender: Any, ann: dict[str, Any]) -> None:
    answer = sender.patch(
        f"/Users/{ann['id']}",
        {"op": "remove", "path": "title"},
        {"op": "add", "path": "title", "value": "One"},
        {"op": "replace", "path": "title", "value": "Two"},
        {"op": "add", "path": "emails", "value": [{"value": "c@x", "type": "other"}]},
        {"op": "replace", "path": 'emails[type eq "other"].value', "value": "d@x"},
        {"op": "remove", "path": 'emails[type eq "work"]'},
    ).json
    assert (answer["title"], answer["emails"]) == ("Two", [HOME, {"value": "d@x", "type": "other"}])


def test_all_operations_are_done_or_none(sender: Any, ann: dict[str, Any]) -> None:
    sender.user("bob")
    path = f"/Users/{ann['id']}"
    first = {"op": "replace", "path": "title", "value": "Chief"}
    for last, status in (
        ({"op": "replace", "path": "userName", "value": "BOB@example.com"}, 409),
        ({"op": "remove", "path": "userName"}, 400),
        ({"op": "add", "path": "emails[", "value": "x"}, 400),
    ):
        assert sender.patch(path, first, last).status_code == status
        assert sender.get(path).json == ann


@pytest.mark.parametrize("path", ["id", "meta", "meta.created", "meta.version", "groups", "groups.value"])
def test_what_the_server_makes_is_not_patched(sender: Any, ann: dict[str, Any], path: str) -> None:
    for op in ("add", "replace", "remove"):
        answer = sender.patch(f"/Users/{ann['id']}", {"op": op, "path": path, "value": "x"})
        assert (answer.status_code, answer.json["scimType"]) == (400, "mutability")
    assert sender.get(f"/Users/{ann['id']}").json == ann
