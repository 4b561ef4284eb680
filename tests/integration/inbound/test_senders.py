"""What Okta, Entra and others send, as they send it."""

from typing import Any

import pytest
from running.door import SCIM

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
OKTA = {"User_Agent": "Okta SCIM Client 1.0.0", "Accept": SCIM, "Content_Type": f"{SCIM}; charset=utf-8"}


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


def test_entra_tests_the_connection_with_a_name_that_nobody_has(sender: Any) -> None:
    response = sender.get("/Users?filter=userName+eq+%2248b1b9f1-0f43-4d3b-9c3f-7c1c2b5b1f0a%22")
    assert (response.status_code, response.json["Resources"]) == (200, [])


def test_entra_creates_with_nulls_extra_schemas_and_unqualified_attributes(sender: Any) -> None:
    created = sender.post(
        "/Users",
        {
            "schemas": [CORE, ENTERPRISE, "urn:ms:custom:2.0:User"],
            "externalId": "ann",
            "userName": "ann@example.com",
            "active": "True",
            "displayName": None,
            "nosuch": {"deep": [1]},
            "emails": [{"primary": True, "type": "work", "value": "ann@example.com"}],
            "meta": {"resourceType": "User"},
            "name": {"formatted": "Ann Doe", "familyName": "Doe", "givenName": "Ann"},
            "roles": [],
            "department": "IT",
            "manager": "M1",
        },
    )
    assert created.status_code == 201
    assert created.json["active"] is True
    assert created.json[ENTERPRISE] == {"department": "IT", "manager": {"value": "M1"}}
    assert set(created.json["schemas"]) == {CORE, ENTERPRISE}
    assert "nosuch" not in created.json


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "replace", "path": "active", "value": False},
        {"op": "Add", "path": "Active", "value": "false"},
        {"op": "Replace", "value": {"active": "False"}},
        {"op": "replace", "path": f"{CORE}:active", "value": False},
        {"op": "Replace", "path": "active", "value": [{"$ref": None, "value": "False"}]},
        {"op": "replace", "value": {f"{CORE}:active": False}},
        {"op": "Replace", "path": "active", "value": "False", "name": "x"},
    ],
)
def test_entra_deactivates_in_every_dialect(sender: Any, operation: dict[str, Any]) -> None:
    ann = sender.user("ann")
    response = sender.patch(f"/Users/{ann['id']}", operation)
    assert (response.status_code, response.json["active"]) == (200, False)


def test_entra_default_job_sends_one_operation_an_attribute(sender: Any) -> None:
    ann = sender.user("ann")
    response = sender.patch(
        f"/Users/{ann['id']}",
        {"op": "Add", "path": 'emails[type eq "work"].value', "value": "ann@work.example"},
        {"op": "Add", "path": 'emails[type eq "work"].primary', "value": "True"},
        {"op": "Replace", "path": "name.familyName", "value": "Doe"},
        {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "IT"},
        {"op": "Add", "path": 'roles[primary eq "True"].value', "value": "admin"},
        {"op": "Replace", "path": 'phoneNumbers[type eq "mobile"].value', "value": "+1 2"},
        {"op": "Replace", "path": 'addresses[type eq "work"].country', "value": "DE"},
    ).json
    assert response["emails"] == [{"value": "ann@work.example", "type": "work", "primary": True}]
    assert response["name"] == {"familyName": "Doe"}
    assert response[ENTERPRISE] == {"department": "IT"}
    assert response["roles"] == [{"value": "admin", "primary": True}]
    assert response["phoneNumbers"] == [{"value": "+1 2", "type": "mobile"}]
    assert response["addresses"] == [{"country": "DE", "type": "work"}]


