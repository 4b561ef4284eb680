"""Paths and methods: what is there, what is not, and what may be done with it (RFC 7644 sections 3.2, 3.11, 3.12)."""

from typing import Any

import pytest
from running.door import SCIM

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BODIES = {"POST": {"userName": "x"}, "PUT": {"userName": "x"}, "PATCH": {"Operations": []}}


def send(sender: Any, method: str, path: str) -> Any:
    return sender.send(method, path, BODIES.get(method))


@pytest.mark.parametrize("path", ["/Me", "/Me/", "/Me?attributes=userName"])
def test_me_is_not_implemented_with_any_method(sender: Any, path: str) -> None:
    for method in METHODS:
        answer = send(sender, method, path)
        assert (answer.status_code, answer.content_type) == (501, SCIM)
        assert (answer.json["schemas"], answer.json["status"]) == ([ERROR], "501")
    assert sender.get("/Users").json["totalResults"] == 0


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/Users", {"GET", "POST"}),
        ("/Groups", {"GET", "POST"}),
        ("/Users/x", {"GET", "PUT", "PATCH", "DELETE"}),
        ("/Groups/x", {"GET", "PUT", "PATCH", "DELETE"}),
        ("/", {"GET"}),
        ("/.search", {"POST"}),
        ("/Users/.search", {"POST"}),
        ("/Bulk", {"POST"}),
    ],
)
def test_other_methods_are_refused_with_those_that_are_taken(sender: Any, path: str, allowed: set[str]) -> None:
    for method in {*METHODS, "OPTIONS", "TRACE", "PROPFIND"} - allowed:
        answer = send(sender, method, path)
        assert (answer.status_code, answer.content_type) == (405, SCIM)
        assert {each.strip() for each in answer.headers["Allow"].split(",")} == allowed
        assert (answer.json["schemas"], answer.json["status"]) == ([ERROR], "405")


@pytest.mark.parametrize("path", ["/Nosuch", "/Nosuch/1", "/Users/1/2", "/Users/1/emails", "/v2/Users", "/%00"])
def test_what_is_no_endpoint_is_not_found(sender: Any, path: str) -> None:
    for method in (*METHODS, "OPTIONS", "PROPFIND"):
        answer = send(sender, method, path)
        assert (answer.status_code in (404, 405), answer.content_type) == (True, SCIM)
        assert answer.json["schemas"] == [ERROR]
        assert answer.json["status"] == str(answer.status_code)
        assert method not in answer.headers.get("Allow", "")


@pytest.mark.parametrize(
    "scim_id", ["nobody", "00919288221112222", "%00", "%ED%A0%80", "a%2Fb", "é", "x" * 3000, "..", "bulkId:x"]
)
def test_an_unknown_id_is_not_found_with_any_method(sender: Any, scim_id: str) -> None:
    body = {"userName": "x", "displayName": "x"}
    for path in (f"/Users/{scim_id}", f"/Groups/{scim_id}"):
        answers = [
            sender.get(path),
            sender.put(path, body),
            sender.patch(path, {"op": "replace", "path": "displayName", "value": "y"}),
            sender.delete(path),
        ]
        assert [each.status_code for each in answers] == [404] * 4
        assert all(each.json["schemas"] == [ERROR] and each.json["status"] == "404" for each in answers)
        assert all(each.json["detail"] for each in answers)
    assert sender.get("/").json["totalResults"] == 0


def test_the_id_of_one_kind_is_unknown_to_the_other(sender: Any) -> None:
    ann, sales = sender.user("ann"), sender.group("Sales")
    for path in (f"/Groups/{ann['id']}", f"/Users/{sales['id']}"):
        assert sender.get(path).status_code == 404
        assert sender.delete(path).status_code == 404
    assert sender.get("/").json["totalResults"] == 2


def test_a_second_delete_finds_nothing(sender: Any) -> None:
    for path in (f"/Users/{sender.user('ann')['id']}", f"/Groups/{sender.group('Sales')['id']}"):
        assert [sender.delete(path).status_code for _ in range(3)] == [204, 404, 404]
        assert sender.last.json["schemas"] == [ERROR]
        assert sender.get(path).status_code == 404
        assert sender.put(path, {"userName": "x", "displayName": "x"}).status_code == 404


def test_a_delete_answers_nothing(sender: Any) -> None:
    answer = sender.delete(f"/Users/{sender.user('ann')['id']}")
    assert (answer.status_code, answer.data) == (204, b"")


@pytest.mark.parametrize("path", ["/Users/{}", "/Users", "/Users?count=0", "/", "/Schemas", "/ServiceProviderConfig"])
def test_head_answers_as_get_without_the_body(sender: Any, path: str) -> None:
    path = path.format(sender.user("ann")["id"])
    got, headed = sender.get(path), sender.send("HEAD", path)
    assert (headed.status_code, headed.data) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "Content-Location"):
        assert headed.headers.get(name) == got.headers.get(name)
    assert sender.send("HEAD", "/Users/nobody").status_code == 404


@pytest.mark.parametrize("path", ["/users", "/USERS", "/Users/", "/users/?startIndex=1&"])
def test_a_path_is_read_in_any_case_with_any_end(sender: Any, path: str) -> None:
    ann = sender.user("ann")
    assert [each["id"] for each in sender.get(path).json["Resources"]] == [ann["id"]]
    one = sender.get(f"/users/{ann['id']}/")
    assert one.json["meta"]["location"] == one.headers["Content-Location"] == ann["meta"]["location"]


@pytest.mark.parametrize("accept", ["application/scim+json", "application/json", "*/*", "text/html", ""])
def test_every_answer_is_scim_json(sender: Any, accept: str) -> None:
    ann = sender.user("ann")
    for path in (f"/Users/{ann['id']}", "/Users", "/Users/nobody", "/Schemas", "/Me"):
        assert sender.get(path, Accept=accept).content_type == SCIM


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("application/scim+json", 201),
        ("application/scim+json; charset=utf-8", 201),
        ("application/json;charset=UTF-8", 201),
        ("APPLICATION/JSON", 201),
        ("", 201),
        ("text/plain", 415),
        ("application/xml", 415),
        ("application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_is_json_by_any_of_its_names(sender: Any, given: str, status: int) -> None:
    answer = sender.post("/Users", {"userName": "ann"}, Content_Type=given)
    assert (answer.status_code, answer.content_type) == (status, SCIM)


def test_a_put_does_not_create(sender: Any) -> None:
    """RFC 7644 section 3.5.1: HTTP PUT MUST NOT be used to create new resources."""
    assert sender.put("/Users/my-own-id", {"userName": "ann", "id": "my-own-id"}).status_code == 404
    assert sender.get("/Users").json["totalResults"] == 0
