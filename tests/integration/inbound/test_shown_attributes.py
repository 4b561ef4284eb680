"""What answers show: `attributes` and `excludedAttributes` (RFC 7644 section 3.9), on every method."""

from typing import Any
from urllib.parse import quote

import pytest

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ALWAYS = {"schemas", "id"}
ANN = {
    "userName": "ann@example.com",
    "title": "Boss",
    "name": {"givenName": "Ann", "familyName": "Doe"},
    "emails": [{"value": "a@x", "type": "work", "primary": True}, {"value": "b@x", "type": "home"}],
    ENTERPRISE: {"department": "IT", "manager": {"value": "M1"}},
}


@pytest.fixture
def ann(sender: Any) -> dict[str, Any]:
    made = sender.post("/Users", ANN).json
    sender.group("Sales", made["id"])
    return dict(sender.get(f"/Users/{made['id']}").json)


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("userName", {"userName": "ann@example.com"}),
        ("USERNAME", {"userName": "ann@example.com"}),
        (f"{CORE}:userName", {"userName": "ann@example.com"}),
        ("name.givenName", {"name": {"givenName": "Ann"}}),
        ("name.givenName,NAME.familyName", {"name": ANN["name"]}),
        ("emails.value", {"emails": [{"value": "a@x"}, {"value": "b@x"}]}),
        ("emails.primary", {"emails": [{"primary": True}]}),
        ("emails.type , title", {"emails": [{"type": "work"}, {"type": "home"}], "title": "Boss"}),
        (f"{ENTERPRISE}:department", {ENTERPRISE: {"department": "IT"}}),
        (f"{ENTERPRISE}:manager.value", {ENTERPRISE: {"manager": {"value": "M1"}}}),
        (ENTERPRISE, {ENTERPRISE: ANN[ENTERPRISE]}),
        (ENTERPRISE.upper(), {ENTERPRISE: ANN[ENTERPRISE]}),
        # Senders leave the URN out, in filters too.
        ("department", {ENTERPRISE: {"department": "IT"}}),
        # Microsoft's reference collection
        ('emails[type eq "work"]', {"emails": ANN["emails"]}),
        ("id", {}),
        ("schemas", {}),
        ("nickName", {}),
        ("nosuch", {}),
        ("userName,nosuch.sub", {"userName": "ann@example.com"}),
        ("urn:no:such:schema:title", {}),
        ("password", {}),
    ],
)
def test_only_what_was_asked_for_is_shown(sender: Any, ann: dict[str, Any], asked: str, shown: dict[str, Any]) -> None:
    body = sender.get(f"/Users/{ann['id']}?attributes={quote(asked)}").json
    assert {name: value for name, value in body.items() if name not in ALWAYS} == shown
    assert body["id"] == ann["id"]
    assert CORE in body["schemas"]


@pytest.mark.parametrize("asked", ["", ",", " "])
def test_asking_for_nothing_is_not_asking(sender: Any, ann: dict[str, Any], asked: str) -> None:
    assert sender.get(f"/Users/{ann['id']}?attributes={quote(asked)}").json == ann
    assert sender.get(f"/Users/{ann['id']}?excludedAttributes={quote(asked)}").json == ann


@pytest.mark.parametrize("name", ["title", "name", "emails", "meta", "groups", ENTERPRISE, "active", "userName"])
def test_what_was_excluded_is_left_out(sender: Any, ann: dict[str, Any], name: str) -> None:
    body = sender.get(f"/Users/{ann['id']}?excludedAttributes={name}").json
    assert set(ann) - set(body) == {name}
    assert {key: value for key, value in body.items() if key != "schemas"} == {
        key: value for key, value in ann.items() if key not in (name, "schemas")
    }


@pytest.mark.parametrize(
    ("excluded", "changed"),
    [
        ("name.familyName", {"name": {"givenName": "Ann"}}),
        ("emails.type,emails.primary", {"emails": [{"value": "a@x"}, {"value": "b@x"}]}),
        (f"{ENTERPRISE}:department", {ENTERPRISE: {"manager": {"value": "M1"}}}),
        ("department", {ENTERPRISE: {"manager": {"value": "M1"}}}),
        ("nosuch,nosuch.sub", {}),
        ("id,schemas", {}),
    ],
)
def test_parts_can_be_excluded(sender: Any, ann: dict[str, Any], excluded: str, changed: dict[str, Any]) -> None:
    assert sender.get(f"/Users/{ann['id']}?excludedAttributes={excluded}").json == {**ann, **changed}


