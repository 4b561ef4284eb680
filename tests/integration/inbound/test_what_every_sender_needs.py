"""The 22 behaviours that clients need of a SCIM server, numbered by how badly the lack of one hurts, on both databases.

1 to 5 stop a sender altogether, 6 to 12 leave wrong people in or out, 13 to 22 break one sender or another.
"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fakes.dispatcher import RecordingDispatcher
from running.door import SCIM, Sender

CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
BEHAVIOURS = 22


def at_once(sender: Sender, *requests: tuple[str, str, Any]) -> list[int]:
    """Make requests from eight connections and return their statuses."""
    clients = [Sender(sender.client.application.test_client(), sender.token, sender.tenant) for _ in requests]
    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(
            pool.map(lambda pair: pair[0].send(*pair[1]).status_code, zip(clients, requests, strict=True), timeout=60)
        )


def test_01_a_create_is_answered_at_once_with_the_whole_resource(
    sender: Sender, dispatcher: RecordingDispatcher
) -> None:
    created = sender.post("/Users", {"userName": "ann", "title": "Boss"})
    assert created.status_code == 201
    assert isinstance(created.json["id"], str)
    assert created.headers["Location"] == created.json["meta"]["location"]
    assert created.json["title"] == "Boss"
    assert sender.get(f"/Users/{created.json['id']}").json == created.json
    assert "everybody" in {target for _, target, _ in dispatcher.wakes}


def test_02_a_filter_without_a_hit_is_an_empty_list(sender: Sender) -> None:
    for query in ("/Users?filter=userName+eq+%2248b1b9f1%22", '/Groups?filter=displayName eq "48b1b9f1"'):
        response = sender.get(query)
        assert response.status_code == 200
        assert response.json == {
            "schemas": [LIST],
            "totalResults": 0,
            "itemsPerPage": 0,
            "startIndex": 1,
            "Resources": [],
        }


def test_03_the_deactivated_stay_until_they_are_deleted(sender: Sender) -> None:
    ann = sender.user("ann")
    path = f"/Users/{ann['id']}"
    sender.patch(path, {"op": "replace", "path": "active", "value": False})
    assert sender.get(path).json["active"] is False
    found = sender.get(f'/Users?filter=userName eq "{ann["userName"]}"').json["Resources"]
    assert [each["active"] for each in found] == [False]
    assert [each["active"] for each in sender.get("/Users").json["Resources"]] == [False]
    assert sender.delete(path).status_code == 204
    assert (sender.get(path).status_code, sender.delete(path).status_code) == (404, 404)
    assert sender.user("ann")["id"] != ann["id"]


def test_04_a_login_is_given_once_whatever_its_case(sender: Sender) -> None:
    ann = sender.user("ann", active=False)
    refused = sender.post("/Users", {"userName": ann["userName"].upper()})
    assert (refused.status_code, refused.json["schemas"], refused.json["scimType"]) == (409, [ERROR], "uniqueness")
    bob = sender.user("bob")
    assert sender.put(f"/Users/{bob['id']}", {"userName": ann["userName"]}).status_code == 409
    assert sender.get(f'/Users?filter=userName eq "{ann["userName"].upper()}"').json["Resources"] == [ann]


def test_04_of_concurrent_creates_of_a_login_one_succeeds(sender: Sender) -> None:
    statuses = at_once(sender, *[("POST", "/Users", {"userName": "ann"}) for _ in range(12)])
    assert sorted(statuses) == [201, *[409] * 11]


DIALECTS: list[list[dict[str, Any]]] = [
    [{"op": "replace", "path": "name.givenName", "value": "Ann"}, {"op": "add", "path": "title", "value": "Boss"}],
    [{"op": "Replace", "value": {"name": {"givenName": "Ann"}, "title": "Boss"}}],
    [{"op": "REPLACE", "value": {"name.givenName": "Ann", "Title": "Boss"}}],
    [{"op": "add", "value": {CORE: {"title": "Boss"}, f"{CORE}:name.givenName": "Ann"}}],
    [{"op": "add", "path": f"{CORE}:NAME.GIVENNAME", "value": "Ann"}, {"op": "Add", "value": {"TITLE": "Boss"}}],
    [{"OP": "replace", "PATH": "Name.GivenName", "Value": "Ann"}, {"op": "replace", "path": "title", "value": "Boss"}],
]


def test_05_a_patch_is_read_in_every_dialect(sender: Sender) -> None:
    work = {"op": "Add", "path": 'Emails[Type EQ "work"].Value', "value": "a@x"}
    department = {"op": "add", "value": {f"{ENTERPRISE}:Department": "IT"}}
    for number, operations in enumerate(DIALECTS):
        patched = sender.patch(f"/Users/{sender.user(f'u{number}')['id']}", *operations, work, department)
        assert (patched.status_code, patched.json["name"], patched.json["title"]) == (200, {"givenName": "Ann"}, "Boss")
        assert patched.json["emails"] == [{"type": "work", "value": "a@x"}]
        assert patched.json[ENTERPRISE] == {"department": "IT"}


def test_05_a_patch_is_applied_as_a_whole_or_not_at_all(sender: Sender) -> None:
    ann = sender.user("ann")
    sales = sender.group("Sales")
    title = {"op": "replace", "path": "title", "value": "Boss"}
    assert sender.patch(f"/Users/{ann['id']}", title, {"op": "remove", "path": "userName"}).status_code == 400
    joins = {"op": "add", "path": "members", "value": [{"value": ann["id"]}]}
    unnamed = {"op": "replace", "path": "displayName", "value": ""}
    assert sender.patch(f"/Groups/{sales['id']}", joins, unnamed).status_code == 400
    assert sender.get(f"/Users/{ann['id']}").json == ann
    assert sender.get(f"/Groups/{sales['id']}").json == sales


def test_06_booleans_may_be_texts_but_never_come_back_as_such(sender: Sender) -> None:
    for number, value in enumerate(("False", "false", False)):
        leaver = sender.user(f"leaver{number}", active=value, emails=[{"value": "a@x", "primary": "True"}])
        assert (leaver["active"], leaver["emails"][0]["primary"]) == (False, True)
        back = sender.patch(f"/Users/{leaver['id']}", {"op": "Replace", "path": "active", "value": "True"})
        assert back.json["active"] is True
        off = sender.patch(f"/Users/{leaver['id']}", {"op": "Replace", "path": "active", "value": value})
        assert off.json["active"] is False
    assert sender.get("/Users?filter=active eq false").json["totalResults"] == 3


def test_07_an_add_on_a_filter_without_a_match_creates_one_element(sender: Sender) -> None:
    ann = sender.user("ann", emails=[{"type": "home", "value": "h@x"}])
    parts = (("value", "w@x"), ("display", "Ann"), ("primary", "True"))
    operations = [{"op": "Add", "path": f'emails[type eq "work"].{name}', "value": value} for name, value in parts]
    patched = sender.patch(f"/Users/{ann['id']}", *operations)
    assert patched.json["emails"] == [
        {"value": "h@x", "type": "home"},
        {"value": "w@x", "display": "Ann", "type": "work", "primary": True},
    ]


def test_08_members_are_removed_in_three_forms(sender: Sender) -> None:
    first, *others = people = [sender.user(f"u{number}")["id"] for number in range(3)]
    listed = [{"$ref": None, "value": each} for each in people[:2]]
    for number, (remove, left) in enumerate(
        [
            ({"path": f'members[value eq "{first}"]'}, others),
            ({"path": f'members[value eq "{first}"]', "value": None}, others),
            ({"path": "members", "value": listed[:1]}, others),
            ({"path": "members", "value": listed}, people[2:]),
            ({"path": "members", "value": []}, people),
            ({"path": "members", "value": [{"value": f"{first}x"}]}, people),
            ({"path": "members"}, []),
        ]
    ):
        group = sender.group(f"Group {number}", *people)
        for op in ("Remove", "remove"):
            assert sender.patch(f"/Groups/{group['id']}", {"op": op, **remove}).status_code == 204
            assert sender.member_ids(group["id"]) == set(left), remove


def test_09_only_what_names_members_changes_them(sender: Sender) -> None:
    ann, bob = sender.user("ann")["id"], sender.user("bob")["id"]
    sales = sender.group("Sales", ann)
    path = f"/Groups/{sales['id']}"
    sender.patch(path, {"op": "replace", "value": {"id": sales["id"], "displayName": "Sales 2"}})
    sender.put(path, {"displayName": "Sales 3"})
    assert sender.member_ids(sales["id"]) == {ann}
    for _ in range(2):
        again = {"op": "add", "path": "members", "value": [{"value": ann}, {"value": bob}]}
        assert sender.patch(path, again).status_code == 204
    assert sender.member_ids(sales["id"]) == {ann, bob}
    assert sender.patch(path, {"op": "replace", "path": "members", "value": []}).status_code == 204
    assert sender.member_ids(sales["id"]) == set()


def test_09_concurrent_adds_lose_nobody(sender: Sender) -> None:
    people = [sender.user(f"u{number}")["id"] for number in range(12)]
    sales = sender.group("Sales")
    adds = [{"Operations": [{"op": "add", "path": "members", "value": [{"value": each}]}]} for each in people]
    assert set(at_once(sender, *[("PATCH", f"/Groups/{sales['id']}", add) for add in adds])) == {204}
    assert sender.member_ids(sales["id"]) == set(people)


def test_10_a_manager_comes_in_any_form_but_is_shown_in_one(sender: Sender) -> None:
    shown = {"manager": {"value": "M1"}}
    for number, manager in enumerate(({"value": "M1"}, "M1", ["M1"], [{"$ref": None, "value": "M1"}])):
        ann = sender.user(f"ann{number}", **{ENTERPRISE: {"manager": manager}})
        assert ann[ENTERPRISE] == shown
        path = f"/Users/{ann['id']}"
        for nothing in ("", None):
            gone = sender.patch(path, {"op": "Replace", "path": f"{ENTERPRISE}:manager", "value": nothing})
            assert (gone.status_code, ENTERPRISE in gone.json) == (200, False)
            back = sender.patch(path, {"op": "Add", "path": f"{ENTERPRISE}:manager.value", "value": manager})
            assert back.json[ENTERPRISE] == shown


def test_11_what_is_unknown_or_empty_is_passed_over(sender: Sender) -> None:
    body = {
        "schemas": [CORE, "urn:ms:custom", ENTERPRISE],
        "id": "mine",
        "meta": {"location": "Users/1", "resourceType": "User"},
        "groups": [{"value": "x"}],
        "userName": "ann",
        "nosuch": {"deep": [1]},
        "displayName": None,
        "name": {"givenName": None, "middleName": ""},
        "emails": [],
        "roles": [],
        "phoneNumbers": None,
        "urn:ms:custom": {"tag": "1"},
    }
    created = sender.post("/Users", body)
    shown = {key: value for key, value in created.json.items() if key not in ("meta", "schemas")}
    assert (created.status_code, shown.pop("id") != "mine") == (201, True)
    assert shown == {"userName": "ann", "active": True, "name": {"middleName": ""}}
    path = f"/Users/{created.json['id']}"
    assert sender.put(path, body).json == created.json
    odd = {
        "Operations": [{"op": "add", "path": "nosuch", "value": 1, "name": "x"}, {"op": "replace", "value": {"id": 1}}]
    }
    patched = sender.send("PATCH", path, odd)
    assert (patched.status_code, patched.json) == (200, created.json)


def test_12_a_put_replaces_the_whole_resource(sender: Sender) -> None:
    ann = sender.user("ann", title="Boss", nickName="A")
    path = f"/Users/{ann['id']}"
    put = sender.put(path, {**ann, "title": "Chief", "nickName": None, "userName": "anna", "password": "t1meMa$heen"})
    assert (put.status_code, put.json["id"], put.json["title"]) == (200, ann["id"], "Chief")
    assert "nickName" not in put.json
    assert "password" not in put.text
    assert sender.user("ann")["id"] != ann["id"]
    assert sender.put("/Users/unknown", {"userName": "x"}).status_code == 404
    renamed = sender.patch(path, {"op": "replace", "path": "userName", "value": "annabel"})
    assert (renamed.status_code, sender.post("/Users", {"userName": "anna"}).status_code) == (200, 201)


def test_13_pages_are_whole_in_order_and_bounded(sender: Sender) -> None:
    people = [sender.user(f"u{number}")["id"] for number in range(5)]

    def page(query: str) -> tuple[int, int, list[str]]:
        found = sender.get(f"/Users?{query}").json
        return found["totalResults"], found["startIndex"], [each["id"] for each in found["Resources"]]

    assert page("startIndex=1&count=2") == (5, 1, people[:2])
    assert page("startIndex=3&count=2") == (5, 3, people[2:4])
    assert page("startIndex=5") == (5, 5, people[4:])
    assert page("startIndex=0&count=2") == page("startIndex=-7&count=2") == (5, 1, people[:2])
    assert page("count=0") == page("count=-1") == (5, 1, [])
    assert page("startIndex=6&count=2") == (5, 6, [])


MATCHES = [
    'userName eq "ANN@EXAMPLE.COM"',
    'USERNAME EQ "ann@example.com" AND active Eq True',
    'externalId eq "E1"',
    'displayName eq "ann doe"',
    'emails.value eq "A@work.example"',
    'emails[type eq "work"].value eq "a@work.example"',
    'emails[type eq "work" and value eq "a@work.example"]',
    f'{ENTERPRISE}:employeeNumber eq "007"',
    'department eq "IT" and not (title pr)',
    '(userName sw "ann" or userName ew "zz") and meta.created gt "2011-05-13T04:42:34Z"',
]


def test_14_filters_find_people_by_what_senders_match_on(sender: Sender) -> None:
    ann = sender.user(
        "ann",
        externalId="E1",
        displayName="Ann Doe",
        emails=[{"type": "work", "value": "a@work.example"}],
        **{ENTERPRISE: {"employeeNumber": "007", "department": "IT"}},
    )
    sender.user("bob", externalId="e1", emails=[{"type": "home", "value": "a@work.example.org"}])
    for match in [*MATCHES, f'id eq "{ann["id"]}"']:
        assert sender.get(f"/Users?filter={match}").json["Resources"] == [ann], match


def test_14_a_bad_filter_is_never_an_empty_list(sender: Sender) -> None:
    for bad in (
        "userName",
        "userName zz %22a%22",
        "(userName eq %22a%22",
        "nosuch eq %22a%22",
        "userName eq Ann Doe",
        "",
    ):
        refused = sender.get(f"/Users?filter={bad}")
        assert (refused.status_code, refused.json["scimType"]) == (400, "invalidFilter")


def test_15_attributes_are_chosen_and_references_looked_for(sender: Sender) -> None:
    ann = sender.user("ann", title="Boss", manager="M1")
    sales = sender.group("Sales", ann["id"])
    read = sender.get(f"/Groups/{sales['id']}?excludedAttributes=members").json
    listed = sender.get('/Groups?excludedAttributes=members&filter=displayName eq "Sales"').json["Resources"]
    assert (read["displayName"], listed) == ("Sales", [read])
    assert "members" not in read
    assert set(sender.get(f"/Users/{ann['id']}?attributes=title").json) == {"schemas", "id", "title"}
    for query, hits in (
        (f'/Users?filter=id eq "{ann["id"]}" and manager eq "M1"&attributes=id', 1),
        (f'/Users?filter=id eq "{ann["id"]}" and manager eq "M2"&attributes=id', 0),
        (f'/Groups?filter=id eq "{sales["id"]}" and members eq "{ann["id"]}"&excludedAttributes=members', 1),
        (f'/Groups?filter=id eq "{sales["id"]}" and members eq "nobody"&excludedAttributes=members', 0),
    ):
        assert (sender.get(query).json["schemas"], sender.get(query).json["totalResults"]) == ([LIST], hits)


def test_16_an_empty_group_shows_that_it_is_empty(sender: Sender) -> None:
    sales = sender.post("/Groups", {"displayName": "Sales"})
    assert sales.json["members"] == []
    assert sender.get(f"/Groups/{sales.json['id']}").json["members"] == []
    assert sender.get("/Groups").json["Resources"][0]["members"] == []


def test_17_only_a_right_token_is_let_in(sender: Sender) -> None:
    for given in ("", sender.token, "Bearer", "Bearer wrong", f"Token {sender.token}", "Bearer scb_0000_0000"):
        refused = sender.get("/Users", Authorization=given)
        assert (refused.status_code, refused.json["schemas"], refused.json["status"]) == (401, [ERROR], "401")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert sender.get("/Users", Authorization=f"{scheme} {sender.token}").status_code == 200


def test_18_both_media_types_are_taken_and_one_is_answered(sender: Sender) -> None:
    types = (SCIM, "application/json", f"{SCIM}; charset=utf-8", "application/json;charset=UTF-8")
    for number, given in enumerate(types):
        created = sender.post("/Users", {"userName": f"u{number}"}, Content_Type=given, Accept=given)
        assert (created.status_code, created.headers["Content-Type"]) == (201, SCIM)
    assert sender.get("/Users", Accept="*/*").headers["Content-Type"] == SCIM
    assert sender.get("/Users/unknown", Accept="application/json").headers["Content-Type"] == SCIM


def test_19_what_the_server_can_is_told_in_full(sender: Sender) -> None:
    config = sender.get("/ServiceProviderConfig").json
    for feature in ("patch", "bulk", "filter", "changePassword", "sort", "etag"):
        assert isinstance(config[feature]["supported"], bool)
    for limit in (config["bulk"]["maxOperations"], config["bulk"]["maxPayloadSize"], config["filter"]["maxResults"]):
        assert isinstance(limit, int)
        assert limit > 0
    assert {"type", "name", "description"} <= set(config["authenticationSchemes"][0])
    types = sender.get("/ResourceTypes").json
    schemas = sender.get("/Schemas").json
    assert (types["schemas"], schemas["schemas"]) == ([LIST], [LIST])
    assert [(each["name"], each["endpoint"]) for each in types["Resources"]] == [
        ("User", "/Users"),
        ("Group", "/Groups"),
    ]
    told = {each["id"]: {attribute["name"] for attribute in each["attributes"]} for each in schemas["Resources"]}
    assert {"userName", "emails", "active"} <= told[CORE]
    assert "manager" in told[ENTERPRISE]
    assert sender.get(f"/Schemas/{CORE}").json["id"] == CORE
    assert sender.get("/ResourceTypes/Group").json["endpoint"] == "/Groups"


def test_20_twenty_five_requests_at_once_are_served(sender: Sender) -> None:
    ann = sender.user("ann")
    title = {"Operations": [{"op": "replace", "path": "title", "value": "Boss"}]}
    reads = [("GET", f'/Users?filter=userName eq "{ann["userName"]}"', None)] * 12
    writes = [("PATCH", f"/Users/{ann['id']}", title)] * 12
    assert set(at_once(sender, *reads, *writes)) == {200}


def test_21_values_come_back_as_they_were_sent(sender: Sender) -> None:
    sent = {
        "displayName": "Zoe\u0301  Ærøskøbing-Müller 李小龍 🙂 " + "x" * 60,
        "name": {"familyName": "van  der Straßen", "givenName": " Ann"},
        "title": "a\tb\nc <b>&amp;\"'",
        "phoneNumbers": [{"type": "work", "value": "+5 (555) 555-5555"}, {"type": "mobile", "value": "55555555555"}],
        "emails": [{"type": "work", "value": "Ann.O'Neil+x@Corp.Local"}],
        "profileUrl": "no url at all",
        "externalId": "007",
    }
    ann = sender.user("Ann", **sent)
    assert {key: ann[key] for key in sent} == sent
    read = sender.get(f"/Users/{ann['id']}").json
    assert {key: read[key] for key in sent} == sent
    assert read["userName"] == "Ann@example.com"


def test_22_urls_may_be_written_in_every_way(sender: Sender) -> None:
    ann = sender.post("/Users", {"userName": "ann+x y@example.com"}).json
    for url in (
        "/Users?filter=userName+eq+%22ann%2Bx+y@example.com%22",
        "/Users?filter=userName%20eq%20%22ann%2Bx%20y%40example.com%22",
        "/Users/?filter=userName+eq+%22ann%2Bx+y@example.com%22",
        "/Users?filter=userName+eq+%22ann%2Bx+y@example.com%22&",
        "/Users?&filter=userName+eq+%22ann%2Bx+y@example.com%22&&",
        "/Users?",
        "/Users/?&",
    ):
        assert sender.get(url).json["Resources"] == [ann], url
    for url in (f"/Users/{ann['id']}?", f"/Users/{ann['id']}/", f"/Users/{ann['id']}/?&"):
        assert sender.get(url).json == ann, url
    assert sender.put(f"/Users/{ann['id']}/?", ann).status_code == 200


def test_every_behaviour_has_its_number() -> None:
    names = [name for name in vars(sys.modules[__name__]) if re.fullmatch(r"test_\d\d_\w+", name)]
    assert {int(name[5:7]) for name in names} == set(range(1, BEHAVIOURS + 1))
