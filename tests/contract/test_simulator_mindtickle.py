"""The simulated MindTickle: SCIM, bulk and REST, over real HTTP."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from simulator_calls import BEARER, ENTERPRISE, GROUP, SEARCH, bulk, call, creating, patching, rest, scim, scim_user

from scim_bridge.sandbox.targets.mindtickle import MindTickleOptions, MindTickleVendor, simulate_mindtickle
from scim_bridge.sandbox.targets.seeds import SeedUser
from scim_bridge.sandbox.targets.simulator import Simulator


@pytest.fixture
def tickle() -> Iterator[Simulator[MindTickleVendor]]:
    with simulate_mindtickle(api_key="key", limits=()) as sim:
        yield sim


class TestMindTickleScim:
    def test_the_company_must_be_named_on_both_sides(self, tickle: Simulator[MindTickleVendor]) -> None:
        for url in (tickle.urls["scim_base_url"] + "/Users", tickle.urls["rest_base_url"] + "/company"):
            assert call(url, "GET", headers={"Authorization": "Bearer key"}).status == 403
            assert call(url, "GET", headers={**BEARER, "X-Company-Id": "stale"}).status == 403
            assert call(url, "GET", headers={**BEARER, "Authorization": "Bearer no"}).status == 401
        tickle.vendor.set_options({"company_header": None})
        assert call(tickle.base_url + "/Users", "GET", headers={"Authorization": "bearer key"}).status == 200

    def test_a_user_name_is_taken_whatever_its_letter_case(self, tickle: Simulator[MindTickleVendor]) -> None:
        created = scim(tickle, "POST", "/Users", scim_user("ann"))
        assert created.status == 201
        assert created.headers["Location"].endswith(created.json["id"])
        again = scim(tickle, "POST", "/Users", scim_user("ANN"))
        assert (again.status, again.json["scimType"], again.json["status"]) == (409, "uniqueness", "409")

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ('userName eq "ANN@example.com"', ["ann"]),
            ('externalId eq "x-bo"', ["bo"]),
            ('externalId eq "X-BO"', []),
            ('emails.value eq "bo@example.com" or userName eq "ann@example.com"', ["ann", "bo"]),
            ('emails[type eq "work"].value eq "cy@example.com"', ["cy"]),
            ('userName eq "ann@example.com" and externalId eq "x-bo"', []),
            ("active eq false", ["cy"]),
        ],
    )
    def test_filters_find(self, tickle: Simulator[MindTickleVendor], text: str, names: list[str]) -> None:
        for name in ("ann", "bo", "cy"):
            scim(tickle, "POST", "/Users", scim_user(name, externalId=f"x-{name}", active=name != "cy"))
        for answer in (
            scim(tickle, "GET", f"/Users?filter={quote(text)}"),
            scim(tickle, "POST", "/Users/.search", {"schemas": [SEARCH], "filter": text}),
        ):
            assert [each["userName"].partition("@")[0] for each in answer.json["Resources"]] == names
            assert answer.json["totalResults"] == len(names)

    @pytest.mark.parametrize("text", ['userName sw "a"', "userName eq", "", 'nickName eq "x"', 'id eq "1" or'])
    def test_a_filter_that_is_not_understood_is_refused(self, tickle: Simulator[MindTickleVendor], text: str) -> None:
        answer = scim(tickle, "GET", f"/Users?filter={quote(text)}")
        assert (answer.status, answer.json["scimType"]) == (400, "invalidFilter")

    def test_a_target_may_know_single_comparisons_only(self, tickle: Simulator[MindTickleVendor]) -> None:
        tickle.vendor.set_options({"filters": "eq"})
        assert scim(tickle, "GET", "/Users?filter=" + quote('id eq "1"')).status == 200
        assert scim(tickle, "GET", "/Users?filter=" + quote('id eq "1" or id eq "2"')).status == 400

    def test_pages_cover_everybody_once(self, tickle: Simulator[MindTickleVendor]) -> None:
        scim(tickle, "POST", "/Bulk", bulk(*[creating(f"u{n}") for n in range(7)]))
        pages = [scim(tickle, "GET", f"/Users?startIndex={start}&count=3").json for start in (1, 4, 7, 10)]
        assert [page["itemsPerPage"] for page in pages] == [3, 3, 1, 0]
        assert len({each["id"] for page in pages for each in page["Resources"]}) == 7
        assert scim(tickle, "GET", "/Users?count=0").json["totalResults"] == 7
        assert scim(tickle, "GET", "/Users?count=x").status == 400

    def test_patch_changes_what_it_names(self, tickle: Simulator[MindTickleVendor]) -> None:
        user = scim(tickle, "POST", "/Users", scim_user("ann", name={"givenName": "Ann", "familyName": "A"})).json
        answer = scim(
            tickle,
            "PATCH",
            f"/Users/{user['id']}",
            patching(
                {"op": "replace", "path": "active", "value": False},
                {"op": "add", "path": f"{ENTERPRISE}:department", "value": "Sales"},
                {"op": "replace", "path": "name.familyName", "value": "B"},
                {"op": "replace", "path": 'emails[value eq "ann@example.com"].value', "value": "new@example.com"},
                {"op": "replace", "value": {"title": "Boss"}},
            ),
        )
        assert answer.status == 200
        assert answer.json["name"] == {"givenName": "Ann", "familyName": "B"}
        assert answer.json[ENTERPRISE] == {"department": "Sales"}
        assert answer.json["emails"][0]["value"] == "new@example.com"
        held = tickle.state.find("new@example.com")
        assert held is not None
        assert (held.active, held.attributes["title"]) == (False, "Boss")

    @pytest.mark.parametrize(
        ("operation", "scim_type"),
        [
            ({"op": "Replace", "path": "active", "value": False}, "invalidSyntax"),
            ({"op": "replace", "path": "active", "value": "False"}, "invalidValue"),
            ({"op": "replace", "path": "shoeSize", "value": 1}, "invalidPath"),
            ({"op": "replace", "path": "id", "value": "x"}, "mutability"),
            ({"op": "remove"}, "noTarget"),
            ({"op": "replace", "path": 'emails[type eq "fax"].value', "value": "x"}, "noTarget"),
            ({"op": "remove", "path": "emails", "value": [{"value": "ann@example.com"}]}, "invalidSyntax"),
            ({"op": "remove", "path": "userName"}, "invalidValue"),
        ],
    )
    def test_a_careless_patch_is_refused_and_changes_nothing(
        self, tickle: Simulator[MindTickleVendor], operation: dict[str, Any], scim_type: str
    ) -> None:
        user = scim(tickle, "POST", "/Users", scim_user("ann", title="Same")).json
        first = {"op": "replace", "path": "title", "value": "Other"}
        answer = scim(tickle, "PATCH", f"/Users/{user['id']}", patching(first, operation))
        assert (answer.status, answer.json["scimType"]) == (400, scim_type)
        assert scim(tickle, "GET", f"/Users/{user['id']}").json["title"] == "Same"

    def test_put_replaces_and_delete_removes(self, tickle: Simulator[MindTickleVendor]) -> None:
        user = scim(tickle, "POST", "/Users", scim_user("ann", title="Old")).json
        replaced = scim(tickle, "PUT", f"/Users/{user['id']}", scim_user("anne", id="ignored"))
        assert (replaced.status, replaced.json["id"], "title" in replaced.json) == (200, user["id"], False)
        assert scim(tickle, "POST", "/Users", scim_user("ann")).status == 201
        assert scim(tickle, "DELETE", f"/Users/{user['id']}").status == 204
        assert scim(tickle, "DELETE", f"/Users/{user['id']}").status == 404

    def test_members_join_and_leave(self, tickle: Simulator[MindTickleVendor]) -> None:
        ids = [scim(tickle, "POST", "/Users", scim_user(name)).json["id"] for name in ("ann", "bo")]
        group = scim(tickle, "POST", "/Groups", {"schemas": [GROUP], "displayName": "G"}).json
        joining = {"op": "add", "path": "members", "value": [{"value": each} for each in (*ids, ids[0])]}
        leaving = {"op": "remove", "path": f'members[value eq "{ids[0]}"]'}
        assert len(scim(tickle, "PATCH", f"/Groups/{group['id']}", patching(joining)).json["members"]) == 2
        assert scim(tickle, "PATCH", f"/Groups/{group['id']}", patching(leaving)).status == 200
        assert [sorted(each.groups) for each in tickle.state.accounts] == [[], ["G"]]
        stranger = {"op": "add", "path": "members", "value": [{"value": "nobody"}]}
        assert scim(tickle, "PATCH", f"/Groups/{group['id']}", patching(stranger)).status == 400
        listed = scim(tickle, "GET", f"/Groups/{group['id']}?excludedAttributes=members").json
        assert "members" not in listed
        scim(tickle, "DELETE", f"/Users/{ids[1]}")
        assert tickle.state.groups[0][2] == 0

    def test_somebody_of_another_idp_conflicts_and_cannot_be_found(self, tickle: Simulator[MindTickleVendor]) -> None:
        tickle.vendor.seed([SeedUser(first_name="A", last_name="B", email="ann@example.com", is_hidden=True)], [], [])
        assert scim(tickle, "POST", "/Users", scim_user("Ann")).status == 409
        text = quote('userName eq "ann@example.com"')
        assert scim(tickle, "GET", f"/Users?filter={text}").json["totalResults"] == 0
        assert tickle.state.accounts == ()

    def test_a_long_url_is_refused(self, tickle: Simulator[MindTickleVendor]) -> None:
        assert scim(tickle, "GET", f"/Users?filter={'x' * 8001}").status == 414

    def test_what_is_not_offered_answers_501(self) -> None:
        options = MindTickleOptions(bulk="none", patch=False, groups=False, search=False)
        with simulate_mindtickle(api_key="key", limits=(), options=options) as sim:
            user = scim(sim, "POST", "/Users", scim_user("ann")).json
            config = scim(sim, "GET", "/ServiceProviderConfig").json
            assert (config["bulk"]["supported"], config["patch"]["supported"]) == (False, False)
            assert scim(sim, "POST", "/Bulk", bulk(creating("bo"))).status == 501
            assert scim(sim, "PATCH", f"/Users/{user['id']}", patching()).status == 501
            assert scim(sim, "GET", "/Groups").status == 501
            assert scim(sim, "POST", "/Users/.search", {"schemas": [SEARCH]}).status == 501
            assert rest(sim, "POST", "/users/bulk", []).status == 501


class TestMindTickleBulk:
    def test_each_operation_has_a_fate_of_its_own(self, tickle: Simulator[MindTickleVendor]) -> None:
        tickle.vendor.refusals.add({"bad@example.com": "not here"})
        answer = scim(
            tickle, "POST", "/Bulk", bulk(creating("ann"), creating("bad"), {**creating("ANN"), "bulkId": "again"})
        )
        assert answer.status == 200
        entries = answer.json["Operations"]
        assert [(each["bulkId"], each["status"]) for each in entries] == [
            ("ann", "201"),
            ("bad", "400"),
            ("again", "409"),
        ]
        assert [each["response"]["scimType"] for each in entries[1:]] == ["invalidValue", "uniqueness"]
        assert "location" in entries[0]
        assert "location" not in entries[1]

    def test_a_group_takes_members_of_the_same_request(self, tickle: Simulator[MindTickleVendor]) -> None:
        members = [{"value": "bulkId:ann"}, {"value": "bulkId:bo"}]
        group = {
            "method": "POST",
            "path": "/Groups",
            "bulkId": "g",
            "data": {"schemas": [GROUP], "displayName": "G", "members": members},
        }
        scim(tickle, "POST", "/Bulk", bulk(group, creating("ann"), creating("bo")))
        assert tickle.state.groups[0][1:] == ("G", 2)

    def test_a_reference_to_a_failed_operation_fails(self, tickle: Simulator[MindTickleVendor]) -> None:
        scim(tickle, "POST", "/Users", scim_user("ann"))
        data = {"schemas": [GROUP], "displayName": "G", "members": [{"value": "bulkId:ann"}]}
        group = {"method": "POST", "path": "/Groups", "bulkId": "g", "data": data}
        entries = scim(tickle, "POST", "/Bulk", bulk(creating("ann"), group)).json["Operations"]
        assert [each["status"] for each in entries] == ["409", "400"]

    def test_after_too_many_errors_the_rest_has_no_answer(self, tickle: Simulator[MindTickleVendor]) -> None:
        scim(tickle, "POST", "/Users", scim_user("ann"))
        answer = scim(tickle, "POST", "/Bulk", bulk(creating("bo"), creating("ann"), creating("cy"), failOnErrors=1))
        assert [each["bulkId"] for each in answer.json["Operations"]] == ["bo", "ann"]
        assert tickle.state.find("cy@example.com") is None

    def test_answers_may_come_in_another_order(self) -> None:
        options = MindTickleOptions(shuffle=True)
        names = [f"u{number}" for number in range(20)]
        with simulate_mindtickle(api_key="key", limits=(), options=options) as sim:
            answer = scim(sim, "POST", "/Bulk", bulk(*map(creating, names)))
            answered = [each["bulkId"] for each in answer.json["Operations"]]
            assert answered != names
            assert sorted(answered) == sorted(names)

    def test_either_size_limit_is_a_413_and_may_change_while_running(self, tickle: Simulator[MindTickleVendor]) -> None:
        tickle.vendor.set_options({"max_operations": 2, "max_payload_bytes": 4000})
        assert scim(tickle, "POST", "/Bulk", bulk(*[creating(f"u{n}") for n in range(3)])).status == 413
        assert scim(tickle, "POST", "/Bulk", bulk({**creating("ann"), "bulkId": "x" * 4000})).status == 413
        assert scim(tickle, "POST", "/Bulk", bulk(creating("ann"), creating("bo"))).status == 200
        config = scim(tickle, "GET", "/ServiceProviderConfig").json["bulk"]
        assert config == {"supported": True, "maxOperations": 2, "maxPayloadSize": 4000}

    @pytest.mark.parametrize(
        "operation",
        [
            {"method": "POST", "path": "/Users", "data": scim_user("ann")},
            {"method": "PUT", "path": "/Users/1"},
            {"method": "POST", "path": "/Users/bulkId:other", "bulkId": "x", "data": {}},
            {"method": "DELETE", "path": "/Shoes/1"},
        ],
    )
    def test_an_operation_that_makes_no_sense_fails_alone(
        self, tickle: Simulator[MindTickleVendor], operation: dict[str, Any]
    ) -> None:
        entries = scim(tickle, "POST", "/Bulk", bulk(operation, creating("good"))).json["Operations"]
        statuses = [int(each["status"]) for each in entries]
        assert 201 in statuses
        assert any(status >= 400 for status in statuses)


class TestMindTickleRest:
    @pytest.fixture
    def bulky(self) -> Iterator[Simulator[MindTickleVendor]]:
        with simulate_mindtickle(api_key="key", limits=(), options=MindTickleOptions(bulk="rest")) as sim:
            yield sim

    def test_bulk_creates_and_updates_and_fails_by_user(self, bulky: Simulator[MindTickleVendor]) -> None:
        bulky.vendor.refusals.add({"bad@example.com": "not here"})
        rest(bulky, "POST", "/users/bulk", [{"email": "ann@example.com", "firstName": "Ann", "groups": ["G"]}])
        answer = rest(
            bulky,
            "POST",
            "/users/bulk",
            [
                {"email": "ANN@example.com", "active": False},
                {"email": "bo@example.com", "department": "Sales"},
                {"email": "bad@example.com"},
                {"email": "cy@example.com", "active": "no"},
                {"firstName": "Nobody"},
            ],
        )
        results = answer.json["results"]
        assert [each["status"] for each in results] == ["updated", "created", "failed", "failed", "failed"]
        assert results[2]["error"] == {"type": "VALIDATION_ERROR", "description": "not here"}
        held = bulky.state.find("ann@example.com")
        assert held is not None
        assert (held.active, held.first_name, held.groups) == (False, "Ann", frozenset({"G"}))

    @pytest.mark.parametrize("body", [[{"email": f"u{n}@example.com"} for n in range(51)], {"users": []}, ["x"]])
    def test_a_bulk_call_of_another_shape_is_refused(self, bulky: Simulator[MindTickleVendor], body: Any) -> None:
        assert rest(bulky, "POST", "/users/bulk", body).status == 400
        assert bulky.state.accounts == ()

    def test_users_are_listed_by_offset(self, bulky: Simulator[MindTickleVendor]) -> None:
        for start in range(0, 250, 50):
            users = [{"email": f"u{number}@example.com"} for number in range(start, start + 50)]
            rest(bulky, "POST", "/users/bulk", users)
        first, second = (rest(bulky, "GET", f"/users?offset={offset}&limit=200").json for offset in (0, 200))
        assert (len(first["users"]), len(second["users"]), first["total"]) == (200, 50, 250)
        assert rest(bulky, "GET", "/users?limit=201").status == 400
        assert rest(bulky, "GET", "/users/me").status == 200
        assert rest(bulky, "GET", "/company").json["id"] == "acme"