def test_times_are_spelled_the_same_on_every_way(sender: Any, ann: dict[str, Any]) -> None:
    path = f"/Users/{ann['id']}"
    message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "attributes": ["meta"]}
    metas = [
        sender.get(f"{path}?attributes=meta").json["meta"],
        sender.get(f"{path}?excludedAttributes=title").json["meta"],
        sender.get("/Users").json["Resources"][0]["meta"],
        sender.get("/Users?attributes=meta").json["Resources"][0]["meta"],
        sender.post("/Users/.search", message).json["Resources"][0]["meta"],
        sender.patch(path).json["meta"],
        sender.put(path, ANN).json["meta"],
    ]
    assert metas == [ann["meta"]] * len(metas)
    assert sender.get(f"{path}?attributes=meta.created").json["meta"] == {"created": ann["meta"]["created"]}


def test_the_core_schema_as_a_name_means_all_its_attributes(sender: Any, ann: dict[str, Any]) -> None:
    body = sender.get(f"/Users/{ann['id']}?attributes={CORE}").json
    assert {"userName", "name", "emails", "groups"} <= set(body)
    assert ENTERPRISE not in body


def test_every_method_that_shows_a_resource_can_be_asked_for_less(sender: Any) -> None:
    made = sender.post("/Users?attributes=title", ANN)
    assert (made.status_code, made.json) == (201, {"schemas": [CORE], "id": made.json["id"], "title": "Boss"})
    assert made.headers["Location"].endswith(f"/Users/{made.json['id']}")
    path = f"/Users/{made.json['id']}"
    patched = sender.send(
        "PATCH",
        f"{path}?excludedAttributes=emails,name,meta,groups",
        {"Operations": [{"op": "replace", "path": "title", "value": "Chief"}]},
    )
    assert set(patched.json) == {"schemas", "id", "userName", "title", "active", ENTERPRISE}
    put = sender.put(f"{path}?attributes=userName", {"userName": "anna"})
    assert put.json == {"schemas": [CORE], "id": made.json["id"], "userName": "anna"}
    assert all(each.headers["ETag"] for each in (made, patched, put))


def test_a_patched_group_is_shown_if_attributes_are_named(sender: Any) -> None:
    ann = sender.user("ann")
    sales = sender.group("Sales")
    joining = {"Operations": [{"op": "add", "path": "members", "value": [{"value": ann["id"]}]}]}
    answer = sender.send("PATCH", f"/Groups/{sales['id']}?attributes=members.value", joining)
    assert (answer.status_code, answer.json["members"]) == (200, [{"value": ann["id"]}])
    answer = sender.send("PATCH", f"/Groups/{sales['id']}?excludedAttributes=members", joining)
    assert (answer.status_code, answer.json["displayName"]) == (200, "Sales")
    assert "members" not in answer.json


def test_an_empty_group_says_so_only_if_members_are_shown(sender: Any) -> None:
    sales = sender.group("Sales")
    path = f"/Groups/{sales['id']}"
    assert sender.get(path).json["members"] == []
    assert sender.get(f"{path}?attributes=displayName").json == {
        "schemas": sales["schemas"],
        "id": sales["id"],
        "displayName": "Sales",
    }
    assert "members" not in sender.get(f"{path}?excludedAttributes=members").json
    assert "members" not in sender.get("/Groups?excludedAttributes=members").json["Resources"][0]


def test_asking_both_ways_at_once_is_refused_in_one_sentence(sender: Any, ann: dict[str, Any]) -> None:
    for path in (f"/Users/{ann['id']}", "/Users", "/"):
        answer = sender.get(f"{path}?attributes=title&excludedAttributes=emails")
        assert (answer.status_code, answer.json["scimType"]) == (400, "invalidValue")
        assert answer.json["detail"] == "Name 'attributes' or 'excludedAttributes', not both"


@pytest.mark.parametrize("name", ["$", "a b", "name..givenName", "emails[", ":"])
def test_what_is_no_name_is_refused(sender: Any, ann: dict[str, Any], name: str) -> None:
    answer = sender.get(f"/Users/{ann['id']}?attributes={quote(name)}")
    assert (answer.status_code, answer.json["scimType"]) == (400, "invalidPath")
