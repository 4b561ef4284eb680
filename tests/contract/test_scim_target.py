"""Any SCIM service as a target: what it does with each ability missing, lied about, or lost while running."""

import threading
from typing import Any

import pytest
from fakes.people import call, item, person
from scim_services import (
    BARE,
    NARROW,
    counted,
    create,
    do,
    document,
    group,
    look_up,
    new_id,
    paths,
    people,
    service,
    submit,
    write_beside,
)

from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Verdict
from scim_bridge.planning.calls import Call
from scim_bridge.sandbox.targets.faults import Fault
from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.scim import ScimOptions
from scim_bridge.sandbox.targets.seeds import SeedUser
from workers.targets import port


class TestAServiceWithoutPatch:
    def test_the_read_before_a_put_is_told_before(self) -> None:
        with service(BARE) as (sim, target):
            target.probe()
            leaving = call(target, item(target, Step.DEACTIVATE, person(1), account_id=new_id(target, person(1))))
            assert target.reads_beside(leaving) == len(counted(sim, target, leaving)) == 1
            assert target.reads_beside(call(target, item(target, Step.CREATE, person(2)))) == 0

    def test_a_limit_too_narrow_for_both_is_waited_for_within_the_deadline(self) -> None:
        with service(BARE, limits=NARROW) as (_, target):
            target.probe()
            leaving = call(target, item(target, Step.DEACTIVATE, person(1), account_id="a1"))
            assert target.deadline_s(leaving) == 20.0

    @pytest.mark.parametrize(
        ("step", "parts"),
        [
            (Step.UPDATE, {"changes": {"title": "Boss", "email": "new@example.com", "name.givenName": "Anna"}}),
            (Step.DEACTIVATE, {}),
        ],
    )
    def test_what_others_have_written_stays(self, step: Step, parts: dict[str, Any]) -> None:
        with service(BARE) as (sim, target):
            target.probe()
            account_id = new_id(target, person(1))
            private = {"value": "ann@home.example", "type": "home"}
            work = {"value": "user1@example.com", "type": "work", "primary": True}
            write_beside(sim, account_id, nickName="Annie", roles=[{"value": "author"}], emails=[private, work])
            assert do(target, step, person(1), account_id=account_id, **parts) is Verdict.DONE
            held = document(sim, account_id)
            assert (held["nickName"], held["roles"]) == ("Annie", [{"value": "author"}])
            assert private in held["emails"]
            assert held["name"]["familyName"] == "Doe1"

    def test_what_is_ours_is_changed(self) -> None:
        with service(BARE) as (sim, target):
            target.probe()
            account_id = new_id(target, person(1, title="Clerk"))
            changes = {"title": None, "email": "new@example.com", "name.givenName": "Anna"}
            assert do(target, Step.UPDATE, person(1), account_id=account_id, changes=changes) is Verdict.DONE
            held = sim.state.find("new@example.com")
            assert (held.first_name, held.active, "title" in held.attributes) == ("Anna", True, False)

    def test_a_leaver_is_switched_off_by_a_read_then_a_put(self) -> None:
        with service(BARE) as (sim, target):
            target.probe()
            account_id = new_id(target, person(1))
            sim.log.clear()
            assert do(target, Step.DEACTIVATE, person(1, active=False), account_id=account_id) is Verdict.DONE
            assert paths(sim) == [f"GET /Users/{account_id}", f"PUT /Users/{account_id}"]
            assert not sim.state.find("user1@example.com").active

    def test_members_who_are_not_ours_stay_in_a_group(self) -> None:
        with service(BARE) as (sim, target):
            target.probe()
            seeds = [SeedUser(first_name="O", last_name="H", email="old@example.com", groups=("Sales",))]
            sim.vendor.seed(seeds, groups=["Sales"], courses=[])
            account_id = new_id(target, person(1))
            listed = submit(target, Call(step=Step.LOOK_UP, items=(), groups=("Sales",))).group_ids
            for step, ours in ((Step.JOIN, {"Sales"}), (Step.LEAVE, frozenset())):
                made = call(target, item(target, step, person(1), account_id=account_id, group="Sales"))
                assert submit(target, made, **listed).replies[1].verdict is Verdict.DONE
                assert sim.state.find("old@example.com").groups == {"Sales"}
                assert sim.state.find("user1@example.com").groups == ours

    def test_calls_for_one_group_do_not_undo_each_other(self) -> None:
        with service(BARE) as (sim, target):
            target.probe()
            accounts = {n: new_id(target, person(n)) for n in range(1, 7)}
            sales = group(target)
            sim.faults.latency_s = (0.02, 0.05)

            def join(number: int) -> None:
                made = call(target, item(target, Step.JOIN, person(number), account_id=accounts[number], group="Sales"))
                submit(target, made, Sales=sales)

            threads = [threading.Thread(target=join, args=(number,)) for number in accounts]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
            assert sim.state.groups == ((sales, "Sales", 6),)

    def test_new_users_still_share_a_bulk_call(self) -> None:
        with service(ScimOptions(patch=False)) as (sim, target):
            target.probe()
            create(target, *people(5))
            assert paths(sim)[-1] == "POST /Bulk"
            assert Step.DEACTIVATE not in target.abilities().mixable

    @pytest.mark.parametrize("answer", ["html", "empty", "cut", "reset"])
    def test_when_the_read_before_is_lost_nothing_was_written(self, answer: Any) -> None:
        with service(BARE) as (sim, target):
            target.probe()
            account_id = new_id(target, person(1))
            sim.faults.add(Fault(answer=answer, when="after", method="GET"))
            with pytest.raises(port.Unreachable):
                do(target, Step.DEACTIVATE, person(1), account_id=account_id)
            assert sim.log.count("PUT") == 0

    @pytest.mark.parametrize("answer", ["html", "cut", "reset"])
    def test_when_the_answer_to_the_put_is_lost_it_may_have_been_written(self, answer: Any) -> None:
        with service(BARE) as (sim, target):
            target.probe()
            account_id = new_id(target, person(1))
            sim.faults.add(Fault(answer=answer, when="after", method="PUT"))
            with pytest.raises(port.AnswerLost):
                do(target, Step.DEACTIVATE, person(1), account_id=account_id)
            assert not sim.state.find("user1@example.com").active


