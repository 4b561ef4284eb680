"""What identity providers send, as they send it. Microsoft Entra has a module of its own."""

from typing import Any

import pytest
from running.door import SCIM

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
OKTA = {
    "User_Agent": "Okta SCIM Client 1.0.0",
    "Accept": SCIM,
    "Content_Type": f"{SCIM}; charset=utf-8",
}

# What is sent is bent before the database is asked, so one of them is enough.
pytestmark = pytest.mark.parametrize("shared_store", ["sqlite"], indirect=True, scope="module")


def test_okta_pushes_a_user_and_deactivates_them(sender: Any) -> None:
    assert sender.get("/Users?startIndex=1&count=2", **OKTA).status_code == 200
    looked = sender.get("/Users?filter=userName%20eq%20%22ann%40example.com%22&startIndex=1&count=100", **OKTA)
    assert looked.json["totalResults"] == 0
    created = sender.post(
        "/Users",
        {
            "schemas": [CORE],
            "userName": "ann@example.com",
            "name": {"givenName": "Ann", "familyName": "Doe"},
            "emails": [{"primary": True, "value": "ann@example.com", "type": "work"}],
            "displayName": "Ann Doe",
            "locale": "en-US",
            "externalId": "00u1",
            "groups": [],
            "password": "1mz050nq",
            "active": True,
        },
        **OKTA,
    )
    assert created.status_code == 201
    read = sender.get(f"/Users/{created.json['id']}", **OKTA).json
    read["name"]["familyName"] = "Smith"
    put = sender.put(f"/Users/{read['id']}", read, **OKTA)
    assert (put.status_code, put.json["name"]["familyName"]) == (200, "Smith")
    off = sender.patch(f"/Users/{read['id']}", {"op": "replace", "value": {"active": False}}, **OKTA)
    assert (off.status_code, off.json["active"]) == (200, False)


def test_okta_group_push_renames_and_swaps_members(sender: Any) -> None:
    ann, bob = sender.user("ann"), sender.user("bob")
    group = sender.post("/Groups", {"displayName": "Sales", "members": []}, **OKTA).json
    path = f"/Groups/{group['id']}"
    rename = {"op": "replace", "value": {"id": group["id"], "displayName": "Sales EMEA"}}
    assert sender.patch(path, rename, **OKTA).status_code == 204
    full = {"op": "replace", "path": "members", "value": [{"value": ann["id"], "display": "ann@example.com"}]}
    assert sender.patch(path, full, **OKTA).status_code == 204
    swap = (
        {"op": "remove", "path": f'members[value eq "{ann["id"]}"]'},
        {"op": "add", "path": "members", "value": [{"value": bob["id"], "display": "bob"}]},
    )
    assert sender.patch(path, *swap, **OKTA).status_code == 204
    assert sender.member_ids(group["id"]) == {bob["id"]}
    assert sender.get(path).json["displayName"] == "Sales EMEA"
    assert sender.patch(path, {"op": "replace", "path": "members", "value": []}, **OKTA).status_code == 204
    assert sender.member_ids(group["id"]) == set()


def test_onelogin_sends_wrong_urns_and_dangling_signs(sender: Any) -> None:
    assert sender.get("/Users?filter=userName+eq+%22ann%22&").json["totalResults"] == 0
    schemas = ["urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"]
    body = {"schemas": schemas, "userName": "ann", "id": None, "active": "true", "manager": {"managerId": "x"}}
    created = sender.post("/Users", body, Content_Type="application/json")
    assert (created.status_code, created.json["schemas"]) == (201, [CORE])
    assert sender.put(f"/Users/{created.json['id']}?", {**body, "title": "Boss"}).json["title"] == "Boss"


def test_authentik_puts_and_patches_with_ids_and_schemas(sender: Any) -> None:
    ann = sender.user("ann")
    group = sender.post("/Groups", {"displayName": "Sales", "externalId": "1"}).json
    value = {"schemas": group["schemas"], "id": group["id"], "externalId": "1", "displayName": "Sales 2"}
    assert sender.patch(f"/Groups/{group['id']}", {"op": "replace", "value": value}).status_code == 204
    one = {"op": "add", "path": "members", "value": [{"value": ann["id"]}]}
    assert sender.patch(f"/Groups/{group['id']}", one).status_code == 204
    read = sender.get(f"/Groups/{group['id']}").json
    assert (read["displayName"], read["members"][0]["value"]) == ("Sales 2", ann["id"])
    assert sender.put("/Users/unknown", {"userName": "x"}).status_code == 404


def test_keycloak_sends_relative_locations_back(sender: Any) -> None:
    ann = sender.user("ann")
    sales = sender.group("Sales", ann["id"])
    body = {
        "displayName": "Sales",
        "meta": {"location": "Groups/1", "resourceType": "Group"},
        "members": [{"value": ann["id"], "$ref": f"Users/{ann['id']}"}],
    }
    assert sender.put(f"/Groups/{sales['id']}", body).json["meta"]["version"] == sales["meta"]["version"]


def test_a_patch_without_schemas_and_with_nothing_to_do_succeeds(sender: Any) -> None:
    ann = sender.user("ann")
    nothing = {"Operations": [{"op": "Add", "path": "title", "value": None}, {"op": "replace", "value": {"nosuch": 1}}]}
    response = sender.send("PATCH", f"/Users/{ann['id']}", nothing)
    assert (response.status_code, response.json) == (200, ann)


