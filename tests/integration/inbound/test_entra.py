"""What Microsoft Entra sends in both of its dialects, and Microsoft's own suites, as they send it."""

from typing import Any

import pytest

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"

# What is sent is bent before the database is asked, so one of them is enough.
pytestmark = pytest.mark.parametrize("shared_store", ["sqlite"], indirect=True, scope="module")


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


def test_entra_replaces_a_whole_element_that_is_not_there_in_every_form(sender: Any) -> None:
    for number, value in enumerate(({"value": "w@x"}, [{"value": "w@x"}], "w@x", {"type": "work", "value": "w@x"})):
        ann = sender.user(f"ann{number}", emails=[{"type": "home", "value": "h@x"}])
        response = sender.patch(
            f"/Users/{ann['id']}", {"op": "Replace", "path": 'emails[type eq "work"]', "value": value}
        )
        assert response.json["emails"] == [{"value": "h@x", "type": "home"}, {"value": "w@x", "type": "work"}]


@pytest.mark.parametrize(
    "selected", ['type ne "work"', 'type co "work"', 'type eq "work" or type eq "home"', "type pr"]
)
def test_a_replace_whose_filter_names_no_element_has_no_target(sender: Any, selected: str) -> None:
    ann = sender.user("ann")
    operation = {"op": "Replace", "path": f"emails[{selected}].value", "value": "w@x"}
    response = sender.patch(f"/Users/{ann['id']}", operation)
    assert (response.status_code, response.json["scimType"]) == (400, "noTarget")


@pytest.mark.parametrize("nothing", [None, "", [], {}, [{"$ref": None, "value": None}]])
def test_entra_says_nothing_of_active_with_a_null(sender: Any, nothing: Any) -> None:
    for user in (sender.user("ann", active=True), sender.user("leaver", active=False)):
        path = f"/Users/{user['id']}"
        for operation in (
            {"op": "Replace", "path": "active", "value": nothing},
            {"op": "Add", "path": f"{CORE}:active", "value": nothing},
            {"op": "Replace", "value": {"active": nothing}},
        ):
            response = sender.patch(path, operation)
            assert (response.status_code, response.json["active"]) == (200, user["active"])
        assert sender.put(path, {"userName": user["userName"], "active": nothing}).json["active"] is user["active"]


def test_entra_before_2019_writes_a_dot_after_the_schema(sender: Any) -> None:
    ann = sender.user("ann")
    for value in (f"{ENTERPRISE}.department", f"{ENTERPRISE.upper()}.Division"):
        assert sender.patch(f"/Users/{ann['id']}", {"op": "Add", "path": value, "value": "IT"}).status_code == 200
    sender.patch(f"/Users/{ann['id']}", {"op": "Add", "value": {f"{ENTERPRISE}.manager": "M1"}})
    read = sender.get(f"/Users/{ann['id']}").json[ENTERPRISE]
    assert read == {"department": "IT", "division": "IT", "manager": {"value": "M1"}}


@pytest.mark.parametrize("op", ["Add", "Replace"])
def test_entra_sends_the_enterprise_schema_as_one_object(sender: Any, op: str) -> None:
    ann = sender.user("ann", **{ENTERPRISE: {"costCenter": "C", "manager": {"value": "M1"}}})
    value = {"Department": "IT", "manager": "", "nosuch": 1}
    response = sender.patch(f"/Users/{ann['id']}", {"op": op, "path": ENTERPRISE, "value": value})
    assert response.json[ENTERPRISE] == {"costCenter": "C", "department": "IT"}


def test_entra_provisions_a_user_whose_manager_nobody_knows(sender: Any) -> None:
    ann = sender.user("ann", **{ENTERPRISE: {"manager": "nobody-here"}})
    assert ann[ENTERPRISE] == {"manager": {"value": "nobody-here"}}
    for value in ("also-nobody", {"value": "also-nobody", "$ref": "../Users/also-nobody"}):
        response = sender.patch(f"/Users/{ann['id']}", {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": value})
        assert (response.status_code, response.json[ENTERPRISE]["manager"]["value"]) == (200, "also-nobody")


@pytest.mark.parametrize(
    "path",
    [
        "nosuch",
        "nosuch.sub",
        'nosuch[type eq "work"].value',
        "name.nosuch",
        f"{ENTERPRISE}:nosuch",
        "urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User:tag",
    ],
)
def test_entra_maps_attributes_that_nobody_here_knows(sender: Any, path: str) -> None:
    ann = sender.user("ann", title="Boss")
    for op in ("Add", "Replace", "Remove"):
        response = sender.patch(f"/Users/{ann['id']}", {"op": op, "path": path, "value": "x"})
        assert (response.status_code, response.json) == (200, ann)


@pytest.mark.parametrize(
    "path", ["emails[", 'emails[type zz "a"]', "emails..value", "a b", "name.given.name", "1a", "[x]"]
)
def test_a_path_that_is_none_is_refused(sender: Any, path: str) -> None:
    ann = sender.user("ann")
    response = sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": path, "value": "x"})
    assert (response.status_code, response.json["scimType"]) == (400, "invalidPath")


@pytest.mark.parametrize("nothing", ["", " ", None])
def test_an_empty_user_name_is_refused_on_every_way_in(sender: Any, nothing: str | None) -> None:
    ann = sender.user("ann")
    path = f"/Users/{ann['id']}"
    bulk = {"Operations": [{"method": "POST", "bulkId": "1", "path": "/Users", "data": {"userName": nothing}}]}
    refused = [
        sender.post("/Users", {"userName": nothing}),
        sender.put(path, {"userName": nothing}),
        sender.patch(path, {"op": "Replace", "path": "userName", "value": nothing}),
        sender.patch(path, {"op": "Replace", "path": f"{CORE}:userName", "value": nothing}),
        sender.patch(path, {"op": "Replace", "value": {"userName": nothing}}),
        sender.patch(path, {"op": "Remove", "path": "userName"}),
    ]
    assert [response.status_code for response in refused] == [400] * len(refused)
    assert sender.post("/Bulk", bulk).json["Operations"][0]["status"] == "400"
    assert sender.get(path).json == ann
