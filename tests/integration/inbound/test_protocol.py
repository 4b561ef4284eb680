"""SCIM as RFC 7643 and 7644 say it, over the whole inbound path."""

from typing import Any

import pytest
from running.door import SCIM

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def test_a_create_is_answered_with_the_whole_resource_and_its_location(sender: Any) -> None:
    response = sender.post("/Users", {"userName": "ann@example.com", "name": {"givenName": "Ann"}, "externalId": "E1"})
    assert response.status_code == 201
    assert response.content_type == SCIM
    body = response.json
    assert body["userName"] == "ann@example.com"
    assert body["active"] is True
    assert body["externalId"] == "E1"
    assert response.headers["Location"] == body["meta"]["location"] == f"http://localhost/scim/v2/Users/{body['id']}"
    assert response.headers["ETag"] == body["meta"]["version"]
    assert sender.get(f"/Users/{body['id']}").json == body


def test_a_taken_name_is_a_uniqueness_conflict_whatever_its_case(sender: Any) -> None:
    sender.user("ann", active=False)
    response = sender.post("/Users", {"userName": "ANN@Example.com"})
    assert (response.status_code, response.json["scimType"]) == (409, "uniqueness")


def test_a_rename_frees_the_old_name(sender: Any) -> None:
    ann = sender.user("ann")
    assert sender.put(f"/Users/{ann['id']}", {"userName": "anna@example.com"}).status_code == 200
    sender.user("ann")


def test_a_rename_to_a_taken_name_changes_nothing(sender: Any) -> None:
    ann, _ = sender.user("ann"), sender.user("bob")
    response = sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "userName", "value": "BOB@example.com"})
    assert response.status_code == 409
    assert sender.get(f"/Users/{ann['id']}").json == ann


def test_a_deleted_user_is_gone_and_the_name_is_free_at_once(sender: Any) -> None:
    ann = sender.user("ann")
    assert sender.delete(f"/Users/{ann['id']}").status_code == 204
    assert sender.get(f"/Users/{ann['id']}").status_code == 404
    assert sender.delete(f"/Users/{ann['id']}").status_code == 404
    assert sender.get('/Users?filter=userName eq "ann@example.com"').json["totalResults"] == 0
    assert sender.user("ann")["id"] != ann["id"]


def test_a_deactivated_user_stays_readable(sender: Any) -> None:
    ann = sender.user("ann")
    response = sender.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"active": False}})
    assert (response.status_code, response.json["active"]) == (200, False)
    found = sender.get('/Users?filter=userName eq "ann@example.com"').json
    assert [each["active"] for each in found["Resources"]] == [False]


def test_a_put_that_does_not_say_active_does_not_revive_a_leaver(sender: Any) -> None:
    ann = sender.user("ann", active=False)
    response = sender.put(f"/Users/{ann['id']}", {"userName": "ann@example.com", "title": "Boss"})
    assert (response.json["title"], response.json["active"]) == ("Boss", False)


def test_a_password_is_neither_kept_nor_returned(sender: Any, shared_store: Any) -> None:
    ann = sender.user("ann", password="correct horse")
    sender.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"password": "battery staple", "title": "x"}})
    sender.patch(f"/Users/{ann['id']}", {"op": "add", "path": "Password", "value": "battery staple"})
    assert "password" not in sender.get(f"/Users/{ann['id']}").json
    with shared_store.across_tenants("look for the secret") as tx:
        for table in ("resource", "change", "lookup"):
            rows = tx.connection.exec_driver_sql(f'SELECT * FROM "{table}"').all()
            assert not any("horse" in str(row) or "staple" in str(row) for row in rows)


def test_an_edit_that_changes_nothing_keeps_the_version(sender: Any) -> None:
    ann = sender.user("ann", emails=[{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "home"}])
    same = {**ann, "emails": list(reversed(ann["emails"]))}
    assert sender.put(f"/Users/{ann['id']}", same).json["meta"] == ann["meta"]
    sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "active", "value": True})
    assert sender.get(f"/Users/{ann['id']}").json["meta"] == ann["meta"]


def test_a_stale_if_match_is_refused(sender: Any) -> None:
    ann = sender.user("ann")
    title = {"op": "replace", "path": "title", "value": "Boss"}
    newer = sender.patch(f"/Users/{ann['id']}", title, If_Match=ann["meta"]["version"])
    assert newer.status_code == 200
    stale = {"If_Match": ann["meta"]["version"]}
    for response in (
        sender.patch(f"/Users/{ann['id']}", {**title, "value": "Chief"}, **stale),
        sender.put(f"/Users/{ann['id']}", ann, **stale),
        sender.delete(f"/Users/{ann['id']}", **stale),
    ):
        assert response.status_code == 412
    assert sender.get(f"/Users/{ann['id']}").json["title"] == "Boss"


