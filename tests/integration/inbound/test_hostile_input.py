"""What is made to hurt: each gets its SCIM error at once, and what is only strange is taken.

One database is enough: most of this never reaches one, and the tests of searches and groups use both.
"""

import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from running.door import SCIM, Ticking
from test_bad_input import check

from scim_bridge.intake.scim import bounds
from scim_bridge.settings.models import Settings, WebSettings
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app

PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def shared_store(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("hostile") / "bridge.db"
    path.write_bytes(sqlite_template.read_bytes())
    store = Store.open(f"sqlite:///{path}", clock=Ticking())
    yield store
    store.close()


@pytest.fixture(scope="module")
def app(shared_store: Store) -> Flask:
    """One for all, as it is delivered, save the pace."""
    settings = Settings(web=WebSettings(requests_per_s=0))
    return create_app(settings, shared_store, RecordingDispatcher(), clock=shared_store.clock, secret=b"s" * 32)


def patched(*operations: Any) -> str:
    return json.dumps({"schemas": [PATCH], "Operations": list(operations)})


def roles(count: int) -> list[dict[str, str]]:
    return [{"value": f"role {number}", "type": f"t{number}"} for number in range(count)]


# -- Numbers, texts and names that are none ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        ('{"userName": "ann", "title": 1e400}', "invalidValue"),
        ('{"userName": "ann", "active": 1e400}', "invalidValue"),
        ('{"userName": "ann", "nosuch": ' + "9" * 5000 + "}", "invalidSyntax"),
        ('{"userName": "ann", "nosuch": -' + "9" * MEGABYTE + "}", "invalidSyntax"),
        ('{"userName": ' + "9" * 400 + "}", "invalidValue"),
        ('{"userName": "ann", "active": -Infinity}', "invalidSyntax"),
        ('{"userName": "\\udc00ann"}', "invalidSyntax"),
        ('{"userName": "ann", "\\ud800": 1}', "invalidSyntax"),
        ('{"userName": "ann", "a\\u0000": 1}', "invalidValue"),
        (b'{"userName": "ann\xed\xa0\x80"}', "invalidSyntax"),
        (b'{"userName": "\xc0\x80"}', "invalidSyntax"),
        (b'{"userName": "ann\x00"}', "invalidSyntax"),
        (b"\x00", "invalidSyntax"),
        ("\ufeff", "invalidSyntax"),
        ('{"userName": "ann"}{"userName": "bob"}', "invalidSyntax"),
        ('{"userName": "ann",}', "invalidSyntax"),
        ("{'userName': 'ann'}", "invalidSyntax"),
        ('{"userName": "ann"} // a comment', "invalidSyntax"),
        ("[" * MEGABYTE, "invalidSyntax"),
        ('{"userName": "ann", "nosuch": ' + "[" * MEGABYTE, "invalidSyntax"),
        ('{"a":' * 200_000, "invalidSyntax"),
        ('{"userName": "ann", "nosuch": "' + "x" * MEGABYTE, "invalidSyntax"),
    ],
)
def test_what_is_no_value_is_refused_at_once(sender: Any, body: str | bytes, scim_type: str) -> None:
    began = time.process_time()
    check(sender.post("/Users", body), 400, scim_type)
    assert time.process_time() - began < 1
    assert sender.get("/Users").json["totalResults"] == 0
    assert len(sender.last.text) < 2000


@pytest.mark.parametrize(
    "body",
    [
        '{"userName": "ann", "active": false, "active": true}',
        '{"userName": "ann", "active": false, "ACTIVE": true}',
        '{"userName": "ann", "active" \n:\tfalse, "title": "x", "\\u0061ctive": true}',
        '{"userName": "ann", "name": {"givenName": "a", "givenName": "b"}}',
        '{"userName": "ann", "nosuch": [{"a": 1, "a": 2}]}',
        '{"userName": "ann", "USERNAME": "bob"}',
    ],
)
def test_two_values_for_one_attribute_are_refused(sender: Any, body: str) -> None:
    """Whichever of the two a parser takes, it may be the one that revives a leaver."""
    check(sender.post("/Users", body), 400, "invalidSyntax")
    assert "two values" in sender.last.json["detail"]
    assert sender.get("/Users").json["totalResults"] == 0


