"""Bulk requests (RFC 7644 section 3.7): every step like a request of its own, in one transaction."""

import json
from typing import Any

import pytest

BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
ADD_TITLE = {"Operations": [{"op": "add", "path": "title", "value": "Boss"}]}


def bulk(sender: Any, *operations: Any, **members: Any) -> Any:
    return sender.post("/Bulk", {"schemas": [BULK], "Operations": list(operations), **members})


def making(name: str, *, bulk_id: str | None = None, **attributes: Any) -> dict[str, Any]:
    return {"method": "POST", "path": "/Users", "bulkId": bulk_id or name, "data": {"userName": name, **attributes}}


def grouping(name: str, *members: str) -> dict[str, Any]:
    data = {"displayName": name, "members": [{"value": each} for each in members]}
    return {"method": "POST", "path": "/Groups", "bulkId": name, "data": data}


def statuses(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["status"] for each in answer.json["Operations"]]


def names(sender: Any) -> set[str]:
    return {each["userName"] for each in sender.get("/Users").json["Resources"]}


def test_each_step_says_what_became_of_it(sender: Any) -> None:
    ann = sender.user("ann")
    path = f"/Users/{ann['id']}"
    answer = bulk(
        sender,
        making("bob"),
        {"method": "PUT", "path": path, "data": {"userName": "ann", "active": "False"}},
        {"method": "PATCH", "path": path, "data": ADD_TITLE},
        {"method": "DELETE", "path": path},
        making("BOB", bulk_id="again"),
    )
    assert answer.content_type == "application/scim+json"
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:BulkResponse"]
    made, put, patched, gone, refused = answer.json["Operations"]
    bob = sender.get('/Users?filter=userName eq "bob"').json["Resources"][0]
    assert made == {
        "method": "POST",
        "bulkId": "bob",
        "version": bob["meta"]["version"],
        "location": bob["meta"]["location"],
        "status": "201",
    }
    assert [(each["method"], each["status"]) for each in (put, patched, gone)] == [
        ("PUT", "200"),
        ("PATCH", "200"),
        ("DELETE", "204"),
    ]
    assert all(each["location"] == ann["meta"]["location"] for each in (put, patched, gone))
    assert put["version"] != patched["version"]
    assert (refused["status"], refused["response"]["scimType"], "location" in refused) == ("409", "uniqueness", False)
    assert names(sender) == {"bob"}


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_references_are_resolved_whichever_way_they_point(sender: Any, order: list[int]) -> None:
    steps = [
        making("ann"),
        making("bob", **{ENTERPRISE: {"manager": {"value": "bulkId:ann"}}}),
        grouping("G", "bulkId:bob"),
    ]
    assert statuses(bulk(sender, *(steps[number] for number in order))) == ["201"] * 3
    found = {each["userName"]: each for each in sender.get("/Users").json["Resources"]}
    assert found["bob"][ENTERPRISE]["manager"]["value"] == found["ann"]["id"]
    assert [each["value"] for each in sender.get("/Groups").json["Resources"][0]["members"]] == [found["bob"]["id"]]


def test_a_path_may_name_what_the_same_request_makes(sender: Any) -> None:
    joining = {"Operations": [{"op": "add", "path": "members", "value": [{"value": "bulkId:ann"}]}]}
    answer = bulk(
        sender,
        making("ann"),
        grouping("G"),
        {"method": "PATCH", "path": "/Users/bulkId:ann", "data": ADD_TITLE},
        {"method": "PATCH", "path": "/Groups/bulkId:G", "data": joining},
        {"method": "DELETE", "path": "/Users/bulkId:ann"},
        {"method": "DELETE", "path": "/Users/bulkId:ann"},
    )
    assert statuses(answer) == ["201", "201", "200", "200", "204", "404"]
    assert sender.get("/Groups").json["Resources"][0]["members"] == []


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        # RFC 7644 section 3.7.1: references in a circle may be answered with 409.
        (
            [
                making("ann", **{ENTERPRISE: {"manager": {"value": "bulkId:bob"}}}),
                making("bob", **{ENTERPRISE: {"manager": {"value": "bulkId:ann"}}}),
                making("cid"),
            ],
            ["409", "409", "201"],
        ),
        ([making("ann", **{ENTERPRISE: {"manager": {"value": "bulkId:ann"}}}), making("cid")], ["409", "201"]),
        ([grouping("G", "bulkId:nobody"), making("cid")], ["409", "201"]),
        ([making(""), grouping("G", "bulkId:"), making("cid")], ["400", "409", "201"]),
    ],
    ids=["circle", "itself", "unknown", "failed"],
)
def test_a_reference_that_leads_nowhere_fails_its_step_alone(
    sender: Any, steps: list[dict[str, Any]], expected: list[str]
) -> None:
    assert statuses(bulk(sender, *steps)) == expected
    assert names(sender) == {"cid"}
    assert sender.get("/Groups").json["totalResults"] == 0


