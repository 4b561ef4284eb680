"""Calls that mix steps: as many people as operations and bytes allow, with all that each of them needs."""

import json
from typing import Any

from scim_bridge.domain.people import Link, Person, Priority, Record, Step
from scim_bridge.planning.batching import plan_calls
from scim_bridge.planning.calls import Abilities, Call, Item
from scim_bridge.planning.needs import Needs

STEPS = (Step.CREATE, Step.UPDATE, Step.DEACTIVATE, Step.JOIN, Step.LEAVE)


def weigh(item: Item) -> int:
    """Return what a person's attributes take, as a target would."""
    attributes = item.desired.attributes if item.desired is not None else {}
    return len(json.dumps(dict(attributes)).encode())


def abilities(mixed: int = 100, **more: Any) -> Abilities:
    sizes = {Step.LOOK_UP: 200, Step.CREATE_GROUP: 1, **dict.fromkeys(STEPS, mixed)}
    return Abilities(sizes=sizes, mixed=mixed, mixable=frozenset(STEPS), **{"weigh": weigh, **more})


def needing(number: int, *steps: Step, group: str = "Sales", title: str = "", **changes: Any) -> Needs:
    who = Person(
        operation_id=number,
        resource_id=number,
        scim_id=str(number),
        kind="User",
        document={},
        link=Link(account_id=None if Step.CREATE in steps else f"a{number}"),
        **changes,
    )
    desired = Record(active=True, attributes={"title": title})
    items = tuple(
        Item(step=step, person=who, desired=desired, group=group if step in (Step.JOIN, Step.LEAVE) else None)
        for step in steps
    )
    joins = {item.group for item in items if item.group} if Step.CREATE in steps else set()
    return Needs(person=who, items=items, joins=frozenset(name for name in joins if name))


def plan(needs: list[Needs], able: Abilities, **more: Any) -> list[Call]:
    return plan_calls(needs, abilities=able, **{"known_groups": {"Sales", "Legal"}, "absent_groups": set(), **more})


def sizes(calls: list[Call]) -> list[int]:
    return [len(call.items) for call in calls]


def test_a_call_has_no_more_bytes_than_the_target_takes() -> None:
    able = abilities(payload_limit=1_048_576)
    calls = plan([needing(n, Step.CREATE, title="x" * 100_000) for n in range(25)], able)
    assert sizes(calls) == [10, 10, 5]
    assert max(sum(weigh(item) for item in call.items) for call in calls) <= 1_048_576


def test_small_documents_are_not_kept_apart_by_a_limit_of_bytes() -> None:
    assert sizes(plan([needing(n, Step.CREATE) for n in range(250)], abilities(payload_limit=1_048_576))) == [
        100,
        100,
        50,
    ]


def test_one_large_document_does_not_make_the_calls_of_others_small() -> None:
    needs = [needing(n, Step.CREATE, title="x" * (900 if n == 2 else 10)) for n in range(10)]
    assert len(plan(needs, abilities(payload_limit=1_000))) == 2


def test_a_document_above_the_limit_goes_alone() -> None:
    needs = [needing(n, Step.CREATE, title="x" * (5_000 if n == 1 else 10)) for n in range(3)]
    assert sizes(plan(needs, abilities(payload_limit=1_000))) == [1, 1, 1]


def test_a_call_that_bytes_have_closed_is_full() -> None:
    calls = plan([needing(n, Step.CREATE, title="x" * 400) for n in range(3)], abilities(payload_limit=1_000))
    assert [(len(call.items), call.full) for call in calls] == [(2, True), (1, False)]


def test_all_members_of_a_group_count_as_one_operation() -> None:
    joins = [needing(n, Step.JOIN) for n in range(30)]
    updates = [needing(100 + n, Step.UPDATE) for n in range(9)]
    assert sizes(plan([*joins, *updates], abilities(10))) == [39]


def test_joins_and_leaves_of_one_group_are_one_operation() -> None:
    needs = [needing(n, Step.JOIN if n % 2 else Step.LEAVE) for n in range(20)]
    assert sizes(plan(needs, abilities(1))) == [20]


def test_each_group_counts() -> None:
    needs = [needing(n, Step.JOIN, group="Sales" if n % 2 else "Legal") for n in range(20)]
    assert len(plan(needs, abilities(2))) == 1
    assert len(plan(needs, abilities(1))) > 1


def test_members_of_a_group_that_one_of_them_has_spoiled_count_each() -> None:
    needs = [needing(n, Step.JOIN) for n in range(20)]
    assert sizes(plan(needs, abilities(10, unfolded=frozenset({"Sales"})))) == [10, 10]


def test_new_people_go_with_their_memberships_where_the_target_takes_them_together() -> None:
    needs = [needing(n, Step.CREATE, Step.JOIN) for n in range(9)]
    [call] = plan(needs, abilities(10, together=True))
    assert [item.step for item in call.items[:2]] == [Step.CREATE, Step.JOIN]
    assert (len(call.items), call.operation_ids) == (18, tuple(range(9)))
    assert call.groups == ("Sales",)
    assert sizes(plan(needs, abilities(10))) == [9]


def test_known_people_get_all_they_need_at_once() -> None:
    [call] = plan([needing(1, Step.UPDATE, Step.JOIN, Step.LEAVE)], abilities(together=True))
    assert [item.step for item in call.items] == [Step.UPDATE, Step.JOIN, Step.LEAVE]


def test_nobody_is_kept_from_being_made_by_a_group_that_is_not_there_yet() -> None:
    calls = plan([needing(1, Step.CREATE, Step.JOIN, group="New")], abilities(together=True))
    assert [(call.step, call.groups, len(call.items)) for call in calls] == [(Step.LOOK_UP, ("New",), 0), (None, (), 1)]


def test_a_membership_waits_for_its_group_though_the_person_needs_something_else_now() -> None:
    calls = plan([needing(1, Step.UPDATE, Step.JOIN, group="New")], abilities(together=True))
    assert [item.step for call in calls for item in call.items] == [Step.UPDATE]


def test_who_is_to_stand_alone_gets_one_part_at_a_time() -> None:
    assert sizes(plan([needing(1, Step.CREATE, Step.JOIN, cap=1)], abilities(together=True))) == [1]


def test_a_cap_counts_people() -> None:
    needs = [needing(n, Step.CREATE, Step.JOIN, cap=2) for n in range(4)]
    assert sizes(plan(needs, abilities(together=True))) == [4, 4]


def test_a_leaver_is_in_the_first_call() -> None:
    needs = [needing(n, Step.CREATE, Step.JOIN) for n in range(5)]
    leaver = needing(9, Step.DEACTIVATE, priority=Priority.LEAVER)
    assert plan([*needs, leaver], abilities(together=True))[0].operation_ids == (9,)