@pytest.mark.parametrize(
    "body",
    [
        '{"Operations": [{"op": "replace", "path": "active", "value": false, "value": true}]}',
        '{"Operations": [{"op": "replace", "path": "active", "value": false, "Value": true}]}',
        '{"Operations": [{"op": "replace", "value": {"active": false, "Active": true}}]}',
        '{"Operations": [], "operations": [{"op": "replace", "path": "active", "value": true}]}',
    ],
)
def test_two_values_for_one_part_of_a_patch_are_refused(sender: Any, body: str) -> None:
    ann = sender.user("ann", active=False)
    check(sender.send("PATCH", f"/Users/{ann['id']}", body), 400, "invalidSyntax")
    assert sender.get(f"/Users/{ann['id']}").json == ann


@pytest.mark.parametrize(
    "body",
    [
        '{"userName": "ann", "title": "a \\": b", "nickName": "\\":\\":"}',
        '{"userName": "ann", "title": "x", "title": "x", "Title": "x"}',
        '{"userName": "ann", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "a"}}',
        '{"userName": "ann", "emails": [{"value": "a"}, {"value": "b"}]}',
    ],
)
def test_what_only_looks_like_two_values_is_taken(sender: Any, body: str) -> None:
    assert sender.post("/Users", body).status_code == 201


# -- Media types and encodings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        SCIM,
        "application/json",
        "Application/JSON; Charset=UTF-8",
        'application/scim+json;charset="utf8"',
        "application/json; charset=us-ascii",
        "application/json; charset=iso-8859-1",
        "application/vnd.example+json; profile=x",
    ],
)
def test_json_by_any_name_is_taken(sender: Any, content_type: str) -> None:
    assert sender.post("/Users", '{"userName": "ann"}', Content_Type=content_type).status_code == 201


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/json",
        "application/xml",
        "multipart/form-data; boundary=x",
        "json",
        "application/",
        ";",
        "*/*",
    ],
)
def test_what_is_not_said_to_be_json_is_refused(sender: Any, content_type: str) -> None:
    ann = sender.user("ann")
    for method, path in (("POST", "/Users"), ("PUT", f"/Users/{ann['id']}"), ("POST", "/Bulk"), ("POST", "/.search")):
        check(sender.send(method, path, '{"userName": "x"}', Content_Type=content_type), 415)
    assert sender.get("/Users").json["Resources"] == [ann]


def test_text_that_could_be_misread_is_refused_by_its_charset(sender: Any) -> None:
    for charset, body in (("iso-8859-1", "é".encode("latin-1")), ("windows-1252", "Ã©".encode()), ("utf-16", b"")):
        text = b'{"userName": "' + body + b'"}' if body else '{"userName": "ann"}'.encode("utf-16")
        check(sender.post("/Users", text, Content_Type=f"application/json; charset={charset}"), 415)
    little = '{"userName": "ann"}'.encode("utf-16-le")
    check(sender.post("/Users", little, Content_Type="application/json; charset=utf-16le"), 415)
    check(sender.post("/Users", '{"userName": "ann"}'.encode("utf-16")), 400, "invalidSyntax")
    assert sender.get("/Users").json["totalResults"] == 0


def test_a_byte_order_mark_is_passed_over(sender: Any) -> None:
    response = sender.post("/Users", b"\xef\xbb\xbf" + '{"userName": "änn"}'.encode())
    assert (response.status_code, response.json["userName"]) == (201, "änn")


def test_a_packed_body_is_refused(sender: Any) -> None:
    packed = gzip.compress(b'{"userName": "ann"}')
    for name in ("gzip", "deflate", "br", "gzip, identity"):
        check(sender.post("/Users", packed, Content_Encoding=name), 415)
    assert sender.post("/Users", {"userName": "ann"}, Content_Encoding="identity").status_code == 201


@pytest.mark.parametrize("body", ["[]", "[{}]", '"text"', "null", "true", "7", "", "   ", "\n"])
def test_a_body_that_is_no_object_is_refused_at_every_door(sender: Any, body: str) -> None:
    ann, sales = sender.user("ann")["id"], sender.group("Sales")["id"]
    doors = [
        ("POST", "/Users"),
        ("POST", "/Groups"),
        ("POST", "/Bulk"),
        ("POST", "/.search"),
        ("POST", "/Users/.search"),
    ]
    doors += [(method, path) for method in ("PUT", "PATCH") for path in (f"/Users/{ann}", f"/Groups/{sales}")]
    for method, path in doors:
        check(sender.send(method, path, body), 400, "invalidSyntax")


