"""Rows of an HR source, recorded many at once on both databases: who is met, made, changed, let go and left alone."""

from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.hr import DAY_MS, Company, person

from scim_bridge.domain.resources import ENTERPRISE_USER
from scim_bridge.domain.rows import Refusal
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger


@pytest.fixture
def acme(store: Store) -> Company:
    return Company(store=store)


def assert_balanced(store: Store) -> None:
    report = verify_ledger(store)
    assert report["balanced"], report


def test_a_person_nobody_knew_is_created(acme: Company) -> None:
    (became,) = acme.tell(person("007", "ann"))
    assert (became.outcome, became.position, became.change is None) == ("created", 1, False)
    assert acme.people()["ann"]["name"] == {"givenName": "Ann", "familyName": "Example"}
    assert acme.waiting() == [("one", 5), ("two", 5)]
    assert_balanced(acme.store)


def test_the_same_said_twice_changes_nothing(acme: Company) -> None:
    acme.tell(person("1", "ann"), person("2", "bob"))
    before = acme.changes()
    assert acme.outcomes(person("1", "ann"), person("2", "bob")) == ["unchanged", "unchanged"]
    assert acme.changes() == before


def test_a_new_address_is_an_update_of_the_same_person(acme: Company) -> None:
    acme.tell(person("1", "ann"))
    assert acme.outcomes(person("1", "ann.smith")) == ["updated"]
    assert list(acme.people()) == ["ann.smith"]
    assert_balanced(acme.store)


def test_two_people_may_swap_names(acme: Company) -> None:
    acme.tell(person("1", "ann"), person("2", "bob"))
    assert acme.outcomes(person("1", "bob"), person("2", "ann")) == ["updated", "updated"]
    people = acme.people()
    assert (people["bob"]["externalId"], people["ann"]["externalId"]) == ("1", "2")
    assert_balanced(acme.store)


def test_a_leaver_goes_first(acme: Company) -> None:
    acme.tell(person("1", "ann"), person("2", "bob"))
    assert acme.outcomes(person("1", "ann", active=False)) == ["deactivated"]
    assert acme.active() == {"ann": False, "bob": True}
    assert sorted(acme.waiting())[:1] == [("one", 0)]


@pytest.mark.parametrize(
    "data",
    [
        # Some systems blank the address of who has left, others give all leavers the same one.
        pytest.param({"userName": None, "emails": None}, id="blank"),
        pytest.param({"userName": "bob@acme.example"}, id="another's name"),
        pytest.param({"userName": "x" * 20_000}, id="too long"),
    ],
)
def test_no_trouble_with_leavers_data_keeps_them_active(acme: Company, data: dict[str, Any]) -> None:
    acme.tell(person("1", "ann"), person("2", "bob"))
    before = {name: value for name, value in acme.people()["ann"].items() if name != "active"}
    assert acme.outcomes(person("1", "ann", active=False, document=data)) == ["deactivated"]
    assert acme.active() == {"ann": False, "bob": True}
    assert {name: value for name, value in acme.people()["ann"].items() if name != "active"} == before
    assert acme.waiting()[-2:] == [("one", 0), ("two", 0)]
    assert_balanced(acme.store)


def test_who_is_held_no_more_is_deactivated(acme: Company) -> None:
    acme.tell(person("1", "ann"))
    assert [each.outcome for each in acme.end("1")] == ["deactivated"]
    assert [each.code for each in acme.end("404")] == ["not_here"]


def test_older_news_neither_overrides_nor_revives(acme: Company, clock: Any) -> None:
    acme.tell(person("1", "ann"), at=clock.now)
    acme.tell(person("1", "ann", active=False), at=clock.now + 10)
    assert acme.outcomes(person("1", "ann", document={"title": "Boss"}), at=clock.now + 5) == ["unchanged older_news"]
    assert acme.active() == {"ann": False}
    assert "title" not in acme.people()["ann"]


def test_somebody_known_by_address_is_met_and_not_made_again(acme: Company) -> None:
    with acme.store.begin("acme") as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c"))
        mail = [{"value": "ANN@acme.example"}]
        recorder.create("User", {"userName": "a.smith", "emails": mail, "title": "Engineer"})
    assert acme.outcomes(person("1", "ann")) == ["updated"]
    (found,) = acme.people().values()
    assert (found["title"], found["name"]["givenName"]) == ("Engineer", "Ann")


def test_two_open_records_with_one_address_are_a_conflict(acme: Company) -> None:
    acme.tell(person("1", "ann"))
    assert acme.outcomes(person("2", "ann")) == ["refused two_records"]
    # Whoever was known before gets the name.
    assert acme.outcomes(person("2", "bob"), person("1", "bob")) == ["refused name_taken", "updated"]
    assert acme.people()["bob"]["externalId"] == "1"
    assert_balanced(acme.store)


