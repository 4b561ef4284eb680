"""SCIM as RFC 7643 and 7644 say it, over the whole inbound path."""

from typing import Any

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


def test_values_come_back_as_sent(sender: Any) -> None:
    text = "  Zoë O'Brien 😀 山田  "
    ann = sender.user(
        "ann", title=text, name={"formatted": text}, phoneNumbers=[{"value": "(030) 12-3", "type": "fax"}]
    )
    read = sender.get(f"/Users/{ann['id']}").json
    assert (read["title"], read["name"]["formatted"]) == (text, text)
    assert read["phoneNumbers"] == [{"value": "(030) 12-3", "type": "fax"}]