# -- Ids and conditions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scim_id",
    [
        "%00",
        "%0a",
        "%0D%0A",
        "a%2Fb",
        "..%2f..",
        "%F0%9F%98%80",
        "%FF",
        "%ED%A0%80",
        "x" * 5000,
        "*",
        "%25",
        ";a=b",
        "%20",
    ],
)
def test_an_id_that_nobody_has_is_not_found_by_any_method(sender: Any, scim_id: str) -> None:
    for endpoint in ("Users", "Groups"):
        for method, body in (("GET", None), ("DELETE", None), ("PUT", {"userName": "x", "displayName": "x"})):
            check(sender.send(method, f"/{endpoint}/{scim_id}", body), 404)
            assert len(sender.last.json["detail"]) < 300
        check(sender.patch(f"/{endpoint}/{scim_id}", {"op": "replace", "path": "externalId", "value": "x"}), 404)
    assert not any(character in sender.last.headers.get("Location", "") for character in "\r\n")


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"If_Match": "{etag}", "If_None_Match": "{etag}"}, 412),
        ({"If_Match": "*", "If_None_Match": "*"}, 412),
        ({"If_Match": 'W/"0"', "If_None_Match": 'W/"0"'}, 412),
        ({"If_Match": '"a", "b",, W/"c"'}, 412),
        ({"If_Match": '"' + "a" * 50_000}, 412),
        ({"If_Match": '"a",' * 15_000}, 412),
        ({"If_Match": '"a", {etag}, *'}, 200),
        ({"If_Match": "", "If_None_Match": ""}, 200),
        ({"If_Match": " " * 50_000}, 200),
        ({"If_None_Match": 'W/"0"'}, 200),
    ],
)
def test_conditions_that_contradict_each_other_change_nothing(
    sender: Any, conditions: dict[str, str], status: int
) -> None:
    ann = sender.user("ann")
    given = {name: value.replace("{etag}", ann["meta"]["version"]) for name, value in conditions.items()}
    began = time.process_time()
    response = sender.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "title", "value": "new"}, **given)
    assert time.process_time() - began < 1
    assert response.status_code == status, response.text
    assert (sender.get(f"/Users/{ann['id']}").json == ann) == (status == 412)


# -- Searches ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "scim_type"),
    [
        ({"filter": "(" * 3000 + "title pr" + ")" * 3000}, "invalidFilter"),
        ({"filter": " or ".join(["title pr"] * 2000)}, "invalidFilter"),
        ({"filter": 'userName eq "ann'}, "invalidFilter"),
        ({"filter": 'userName eq "ann\\'}, "invalidFilter"),
        ({"filter": 'userName eq ann"'}, "invalidFilter"),
        ({"filter": "not " * 1500 + "title pr"}, "invalidFilter"),
        ({"filter": "emails[" * 30 + "value pr" + "]" * 30}, "invalidFilter"),
        ({"count": "1" * 5000}, "invalidValue"),
        ({"startIndex": "-" + "1" * 5000}, "invalidValue"),
        ({"count": "1.5"}, "invalidValue"),
        ({"count": "٣"}, "invalidValue"),
        ({"sortBy": "%%%\x00"}, "invalidPath"),
        ({"sortBy": "a." * 4000}, "invalidPath"),
        ({"attributes": ",".join(["userName"] * 5000)}, "invalidValue"),
        ({"excludedAttributes": "," * 5000}, "invalidValue"),
        ({"cursor": "A" * 50_000}, "invalidCursor"),
        ({"cursor": "é😀"}, "invalidCursor"),
    ],
)
def test_a_search_made_to_hurt_is_refused_at_once(sender: Any, query: dict[str, str], scim_type: str) -> None:
    sender.user("ann")
    began = time.process_time()
    check(sender.client.get("/scim/v2/Users", query_string=query, headers=bearer(sender)), 400, scim_type)
    response = sender.post("/Users/.search", query)
    check(response, 400, response.json["scimType"])
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"count": str(10**30)}, 1),
        ({"startIndex": str(10**30)}, 0),
        ({"startIndex": str(-(10**30))}, 1),
        ({"count": str(-(10**30))}, 0),
        ({"filter": 'userName eq "\\u0061nn@example.com"'}, 1),
        ({"filter": 'userName sw "\\ud83d\\ude00"'}, 0),
        ({"filter": "userName eq " + " " * 7000 + '"ann@example.com"'}, 1),
        ({"filter": f'userName ne "{"x" * 7000}"'}, 1),
        ({"filter": "userName eq " + "9" * 7900}, 0),
    ],
)
def test_a_search_that_is_only_strange_is_answered(sender: Any, query: dict[str, str], shown: int) -> None:
    sender.user("ann")
    page = sender.client.get("/scim/v2/Users", query_string=query, headers=bearer(sender))
    assert (page.status_code, len(page.json["Resources"])) == (200, shown), page.text


