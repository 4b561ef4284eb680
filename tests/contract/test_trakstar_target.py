"""Trakstar as a target, against the simulator in all the ways in which the documents disagree."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from fakes.people import call, item, person
from fakes.shipped import shipped_settings

from scim_bridge.domain.people import Person, Step
from scim_bridge.domain.replies import Answer, Verdict
from scim_bridge.planning.calls import Call
from scim_bridge.sandbox.targets.faults import Fault
from scim_bridge.sandbox.targets.seeds import SeedUser
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.sandbox.targets.trakstar import TrakstarOptions, simulate_trakstar
from scim_bridge.settings.models import GroupSettings
from workers.targets import port
from workers.targets.trakstar.client import TrakstarTarget

GROUPS = {"*": GroupSettings(group="{displayName}")}
NOW = 1_770_076_800_000  # 2026-02-03


@contextmanager
def trakstar(options: TrakstarOptions | None = None, **changes: Any) -> Iterator[tuple[Simulator[Any], TrakstarTarget]]:
    with simulate_trakstar(api_key="key", limits=(), options=options or TrakstarOptions()) as sim:
        settings = shipped_settings(
            "trakstar", {"api_key": "key"}, **{"base_url": sim.base_url, "groups": GROUPS, **changes}
        )
        target = TrakstarTarget(settings, clock=lambda: NOW)
        try:
            yield sim, target
        finally:
            target.close()


def submit(target: TrakstarTarget, made: Call, **group_ids: str) -> Answer:
    return target.submit(made, group_ids=group_ids, batch_number=1, deadline_s=5)


def create(target: TrakstarTarget, *people: Person, **group_ids: str) -> Answer:
    return submit(target, call(target, *(item(target, Step.CREATE, who) for who in people)), **group_ids)


def people(count: int) -> list[Person]:
    return [person(n) for n in range(1, count + 1)]


def ids(sim: Simulator[Any]) -> dict[str, str]:
    return {account.email: account.account_id for account in sim.state.accounts}


def one(sim: Simulator[Any], target: TrakstarTarget, step: Step, **parts: Any) -> Call:
    """Return a call about user1, who is created first."""
    create(target, person(1))
    return call(target, item(target, step, person(1), account_id=ids(sim)["user1@example.com"], **parts))


def test_two_hundred_people_go_in_one_call() -> None:
    with trakstar() as (sim, target):
        answer = create(target, *people(200))
        assert {reply.verdict for reply in answer.replies.values()} == {Verdict.DONE}
        assert sim.log.count("POST", "/api/v3/user") == 1
        assert sim.state.counts["accounts"] == 200


@pytest.mark.parametrize("answer", ["html", "empty", "cut", "drop"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_unreadable_answer_to_new_users_is_lost(answer: Any, when: Any) -> None:
    with trakstar() as (sim, target):
        sim.faults.add(Fault(answer=answer, when=when))
        with pytest.raises(port.AnswerLost):
            create(target, *people(3))


@pytest.mark.parametrize("answer", ["html", "empty", "cut", "drop"])
def test_an_unreadable_listing_is_lost_and_not_empty(answer: Any) -> None:
    with trakstar() as (sim, target):
        create(target, person(1))
        sim.faults.add(Fault(answer=answer))
        with pytest.raises(port.AnswerLost):
            submit(target, Call(step=Step.LOOK_UP, items=(item(target, Step.LOOK_UP, person(1)),)))


def test_a_user_who_breaks_the_schema_spoils_the_call_and_is_refused_alone() -> None:
    broken = person(1, emails=[{"value": "user1@example.com"}])
    with trakstar(mapping={"email": "userName", "firstName": "name.givenName"}, fields={}) as (_, target):
        with pytest.raises(port.BatchRefused) as caught:
            create(target, broken, person(2))
        assert caught.value.status == 400
        assert "lastName" in str(caught.value)
        reply = create(target, broken).replies[1]
        assert (reply.verdict, reply.code) == (Verdict.REFUSED, "missing_field")


def test_half_a_call_that_was_applied_is_a_lost_answer() -> None:
    with trakstar() as (sim, target):
        sim.faults.add(Fault(status=500, apply=2))
        with pytest.raises(port.AnswerLost) as caught:
            create(target, *people(4))
        assert caught.value.status == 500
        assert sim.state.counts["accounts"] == 2


def test_a_target_that_is_down_is_unreachable() -> None:
    with trakstar() as (sim, target):
        sim.stop()
        with pytest.raises(port.Unreachable):
            create(target, person(1))


@pytest.mark.parametrize("problem", ["api_not_available", "account_inactive"])
def test_a_problem_of_the_whole_account_is_nobodys_fault(problem: Any) -> None:
    options = TrakstarOptions(error_style="vendor", account_problem=problem)
    with trakstar(options) as (_, target):
        with pytest.raises(port.CredentialRefused) as caught:
            create(target, *people(3))
        assert caught.value.status == 400
        with pytest.raises(port.CredentialRefused):
            target.probe()


def test_an_address_that_is_not_the_apis_stops_the_target_and_fails_nobody() -> None:
    with trakstar() as (sim, _), trakstar(base_url=f"{sim.origin}/wrong") as (_, target):
        with pytest.raises(port.CredentialRefused, match="base_url"):
            create(target, *people(3))
        with pytest.raises(port.CredentialRefused):
            target.probe()


def test_a_dead_key_stops_the_target() -> None:
    with trakstar() as (sim, target):
        sim.faults.add(Fault(status=401))
        with pytest.raises(port.CredentialRefused):
            target.probe()


def test_no_seat_is_told_as_such() -> None:
    with trakstar(TrakstarOptions(seats=1)) as (_, target):
        answer = create(target, *people(2))
        assert [(reply.verdict, reply.code) for reply in answer.replies.values()] == [
            (Verdict.DONE, "ok"),
            (Verdict.REFUSED, "no_seats"),
        ]


def test_a_group_that_was_deleted_is_waited_for() -> None:
    with trakstar() as (_, target):
        reply = create(target, person(1, groups=("Sales",)), Sales="424242").replies[1]
        assert (reply.verdict, reply.code) == (Verdict.RETRY, "blocked_by_group")


def test_a_group_without_an_id_is_waited_for_without_a_call() -> None:
    with trakstar() as (sim, target):
        reply = create(target, person(1, groups=("Sales",))).replies[1]
        assert (reply.verdict, reply.code) == (Verdict.RETRY, "blocked_by_group")
        assert len(sim.log) == 0


def test_an_edit_that_takes_anothers_address_is_refused_and_not_looked_up() -> None:
    with trakstar() as (sim, target):
        create(target, person(2))
        made = one(sim, target, Step.UPDATE, changes={"email": "user2@example.com"})
        reply = submit(target, made).replies[1]
        assert (reply.verdict, reply.code) == (Verdict.REFUSED, "merge_needed")


def test_an_empty_answer_to_an_edit_is_lost_by_the_document_and_success_by_the_vendor() -> None:
    options = TrakstarOptions(edit_answer="empty")
    with trakstar(options) as (sim, target):
        made = one(sim, target, Step.UPDATE, changes={"firstName": "Anna"})
        with pytest.raises(port.AnswerLost):
            submit(target, made)
    with trakstar(options, edit_answer="empty") as (sim, target):
        made = one(sim, target, Step.UPDATE, changes={"firstName": "Anna"})
        assert submit(target, made).replies[1].verdict is Verdict.DONE


@pytest.mark.parametrize("fault", [Fault(answer="html"), Fault(answer="cut")])
def test_a_page_in_place_of_an_archiving_is_lost(fault: Fault) -> None:
    with trakstar() as (sim, target):
        made = one(sim, target, Step.DEACTIVATE)
        sim.faults.add(fault)
        with pytest.raises(port.AnswerLost):
            submit(target, made)


def test_many_are_archived_by_one_call_where_the_option_says_so() -> None:
    with trakstar(TrakstarOptions(bulk_archive=True), bulk_archive="on") as (sim, target):
        create(target, *people(5))
        held = ids(sim)
        items = [item(target, Step.DEACTIVATE, who, account_id=held[who.document["userName"]]) for who in people(5)]
        answer = submit(target, call(target, *items))
        assert {reply.verdict for reply in answer.replies.values()} == {Verdict.DONE}
        assert sim.state.counts["inactive"] == 5
        assert sim.log.count("POST", "/api/v3/user/archive") == 1


def test_one_absent_account_among_many_is_found_by_halving() -> None:
    with trakstar(TrakstarOptions(bulk_archive=True), bulk_archive="on") as (sim, target):
        create(target, person(1))
        there = item(target, Step.DEACTIVATE, person(1), account_id=ids(sim)["user1@example.com"])
        absent = item(target, Step.DEACTIVATE, person(2), account_id="424242")
        with pytest.raises(port.BatchRefused):
            submit(target, call(target, there, absent))
        assert submit(target, call(target, absent)).replies[2].verdict is Verdict.GONE


@pytest.mark.parametrize("required", [False, True])
def test_many_are_enrolled_by_one_call(required: bool) -> None:  # noqa: FBT001 - a table's column
    with trakstar() as (sim, target):
        create(target, *people(3))
        sim.vendor.seed([], groups=[], courses=["Safety"])
        course = next(iter(sim.vendor.state.courses))
        held = ids(sim)
        items = [
            item(
                target,
                Step.ENROL,
                who,
                account_id=held[who.document["userName"]],
                course=str(course),
                required=required,
            )
            for who in people(3)
        ]
        answer = submit(target, call(target, *items))
        assert {reply.verdict for reply in answer.replies.values()} == {Verdict.DONE}
        assert all(account.courses == {"Safety"} for account in sim.state.accounts)
        assert all(account.required_courses == ({"Safety"} if required else set()) for account in sim.state.accounts)
        assert sim.log.count("POST", "/api/v3/course/.*") == 1


def test_a_course_that_is_not_there_is_not_the_end_of_the_account() -> None:
    with trakstar() as (sim, target):
        made = one(sim, target, Step.ENROL, course="424242")
        [enrolled] = made.items
        assert enrolled.desired is not None
        named = replace(enrolled.desired, attributes={**enrolled.desired.attributes, "firstName": "Course"})
        # Nothing of a person goes with this call, so that a name in the refusal is chance.
        reply = submit(target, replace(made, items=(replace(enrolled, desired=named),))).replies[1]
        assert (reply.verdict, reply.code) == (Verdict.REFUSED, "unknown_course")
        assert reply.detail.startswith("[groups] courses = 424242: ")


def test_a_wrong_course_of_the_settings_is_named_at_once_and_nobody_is_blamed() -> None:
    """All of a call go into the same courses, so that nobody is looked for who spoils it."""
    places = {"Sales": GroupSettings(courses=["424242"], required_courses=["515151"])}
    with trakstar(groups=places) as (sim, target):
        items = [item(target, Step.CREATE, replace(who, groups=("Sales",))) for who in people(3)]
        answer = submit(target, call(target, *items))
        assert sim.state.accounts == ()
    [reply] = set(answer.replies.values())
    assert (reply.verdict, reply.code) == (Verdict.REFUSED, "unknown_course")
    assert reply.detail.startswith("[groups] courses = 424242, required_courses = 515151: ")


def refusal(text: str) -> Fault:
    """Return the refusal of a whole call with this sentence."""
    return Fault(status=400, body=json.dumps({"message": text, "type": "bad_request", "code": "invalid"}))


def test_a_person_called_course_is_not_taken_for_a_course_of_the_settings() -> None:
    """Only who spoils the call is refused: the others are found by halving, as with every refused batch."""
    places = {"Sales": GroupSettings(courses=["11"])}
    with trakstar(groups=places) as (sim, target):
        sim.faults.add(refusal("last_name 'Course 11' is invalid"))
        people_sent = [replace(who, groups=("Sales",)) for who in people(3)]
        people_sent[1].document["name"]["familyName"] = "Course 11"
        with pytest.raises(port.BatchRefused):
            submit(target, call(target, *(item(target, Step.CREATE, who) for who in people_sent)))


@pytest.mark.parametrize(
    ("text", "is_course"),
    [
        ("course 11 does not exist", True),
        ("last_name 'Course' is invalid", False),  # no course of the call is named
        ("course 112 does not exist", False),  # another number that begins alike
    ],
)
def test_only_an_error_that_names_a_course_of_the_call_is_about_it(
    text: str,
    is_course: bool,  # noqa: FBT001 - a table's column
) -> None:
    places = {"Sales": GroupSettings(courses=["11"])}
    with trakstar(groups=places) as (sim, target):
        sim.faults.add(refusal(text))
        made = call(target, *(item(target, Step.CREATE, replace(who, groups=("Sales",))) for who in people(2)))
        if not is_course:
            with pytest.raises(port.BatchRefused):
                submit(target, made)
            return
        [reply] = set(submit(target, made).replies.values())
    assert (reply.verdict, reply.code) == (Verdict.REFUSED, "unknown_course")


def test_there_is_no_way_back_from_the_archive_unless_an_option_says_so() -> None:
    with trakstar() as (_, target):
        assert Step.REACTIVATE not in target.abilities().sizes
    with trakstar(TrakstarOptions(unarchive=True), unarchive="on") as (sim, target):
        reply = submit(target, one(sim, target, Step.REACTIVATE)).replies[1]
        assert reply.verdict is Verdict.DONE  # not archived at all: what was wanted is so


def test_an_archived_user_without_a_free_seat_stays_archived() -> None:
    with trakstar(TrakstarOptions(unarchive=True, seats=1), unarchive="on") as (sim, target):
        sim.vendor.seed(
            [SeedUser(first_name="O", last_name="H", email="old@example.com", active=False)], groups=[], courses=[]
        )
        create(target, person(1))
        made = call(target, item(target, Step.REACTIVATE, person(2), account_id=ids(sim)["old@example.com"]))
        reply = submit(target, made).replies[2]
        assert (reply.verdict, reply.code) == (Verdict.REFUSED, "no_seats")


def test_two_groups_of_one_name_are_told_as_the_older_one_each_time() -> None:
    with trakstar() as (_, target):
        first = submit(target, Call(step=Step.CREATE_GROUP, items=(), groups=("Sales",))).group_ids
        submit(target, Call(step=Step.CREATE_GROUP, items=(), groups=("Sales",)))
        assert submit(target, Call(step=Step.LOOK_UP, items=(), groups=("Sales",))).group_ids == first


def test_groups_are_always_asked_for_as_json() -> None:
    with trakstar(TrakstarOptions(group_answer="array")) as (sim, target):
        made = submit(target, Call(step=Step.CREATE_GROUP, items=(), groups=("Sales",)))
        assert made.group_ids["Sales"].isdecimal()
        assert [each.query for each in sim.log] == ["responseFormat=json"]


def test_an_upserting_api_is_told_as_a_conflict_where_additions_were_promised() -> None:
    options = TrakstarOptions(create_semantics="upsert", create_answer="vendor")
    for create_semantics, verdict in (("add_only", Verdict.CONFLICT), ("upsert", Verdict.DONE)):
        with trakstar(options, create_semantics=create_semantics) as (_, target):
            create(target, person(1))
            assert create(target, person(1)).replies[1].verdict is verdict


def test_an_answer_that_says_nothing_of_anybody_is_doubted_and_not_a_failure() -> None:
    with trakstar(TrakstarOptions(create_answer="batch_only")) as (_, target):
        answer = create(target, *people(3))
        assert {reply.verdict for reply in answer.replies.values()} == {Verdict.UNKNOWN}


def test_a_hung_call_ends_at_its_deadline() -> None:
    with trakstar() as (sim, target):
        sim.faults.add(Fault(answer="hang", hang_s=3.0))
        made = call(target, item(target, Step.CREATE, person(1)))
        with pytest.raises(port.AnswerLost, match="not finished after"):
            target.submit(made, group_ids={}, batch_number=1, deadline_s=0.2)


def test_login_links_are_never_asked_for() -> None:
    with trakstar() as (sim, target):
        create(target, person(1))
        submit(target, Call(step=Step.LOOK_UP, items=(item(target, Step.LOOK_UP, person(1)),)))
        target.probe()
        assert sim.log.count(path=".*/auth") == 0