def test_a_step_that_the_database_refuses_leaves_the_others(sender: Any) -> None:
    sender.user("ann")
    answer = bulk(
        sender,
        making("bob"),
        making("ann@example.com", bulk_id="taken"),
        grouping("G", "no-such-user"),
        making("cid"),
        grouping("H", "bulkId:taken"),
        grouping("I", "bulkId:bob", "bulkId:cid"),
    )
    assert statuses(answer) == ["201", "409", "400", "201", "409", "201"]
    assert names(sender) == {"ann@example.com", "bob", "cid"}
    assert [len(each["members"]) for each in sender.get("/Groups").json["Resources"]] == [2]


@pytest.mark.parametrize(("allowed", "done"), [(1, 2), (2, 4), (3, 5), (None, 5)])
def test_it_stops_after_as_many_errors_as_allowed(sender: Any, allowed: int | None, done: int) -> None:
    gone = {"method": "DELETE", "path": "/Users/nobody"}
    members = {} if allowed is None else {"failOnErrors": allowed}
    answer = bulk(sender, making("ann"), gone, making("bob"), gone, making("cid"), **members)
    assert statuses(answer) == ["201", "404", "201", "404", "201"][:done]
    assert names(sender) == {"ann", "bob", "cid"} if done == 5 else names(sender) < {"ann", "bob", "cid"}


def test_a_version_guards_a_step(sender: Any) -> None:
    ann = sender.user("ann")
    path = f"/Users/{ann['id']}"
    answer = bulk(
        sender,
        {"method": "PATCH", "path": path, "version": 'W/"0"', "data": ADD_TITLE},
        {"method": "PUT", "path": path, "version": 'W/"0"', "data": {"userName": "anna"}},
        {"method": "DELETE", "path": path, "version": 'W/"0"'},
        {"method": "PATCH", "path": path, "version": ann["meta"]["version"], "data": ADD_TITLE},
        {"method": "DELETE", "path": path, "version": ann["meta"]["version"]},
    )
    assert statuses(answer) == ["412", "412", "412", "200", "412"]
    assert sender.get(path).json["title"] == "Boss"


@pytest.mark.parametrize(
    ("step", "status", "scim_type"),
    [
        ({"method": "GET", "path": "/Users"}, "400", "invalidValue"),
        ({"path": "/Users", "bulkId": "x", "data": {"userName": "x"}}, "400", "invalidValue"),
        ({"method": "POST", "path": "/Users", "data": {"userName": "x"}}, "400", "invalidValue"),
        ({"method": "POST", "path": "/Users", "bulkId": "x"}, "400", "invalidValue"),
        ({"method": "POST", "path": "/Users", "bulkId": "x", "data": {}}, "400", "invalidValue"),
        ({"method": "POST", "path": "/Users/1", "bulkId": "x", "data": {"userName": "x"}}, "405", None),
        ({"method": "PUT", "path": "/Users", "data": {"userName": "x"}}, "405", None),
        ({"method": "POST", "path": "/Nosuch", "bulkId": "x", "data": {}}, "404", None),
        ({"method": "POST", "path": "/Bulk", "bulkId": "x", "data": {}}, "400", "invalidValue"),
        ({"method": "PATCH", "path": "/Me", "data": ADD_TITLE}, "400", "invalidValue"),
        ({"method": "PATCH", "path": "/Users/nobody", "data": ADD_TITLE}, "404", None),
        ({"method": "PATCH", "path": "/Users/nobody", "data": {"Operations": 7}}, "400", "invalidValue"),
        (7, "400", "invalidValue"),
    ],
)
def test_a_step_that_makes_no_sense_fails_alone(sender: Any, step: Any, status: str, scim_type: str | None) -> None:
    answer = bulk(sender, step, making("ann"))
    assert statuses(answer) == [status, "201"]
    assert answer.json["Operations"][0]["response"].get("scimType") == scim_type
    assert answer.json["Operations"][0]["response"]["status"] == status