@pytest.mark.parametrize("attribute", ["name.familyName", "emails.display", "addresses.locality"])
def test_a_hundred_terms_that_no_index_helps_are_answered_in_time(sender: Any, attribute: str) -> None:
    for number in range(30):
        sender.user(f"u{number}", name={"familyName": f"x{number} "}, emails=[{"value": "a", "display": f"x{number} "}])
    text = " or ".join(f'{attribute} co "x{number} "' for number in range(100))
    began = time.process_time()
    response = sender.client.get("/scim/v2/Users", query_string={"filter": text}, headers=bearer(sender))
    assert time.process_time() - began < 3
    assert response.status_code == 200 or response.json["scimType"] in ("invalidFilter", "tooMany")


def bearer(sender: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {sender.token}"}


# -- Many at once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operations",
    [
        ["{}"] * 340_000,
        ["1"] * 480_000,
        ['{"op":"replace","path":"title","value":"x"}'] * 20_000,
        ['{"op":"add","path":"emails","value":[{"value":"x"}]}'] * 18_000,
        ['{"op":"add","path":"emails[type eq \\"x\\"].value","value":"x"}'] * 16_000,
        ['{"op":"remove","path":"emails[' + " or ".join([f'type eq \\"{n}\\"' for n in range(400)]) + ']"}'] * 100,
        ['{"op":"add","value":{' + ",".join(f'"k{number}":1' for number in range(60_000)) + "}}"],
    ],
)
def test_a_megabyte_of_operations_is_refused_at_once(sender: Any, operations: list[str]) -> None:
    ann = sender.user("ann")
    body = '{"Operations":[' + ",".join(operations) + "]}"
    assert len(body) <= WebSettings().max_body_bytes
    began = time.process_time()
    check(sender.send("PATCH", f"/Users/{ann['id']}", body), 413)
    assert time.process_time() - began < 3
    assert sender.get(f"/Users/{ann['id']}").json == ann


def test_a_patch_holds_as_many_operations_as_are_told(sender: Any) -> None:
    ann = sender.user("ann")
    operation = {"op": "replace", "path": "title", "value": "x"}
    assert sender.patch(f"/Users/{ann['id']}", *[operation] * bounds.MAX_OPERATIONS).status_code == 200
    check(sender.patch(f"/Users/{ann['id']}", *[operation] * (bounds.MAX_OPERATIONS + 1)), 413)