def test_onelogins_templates_send_empty_texts_for_what_a_user_lacks(sender: Any) -> None:
    body = {
        "schemas": ["urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"],
        "id": None,
        "userName": "ann",
        "active": "",
        "name": "",
        "title": "",
        "emails": [{"value": "ann@corp.local", "type": "work", "primary": "true"}, {"value": "", "type": "home"}],
        "phoneNumbers": [{"value": "", "type": "work", "primary": ""}, {"value": None, "type": "mobile"}],
        "addresses": [{"locality": "", "region": "", "country": "", "type": "work"}],
        "roles": "",
        "profileUrl": "no url",
        ENTERPRISE: {"department": "", "manager": {"value": "", "displayName": " "}},
    }
    created = sender.post("/Users", body, Content_Type="application/json")
    assert created.status_code == 201, created.text
    shown = {key: value for key, value in created.json.items() if key not in ("schemas", "id", "meta")}
    assert shown == {
        "userName": "ann",
        "active": True,
        "title": "",
        "emails": [{"value": "ann@corp.local", "type": "work", "primary": True}],
        "profileUrl": "no url",
        ENTERPRISE: {"department": ""},
    }
    again = sender.put(f"/Users/{created.json['id']}", body, Content_Type="application/json")
    assert (again.status_code, again.json) == (200, created.json)


def test_authentik_looks_people_up_without_quotes(sender: Any) -> None:
    ann = sender.user("ann")
    assert sender.post("/Users", {"userName": ann["userName"].upper()}).status_code == 409
    found = sender.get(f"/Users?filter=userName+eq+{ann['userName']}").json
    assert [each["id"] for each in found["Resources"]] == [ann["id"]]


def test_pingone_matches_by_names_in_another_case(sender: Any) -> None:
    ann = sender.user("ann", emails=[{"type": "work", "value": "ann@corp.local"}])
    for query in ('username Eq "ANN@example.com"', 'emails Eq "ann@corp.local"', "emails Eq ann@corp.local"):
        assert [each["id"] for each in sender.get(f"/Users?filter={query}").json["Resources"]] == [ann["id"]]


def test_keycloak_puts_the_object_of_a_patch_in_a_list(sender: Any) -> None:
    ann, sales = sender.user("ann"), sender.group("Sales")
    value = [{"displayName": "Sales EMEA", "members": [{"value": ann["id"], "type": "User"}]}]
    assert sender.patch(f"/Groups/{sales['id']}", {"op": "replace", "value": value}).status_code == 204
    read = sender.get(f"/Groups/{sales['id']}").json
    assert (read["displayName"], [each["value"] for each in read["members"]]) == ("Sales EMEA", [ann["id"]])


def test_keycloak_with_patches_removes_the_last_member_beside_a_null(sender: Any) -> None:
    sales = sender.group("Sales", sender.user("ann")["id"])
    operations = (
        {"op": "remove", "path": "members", "value": None},
        {"op": "replace", "path": "externalId", "value": "k1"},
    )
    assert sender.patch(f"/Groups/{sales['id']}", *operations).status_code == 204
    read = sender.get(f"/Groups/{sales['id']}").json
    assert (read["members"], read["externalId"]) == ([], "k1")


@pytest.mark.parametrize("unsaid", [{}, {"members": None}])
def test_a_group_that_does_not_speak_of_its_members_keeps_them(sender: Any, unsaid: dict[str, Any]) -> None:
    ann = sender.user("ann")
    sales = sender.group("Sales", ann["id"])
    path = f"/Groups/{sales['id']}"
    assert sender.put(path, {"displayName": "A", **unsaid}).status_code == 200
    assert sender.patch(path, {"op": "replace", "value": {"displayName": "B", **unsaid}}).status_code == 204
    assert sender.patch(path, {"op": "replace", "path": "members", "value": None}).status_code == 204
    assert sender.member_ids(sales["id"]) == {ann["id"]}
    assert sender.put(path, {"displayName": "C", "members": []}).json["members"] == []


def test_members_are_removed_by_their_bare_ids_too(sender: Any) -> None:
    people = [sender.user(f"u{number}")["id"] for number in range(4)]
    path = f"/Groups/{sender.group('Sales', *people)['id']}"
    for operation in (
        {"op": "remove", "path": "members", "value": people[0]},
        {"op": "remove", "path": "members", "value": [people[1]]},
        {"op": "remove", "path": f"members[value eq {people[2]}]"},
    ):
        assert sender.patch(path, operation).status_code == 204
    assert [each["value"] for each in sender.get(path).json["members"]] == people[3:]


def test_scim_client_doubles_the_slash_after_a_base_url_that_ends_with_one(sender: Any) -> None:
    created = sender.post("//Users", {"userName": "ann"})
    assert created.status_code == 201
    assert created.json["meta"]["location"].endswith(f"/scim/v2/Users/{created.json['id']}")
    assert sender.get(f"//Users//{created.json['id']}").json == created.json
    assert sender.get("///Users?filter=userName+eq+%22ann%22").json["Resources"] == [created.json]