class TestAServiceThatIsNotWhatItSays:
    @pytest.mark.parametrize("bulk", [True, False])
    def test_a_patch_that_is_not_there_becomes_a_put(self, bulk: bool) -> None:  # noqa: FBT001 - a table's column
        with service(ScimOptions(bulk=bulk)) as (sim, target):
            target.probe()
            leavers = {n: new_id(target, person(n)) for n in (1, 2)}
            sim.vendor.set_options({"patch": False})
            items = [item(target, Step.DEACTIVATE, person(n), account_id=each) for n, each in leavers.items()]
            if bulk:
                told = submit(target, call(target, *items)).replies
                assert {reply.verdict for reply in told.values()} == {Verdict.RETRY}
            else:
                with pytest.raises(port.AbilitiesChanged):
                    submit(target, call(target, items[0]))
            assert [do(target, Step.DEACTIVATE, person(n), account_id=each) for n, each in leavers.items()] == [
                Verdict.DONE,
                Verdict.DONE,
            ]
            assert not any(account.active for account in sim.state.accounts)

    def test_filters_are_given_up_step_by_step(self) -> None:
        with service() as (sim, target):
            target.probe()
            create(target, *people(3))
            sizes = [target.abilities().sizes[Step.LOOK_UP]]
            for filters in ("eq", "none"):
                sim.vendor.set_options({"filters": filters})
                with pytest.raises(port.AbilitiesChanged):
                    look_up(target, person(2))
                sizes.append(target.abilities().sizes[Step.LOOK_UP])
            assert sizes == [100, 1, 1_000_000]
            assert len(look_up(target, *people(3)).accounts) == 3

    def test_without_a_service_provider_config_calls_are_single(self) -> None:
        with service(ScimOptions(config=False)) as (_, target):
            target.probe()
            assert (target.needs_probe(), target.abilities().mixed) == (False, 0)
            assert do(target, Step.CREATE, person(1)) is Verdict.DONE

    def test_its_word_is_overruled_by_the_options(self) -> None:
        with service(bulk="off", patch="off", filter="off", search="off") as (_, target):
            target.probe()
            abilities = target.abilities()
            assert (abilities.mixed, abilities.sizes[Step.LOOK_UP]) == (0, 1_000_000)

    def test_a_bulk_call_is_never_larger_than_the_options_say(self) -> None:
        with service(ScimOptions(max_operations=5000), bulk_max_operations=40) as (_, target):
            target.probe()
            assert target.abilities().mixed == 40

    def test_abilities_are_asked_for_once(self) -> None:
        with service() as (sim, target):
            for _ in range(3):
                target.probe()
            assert paths(sim) == ["GET /ServiceProviderConfig", "GET /Users", "GET /Users"]