def test_one_bulk_id_names_one_step(sender: Any) -> None:
    assert statuses(bulk(sender, making("ann"), making("bob", bulk_id="ann"))) == ["201", "400"]


def test_methods_are_read_in_any_case(sender: Any) -> None:
    assert statuses(bulk(sender, {**making("ann"), "method": "post"})) == ["201"]


@pytest.mark.parametrize(
    "message",
    [
        {"schemas": [BULK]},
        {"schemas": [BULK], "Operations": []},
        {"schemas": [BULK], "Operations": {}},
        {"schemas": [BULK], "Operations": [making("ann")], "failOnErrors": "x"},
        {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [making("ann")]},
    ],
)
def test_what_is_no_bulk_request_does_nothing(sender: Any, message: dict[str, Any]) -> None:
    answer = sender.post("/Bulk", message)
    assert answer.status_code == 400
    assert answer.json["schemas"] == ["urn:ietf:params:scim:api:messages:2.0:Error"]
    assert names(sender) == set()


def test_the_announced_number_of_operations_is_taken_but_not_one_more(sender: Any) -> None:
    most = sender.get("/ServiceProviderConfig").json["bulk"]["maxOperations"]
    gone = [{"method": "DELETE", "path": f"/Users/{number}"} for number in range(most + 1)]
    assert len(statuses(bulk(sender, *gone[:-1]))) == most
    answer = bulk(sender, making("ann"), *gone[:-1])
    assert (answer.status_code, answer.json["status"]) == (413, "413")
    assert f"maxOperations ({most})" in answer.json["detail"]
    assert names(sender) == set()


def test_the_announced_size_is_taken_but_not_a_byte_more(sender: Any) -> None:
    most = sender.get("/ServiceProviderConfig").json["bulk"]["maxPayloadSize"]

    def sized(size: int) -> str:
        text = json.dumps({"schemas": [BULK], "Operations": [making("ann", title="")]})
        return text.replace('"title": ""', f'"title": "{"x" * (size - len(text))}"')

    too_large = sender.post("/Bulk", sized(most + 1))
    assert (too_large.status_code, too_large.json["status"]) == (413, "413")
    assert names(sender) == set()
    assert statuses(sender.post("/Bulk", sized(most))) == ["201"]


def test_passwords_are_dropped_in_bulk_too(sender: Any, shared_store: Any) -> None:
    bulk(sender, making("ann", password="correct horse"))
    with shared_store.across_tenants("look for the secret") as tx:
        for table in ("resource", "change", "lookup"):
            rows = tx.connection.exec_driver_sql(f'SELECT * FROM "{table}"').all()
            assert not any("horse" in str(row) for row in rows)


@pytest.mark.parametrize("spelling", ["/Users/{id}/", "Users/{id}", "/scim/v2/Users/{id}", "{location}"])
def test_a_leaver_is_heard_however_their_path_is_spelled(sender: Any, spelling: str) -> None:
    ann = sender.user("ann")
    path = spelling.format(id=ann["id"], location=ann["meta"]["location"])
    change = {"op": "replace", "path": "active", "value": False}
    data = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [change]}
    answer = sender.post("/Bulk", {"Operations": [{"method": "PATCH", "path": path, "data": data}]})
    assert answer.json["Operations"][0]["status"] == "200"
    assert sender.get(f"/Users/{ann['id']}").json["active"] is False