@pytest.mark.parametrize(
    ("held", "operations", "status"),
    [
        (0, [{"op": "add", "path": "roles", "value": roles(bounds.MAX_VALUES)}], 200),
        (0, [{"op": "add", "path": "roles", "value": roles(bounds.MAX_VALUES + 1)}], 400),
        (0, [{"op": "replace", "value": {"roles": roles(bounds.MAX_VALUES + 1)}}], 400),
        (bounds.MAX_VALUES, [{"op": "add", "path": "roles", "value": [{"value": "one more"}]}], 400),
        (bounds.MAX_VALUES, [{"op": "replace", "path": "roles", "value": [{"value": "one"}]}], 200),
        (bounds.MAX_VALUES, [{"op": "replace", "path": "title", "value": "x"}] * 100, 200),
        (bounds.MAX_VALUES, [{"op": "remove", "path": f'roles[type eq "t{n}"]'} for n in range(5)], 200),
        (bounds.MAX_VALUES, [{"op": "remove", "path": f'roles[type eq "t{n}"]'} for n in range(6)], 413),
        (500, [{"op": "remove", "path": " or ".join(['roles[type eq "a"', *['type eq "b"'] * 40]) + "]"}], 413),
        (0, [{"op": "add", "path": f'roles[type eq "n{n}"].value', "value": "x"} for n in range(90)], 200),
    ],
)
def test_a_user_holds_as_many_values_as_are_told(sender: Any, held: int, operations: Any, status: int) -> None:
    ann = sender.user("ann", roles=roles(held))
    began = time.process_time()
    response = sender.patch(f"/Users/{ann['id']}", *operations)
    assert time.process_time() - began < 3
    assert response.status_code == status, response.text[:300]
    if status != 200:
        check(response, status, "invalidValue" if status == 400 else None)
        assert sender.get(f"/Users/{ann['id']}").json == ann


def test_a_new_user_holds_as_many_values_as_are_told(sender: Any) -> None:
    assert sender.post("/Users", {"userName": "ann", "roles": roles(bounds.MAX_VALUES)}).status_code == 201
    check(sender.post("/Users", {"userName": "bob", "roles": roles(bounds.MAX_VALUES + 1)}), 400, "invalidValue")
    check(sender.post("/Users", {"userName": "bob", "roles": ["r"] * 90_000}), 400, "invalidValue")


@pytest.mark.parametrize(
    "path", ["emails[" + "(" * 41 + 'type eq "a"' + ")" * 41 + "]", f'emails[type eq "{"x" * 8000}"]']
)
def test_a_path_made_to_hurt_is_refused(sender: Any, path: str) -> None:
    ann, sales = sender.user("ann"), sender.group("Sales")
    for place in (f"/Users/{ann['id']}", f"/Groups/{sales['id']}"):
        check(sender.patch(place, {"op": "add", "path": path, "value": "x"}), 400, "invalidPath")


def test_a_hundred_thousand_members_at_once_are_too_large(sender: Any) -> None:
    sales = sender.group("Sales")
    everybody = [{"value": f"{number:032}"} for number in range(100_000)]
    check(sender.patch(f"/Groups/{sales['id']}", {"op": "add", "path": "members", "value": everybody}), 413)
    few = everybody[:20_000]
    check(sender.patch(f"/Groups/{sales['id']}", {"op": "add", "path": "members", "value": few}), 400, "invalidValue")
    check(sender.put(f"/Groups/{sales['id']}", {"displayName": "Sales", "members": few}), 400, "invalidValue")
    assert sender.get(f"/Groups/{sales['id']}").json == sales


def test_ten_thousand_operations_on_members_are_done_at_once(sender: Any) -> None:
    """JumpCloud and authentik send one for each member."""
    people = [sender.user(f"u{number}")["id"] for number in range(5)]
    sales = sender.group("Sales", people[0])["id"]
    operations = [
        {"op": "add", "path": "members", "value": [{"value": people[number % 5]}]}
        if number % 2
        else {"op": "remove", "path": f'members[value eq "{people[number % 5]}"]'}
        for number in range(10_000)
    ]
    began = time.process_time()
    assert sender.patch(f"/Groups/{sales}", *operations).status_code == 204
    assert time.process_time() - began < 3
    # Of each five, the last word was spoken by one of the last operations.
    assert sender.member_ids(sales) == {people[number % 5] for number in range(9_995, 10_000) if number % 2}


# -- Bulk ----------------------------------------------------------------------------------------------------------


