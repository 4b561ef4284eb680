"""What the simulated senders put on the wire, and what they note in their books."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
from recording_service import RecordingService

from scim_bridge.sandbox.senders.entra import ENTRA_GROUP, EntraSender
from scim_bridge.sandbox.senders.okta import ENTERPRISE, OktaSender
from scim_bridge.sandbox.senders.people import generate_people
from scim_bridge.sandbox.senders.wire import ScimWire, SenderError

BOSS, ANN, BO = generate_people(3)


@pytest.fixture
def service() -> Iterator[RecordingService]:
    with RecordingService() as running:
        yield running


@pytest.fixture
def okta(service: RecordingService) -> OktaSender:
    return OktaSender(service.url, "token")


@pytest.fixture
def entra(service: RecordingService) -> EntraSender:
    return EntraSender(service.url, "token")


class TestOkta:
    def test_a_push_looks_up_before_it_creates(self, service: RecordingService, okta: OktaSender) -> None:
        okta.push_user(ANN)
        assert service.lines == ["GET /Users", "POST /Users"]
        assert parse_qs(service.seen[0].query) == {
            "filter": [f'userName eq "{ANN.user_name}"'],
            "startIndex": ["1"],
            "count": ["100"],
        }
        created = service.seen[1].document
        assert created["externalId"].startswith("00u")
        assert (created["active"], created["groups"]) == (True, [])
        assert "password" in created

    def test_the_headers_are_those_of_okta_even_with_a_get(self, service: RecordingService, okta: OktaSender) -> None:
        okta.test_connection()
        headers = service.seen[0].headers
        assert headers["User-Agent"] == "Okta SCIM Client 1.0.0"
        assert headers["Content-Type"] == "application/scim+json; charset=utf-8"
        assert headers["Authorization"] == "Bearer token"

    def test_somebody_who_exists_is_taken_over_by_get_and_put(
        self, service: RecordingService, okta: OktaSender
    ) -> None:
        OktaSender(service.url, "token").push_user(ANN)
        service.seen.clear()
        sent = okta.push_user(ANN)
        assert service.lines == ["GET /Users", f"GET /Users/{sent.id}", f"PUT /Users/{sent.id}"]

    def test_an_update_is_a_get_and_a_put(self, service: RecordingService, okta: OktaSender) -> None:
        okta.push_user(ANN)
        sent = okta.update_user(ANN.evolve(title="Boss"))
        assert service.lines[2:] == [f"GET /Users/{sent.id}", f"PUT /Users/{sent.id}"]
        assert service.seen[3].document["title"] == "Boss"
        assert okta.sent[ANN.user_name].document["title"] == "Boss"

    def test_a_rename_moves_the_books_to_the_new_name(self, okta: OktaSender) -> None:
        okta.push_user(ANN)
        okta.update_user(ANN.evolve(user_name="new@example.com"))
        assert set(okta.sent) == {"new@example.com"}
        okta.deactivate("NEW@example.com")
        assert okta.sent["new@example.com"].active is False

    def test_a_deactivation_is_a_patch_without_a_path(self, service: RecordingService, okta: OktaSender) -> None:
        okta.push_user(ANN)
        okta.deactivate(ANN.user_name)
        assert service.seen[-1].document["Operations"] == [{"op": "replace", "value": {"active": False}}]
        okta.update_user(ANN.evolve(title="Gone"))
        assert service.seen[-1].document["active"] is False

    def test_the_first_group_push_replaces_and_later_ones_name_what_changed(
        self, service: RecordingService, okta: OktaSender
    ) -> None:
        ann, bo = okta.push_user(ANN), okta.push_user(BO)
        okta.push_group("Sales", [ANN.user_name])
        okta.push_group("Sales", [BO.user_name])
        posted = next(each.document for each in service.seen if each.line == "POST /Groups")
        first, second = (each.document["Operations"] for each in service.seen if each.method == "PATCH")
        assert posted["members"] == []
        assert first[1] == {"op": "replace", "path": "members", "value": [{"value": ann.id}]}
        assert second[0]["value"]["displayName"] == "Sales"
        assert second[1:] == [
            {"op": "remove", "path": f'members[value eq "{ann.id}"]'},
            {"op": "add", "path": "members", "value": [{"value": bo.id}]},
        ]
        assert okta.record.groups() == {"Sales": frozenset({BO.user_name})}
        okta.unlink_group("Sales")
        assert okta.record.groups() == {}

    def test_what_was_refused_is_not_in_the_books(self, service: RecordingService, okta: OktaSender) -> None:
        # Okta takes a 404 for nobody found.
        service.script.extend([(404, {}), (400, {})])
        with pytest.raises(SenderError, match=r"^POST /Users was answered 400$") as refused:
            okta.push_user(ANN)
        assert refused.value.detail == "scripted"
        assert okta.sent == {}

    def test_many_threads_lose_nothing(self, okta: OktaSender) -> None:
        people = generate_people(40)
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(okta.push_user, people))
        assert set(okta.sent) == {each.user_name for each in people}
        assert len({each.id for each in okta.sent.values()}) == 40

    def test_the_books_say_what_a_target_should_hold(self, okta: OktaSender) -> None:
        okta.push_user(ANN)
        okta.push_user(BO)
        okta.push_group("Sales", [BO.user_name])
        okta.deactivate(ANN.user_name)
        wishes = {each.user_name: each for each in okta.record.desired()}
        assert wishes[ANN.user_name].active is False
        assert wishes[BO.user_name].groups == frozenset({"Sales"})
        assert wishes[BO.user_name].first_name == BO.given_name


class TestEntra:
    def test_the_connection_is_tested_with_somebody_who_is_not_there(self, entra: EntraSender) -> None:
        entra.test_connection()

    def test_a_404_for_nobody_found_is_an_error(self, service: RecordingService, entra: EntraSender) -> None:
        service.script.append((404, {}))
        with pytest.raises(SenderError):
            entra.test_connection()

    def test_a_create_bears_both_schemas_and_the_manager_comes_after(
        self, service: RecordingService, entra: EntraSender
    ) -> None:
        boss = entra.push_user(BOSS)
        service.seen.clear()
        ann = entra.push_user(ANN.evolve(manager=BOSS.external_id))
        assert service.lines == ["GET /Users", "POST /Users", "GET /Users", f"PATCH /Users/{ann.id}"]
        assert "+eq+" in service.seen[0].query
        created = service.seen[1].document
        assert ENTERPRISE in created["schemas"]
        assert (created["roles"], created["meta"]) == ([], {"resourceType": "User"})
        asked = parse_qs(service.seen[2].query)["filter"]
        assert asked == [f'id eq "{ann.id}" and manager eq "{boss.id}"']
        assert service.seen[3].document["Operations"] == [
            {"op": "Add", "path": f"{ENTERPRISE}:manager", "value": boss.id}
        ]

    def test_an_update_names_only_what_changed(self, service: RecordingService, entra: EntraSender) -> None:
        entra.push_user(ANN)
        entra.update_user(ANN.evolve(email="new@example.com", department="Other"))
        assert service.seen[-1].document["Operations"] == [
            {"op": "Replace", "path": 'emails[type eq "work"].value', "value": "new@example.com"},
            {"op": "Replace", "path": f"{ENTERPRISE}:department", "value": "Other"},
        ]

    @pytest.mark.parametrize(
        ("dialect", "operation"),
        [
            ("default", {"op": "Replace", "path": "active", "value": "False"}),
            ("aadOptscim062020", {"op": "replace", "value": {"active": False}}),
        ],
    )
    def test_a_deactivation_follows_the_dialect(
        self, service: RecordingService, dialect: str, operation: dict[str, object]
    ) -> None:
        sender = EntraSender(service.url, "token", dialect=dialect)  # type: ignore[arg-type]
        sender.push_user(ANN)
        sender.deactivate(ANN.user_name)
        assert service.seen[-1].document["Operations"] == [operation]
        assert sender.sent[ANN.user_name].active is False

    @pytest.mark.parametrize("dialect", ["default", "aadOptscim062020"])
    def test_members_are_added_in_a_list_and_removed_by_the_dialect(
        self, service: RecordingService, dialect: str
    ) -> None:
        sender = EntraSender(service.url, "token", dialect=dialect)  # type: ignore[arg-type]
        ann, bo = sender.push_user(ANN), sender.push_user(BO)
        service.seen.clear()
        sender.push_group("Sales", [ANN.user_name, BO.user_name])
        sender.push_group("Sales", [BO.user_name])
        posted = next(each.document for each in service.seen if each.line == "POST /Groups")
        added, removed = (each.document["Operations"] for each in service.seen if each.method == "PATCH")
        assert ENTRA_GROUP in posted["schemas"]
        assert "members" not in posted
        assert [each.query for each in service.seen if each.path.startswith("/Groups/") and each.method == "GET"] == [
            "excludedAttributes=members"
        ] * 2
        assert [each["value"] for each in added[0]["value"]] == [ann.id, bo.id]
        assert added[0]["value"][0]["$ref"] is None
        expected = (
            {"op": "Remove", "path": "members", "value": [{"$ref": None, "value": ann.id}]}
            if dialect == "default"
            else {"op": "remove", "path": f'members[value eq "{ann.id}"]'}
        )
        assert removed == [expected]

    def test_somebody_whom_another_sender_made_is_patched(self, service: RecordingService, entra: EntraSender) -> None:
        made = OktaSender(service.url, "token").push_user(ANN)
        service.seen.clear()
        assert entra.push_user(ANN).id == made.id
        assert service.lines == ["GET /Users", f"PATCH /Users/{made.id}"]
        assert service.seen[1].document["Operations"][-1] == {"op": "Replace", "path": "active", "value": "True"}


class TestPatience:
    def test_a_503_is_tried_again_after_the_wait_that_was_asked_for(self, service: RecordingService) -> None:
        waits: list[float] = []
        service.script.extend([(503, {"Retry-After": "3"}), (429, {}), (429, {"Retry-After": "3600"})])
        ScimWire(base_url=service.url, token="t", sleep=waits.append).call("GET", "/Users")
        assert waits == [3.0, 1.0, 10.0]
        assert len(service.seen) == 4

    def test_patience_ends(self, service: RecordingService) -> None:
        service.script.extend([(503, {})] * 3)
        with pytest.raises(SenderError) as refused:
            ScimWire(base_url=service.url, token="t", attempts=3, sleep=lambda _: None).call("GET", "/Users")
        assert refused.value.status == 503

    def test_no_answer_is_an_error_without_a_status(self, service: RecordingService) -> None:
        url = service.url
        service.__exit__()
        with pytest.raises(SenderError, match=r"^GET /Users got no answer$") as refused:
            ScimWire(base_url=url, token="t").call("GET", "/Users?filter=secret")
        assert refused.value.status is None

    def test_the_token_is_in_no_repr(self) -> None:
        assert "word" not in repr(ScimWire(base_url="http://127.0.0.1:1", token="word"))

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1", "127.0.0.1:80", ""])
    def test_a_base_url_must_be_one(self, url: str) -> None:
        with pytest.raises(ValueError, match="base_url"):
            ScimWire(base_url=url, token="t")


class TestPeople:
    def test_the_same_seed_makes_the_same_people(self) -> None:
        assert generate_people(50, seed=3) == generate_people(50, seed=3)
        assert generate_people(50, seed=3) != generate_people(50, seed=4)

    def test_nobody_shares_a_name_to_log_in_with(self) -> None:
        people = generate_people(2000)
        assert len({each.user_name.casefold() for each in people}) == 2000
        assert len({each.external_id for each in people}) == 2000

    def test_names_are_as_difficult_as_in_life(self) -> None:
        people = generate_people(500)
        assert any(not each.given_name.isascii() for each in people)
        assert any(len(each.family_name) > 35 for each in people)
        assert any("'" in each.family_name for each in people)
        assert any("+" in each.email for each in people)
        assert all(each.email.isascii() and each.email.endswith("@example.com") for each in people)

    def test_a_manager_comes_before_those_they_lead(self) -> None:
        known: set[str] = set()
        for person in generate_people(200):
            assert person.manager is None or person.manager in known
            known.add(person.external_id)

    def test_a_negative_number_is_refused(self) -> None:
        with pytest.raises(ValueError, match="negative"):
            generate_people(-1)