def test_if_none_match_answers_304_with_the_tag(sender: Any) -> None:
    ann = sender.user("ann")
    response = sender.get(f"/Users/{ann['id']}", If_None_Match=ann["meta"]["version"])
    assert (response.status_code, response.headers["ETag"], response.data) == (304, ann["meta"]["version"], b"")


def test_a_users_groups_follow_the_membership(sender: Any) -> None:
    ann = sender.user("ann")
    sales = sender.group("Sales", ann["id"])
    shown = sender.get(f"/Users/{ann['id']}").json["groups"]
    assert [(each["value"], each["display"]) for each in shown] == [(sales["id"], "Sales")]
    sender.delete(f"/Groups/{sales['id']}")
    assert "groups" not in sender.get(f"/Users/{ann['id']}").json


def test_deleting_a_user_ends_the_memberships(sender: Any) -> None:
    ann, bob = sender.user("ann"), sender.user("bob")
    sales = sender.group("Sales", ann["id"], bob["id"])
    sender.delete(f"/Users/{ann['id']}")
    assert sender.member_ids(sales["id"]) == {bob["id"]}


def test_an_empty_group_says_that_it_has_no_members(sender: Any) -> None:
    sales = sender.group("Sales")
    assert sales["members"] == []
    assert sender.get(f"/Groups/{sales['id']}").json["members"] == []
    assert sender.get("/Groups").json["Resources"][0]["members"] == []
    assert "members" not in sender.get(f"/Groups/{sales['id']}?excludedAttributes=members").json
    assert "members" not in sender.get("/Groups?excludedAttributes=members").json["Resources"][0]
    assert "members" not in sender.get("/Groups?attributes=displayName").json["Resources"][0]


def test_a_put_of_a_group_replaces_members_only_if_it_names_them(sender: Any) -> None:
    ann, bob = sender.user("ann"), sender.user("bob")
    sales = sender.group("Sales", ann["id"])
    sender.put(f"/Groups/{sales['id']}", {"displayName": "Sales EMEA"})
    assert sender.member_ids(sales["id"]) == {ann["id"]}
    answer = sender.put(f"/Groups/{sales['id']}", {"displayName": "Sales", "members": [{"value": bob["id"]}]})
    assert [each["value"] for each in answer.json["members"]] == [bob["id"]]
    sender.put(f"/Groups/{sales['id']}", {"displayName": "Sales", "members": []})
    assert sender.member_ids(sales["id"]) == set()


def test_a_member_who_does_not_exist_is_refused_and_nothing_changes(sender: Any) -> None:
    ann = sender.user("ann")
    sales = sender.group("Sales")
    value = [{"value": ann["id"]}, {"value": "nobody"}]
    response = sender.patch(f"/Groups/{sales['id']}", {"op": "add", "path": "members", "value": value})
    assert (response.status_code, response.json["scimType"]) == (400, "invalidValue")
    assert "nobody" in response.json["detail"]
    assert sender.member_ids(sales["id"]) == set()
    response = sender.post("/Groups", {"displayName": "New", "members": [{"value": "nobody"}]})
    assert response.status_code == 400
    assert sender.get("/Groups").json["totalResults"] == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("startIndex=0&count=2", (1, 2)),
        ("startIndex=-5&count=1", (1, 1)),
        ("startIndex=2&count=2", (2, 2)),
        ("count=0", (1, 0)),
        ("count=-1", (1, 0)),
        ("startIndex=9&count=2", (9, 0)),
        ("count=1000", (1, 3)),
        ("", (1, 3)),
    ],
)
def test_pages_by_index(sender: Any, query: str, expected: tuple[int, int]) -> None:
    for name in ("ann", "bob", "cid"):
        sender.user(name)
    page = sender.get(f"/Users?{query}").json
    assert page["totalResults"] == 3
    assert (page["startIndex"], page["itemsPerPage"]) == expected
    assert len(page["Resources"]) == expected[1]


def test_pages_by_cursor_forth_and_back(sender: Any) -> None:
    names = [f"u{number}@example.com" for number in range(7)]
    for name in names:
        sender.user(name.partition("@")[0])
    first = sender.get("/Users?cursor=&count=3&sortBy=userName").json
    second = sender.get(f"/Users?cursor={first['nextCursor']}&count=3&sortBy=userName").json
    third = sender.get(f"/Users?cursor={second['nextCursor']}&count=3&sortBy=userName").json
    found = [each["userName"] for page in (first, second, third) for each in page["Resources"]]
    assert found == names
    assert "nextCursor" not in third
    back = sender.get(f"/Users?cursor={third['previousCursor']}&count=3&sortBy=userName").json
    assert back["Resources"] == second["Resources"]
    assert sender.get("/Users?cursor=forged").json["scimType"] == "invalidCursor"
    other = sender.get(f"/Users?cursor={first['nextCursor']}&count=3&sortBy=title")
    assert other.json["scimType"] == "invalidCursor"