class TestFinding:
    def test_without_filters_every_page_is_read(self) -> None:
        with service(ScimOptions(bulk=False, filters="none", max_results=3)) as (sim, target):
            target.probe()
            for each in people(10):
                create(target, each)
            sim.log.clear()
            answer = look_up(target, *people(10))
            assert (len(answer.accounts), answer.complete) == (10, True)
            assert [each.query for each in sim.log] == [
                "count=3",
                "startIndex=4&count=3",
                "startIndex=7&count=3",
                "startIndex=10&count=3",
            ]

    def test_every_further_page_is_counted_before_it_is_read(self) -> None:
        with service(ScimOptions(bulk=False, filters="none", max_results=2)) as (sim, target):
            target.probe()
            sim.vendor.seed(
                [SeedUser(first_name="A", last_name="B", email=f"p{n}@example.com") for n in range(6)], [], []
            )
            sim.log.clear()
            made = Call(step=Step.LOOK_UP, items=(item(target, Step.LOOK_UP, person(1)),))
            assert counted(sim, target, made) == [1, 2]

    def test_a_listing_that_breaks_off_proves_no_absence(self) -> None:
        with service(ScimOptions(filters="none", max_results=2)) as (sim, target):
            target.probe()
            create(target, *people(4))
            sim.faults.add(Fault(answer="html", when="after", path=".*/Users", skip=1))
            with pytest.raises(port.AnswerLost):
                look_up(target, person(1))

    @pytest.mark.parametrize(
        ("filters", "people_s", "groups_s"), [("joined", 10, 10), ("single", 10, 300), ("off", 300, 300)]
    )
    def test_a_listing_has_a_deadline_of_its_own(self, filters: str, people_s: int, groups_s: int) -> None:
        with service(filter=filters) as (_, target):
            by_person = Call(step=Step.LOOK_UP, items=(item(target, Step.LOOK_UP, person(1)),))
            by_name = Call(step=Step.LOOK_UP, items=(), groups=("Sales",))
            assert (target.deadline_s(by_person), target.deadline_s(by_name)) == (people_s, groups_s)

    def test_many_groups_are_found_page_by_page(self) -> None:
        names = tuple(f"Group {n:02}" for n in range(11))
        with service(ScimOptions(filters="none", max_results=4)) as (sim, target):
            target.probe()
            sim.vendor.seed([], groups=names, courses=[])
            answer = submit(target, Call(step=Step.LOOK_UP, items=(), groups=names[:3]))
            assert set(names[:3]) <= set(answer.group_ids)
            assert answer.complete

    @pytest.mark.parametrize("changed", [{"userName": "else@example.com"}, {"emails": [], "externalId": "other"}])
    def test_one_comparison_after_another_finds_whom_the_first_does_not(self, changed: dict[str, Any]) -> None:
        with service(ScimOptions(filters="eq", bulk=False), filter="single") as (sim, target):
            target.probe()
            account_id = new_id(target, person(1))
            write_beside(sim, account_id, **changed)
            assert [account.account_id for account in look_up(target, person(1)).accounts] == [account_id]

    def test_who_is_linked_is_read_by_id(self) -> None:
        with service(ScimOptions(filters="eq", bulk=False), filter="single") as (sim, target):
            target.probe()
            account_id = new_id(target, person(1))
            sim.log.clear()
            assert len(look_up(target, person(1), account_id=account_id).accounts) == 1
            assert paths(sim) == [f"GET /Users/{account_id}"]

    def test_no_more_comparisons_are_made_than_were_told_before(self) -> None:
        with service(ScimOptions(filters="eq", bulk=False), filter="single") as (sim, target):
            target.probe()
            for parts in ({}, {"account_id": "gone"}):
                made = Call(step=Step.LOOK_UP, items=(item(target, Step.LOOK_UP, person(1), **parts),))
                assert target.reads_beside(made) == len(counted(sim, target, made)) == 2 + len(parts)

    def test_who_was_made_a_moment_ago_may_not_show_yet(self) -> None:
        with service(ScimOptions(read_lag_s=60.0)) as (_, target):
            target.probe()
            create(target, person(1))
            assert look_up(target, person(1)).accounts == ()
            assert create(target, person(1)).replies[1].verdict is Verdict.CONFLICT


