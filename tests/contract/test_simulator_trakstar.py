"""The simulated Trakstar Learn against its OpenAPI document, and against the vendor's pages where they differ."""

from collections.abc import Iterator
from typing import Any

import pytest
from simulator_calls import adding, call, learner, trakstar

from scim_bridge.sandbox.targets.clocks import ManualClocks
from scim_bridge.sandbox.targets.seeds import SeedUser
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.sandbox.targets.trakstar import TrakstarOptions, TrakstarVendor, contract, handlers, simulate_trakstar


@pytest.fixture
def learn() -> Iterator[Simulator[TrakstarVendor]]:
    with simulate_trakstar(api_key="key", limits=()) as sim:
        yield sim


def vendor_learn(**changes: Any) -> Simulator[TrakstarVendor]:
    return simulate_trakstar(api_key="key", limits=(), options=TrakstarOptions.vendor(**changes))


class TestTrakstarContract:
    def test_every_documented_operation_has_a_handler(self) -> None:
        assert set(handlers.DOCUMENTED) == set(contract.operations())
        assert len(handlers.DOCUMENTED) == 15

    def test_every_documented_operation_answers_as_the_document_declares(
        self, learn: Simulator[TrakstarVendor]
    ) -> None:
        learn.vendor.seed([], [], ["Safety", "Sales"])
        courses = trakstar(learn, "GET", "/course").json
        group = trakstar(learn, "POST", "/group", {"groupName": "Field"}).json
        added = adding(learner("ann"), learner("bo"), batchId=7, groupIds=[group["id"]], courseIds=[courses[0]["id"]])
        answered = {
            "listCourses": trakstar(learn, "GET", "/course"),
            "addGroup": trakstar(learn, "POST", "/group?responseFormat=json", {"groupName": "Other"}),
            "addUsers": trakstar(learn, "POST", "/user", added),
            "listUsers": trakstar(learn, "GET", "/user"),
        }
        first = answered["listUsers"].json[0]["id"]
        course, member = courses[1]["id"], f"/group/{group['id']}/user/{first}"
        answered |= {
            "getUser": trakstar(learn, "GET", f"/user/{first}"),
            "editUser": trakstar(learn, "POST", f"/user/{first}", {"lastName": "New"}),
            "listGroups": trakstar(learn, "GET", "/group"),
            "getGroup": trakstar(learn, "GET", f"/group/{group['id']}"),
            "getCourse": trakstar(learn, "GET", f"/course/{course}"),
            "removeUserFromGroup": trakstar(learn, "DELETE", member),
            "addUserToGroup": trakstar(learn, "POST", member),
            "inviteUserToCourse": trakstar(learn, "POST", f"/course/{course}/user/{first}", {"required": True}),
            "inviteUsersToCourse": trakstar(learn, "POST", f"/course/{course}/user", {"userIds": [first]}),
            "authorizeUser": trakstar(learn, "GET", "/auth?email=ann%40example.com"),
            "archiveUser": trakstar(learn, "POST", f"/user/{first}/archive"),
        }
        assert set(answered) == set(contract.operations())
        for operation_id, answer in answered.items():
            assert answer.status == 200, operation_id
            assert contract.breaches_of_answer(operation_id, 200, answer.json if answer.body else None) == []

    def test_refusals_have_the_declared_form(self, learn: Simulator[TrakstarVendor]) -> None:
        refused = {
            ("addUsers", 400): trakstar(learn, "POST", "/user", {}),
            ("getUser", 404): trakstar(learn, "GET", "/user/1"),
            ("authorizeUser", 404): trakstar(learn, "GET", "/auth?username=nobody"),
            ("listUsers", 401): call(learn.base_url + "/user", "GET"),
        }
        for (operation_id, status), answer in refused.items():
            assert answer.status == status
            assert contract.breaches_of_answer(operation_id, status, answer.json) == []

    @pytest.mark.parametrize(
        ("user", "text"),
        [
            (learner("ann", firstName="x" * 36), "firstName is longer than 35"),
            (learner("ann", email="no address"), "email is no valid email"),
            (learner("ann", email="a@" + "d" * 250 + ".com"), "email is longer than 254"),
            (learner("ann", permissions=1), "permissions is not an allowed value"),
            ({"firstName": "A", "lastName": "B"}, "email or username is required"),
            ({"firstName": "A", "email": "a@example.com"}, "'lastName' is a required property"),
            # A misspelt field would otherwise vanish in silence.
            (learner("ann", customField0="x"), "customField0"),
        ],
    )
    def test_a_user_that_breaks_the_schema_fails_the_call_without_being_named(
        self, learn: Simulator[TrakstarVendor], user: dict[str, Any], text: str
    ) -> None:
        answer = trakstar(learn, "POST", "/user", adding(learner("good"), user))
        assert answer.status == 400
        assert text in " ".join(answer.json["errors"])
        assert b"good@" not in answer.body
        assert learn.state.accounts == ()

    def test_a_name_of_35_characters_counts_characters_and_not_bytes(self, learn: Simulator[TrakstarVendor]) -> None:
        answer = trakstar(learn, "POST", "/user", adding(learner("ann", firstName="é" * 35)))
        assert answer.json["usersAdded"] == 1

    @pytest.mark.parametrize(
        "body",
        [
            adding(*[learner(f"u{number}") for number in range(201)]),
            {"users": [learner("ann")]},
            adding(learner("ann"), clientDatestamp="21.11.2026"),
            adding(learner("ann"), batchId="7"),
            adding(learner("ann"), groupIds=[1]),
            adding(learner("ann"), requiredCourseIds=[1]),
            [learner("ann")],
        ],
    )
    def test_a_call_that_breaks_the_contract_adds_nobody(self, learn: Simulator[TrakstarVendor], body: Any) -> None:
        assert trakstar(learn, "POST", "/user", body).status == 400
        assert learn.state.accounts == ()

    def test_200_users_fit_in_one_call(self, learn: Simulator[TrakstarVendor]) -> None:
        answer = trakstar(learn, "POST", "/user", adding(*[learner(f"u{number}") for number in range(200)]))
        assert answer.json == {"usersAdded": 200, "errors": []}
        assert learn.log.calls()[0].items == 200

    def test_duplicates_are_errors_of_their_own_row(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.vendor.seed([SeedUser(first_name="Old", last_name="Hand", email="old@example.com", active=False)], [], [])
        answer = trakstar(
            learn,
            "POST",
            "/user",
            adding(
                learner("ann", username="ann"),
                learner("ANN"),
                learner("bo", username="ANN"),
                learner("Old"),
                batchId=3,
            ),
        )
        assert answer.json["batchId"] == 3
        assert answer.json["usersAdded"] == 1
        assert [each["email"] for each in answer.json["errors"]] == [
            "ANN@example.com",
            "bo@example.com",
            "Old@example.com",
        ]
        assert learn.state.duplicates() == ()

    def test_a_refused_user_does_not_stop_the_others(self) -> None:
        with simulate_trakstar(api_key="key", limits=(), refuse={"Bad@example.com": "not here"}) as sim:
            answer = trakstar(sim, "POST", "/user", adding(learner("bad"), learner("good")))
            assert answer.json == {"usersAdded": 1, "errors": [{"email": "bad@example.com", "error": "not here"}]}

    def test_filters_of_the_listing_are_honoured(self) -> None:
        clocks = ManualClocks(epoch_ms=1_700_000_000_000)
        with simulate_trakstar(api_key="key", limits=(), clocks=clocks.clocks) as sim:
            trakstar(sim, "POST", "/user", adding(learner("old"), learner("gone", permissions=169000300)))
            clocks.advance(3600)
            trakstar(sim, "POST", "/user", adding(learner("new")))
            gone = sim.state.find("gone@example.com")
            assert gone is not None
            trakstar(sim, "POST", f"/user/{gone.account_id}/archive")

            def found(query: str) -> list[str]:
                return [each["email"].partition("@")[0] for each in trakstar(sim, "GET", f"/user?{query}").json]

            assert found("_status=Active") == ["old", "new"]
            assert found("_status=Archived") == ["gone"]
            assert found("_type=Trainer") == ["gone"]
            assert found("_createdAfter=2023-11-14T22:30:00Z") == ["new"]
            assert found("_modifiedAfter=2023-11-14T22:30:00Z") == ["gone", "new"]
            assert found("_createdAfter=2023-11-14") == ["old", "gone", "new"]
            assert trakstar(sim, "GET", "/user?_createdAfter=yesterday").status == 400
            assert trakstar(sim, "GET", "/user?createdAfter=2023-11-14").status == 400

    def test_group_names_may_repeat(self, learn: Simulator[TrakstarVendor]) -> None:
        first, second = (trakstar(learn, "POST", "/group", {"groupName": "Twice"}).json for _ in range(2))
        assert first["id"] != second["id"]

    def test_group_0_holds_everybody_without_a_group(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.vendor.seed(
            [
                SeedUser(first_name="A", last_name="B", email="in@example.com", groups=("G",)),
                SeedUser(first_name="A", last_name="B", email="out@example.com"),
            ],
            [],
            [],
        )
        assert [each["email"] for each in trakstar(learn, "GET", "/group/0").json["users"]] == ["out@example.com"]

    def test_an_edit_cannot_take_the_address_of_another(self, learn: Simulator[TrakstarVendor]) -> None:
        trakstar(learn, "POST", "/user", adding(learner("ann"), learner("bo")))
        ann = learn.state.accounts[0]
        assert trakstar(learn, "POST", f"/user/{ann.account_id}", {"email": "BO@example.com"}).status == 400
        assert trakstar(learn, "POST", f"/user/{ann.account_id}", {"email": "Ann@example.com"}).status == 200
        assert trakstar(learn, "POST", f"/user/{ann.account_id}", {"email": "free@example.com"}).status == 200
        assert trakstar(learn, "POST", "/user", adding(learner("ann"))).json["usersAdded"] == 1


class TestTrakstarOptions:
    def test_an_invalid_user_may_cost_only_their_own_row(self) -> None:
        with simulate_trakstar(api_key="key", limits=(), options=TrakstarOptions(invalid_user="row")) as sim:
            answer = trakstar(sim, "POST", "/user", adding(learner("ann", lastName="x" * 36), learner("bo")))
            assert answer.json["usersAdded"] == 1
            assert answer.json["errors"][0]["email"] == "ann@example.com"

    def test_the_vendor_updates_whom_it_knows(self) -> None:
        with vendor_learn() as sim:
            trakstar(sim, "POST", "/user", adding(learner("ann")))
            answer = trakstar(sim, "POST", "/user", adding(learner("ANN", lastName="New"), learner("bo")))
            assert [each["email"] for each in answer.json["updated"]] == ["ANN@example.com"]
            assert [each["email"] for each in answer.json["added"]] == ["bo@example.com"]
            assert trakstar(sim, "POST", "/user", adding(learner("ann"), mode="add")).status == 400

    def test_the_vendor_archives_and_groups_many_at_once(self) -> None:
        with vendor_learn(seats=2) as sim:
            trakstar(sim, "POST", "/user", adding(learner("ann"), learner("bo"), learner("cy")))
            ids = [int(each.account_id) for each in sim.state.accounts]
            group_id = trakstar(sim, "POST", "/group", {"groupName": "G"}).json[4]
            assert len(ids) == 2
            assert trakstar(sim, "POST", f"/group/{group_id}/user", {"userIds": ids}).status == 200
            assert sim.state.groups[0][2] == 2
            assert trakstar(sim, "POST", f"/group/{group_id}/user/action/delete", {"userIds": ids[:1]}).status == 200
            assert trakstar(sim, "POST", "/user/archive", {"userIds": ids}).status == 200
            assert sim.state.counts["active"] == 0
            trakstar(sim, "POST", "/user", adding(learner("dee"), learner("eve")))
            full = trakstar(sim, "POST", f"/user/{ids[0]}/unarchive")
            assert (full.status, full.json["code"]) == (400, "no_seats")
            sim.vendor.set_options({"seats": None})
            assert trakstar(sim, "POST", f"/user/{ids[0]}/unarchive").status == 200
            assert trakstar(sim, "POST", f"/user/{ids[0]}/unarchive").json["code"] == "user_not_archived"

    def test_the_vendor_says_401_of_a_user_who_is_not_there(self) -> None:
        with vendor_learn() as sim:
            answer = trakstar(sim, "GET", "/auth?email=a%40example.com")
            assert (answer.status, answer.json["code"]) == (401, "user_not_exist")

    def test_the_vendor_lists_codes_and_other_names(self) -> None:
        with vendor_learn() as sim:
            user = learner("ann", username="ann", customField0="x")
            assert trakstar(sim, "POST", "/user", adding(user)).status == 200
            listed = trakstar(sim, "GET", "/user").json[0]
            assert (listed["status"], listed["userName"]) == (109000200, "ann")
            assert sim.state.accounts[0].attributes["customfield0"] == "x"

    def test_a_problem_of_the_account_is_a_400_for_every_call(self, learn: Simulator[TrakstarVendor]) -> None:
        learn.vendor.set_options({"account_problem": "account_inactive"})
        answer = trakstar(learn, "GET", "/user")
        assert (answer.status, answer.json["type"]) == (400, "api_key_validation")

    def test_a_new_user_may_be_listed_late(self) -> None:
        clocks = ManualClocks()
        options = TrakstarOptions(read_lag_s=5)
        with simulate_trakstar(api_key="key", limits=(), options=options, clocks=clocks.clocks) as sim:
            trakstar(sim, "POST", "/user", adding(learner("ann")))
            assert trakstar(sim, "GET", "/user").json == []
            clocks.advance(5)
            assert len(trakstar(sim, "GET", "/user").json) == 1

    def test_an_unknown_option_is_refused(self, learn: Simulator[TrakstarVendor]) -> None:
        with pytest.raises(ValueError, match="no such option: seat"):
            learn.vendor.set_options({"seat": 1})
        with pytest.raises(ValueError, match="invalid_user"):
            TrakstarOptions(invalid_user="maybe")  # type: ignore[arg-type]