def test_a_closed_record_followed_by_an_open_one_is_one_person(acme: Company, clock: Any) -> None:
    acme.tell(person("1", "ann"), at=clock.now)
    acme.tell(person("1", "ann", active=False), at=clock.now + 1)
    assert acme.outcomes(person("2", "ann"), at=clock.now + 2) == ["updated"]
    assert acme.active() == {"ann": True}
    assert acme.outcomes(person("1", "ann", active=False), at=clock.now + 3) == ["unchanged other_record"]
    assert acme.active() == {"ann": True}


def test_a_record_that_closes_beside_the_one_that_opens_is_one_person(acme: Company) -> None:
    acme.tell(person("1", "ann"))
    assert acme.outcomes(person("1", "ann", active=False), person("2", "ann")) == ["updated", "updated"]
    assert acme.active() == {"ann": True}
    assert acme.outcomes(person("2", "ann")) == ["unchanged"]


def test_who_starts_later_is_recorded_inactive(acme: Company, clock: Any) -> None:
    assert acme.outcomes(person("1", "ann", starts_at=clock.now + DAY_MS)) == ["scheduled"]
    assert acme.active() == {"ann": False}


def test_who_ends_later_is_active_until_then(acme: Company, clock: Any) -> None:
    acme.tell(person("1", "ann"))
    assert acme.outcomes(person("1", "ann", ends_at=clock.now + DAY_MS)) == ["scheduled"]
    assert acme.active() == {"ann": True}


def test_the_end_of_an_employment_before_this_one_means_nothing(acme: Company, clock: Any) -> None:
    gone_and_back = person("1", "ann", starts_at=clock.now - DAY_MS, ends_at=clock.now - 9 * DAY_MS)
    assert acme.outcomes(gone_and_back) == ["created"]
    assert acme.active() == {"ann": True}


def test_a_manager_may_come_later(acme: Company) -> None:
    acme.tell(person("1", "ann", manager_id="9"))
    assert ENTERPRISE_USER not in acme.people()["ann"]
    assert acme.outcomes(person("9", "boss", manager_id="1")) == ["created"]
    people = acme.people()
    assert people["ann"][ENTERPRISE_USER]["manager"]["value"]
    assert people["boss"][ENTERPRISE_USER]["manager"]["value"] != people["ann"][ENTERPRISE_USER]["manager"]["value"]
    assert acme.outcomes(person("1", "ann", manager_id="")) == ["updated"]
    assert "manager" not in acme.people()["ann"].get(ENTERPRISE_USER, {})
    assert_balanced(acme.store)


def test_nobody_leads_themselves(acme: Company) -> None:
    assert acme.outcomes(person("1", "ann", manager_id="1")) == ["created"]
    assert ENTERPRISE_USER not in acme.people()["ann"]


def test_one_bad_row_holds_nobody_up(acme: Company) -> None:
    bad = person("2", "bob", document={"userName": " "})
    refused = Refusal(code="missing_field", field="emails", advice="Fill it.")
    long = person("4", "dan", document={"externalId": "x" * 3000})
    assert acme.outcomes(person("1", "ann"), bad, refused, long, person("5", "eve")) == [
        "created",
        "refused missing_field",
        "refused missing_field",
        "refused row_too_long",
        "created",
    ]
    assert sorted(acme.people()) == ["ann", "eve"]
    assert_balanced(acme.store)


def test_what_a_row_that_is_not_whole_leaves_out_stays(acme: Company) -> None:
    acme.tell(person("1", "ann", document={"title": "Engineer"}))
    part = replace(person("1", "ann"), document={"nickName": "Annie", "name": {"familyName": "Smith"}})
    assert acme.outcomes(replace(part, says_start=False, says_end=False), is_whole=False) == ["updated"]
    found = acme.people()["ann"]
    assert (found["title"], found["nickName"]) == ("Engineer", "Annie")
    assert found["name"] == {"givenName": "Ann", "familyName": "Smith"}


def test_what_a_whole_row_leaves_out_is_gone(acme: Company) -> None:
    acme.tell(person("1", "ann", document={"title": "Engineer"}))
    assert acme.outcomes(person("1", "ann")) == ["updated"]
    assert "title" not in acme.people()["ann"]


def test_a_thousand_rows_cost_as_many_statements_as_one(acme: Company) -> None:
    def statements(first: int, count: int) -> int:
        seen = []

        def note(*args: Any) -> None:
            seen.append(args)

        sa.event.listen(acme.store.engine, "before_cursor_execute", note)
        driver: list[str] = []
        from scim_bridge.store import drivers  # noqa: PLC0415 - watched here only

        original = drivers.cursor_of

        def counted(connection: Any, text: str, **more: Any) -> Any:
            driver.append(text)
            return original(connection, text, **more)

        drivers.cursor_of = counted
        try:
            acme.tell(*(person(str(number)) for number in range(first, first + count)))
        finally:
            drivers.cursor_of = original
            sa.event.remove(acme.store.engine, "before_cursor_execute", note)
        return len(seen) + len(driver)

    assert statements(0, 1) == statements(10_000, 300)
    assert len(acme.people()) == 301
    assert_balanced(acme.store)