class TestAnswers:
    @pytest.mark.parametrize("answer", ["html", "empty", "cut", "drop"])
    @pytest.mark.parametrize("bulk", [True, False])
    def test_an_unreadable_answer_is_lost(self, answer: Any, bulk: bool) -> None:  # noqa: FBT001 - a table's column
        with service(ScimOptions(bulk=bulk)) as (sim, target):
            target.probe()
            sim.faults.add(Fault(answer=answer, when="after"))
            with pytest.raises(port.AnswerLost):
                create(target, *people(2 if bulk else 1))
            assert look_up(target, person(1)).accounts

    @pytest.mark.parametrize("errors", ["rfc", "vendor", "text"])
    @pytest.mark.parametrize("bulk", [True, False])
    def test_a_taken_name_is_a_conflict_in_every_form(self, errors: Any, bulk: bool) -> None:  # noqa: FBT001 - a table's column
        with service(ScimOptions(bulk=bulk, errors=errors)) as (_, target):
            target.probe()
            create(target, person(1))
            assert create(target, person(1)).replies[1].verdict is Verdict.CONFLICT

    @pytest.mark.parametrize("token", ["key", "wrong"])
    def test_name_with_password_is_sent_as_http_basic(self, token: str) -> None:
        with service(ScimOptions(auth="basic"), token=token, auth="basic") as (sim, target):
            sim.vendor._api_key = "bridge:key"
            if token == "key":
                target.probe()
            else:
                with pytest.raises(port.CredentialRefused):
                    target.probe()

    @pytest.mark.parametrize(("form", "is_told"), [("seconds", True), ("date", True), ("absent", False)])
    def test_the_wait_is_read_in_every_form(self, form: Any, is_told: bool) -> None:  # noqa: FBT001 - a table's column
        with service(ScimOptions(retry_after=form)) as (sim, target):
            target.probe()
            sim.limiter.windows = (Window(requests=1, per_s=60.0),)
            create(target, person(1))
            now = sim.log.calls()[-1].arrived_ms
            target._clock = lambda: now
            with pytest.raises(port.RateLimited) as caught:
                create(target, person(2))
            told = caught.value.retry_after_s
            assert (told is not None and 50 < told <= 62) if is_told else told is None
