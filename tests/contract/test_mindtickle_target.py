"""MindTickle as a target, against the simulator in all the ways in which the documents disagree."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fakes.people import call, item, person
from fakes.shipped import shipped_settings

from scim_bridge.domain.people import Person, Step
from scim_bridge.domain.replies import Answer, Verdict
from scim_bridge.planning.batching import plan_calls
from scim_bridge.planning.calls import Call, Item
from scim_bridge.planning.needs import Needs
from scim_bridge.sandbox.targets.faults import Fault
from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.mindtickle import MindTickleOptions, simulate_mindtickle
from scim_bridge.sandbox.targets.seeds import SeedUser
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.settings.models import GroupSettings
from workers.targets import port
from workers.targets.mindtickle.client import MindTickleTarget

GROUPS = {"*": GroupSettings(group="{displayName}")}


@contextmanager
def mindtickle(
    options: MindTickleOptions | None = None, *, limits: tuple[Window, ...] = (), company: str = "acme", **changes: Any
) -> Iterator[tuple[Simulator[Any], MindTickleTarget]]:
    with simulate_mindtickle(
        api_key="key", company_id="acme", limits=limits, options=options or MindTickleOptions()
    ) as sim:
        secrets = {"api_key": "key", "company_id": company}
        settings = shipped_settings("mindtickle", secrets, **{**sim.urls, "groups": GROUPS, **changes})
        target = MindTickleTarget(settings, clock=lambda: 1_770_076_800_000)
        try:
            yield sim, target
        finally:
            target.close()


def submit(target: MindTickleTarget, made: Call, **group_ids: str) -> Answer:
    return target.submit(made, group_ids=group_ids, batch_number=1, deadline_s=5)


def create(target: MindTickleTarget, *who: Person) -> Answer:
    return submit(target, call(target, *(item(target, Step.CREATE, each) for each in who)))


def people(count: int) -> list[Person]:
    return [person(n) for n in range(1, count + 1)]


def look_up(target: MindTickleTarget, *who: Person) -> Answer:
    return submit(target, Call(step=Step.LOOK_UP, items=tuple(item(target, Step.LOOK_UP, each) for each in who)))


def ids(answer: Answer) -> dict[int, str]:
    return {number: reply.account_id for number, reply in answer.replies.items() if reply.account_id is not None}


def verdicts(answer: Answer) -> list[Verdict]:
    return [reply.verdict for _, reply in sorted(answer.replies.items())]


def sales(target: MindTickleTarget) -> str:
    return submit(target, Call(step=Step.CREATE_GROUP, items=(), groups=("Sales",))).group_ids["Sales"]


def joining(target: MindTickleTarget, accounts: dict[int, str]) -> Call:
    return call(
        target,
        *(
            item(target, Step.JOIN, person(number), account_id=account_id, group="Sales")
            for number, account_id in accounts.items()
        ),
    )


def test_before_it_was_asked_a_target_is_taken_for_one_without_bulk() -> None:
    with mindtickle() as (sim, target):
        assert target.needs_probe()
        assert target.abilities().mixed == 0
        assert len(sim.log) == 0


@pytest.mark.parametrize(
    ("changes", "look_ups", "reads"),
    [({}, 200, 0), ({"page_size": 50}, 50, 0), ({"filter": "off"}, 1_000_000, 0), ({"patch": "off"}, 200, 1)],
)
def test_its_word_is_overruled_by_the_options(changes: dict[str, Any], look_ups: int, reads: int) -> None:
    with mindtickle(MindTickleOptions(bulk="none"), **changes) as (_, target):
        target.probe()
        leaving = call(target, item(target, Step.DEACTIVATE, person(1), account_id="a1"))
        assert (target.abilities().sizes[Step.LOOK_UP], target.reads_beside(leaving)) == (look_ups, reads)


def test_sizes_are_asked_for_once() -> None:
    with mindtickle(MindTickleOptions(max_operations=70)) as (sim, target):
        target.probe()
        assert target.abilities().mixed == 70
        assert not target.needs_probe()
        target.probe()
        assert [each.path for each in sim.log] == ["/scim/v2/ServiceProviderConfig", "/scim/v2/Users"]


def test_a_full_bulk_call_is_one_call_and_tells_the_new_ids() -> None:
    with mindtickle(MindTickleOptions(shuffle=True)) as (sim, target):
        target.probe()
        answer = create(target, *people(100))
        assert verdicts(answer) == [Verdict.DONE] * 100
        held = {account.user_name: account.account_id for account in sim.state.accounts}
        assert ids(answer) == {n: held[f"user{n}@example.com"] for n in range(1, 101)}
        assert [each.path for each in sim.log.calls("POST")] == ["/scim/v2/Bulk"]


def test_steps_mix_in_one_bulk_call() -> None:
    with mindtickle() as (sim, target):
        target.probe()
        accounts = ids(create(target, *people(4)))
        group = sales(target)
        sim.log.clear()
        made = call(
            target,
            item(target, Step.UPDATE, person(1), account_id=accounts[1], changes={"title": "Boss"}),
            item(target, Step.DEACTIVATE, person(2, active=False), account_id=accounts[2]),
            item(target, Step.JOIN, person(3), account_id=accounts[3], group="Sales"),
            item(target, Step.JOIN, person(4), account_id=accounts[4], group="Sales"),
            item(target, Step.CREATE, person(5)),
        )
        assert verdicts(submit(target, made, Sales=group)) == [Verdict.DONE] * 5
        assert [(each.path, each.items) for each in sim.log] == [("/scim/v2/Bulk", 4)]  # members of a group fold
        assert sim.state.find("user2@example.com").active is False
        assert sim.state.find("user4@example.com").groups == {"Sales"}


def test_a_bulk_call_that_is_not_there_is_planned_again_as_single_calls() -> None:
    with mindtickle() as (sim, target):
        target.probe()
        sim.vendor.set_options({"bulk": "none"})
        with pytest.raises(port.AbilitiesChanged):
            create(target, *people(3))
        assert target.abilities().mixed == 0
        assert verdicts(create(target, person(1))) == [Verdict.DONE]


def test_a_limit_that_was_lowered_is_asked_for_again() -> None:
    with mindtickle() as (sim, target):
        target.probe()
        sim.vendor.set_options({"max_operations": 2})
        with pytest.raises(port.BatchRefused) as caught:
            create(target, *people(3))
        assert caught.value.status == 413
        assert target.needs_probe()
        target.probe()
        assert target.abilities().mixed == 2


def test_a_request_above_the_payload_limit_is_not_sent() -> None:
    with mindtickle(MindTickleOptions(max_payload_bytes=5_000)) as (sim, target):
        target.probe()
        long = [person(n, title="x" * 3_000) for n in (1, 2)]
        with pytest.raises(port.BatchRefused) as caught:
            create(target, *long)
        assert caught.value.status == 413
        assert sim.log.count("POST") == 0


@pytest.mark.parametrize("text", ["x", "é", "漢", '"'])
def test_people_are_planned_into_requests_that_the_target_takes(text: str) -> None:
    with mindtickle(MindTickleOptions(max_payload_bytes=30_000)) as (sim, target):
        target.probe()
        abilities = target.abilities()
        people_of = [person(n, title=text * (200 + 37 * n)) for n in range(1, 30)]
        needs = [Needs(person=who, items=(item(target, Step.CREATE, who),)) for who in people_of]
        calls = plan_calls(needs, abilities=abilities, known_groups=(), absent_groups=())
        for made in calls:
            assert set(verdicts(submit(target, made))) == {Verdict.DONE}
        assert sim.log.count(status=413) == 0
        assert abilities.weigh is not None
        assert abilities.payload_limit is not None
        closed = [sum(abilities.weigh(each) for each in made.items) for made in calls if made.full]
        assert min(closed) > abilities.payload_limit / 2


def test_new_people_are_put_into_groups_by_the_call_that_makes_them() -> None:
    with mindtickle(MindTickleOptions(shuffle=True)) as (sim, target):
        target.probe()
        group = sales(target)
        sim.log.clear()
        made = [joined for who in people(20) for joined in new_member(target, who)]
        answer = submit(target, call(target, *made), Sales=group)
        assert verdicts(answer) == [Verdict.DONE] * 20
        assert {reply.known.groups for reply in answer.replies.values() if reply.known} == {frozenset({"Sales"})}
        assert [(each.path, each.items) for each in sim.log] == [("/scim/v2/Bulk", 21)]
        assert sim.state.groups == ((group, "Sales", 20),)


def test_a_target_that_resolves_no_references_is_asked_for_one_thing_after_the_other() -> None:
    with mindtickle() as (sim, target):
        target.probe()
        group = sales(target)
        assert target.abilities().together
        sim.vendor.set_options({"bulk_references": False})
        answer = submit(
            target, call(target, *new_member(target, person(1)), *new_member(target, person(2))), Sales=group
        )
        assert verdicts(answer) == [Verdict.DONE] * 2
        assert {reply.known.groups for reply in answer.replies.values() if reply.known} == {frozenset()}
        assert not target.abilities().together
        assert target.abilities().unfolded == frozenset()
        assert verdicts(submit(target, joining(target, ids(answer)), Sales=group)) == [Verdict.DONE] * 2


def new_member(target: MindTickleTarget, who: Person) -> list[Item]:
    """Return the items of somebody new who goes into a group at once."""
    return [item(target, Step.CREATE, who), item(target, Step.JOIN, who, group="Sales")]


def test_one_bad_member_does_not_keep_the_others_out_of_a_group() -> None:
    with mindtickle() as (_, target):
        target.probe()
        accounts = {**ids(create(target, *people(2))), 3: "no-such-account"}
        group = sales(target)
        assert verdicts(submit(target, joining(target, accounts), Sales=group)) == [Verdict.RETRY] * 3
        again = submit(target, joining(target, accounts), Sales=group)
        assert verdicts(again) == [Verdict.DONE, Verdict.DONE, Verdict.GONE]


def test_members_of_a_group_go_in_one_call_without_bulk_too() -> None:
    with mindtickle(MindTickleOptions(bulk="none")) as (sim, target):
        target.probe()
        accounts = {n: ids(create(target, person(n)))[n] for n in (1, 2, 3)}
        group = sales(target)
        sim.log.clear()
        assert verdicts(submit(target, joining(target, accounts), Sales=group)) == [Verdict.DONE] * 3
        assert len(sim.log) == 1
        with pytest.raises(port.BatchRefused):
            submit(target, joining(target, {**accounts, 4: "no-such-account"}), Sales=group)
        assert verdicts(submit(target, joining(target, {4: "no-such-account"}), Sales=group)) == [Verdict.GONE]


def test_a_group_without_an_id_keeps_nobody_else_waiting() -> None:
    with mindtickle() as (_, target):
        target.probe()
        accounts = ids(create(target, person(1), person(2)))
        made = call(
            target,
            item(target, Step.JOIN, person(1), account_id=accounts[1], group="Sales"),
            item(target, Step.DEACTIVATE, person(2), account_id=accounts[2]),
        )
        assert verdicts(submit(target, made)) == [Verdict.RETRY, Verdict.DONE]


def test_two_hundred_people_are_looked_up_by_one_search() -> None:
    with mindtickle() as (sim, target):
        target.probe()
        create(target, *people(100))
        sim.log.clear()
        answer = look_up(target, *people(200))
        assert (len(answer.accounts), answer.complete) == (100, True)
        assert [(each.method, each.path) for each in sim.log] == [("POST", "/scim/v2/Users/.search")]


def test_without_a_search_few_people_go_into_a_url() -> None:
    with mindtickle(MindTickleOptions(search=False)) as (sim, target):
        target.probe()
        create(target, *people(5))
        with pytest.raises(port.AbilitiesChanged):
            look_up(target, *people(100))
        size = target.abilities().sizes[Step.LOOK_UP]
        assert len(look_up(target, *people(size)).accounts) == size == 5
        assert sim.log.calls()[-1].method == "GET"


def test_where_filters_cannot_be_joined_people_are_looked_up_one_by_one() -> None:
    with mindtickle(MindTickleOptions(filters="eq")) as (_, target):
        target.probe()
        create(target, *people(3))
        with pytest.raises(port.AbilitiesChanged):
            look_up(target, *people(3))
        assert target.abilities().sizes[Step.LOOK_UP] == 1
        assert len(look_up(target, person(2)).accounts) == 1


def test_a_target_without_groups_is_told_so_once() -> None:
    with mindtickle(MindTickleOptions(groups=False)) as (_, target):
        target.probe()
        with pytest.raises(port.AbilitiesChanged):
            submit(target, Call(step=Step.LOOK_UP, items=(), groups=("Sales",)))
        assert not target.abilities().keeps_groups
        assert Step.JOIN not in target.abilities().sizes


def test_many_groups_are_found_by_one_call() -> None:
    names = tuple(f"Group {n}" for n in range(100))
    with mindtickle() as (sim, target):
        target.probe()
        sim.vendor.seed([], groups=[*names, "Another"], courses=[])
        sim.log.clear()
        answer = submit(target, Call(step=Step.LOOK_UP, items=(), groups=names))
        assert set(answer.group_ids) == set(names)
        assert len(sim.log) == 1


def test_groups_that_were_not_asked_for_are_not_taken_for_absent() -> None:
    names = tuple(f"Group {n:03}" for n in range(250))
    with mindtickle() as (sim, target):
        target.probe()
        sim.vendor.seed([], groups=names, courses=[])
        answer = submit(target, Call(step=Step.LOOK_UP, items=(), groups=names))
        assert (len(answer.group_ids), answer.complete) == (200, False)
        rest = tuple(name for name in names if name not in answer.group_ids)
        assert submit(target, Call(step=Step.LOOK_UP, items=(), groups=rest)).complete


@pytest.mark.parametrize("header", ["X-Company-Id", "Company-Id", None])
@pytest.mark.parametrize("offered", ["X-Company-Id", "Company-Id", "both", "none"])
def test_the_company_header_is_the_configured_one(header: Any, offered: str) -> None:
    with mindtickle(MindTickleOptions(company_header=header), company_header=offered) as (_, target):
        if header is None or offered in {header, "both"}:
            target.probe()
        else:
            with pytest.raises(port.CredentialRefused):
                target.probe()


def test_a_stale_company_id_stops_the_target_and_fails_nobody() -> None:
    with mindtickle() as (sim, target):
        target.probe()
        sim.vendor.set_options({"company_id": "renamed"})
        with pytest.raises(port.CredentialRefused) as caught:
            create(target, *people(3))
        assert caught.value.status == 403
        with pytest.raises(port.CredentialRefused):
            target.probe()


@pytest.mark.parametrize("scim_errors", ["rfc", "vendor", "text"])
@pytest.mark.parametrize("bulk", ["scim", "none"])
def test_errors_are_understood_in_all_three_forms(scim_errors: Any, bulk: Any) -> None:
    with mindtickle(MindTickleOptions(scim_errors=scim_errors, bulk=bulk)) as (sim, target):
        target.probe()
        sim.vendor.refusals.add({"user2@example.com": "not welcome here"})
        create(target, person(1))
        assert create(target, person(1)).replies[1].verdict is Verdict.CONFLICT
        reply = create(target, person(2)).replies[2]
        assert reply.verdict is Verdict.REFUSED
        assert "not welcome here" in reply.detail


@pytest.mark.parametrize(
    ("form", "is_told"), [("seconds", True), ("date", True), ("milliseconds", True), ("absent", False)]
)
def test_the_wait_is_read_in_every_form(form: Any, is_told: bool) -> None:  # noqa: FBT001 - a table's column
    limits = (Window(requests=1, per_s=60.0),)
    with mindtickle(MindTickleOptions(retry_after=form), limits=limits) as (sim, target):
        target.probe()
        now = sim.log.calls()[0].arrived_ms
        target._scim._clock = lambda: now
        with pytest.raises(port.RateLimited) as caught:
            create(target, person(1))
        told = caught.value.retry_after_s
        assert (told is not None and 50 < told <= 62) if is_told else told is None


def test_new_users_go_by_the_rest_side_where_the_option_says_so() -> None:
    with mindtickle(MindTickleOptions(bulk="rest"), bulk_mode="rest") as (sim, target):
        target.probe()
        sim.vendor.seed([SeedUser(first_name="O", last_name="H", email="user3@example.com")], groups=[], courses=[])
        answer = create(target, *people(50))
        assert verdicts(answer) == [Verdict.DONE] * 2 + [Verdict.CONFLICT] + [Verdict.DONE] * 47
        assert sim.log.count("POST", "/v2/users/bulk") == 1
        held = sim.state.find("user7@example.com")
        assert (held.first_name, held.last_name, held.account_id) == ("Ann", "Doe7", ids(answer)[7])


def test_a_rest_side_that_is_not_there_stops_the_target() -> None:
    with mindtickle(MindTickleOptions(bulk="scim"), bulk_mode="rest") as (_, target):
        target.probe()
        with pytest.raises(port.CredentialRefused, match="bulk_mode"):
            create(target, *people(3))


@pytest.mark.parametrize("answer", ["html", "empty", "cut", "drop"])
@pytest.mark.parametrize("bulk", ["scim", "none"])
def test_an_unreadable_answer_is_lost(answer: Any, bulk: Any) -> None:
    with mindtickle(MindTickleOptions(bulk=bulk)) as (sim, target):
        target.probe()
        sim.faults.add(Fault(answer=answer, when="after"))
        with pytest.raises(port.AnswerLost):
            create(target, *people(2 if bulk == "scim" else 1))
        assert len(look_up(target, *people(2)).accounts) >= 1


def test_a_target_that_is_down_is_unreachable() -> None:
    with mindtickle() as (sim, target):
        target.probe()
        sim.stop()
        with pytest.raises(port.Unreachable):
            create(target, person(1))
