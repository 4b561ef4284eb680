"""Searching with GET, with POST on `.search`, of one resource type and of all (RFC 7644 section 3.4)."""

import time
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from scim2_server import cursor

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


@pytest.fixture
def people(sender: Any) -> dict[str, str]:
    """Three users and a group; gives their ids by name."""
    made = {
        name: sender.user(name, title=title, active=active, emails=emails, **{ENTERPRISE: {"employeeNumber": number}})
        for name, title, active, number, emails in (
            ("ann", "b", True, "10", [{"value": "z@x"}, {"value": "a@x", "primary": True}]),
            ("bob", "A", False, "9", [{"value": "c@x"}, {"value": "d@x"}]),
            ("cid", None, True, "11", [{"value": "b@x"}]),
        )
    }
    made["sales"] = sender.group("Sales", made["ann"]["id"])
    return {name: each["id"] for name, each in made.items()}


def search(sender: Any, path: str, **members: Any) -> Any:
    return sender.post(f"{path}/.search", {"schemas": [SEARCH], **members})


def short(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    found = answer.json["Resources"]
    return [each.get("userName", each.get("displayName")).partition("@")[0] for each in found]


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"filter": 'title eq "B" or active eq false', "count": 1, "startIndex": 2, "sortBy": "userName"},
        {"sortBy": "title", "sortOrder": "descending", "attributes": "userName,title"},
        {"excludedAttributes": "emails,meta", "count": 2},
        {"count": 0},
        {"startIndex": 9},
        {"filter": 'emails[value eq "a@x" and primary eq true]'},
        {"filter": f'{ENTERPRISE}:employeeNumber sw "1"', "sortBy": f"{ENTERPRISE}:employeeNumber"},
    ],
)
@pytest.mark.usefixtures("people")
def test_get_answers_as_post_does(sender: Any, asked: dict[str, Any]) -> None:
    query = "&".join(f"{name}={quote(str(value))}" for name, value in asked.items())
    as_lists = {name: value.split(",") if name.endswith("ttributes") else value for name, value in asked.items()}
    with_get, with_post = sender.get(f"/Users?{query}"), search(sender, "/Users", **as_lists)
    assert with_get.status_code == with_post.status_code == 200
    assert with_get.json == with_post.json
    assert with_get.json["schemas"] == [LIST]


def test_the_root_searches_both_kinds(sender: Any, people: dict[str, str]) -> None:
    for answer in (sender.get("/"), search(sender, "")):
        assert {each["id"] for each in answer.json["Resources"]} == set(people.values())
        assert answer.json["totalResults"] == 4
    assert short(search(sender, "", filter='meta.resourceType eq "Group"')) == ["Sales"]
    assert short(search(sender, "", filter="userName pr", sortBy="userName")) == ["ann", "bob", "cid"]
    assert short(search(sender, "", filter='displayName eq "sales"')) == ["Sales"]
    assert short(search(sender, "", count=2, startIndex=4, sortBy="meta.created")) == ["Sales"]
    page = search(sender, "", attributes=["displayName"], filter=f'id eq "{people["sales"]}"').json["Resources"]
    assert page == [{"schemas": page[0]["schemas"], "id": people["sales"], "displayName": "Sales"}]


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("userName", ["ann", "bob", "cid"]),
        ("USERNAME", ["ann", "bob", "cid"]),
        ("urn:ietf:params:scim:schemas:core:2.0:User:userName", ["ann", "bob", "cid"]),
        # Case does not count; who has none comes last (RFC 7644 section 3.4.2.3).
        ("title", ["bob", "ann", "cid"]),
        ("active", ["bob", "ann", "cid"]),
        ("meta.created", ["ann", "bob", "cid"]),
        (f"{ENTERPRISE}:employeeNumber", ["ann", "cid", "bob"]),
        ("employeeNumber", ["ann", "cid", "bob"]),
        # Of several values the primary one counts, else the first.
        ("emails", ["ann", "cid", "bob"]),
        ("emails.value", ["ann", "cid", "bob"]),
        # Ties, and what nobody has, are left in one order.
        ("nickName", ["ann", "bob", "cid"]),
        ("meta.resourceType", ["ann", "bob", "cid"]),
    ],
)
@pytest.mark.usefixtures("people")
def test_any_attribute_sorts(sender: Any, by: str, order: list[str]) -> None:
    assert short(sender.get(f"/Users?sortBy={by}")) == order
    assert short(sender.get(f"/Users?sortBy={by}&sortOrder=ascending")) == order
    tied = by in ("nickName", "meta.resourceType", "active")
    if not tied:
        assert short(sender.get(f"/Users?sortBy={by}&sortOrder=descending")) == order[::-1]
        assert short(search(sender, "/Users", sortBy=by, sortOrder="Descending")) == order[::-1]
    walked = [short(sender.get(f"/Users?sortBy={by}&startIndex={number}&count=1"))[0] for number in (1, 2, 3)]
    assert walked == order