def bulk(sender: Any, *operations: Any) -> Any:
    return sender.post("/Bulk", {"schemas": [BULK], "Operations": list(operations)})


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        ({"method": "GET", "path": "/Users"}, "400"),
        ({"method": "TRACE", "path": "/Users"}, "400"),
        ({"method": 1, "path": 2}, "400"),
        ({"method": "POST"}, "400"),
        ({"path": "/Users", "data": {"userName": "x"}}, "400"),
        ({"method": "POST", "path": "", "data": {"userName": "x"}}, "405"),
        ({"method": "POST", "path": "/Users/../Groups", "data": {"userName": "x"}}, "404"),
        ({"method": "POST", "path": "https://elsewhere.example/Users", "data": {"userName": "x"}}, "404"),
        ({"method": "POST", "path": "/Bulk", "data": {}}, "400"),
        ({"method": "POST", "path": "/Me", "data": {"userName": "x"}}, "400"),
        ({"method": "POST", "path": "/.search", "data": {}}, "400"),
        ({"method": "DELETE", "path": "/Users"}, "405"),
        ({"method": "DELETE", "path": "/Users/\u0000"}, None),
        ({"method": "DELETE", "path": "/Users/" + "x" * 5000}, "404"),
        ({"method": "DELETE", "path": "/" * 50_000}, None),
        ({"method": "PATCH", "path": "/Users/bulkId:nosuch", "data": {"Operations": []}}, "409"),
        ({"method": "POST", "path": "/Users", "data": [1]}, "400"),
        ({"method": "POST", "path": "/Users", "bulkId": 7, "data": {"userName": "x"}}, None),
        ({"method": "POST", "path": "/Users", "data": {"userName": "x", "roles": roles(1001)}}, "400"),
        ({"method": "POST", "path": "/Users", "data": {"userName": {"a": 1}}}, "400"),
    ],
)
def test_an_odd_bulk_operation_fails_alone(sender: Any, operation: dict[str, Any], status: str | None) -> None:
    response = bulk(sender, operation, {"method": "POST", "path": "/Users", "bulkId": "b", "data": {"userName": "bob"}})
    if status is None:
        assert response.status_code in (200, 400)
        return
    assert response.status_code == 200, response.text[:300]
    outcomes = response.json["Operations"]
    assert [each["status"] for each in outcomes] == [status, "201"], outcomes
    assert outcomes[0]["response"]["status"] == status
    assert len(outcomes[0]["response"]["detail"]) > 10
    assert sender.get("/Users").json["totalResults"] == 1


def test_a_patch_within_bulk_that_is_too_much_fails_alone(sender: Any) -> None:
    ann = sender.user("ann")
    data = {"Operations": [{"op": "replace", "path": "title", "value": "x"}] * 1001}
    operations = [{"method": "PATCH", "path": f"/Users/{ann['id']}", "data": data}]
    operations.append({"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "bob"}})
    outcomes = bulk(sender, *operations).json["Operations"]
    assert [each["status"] for each in outcomes] == ["413", "201"]
    assert sender.get(f"/Users/{ann['id']}").json == ann


def test_bulk_ids_that_go_round_in_circles_fail_alone(sender: Any) -> None:
    operations = [
        {
            "method": "POST",
            "path": "/Groups",
            "bulkId": str(number),
            "data": {"displayName": "G", "members": [{"value": f"bulkId:{(number + 1) % 300}"}]},
        }
        for number in range(300)
    ]
    began = time.process_time()
    outcomes = bulk(sender, *operations).json["Operations"]
    assert time.process_time() - began < 3
    assert {each["status"] for each in outcomes} <= {"400", "409"}
    assert sender.get("/Groups").json["totalResults"] == 0


def test_a_bulk_id_that_is_used_twice_is_refused_the_second_time(sender: Any) -> None:
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": name}} for name in ("ann", "bob")
    ]
    assert [each["status"] for each in bulk(sender, *operations).json["Operations"]] == ["201", "400"]


@pytest.mark.parametrize(
    "operations",
    [
        ["{}"] * 1_500_000,
        ["1"] * 2_500_000,
        ['{"method":"POST","path":"/Users"}'] * 100_000,
        ['{"method":"PATCH","path":"/Users/x","data":{"Operations":[' + ",".join(["{}"] * 700) + "]}}"] * 10,
        ['{"method":"POST","path":"/Users","data":{"userName":"x","roles":[' + ",".join(['"r"'] * 999) + "]}}"] * 120,
    ],
)
def test_five_megabytes_of_operations_are_refused_at_once(sender: Any, operations: list[str]) -> None:
    body = '{"Operations":[' + ",".join(operations) + "]}"
    assert len(body) <= WebSettings().bulk_max_payload_bytes
    began = time.process_time()
    check(sender.post("/Bulk", body), 413)
    assert time.process_time() - began < 3
