"""The model that a large group is compared with at the end of its bench."""

import random
import re
from collections import Counter
from typing import Any

from scim_bridge.sandbox.benches import group_plan
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.sandbox.benches.group_plan import Effect, Patch, Plan

PEOPLE = Crowd(3)
MEMBERS, USERS, CLIENTS = 60, 120, 4


def a_plan(*, patches: int = 400, seed: int = 1) -> Plan:
    dice = random.Random(seed)
    return group_plan.make(PEOPLE, users=USERS, members=MEMBERS, clients=CLIENTS, patches=patches, dice=dice)


def ids_of(operation: dict[str, Any]) -> list[str]:
    if "value" in operation:
        return [each["value"] for each in operation["value"]]
    return re.findall(r'"(\w+)"', operation["path"])


def apply(members: set[str], patch: Patch) -> None:
    for operation in patch.operations:
        if operation["op"].lower() == "add":
            members |= set(ids_of(operation))
        else:
            members -= set(ids_of(operation))


def test_clients_in_any_order_come_to_the_planned_members() -> None:
    plan = a_plan()
    members = {PEOPLE.scim_id(number) for number in range(MEMBERS)}
    for client in reversed(plan.clients):
        for patch in client:
            apply(members, patch)
    assert members == plan.members
    assert plan.members != {PEOPLE.scim_id(number) for number in range(MEMBERS)}


def test_no_two_clients_touch_the_same_person() -> None:
    touched = [
        {each for patch in client for operation in patch.operations for each in ids_of(operation)}
        for client in a_plan().clients
    ]
    assert sum(len(each) for each in touched) == len(set().union(*touched))


def test_every_client_has_its_share_of_the_patches() -> None:
    assert [len(client) for client in a_plan(patches=10).clients] == [3, 3, 2, 2]


def test_members_leave_in_the_forms_that_senders_use() -> None:
    removals = [
        operation
        for client in a_plan().clients
        for patch in client
        for operation in patch.operations
        if operation["op"].lower() == "remove"
    ]
    forms = Counter(("value" in each, len(ids_of(each)) > 1) for each in removals)
    # By filter, by a list of one, by a list of several.
    assert forms.keys() == {(False, False), (True, False), (True, True)}


def test_every_effect_occurs() -> None:
    assert {patch.effect for client in a_plan().clients for patch in client} == set(Effect)


def test_nothing_empty_is_sent_when_people_run_out() -> None:
    plan = group_plan.make(PEOPLE, users=6, members=6, clients=1, patches=50, dice=random.Random(5))
    for patch in plan.clients[0]:
        assert patch.operations
        assert all(ids_of(operation) for operation in patch.operations)


def test_the_same_seed_gives_the_same_plan() -> None:
    assert a_plan(seed=9) == a_plan(seed=9)
    assert a_plan(seed=9) != a_plan(seed=8)