@pytest.mark.parametrize(
    ("query", "scim_type"),
    [
        ("sortBy=nosuch", "invalidPath"),
        ("sortBy=name", "invalidPath"),
        ("sortBy=password", "invalidPath"),
        ("sortBy=userName&sortOrder=sideways", "invalidValue"),
        ("startIndex=abc", "invalidValue"),
        ("count=1.5", "invalidValue"),
        ("filter=nosuch eq 1", "invalidFilter"),
        ("filter=userName eq", "invalidFilter"),
        ("filter=", "invalidFilter"),
        ("cursor=forged", "invalidCursor"),
        ("cursor=&startIndex=2", "invalidValue"),
    ],
)
def test_a_search_that_cannot_be_done_is_refused(sender: Any, query: str, scim_type: str) -> None:
    sender.user("ann")
    message = dict(part.partition("=")[::2] for part in query.split("&"))
    for answer in (sender.get(f"/Users?{query}"), search(sender, "/Users", **message)):
        assert (answer.status_code, answer.json["scimType"]) == (400, scim_type)
        assert answer.json["detail"]


@pytest.mark.parametrize(
    ("query", "start", "found"),
    [
        ("startIndex=0&count=2", 1, 2),
        ("startIndex=-5&count=1", 1, 1),
        ("startIndex=2&count=2", 2, 2),
        ("count=0", 1, 0),
        ("count=-1", 1, 0),
        ("startIndex=4", 4, 0),
        ("startIndex=3&count=5", 3, 1),
        ("count=1000", 1, 3),
        ("startIndex=99999999999999999999", 99999999999999999999, 0),
        ("count=99999999999999999999", 1, 3),
        ("", 1, 3),
        ("foo=bar&", 1, 3),
    ],
)
def test_pages_by_index(sender: Any, query: str, start: int, found: int) -> None:
    for name in ("ann", "bob", "cid"):
        sender.user(name)
    page = sender.get(f"/Users?{query}").json
    assert (page["totalResults"], page["startIndex"], page["itemsPerPage"]) == (3, start, found)
    assert len(page["Resources"]) == found


def test_pages_by_cursor_forth_and_back(sender: Any) -> None:
    names = [f"u{number}" for number in range(7)]
    for name in names:
        sender.user(name)
    first = sender.get("/Users?cursor=&count=3&sortBy=userName").json
    second = sender.get(f"/Users?cursor={first['nextCursor']}&count=3&sortBy=userName").json
    third = search(sender, "/Users", cursor=second["nextCursor"], count=3, sortBy="userName").json
    found = [each["userName"].partition("@")[0] for page in (first, second, third) for each in page["Resources"]]
    assert found == names
    assert "nextCursor" not in third
    assert "previousCursor" not in first
    assert not any("startIndex" in page for page in (first, second, third))
    back = sender.get(f"/Users?cursor={third['previousCursor']}&count=3&sortBy=userName").json
    assert back["Resources"] == second["Resources"]
    # A cursor belongs to its search (RFC 9865 section 2.2).
    for query in ("sortBy=title&count=3", "count=3", 'sortBy=userName&count=3&filter=userName eq "u1"'):
        assert sender.get(f"/Users?cursor={first['nextCursor']}&{query}").json["scimType"] == "invalidCursor"
    other = sender.get(f"/Users?cursor={first['nextCursor']}&count=4&sortBy=userName")
    assert (other.status_code, other.json["scimType"]) == (400, "invalidCount")


def test_a_cursor_expires_when_it_was_announced_to(sender: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ann", "bob", "cid"):
        sender.user(name)
    after_s = sender.get("/ServiceProviderConfig").json["pagination"]["cursorTimeout"]
    next_page = f"/Users?cursor={sender.get('/Users?cursor=&count=2').json['nextCursor']}&count=2"
    now = time.time()
    monkeypatch.setattr(cursor, "time", SimpleNamespace(time=lambda: now + after_s - 2))
    assert short(sender.get(next_page)) == ["cid"]
    monkeypatch.setattr(cursor, "time", SimpleNamespace(time=lambda: now + after_s + 2))
    late = sender.get(next_page)
    assert (late.status_code, late.json["scimType"]) == (400, "expiredCursor")


def test_a_cursor_goes_on_where_it_was_while_people_come(sender: Any) -> None:
    for name in ("b", "d", "f"):
        sender.user(name)
    first = sender.get("/Users?cursor=&count=2&sortBy=userName").json
    sender.user("a")
    sender.user("e")
    assert short(sender.get(f"/Users?cursor={first['nextCursor']}&count=2&sortBy=userName")) == ["e", "f"]


def test_search_is_for_post(sender: Any) -> None:
    for path in ("/.search", "/Users/.search", "/Groups/.search/"):
        for method in ("GET", "PUT", "PATCH", "DELETE", "HEAD"):
            answer = sender.send(method, path, {} if method in ("PUT", "PATCH") else None)
            assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert search(sender, "/Nosuch").status_code == 404


@pytest.mark.parametrize("body", ["", "[]", "{", '"x"', '{"schemas": ["urn:other"]}', '{"count": "x"}'])
def test_what_is_no_search_request_is_refused(sender: Any, body: str) -> None:
    answer = sender.post("/Users/.search", body)
    assert answer.status_code == 400
    assert answer.json["scimType"] in ("invalidSyntax", "invalidValue")


def test_a_search_without_a_hit_is_an_empty_list(sender: Any) -> None:
    empty = {"schemas": [LIST], "totalResults": 0, "itemsPerPage": 0, "startIndex": 1, "Resources": []}
    for path in ('/Users?filter=userName eq "9a3f"&startIndex=1&count=100', "/Users", "/Groups", "/"):
        assert sender.get(path).json == empty
    for path in ("/Users", "/Groups", ""):
        assert search(sender, path).json == empty