def test_sorts_and_searches_with_post(sender: Any) -> None:
    for name, title in (("ann", "b"), ("bob", "A"), ("cid", None)):
        sender.user(name, title=title)
    message = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "filter": "userName pr",
        "sortBy": "title",
        "sortOrder": "descending",
        "attributes": ["userName"],
    }
    page = sender.post("/Users/.search", message).json
    assert [each["userName"][:3] for each in page["Resources"]] == ["cid", "ann", "bob"]
    assert set(page["Resources"][0]) == {"schemas", "id", "userName"}


def test_the_root_lists_both_kinds(sender: Any) -> None:
    ann = sender.user("ann")
    sales = sender.group("Sales", ann["id"])
    found = sender.get('/?filter=meta.resourceType eq "Group" or userName pr').json
    assert {each["id"] for each in found["Resources"]} == {ann["id"], sales["id"]}


def test_a_filter_without_a_hit_is_an_empty_list(sender: Any) -> None:
    response = sender.get('/Users?filter=userName eq "9a3f"&startIndex=1&count=100')
    assert response.status_code == 200
    assert response.json == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": 0,
        "itemsPerPage": 0,
        "startIndex": 1,
        "Resources": [],
    }


def test_values_come_back_as_sent(sender: Any) -> None:
    text = "  Zoë O'Brien 😀 山田  "
    ann = sender.user(
        "ann", title=text, name={"formatted": text}, phoneNumbers=[{"value": "(030) 12-3", "type": "fax"}]
    )
    read = sender.get(f"/Users/{ann['id']}").json
    assert (read["title"], read["name"]["formatted"]) == (text, text)
    assert read["phoneNumbers"] == [{"value": "(030) 12-3", "type": "fax"}]


def test_bulk_runs_every_operation_and_resolves_references(sender: Any) -> None:
    message = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [
            {
                "method": "POST",
                "path": "/Groups",
                "bulkId": "g",
                "data": {"displayName": "Sales", "members": [{"value": "bulkId:a"}]},
            },
            {"method": "POST", "path": "/Users", "bulkId": "a", "data": {"userName": "ann", "password": "x"}},
            {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"userName": "ANN"}},
            {
                "method": "PATCH",
                "path": "/Users/none",
                "data": {"Operations": [{"op": "add", "value": {"title": "x"}}]},
            },
        ],
    }
    answer = sender.post("/Bulk", message)
    assert answer.status_code == 200
    assert [each["status"] for each in answer.json["Operations"]] == ["201", "201", "409", "404"]
    ann = sender.get('/Users?filter=userName eq "ann"').json["Resources"][0]
    group = sender.get("/Groups").json["Resources"][0]
    assert [each["value"] for each in group["members"]] == [ann["id"]]
    edits = [
        {
            "method": "PATCH",
            "path": f"/Groups/{group['id']}",
            "data": {"Operations": [{"op": "Remove", "path": "members", "value": [{"value": ann["id"]}]}]},
        },
        {"method": "PUT", "path": f"/Users/{ann['id']}", "data": {"userName": "ann", "active": "False"}},
        {"method": "DELETE", "path": f"/Groups/{group['id']}"},
    ]
    answer = sender.post("/Bulk", {**message, "Operations": edits}).json
    assert [each["status"] for each in answer["Operations"]] == ["200", "200", "204"]
    assert sender.get(f"/Users/{ann['id']}").json["active"] is False


def test_bulk_stops_after_as_many_errors_as_allowed(sender: Any) -> None:
    operations = [{"method": "DELETE", "path": f"/Users/none{number}"} for number in range(5)]
    message = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "failOnErrors": 2,
        "Operations": operations,
    }
    assert len(sender.post("/Bulk", message).json["Operations"]) == 2


def test_discovery_says_what_is_kept(sender: Any) -> None:
    config = sender.get("/ServiceProviderConfig").json
    assert config["bulk"] == {"supported": True, "maxOperations": 50, "maxPayloadSize": 200_000}
    assert config["filter"] == {"supported": True, "maxResults": 50}
    assert all(config[name]["supported"] for name in ("patch", "sort", "etag"))
    assert config["pagination"]["cursor"] is True
    assert config["changePassword"]["supported"] is False
    schemes = [(each["type"], each["primary"]) for each in config["authenticationSchemes"]]
    assert schemes == [("oauthbearertoken", True), ("httpbasic", False)]
    types = sender.get("/ResourceTypes").json
    assert [each["endpoint"] for each in types["Resources"]] == ["/Users", "/Groups"]
    schemas = sender.get("/Schemas").json
    assert schemas["totalResults"] == 4
    assert sender.get(f"/Schemas/{ENTERPRISE}").status_code == 200


def test_me_is_not_implemented(sender: Any) -> None:
    assert sender.get("/Me").status_code == 501


def test_head_answers_as_get_without_a_body(sender: Any) -> None:
    ann = sender.user("ann")
    response = sender.send("HEAD", f"/Users/{ann['id']}")
    assert (response.status_code, response.data) == (200, b"")
