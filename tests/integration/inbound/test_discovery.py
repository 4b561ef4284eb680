"""Discovery (RFC 7644 section 4) says what is true: every claim here is tried."""

from base64 import b64encode
from typing import Any

import pytest

LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


def test_the_configuration_has_every_member_of_the_rfc(sender: Any) -> None:
    config = sender.get("/ServiceProviderConfig").json
    assert config["schemas"] == ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"]
    assert config["bulk"] == {"supported": True, "maxOperations": 50, "maxPayloadSize": 200_000}
    assert config["filter"] == {"supported": True, "maxResults": 50}
    assert all(config[name] == {"supported": True} for name in ("patch", "sort", "etag"))
    assert config["changePassword"] == {"supported": False}
    assert config["pagination"] == {
        "cursor": True,
        "index": True,
        "defaultPaginationMethod": "index",
        "defaultPageSize": 50,
        "maxPageSize": 50,
        "cursorTimeout": 3600,
    }
    assert config["meta"] == {
        "resourceType": "ServiceProviderConfig",
        "location": "http://localhost/scim/v2/ServiceProviderConfig",
    }


def test_every_announced_authentication_scheme_lets_the_token_in(sender: Any) -> None:
    basic = b64encode(f"anybody:{sender.token}".encode()).decode()
    credentials = {"oauthbearertoken": f"Bearer {sender.token}", "httpbasic": f"Basic {basic}"}
    schemes = sender.get("/ServiceProviderConfig").json["authenticationSchemes"]
    assert {each["type"] for each in schemes} == set(credentials)
    assert [each["type"] for each in schemes if each.get("primary")] == ["oauthbearertoken"]
    for each in schemes:
        assert all(each[name] for name in ("name", "description", "specUri"))
        assert sender.get("/Users", Authorization=credentials[each["type"]]).status_code == 200


def test_a_page_is_as_long_as_announced(sender: Any) -> None:
    config = sender.get("/ServiceProviderConfig").json
    most = config["filter"]["maxResults"]
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": f"u{number}", "data": {"userName": f"u{number}"}}
        for number in range(most)
    ]
    sender.post("/Bulk", {"Operations": operations})
    sender.user("one-more")
    for query in ("count=1000", "", "cursor=&count=1000"):
        page = sender.get(f"/Users?{query}").json
        assert (page["totalResults"], page["itemsPerPage"], len(page["Resources"])) == (most + 1, most, most)


def test_the_resource_types_lead_to_their_endpoints(sender: Any) -> None:
    types = sender.get("/ResourceTypes").json
    assert (types["schemas"], types["totalResults"]) == ([LIST], 2)
    assert [(each["id"], each["endpoint"], each["schema"]) for each in types["Resources"]] == [
        ("User", "/Users", CORE),
        ("Group", "/Groups", GROUP),
    ]
    user = types["Resources"][0]
    assert {"schema": ENTERPRISE, "required": False} in user["schemaExtensions"]
    for each in types["Resources"]:
        assert sender.get(each["endpoint"]).status_code == 200
        assert sender.get(f"/ResourceTypes/{each['id']}").json == each
        assert each["meta"]["location"] == f"http://localhost/scim/v2/ResourceTypes/{each['id']}"


def test_every_schema_that_a_resource_type_names_can_be_read(sender: Any) -> None:
    types = sender.get("/ResourceTypes").json["Resources"]
    named = {each["schema"] for each in types}
    named |= {each["schema"] for kind in types for each in kind.get("schemaExtensions", [])}
    listed = {each["id"]: each for each in sender.get("/Schemas").json["Resources"]}
    assert set(listed) == named | {"urn:scim-bridge:2.0:Delivery"}
    for urn, schema in listed.items():
        assert sender.get(f"/Schemas/{urn}").json == schema
        assert schema["meta"] == {"resourceType": "Schema", "location": f"http://localhost/scim/v2/Schemas/{urn}"}


def test_the_schemas_say_what_becomes_of_an_attribute(sender: Any) -> None:
    listed = {each["id"]: each["attributes"] for each in sender.get("/Schemas").json["Resources"]}
    user = {each["name"]: each for each in listed[CORE]}
    assert (user["userName"]["required"], user["userName"]["uniqueness"], user["userName"]["caseExact"]) == (
        True,
        "server",
        False,
    )
    assert (user["password"]["mutability"], user["password"]["returned"]) == ("writeOnly", "never")
    assert user["groups"]["mutability"] == "readOnly"
    assert user["active"]["type"] == "boolean"
    group = {each["name"]: each for each in listed[GROUP]}
    assert group["displayName"]["required"] is True
    members = {each["name"]: each for each in group["members"]["subAttributes"]}
    assert members["value"]["mutability"] == "immutable"
    assert members["$ref"]["referenceTypes"] == ["User"]
    assert {"employeeNumber", "department", "manager"} <= {each["name"] for each in listed[ENTERPRISE]}


@pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/ResourceTypes/User"])
def test_discovery_is_only_read(sender: Any, path: str) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = sender.send(method, path, None if method == "DELETE" else {})
        assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
    assert sender.send("HEAD", path).status_code == 200
    assert sender.get(f"{path}/").status_code == 200


@pytest.mark.parametrize("path", ["/ServiceProviderConfig", "/ResourceTypes", "/Schemas"])
def test_discovery_is_not_filtered(sender: Any, path: str) -> None:
    """RFC 7644 section 4: a filter is answered with 403, and sorting or paging are passed over."""
    answer = sender.get(f"{path}?filter=id pr")
    assert (answer.status_code, answer.json["status"]) == (403, "403")
    assert sender.get(f"{path}?sortBy=name&startIndex=2&count=1&attributes=name").json == sender.get(path).json


@pytest.mark.parametrize("path", ["/Schemas/urn:none", "/ResourceTypes/None", "/ResourceTypes/User/x"])
def test_what_is_not_there_is_a_scim_error(sender: Any, path: str) -> None:
    answer = sender.get(path)
    assert (answer.status_code, answer.json["status"], answer.content_type) == (404, "404", "application/scim+json")