def test_entra_flagged_job_sends_dotted_and_qualified_keys(sender: Any) -> None:
    ann = sender.user("ann")
    value = {
        "displayName": "Ann Doe",
        "name.givenName": "Ann",
        'emails[type eq "work"].value': "ann@work.example",
        f"{ENTERPRISE}:employeeNumber": "7",
        f"{ENTERPRISE}:manager": "M1",
        ENTERPRISE: {"costCenter": "C"},
    }
    response = sender.patch(f"/Users/{ann['id']}", {"op": "replace", "value": value}).json
    assert (response["displayName"], response["name"]["givenName"]) == ("Ann Doe", "Ann")
    assert response["emails"] == [{"value": "ann@work.example", "type": "work"}]
    assert response[ENTERPRISE] == {"employeeNumber": "7", "manager": {"value": "M1"}, "costCenter": "C"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (f"{ENTERPRISE}:manager", "M2"),
        (f"{ENTERPRISE}:manager", {"value": "M2"}),
        (f"{ENTERPRISE}:manager", [{"$ref": None, "value": "M2"}]),
        (f"{ENTERPRISE}:manager.value", "M2"),
        ("manager", [{"$ref": "http://x/Users/M2", "value": "M2"}]),
        ("manager", "M2"),
    ],
)
def test_entra_sets_and_removes_a_manager_in_every_form(sender: Any, path: str, value: Any) -> None:
    ann = sender.user("ann", manager={"value": "M1"})
    response = sender.patch(f"/Users/{ann['id']}", {"op": "Add", "path": path, "value": value})
    assert response.json[ENTERPRISE]["manager"]["value"] == "M2"
    for nothing in ("", {"value": ""}):
        response = sender.patch(f"/Users/{ann['id']}", {"op": "Replace", "path": path, "value": nothing})
        assert response.status_code == 200
        assert "manager" not in response.json.get(ENTERPRISE, {})
        sender.patch(f"/Users/{ann['id']}", {"op": "Add", "path": path, "value": value})
    response = sender.patch(f"/Users/{ann['id']}", {"op": "Remove", "path": path, "value": value})
    assert "manager" not in response.json.get(ENTERPRISE, {})


def test_entra_asks_whether_a_reference_is_set(sender: Any) -> None:
    ann = sender.user("ann", manager="M1")
    sales = sender.group("Sales", ann["id"])
    for query, found in (
        (f'/Users?filter=id eq "{ann["id"]}" and manager eq "M1"&attributes=id', 1),
        (f'/Users?filter=id eq "{ann["id"]}" and manager eq "M2"&attributes=id', 0),
        (f'/Groups?filter=id eq "{sales["id"]}" and members eq "{ann["id"]}"&excludedAttributes=members', 1),
        (f'/Groups?filter=id eq "{sales["id"]}" and members eq "x"&excludedAttributes=members', 0),
    ):
        assert sender.get(query).json["totalResults"] == found


def test_entra_groups_add_and_remove_members_by_lists(sender: Any) -> None:
    people = [sender.user(f"u{number}")["id"] for number in range(4)]
    group = sender.post(
        "/Groups",
        {
            "schemas": [
                "urn:ietf:params:scim:schemas:core:2.0:Group",
                "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group",
            ],
            "externalId": "G1",
            "displayName": "Sales",
            "meta": {"resourceType": "Group"},
        },
    ).json
    path = f"/Groups/{group['id']}"
    everybody = [{"$ref": None, "value": each} for each in people]
    assert sender.patch(path, {"op": "Add", "path": "members", "value": everybody}).status_code == 204
    assert sender.patch(path, {"op": "Add", "path": "members", "value": everybody}).status_code == 204
    assert sender.member_ids(group["id"]) == set(people)
    sender.patch(path, {"op": "Remove", "path": "members", "value": everybody[:2]})
    assert sender.member_ids(group["id"]) == set(people[2:])
    sender.patch(path, {"op": "Remove", "path": "members", "value": [{"value": "never seen"}]})
    assert sender.member_ids(group["id"]) == set(people[2:])
    sender.patch(path, {"op": "remove", "path": f'members[value eq "{people[2]}"]', "value": None})
    assert sender.member_ids(group["id"]) == {people[3]}
    sender.patch(path, {"op": "Remove", "path": "members"})
    assert sender.member_ids(group["id"]) == set()


def test_entra_removes_selected_emails(sender: Any) -> None:
    ann = sender.user("ann", emails=[{"value": "a@x", "type": "work"}, {"value": "b@x", "type": "home"}])
    response = sender.patch(f"/Users/{ann['id']}", {"op": "Remove", "path": 'emails[type eq "work"]', "value": "a@x"})
    assert response.json["emails"] == [{"value": "b@x", "type": "home"}]


def test_microsofts_reference_suite_sends_names_in_any_case(sender: Any) -> None:
    body = {
        "UserName": "ann",
        "Department": "IT",
        "Manager": {"Value": "M1"},
        "Emails": [{"Primary": True, "Value": "a"}],
    }
    created = sender.post("/Users", body)
    assert created.status_code == 201
    assert created.json[ENTERPRISE] == {"department": "IT", "manager": {"value": "M1"}}
    assert created.json["emails"] == [{"value": "a", "primary": True}]
    found = sender.get("/Users/?filter=DisplayName+eq+%22x%22+or+UserName+EQ+%22ANN%22").json
    assert found["totalResults"] == 1


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
