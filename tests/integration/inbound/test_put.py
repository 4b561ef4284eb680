"""PUT replaces the whole resource (RFC 7644 section 3.5.1)."""

from typing import Any

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ANN = {
    "userName": "ann@example.com",
    "externalId": "E1",
    "title": "Boss",
    "name": {"givenName": "Ann", "familyName": "Doe"},
    "emails": [{"value": "a@x", "type": "work"}],
    ENTERPRISE: {"department": "IT"},
}


def test_what_a_put_leaves_out_is_gone(sender: Any) -> None:
    made = sender.post("/Users", ANN).json
    put = sender.put(f"/Users/{made['id']}", {"userName": "ann@example.com", "name": {"givenName": "Anna"}})
    assert put.status_code == 200
    assert {name: value for name, value in put.json.items() if name != "meta"} == {
        "schemas": [CORE],
        "id": made["id"],
        "userName": "ann@example.com",
        "name": {"givenName": "Anna"},
        "active": True,
    }
    assert sender.get(f"/Users/{made['id']}").json == put.json


def test_what_was_read_can_be_put_back(sender: Any) -> None:
    made = sender.post("/Users", ANN).json
    sender.group("Sales", made["id"])
    read = sender.get(f"/Users/{made['id']}").json
    put = sender.put(f"/Users/{made['id']}", read)
    assert put.json == read
    sales = sender.get("/Groups").json["Resources"][0]
    assert sender.put(f"/Groups/{sales['id']}", sales).json == sales


def test_what_the_server_makes_is_passed_over(sender: Any) -> None:
    made = sender.post("/Users", ANN).json
    theirs = {"id": "other", "meta": {"created": "2000-01-01T00:00:00Z", "version": "x"}, "groups": [{"value": "g"}]}
    put = sender.put(f"/Users/{made['id']}", {**ANN, **theirs, "title": "Chief"}).json
    assert (put["id"], put["title"], "groups" in put) == (made["id"], "Chief", False)
    assert put["meta"]["created"] == made["meta"]["created"]
    assert put["meta"]["lastModified"] > made["meta"]["lastModified"]


def test_a_put_that_is_refused_changes_nothing(sender: Any) -> None:
    made, _ = sender.post("/Users", ANN).json, sender.user("bob")
    for body, status in (
        ({"title": "x"}, 400),
        ({"userName": ""}, 400),
        ({"userName": "BOB@example.com"}, 409),
        ({"userName": "ann", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]}, 400),
        ({"userName": "ann", "active": "perhaps"}, 400),
    ):
        assert sender.put(f"/Users/{made['id']}", body).status_code == status
        assert sender.get(f"/Users/{made['id']}").json == made


def test_nulls_are_as_good_as_nothing(sender: Any) -> None:
    """RFC 7643 section 2.5: null, an empty list and an absent attribute are the same."""
    made = sender.post("/Users", ANN).json
    body = {**ANN, "title": None, "emails": [], "name": None, ENTERPRISE: None}
    put = sender.put(f"/Users/{made['id']}", body).json
    assert not {"title", "emails", "name", ENTERPRISE} & set(put)
    assert put["schemas"] == [CORE]
