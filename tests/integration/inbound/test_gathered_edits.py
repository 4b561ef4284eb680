"""Requests that edit one group's members while it is being recorded share the next transaction, and nothing else."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from running.crowds import await_waiting, changes_of, held, together, transactions
from running.door import Sender
from werkzeug.test import TestResponse

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.intake.scim.gathering import MOST_REQUESTS
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store import directory, seeding, trips
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

NOBODY = "0" * 32
AT_ONCE_S = 0.25

Request = Callable[[], TestResponse]


def adding(*scim_ids: str) -> dict[str, Any]:
    return {"op": "add", "path": "members", "value": [{"value": each} for each in scim_ids]}


def removing(scim_id: str) -> dict[str, Any]:
    return {"op": "remove", "path": f'members[value eq "{scim_id}"]'}


@pytest.fixture
def patching(app: Flask, sender: Sender) -> Callable[..., Request]:
    """Give what makes a request that patches a group, over a connection of its own."""

    def make(group: str, *operations: dict[str, Any], by: Sender = sender, **headers: str) -> Request:
        speaker = Sender(app.test_client(), by.token, by.tenant)
        return lambda: speaker.patch(f"/Groups/{group}", *operations, **headers)

    return make


@pytest.fixture
def people(sender: Sender) -> list[str]:
    return [sender.user(f"u{number}")["id"] for number in range(10)]


def codes(answers: list[TestResponse]) -> Counter[int]:
    return Counter(each.status_code for each in answers)


def is_balanced(store: Store) -> bool:
    return bool(verify_ledger(store)["balanced"])


def turns(store: Store) -> int:
    """Return in how many transactions those are recorded who wait for a group that is held.

    Where a transaction is sent as a whole, whoever came first has sent theirs before the others came.
    """
    return 2 if trips.are_made(store) else 1


def test_requests_that_wait_for_one_group_are_recorded_in_one_transaction(
    sender: Any, people: list[str], patching: Any, shared_store: Store
) -> None:
    group = sender.group()
    jobs = [patching(group["id"], adding(each), X_Request_ID=f"request-{number}") for number, each in enumerate(people)]
    answers = together(jobs, held(shared_store, sender.tenant, group["id"]))
    assert codes(answers) == {204: 10}
    assert sender.member_ids(group["id"]) == set(people)
    changes = changes_of(shared_store, sender.tenant, group["id"])
    assert transactions(changes) == turns(shared_store)
    # Each has a change of its own, which is the version that its answer tells.
    told = {answer.headers["X-Request-ID"]: answer.headers["ETag"] for answer in answers}
    assert {each.correlation_id: f'W/"{each.number}"' for each in changes} == told
    assert len(set(told.values())) == 10
    first = int(group["meta"]["version"].strip('W/"'))
    assert [each.previous for each in changes] == [first, *(each.number for each in changes[:-1])]
    assert is_balanced(shared_store)


def test_what_waiting_requests_owe_is_what_it_would_be_one_by_one(
    sender: Any, people: list[str], patching: Any, shared_store: Store, dispatcher: RecordingDispatcher
) -> None:
    group = sender.group()["id"]
    dispatcher.wakes.clear()
    together([patching(group, adding(each)) for each in people], held(shared_store, sender.tenant, group))
    # Of the three targets one maps the group: it is owed the group and the person, by each change.
    assert [each.owed for each in changes_of(shared_store, sender.tenant, group)] == [2] * 10
    assert dispatcher.wakes == [(sender.tenant, "sales", False)] * turns(shared_store)


def test_an_unknown_member_is_refused_to_its_own_sender(
    sender: Any, people: list[str], patching: Any, shared_store: Store
) -> None:
    group = sender.group()["id"]
    jobs = [patching(group, adding(each)) for each in people]
    jobs.insert(4, patching(group, adding(NOBODY)))
    answers = together(jobs, held(shared_store, sender.tenant, group))
    refused = answers.pop(4)
    assert (refused.status_code, refused.json["scimType"]) == (400, "invalidValue")
    assert NOBODY in refused.json["detail"]
    assert codes(answers) == {204: 10}
    assert sender.member_ids(group) == set(people)
    changes = changes_of(shared_store, sender.tenant, group)
    assert (len(changes), transactions(changes)) == (10, turns(shared_store))
    assert is_balanced(shared_store)


def test_targets_are_woken_for_all_where_the_first_is_refused(
    sender: Any, people: list[str], patching: Any, shared_store: Store, dispatcher: RecordingDispatcher
) -> None:
    group = sender.group()["id"]
    dispatcher.wakes.clear()

    first, second = patching(group, adding(NOBODY)), patching(group, adding(people[0]))

    def after_the_first() -> TestResponse:
        await_waiting(1)
        return second()

    answers = together([first, after_the_first], held(shared_store, sender.tenant, group))
    assert [each.status_code for each in answers] == [400, 204]
    assert dispatcher.wakes == [(sender.tenant, "sales", False)]


def test_whoever_changes_nothing_among_the_waiting_has_no_change(
    sender: Any, people: list[str], patching: Any, shared_store: Store
) -> None:
    group = sender.group("Sales", people[9])["id"]
    jobs = [patching(group, adding(each)) for each in people[:8]]
    jobs += [
        patching(group, removing(people[8])),
        patching(group, adding(people[9])),
        patching(group, removing(NOBODY)),
    ]
    assert codes(together(jobs, held(shared_store, sender.tenant, group))) == {204: 11}
    assert sender.member_ids(group) == {*people[:8], people[9]}
    assert len(changes_of(shared_store, sender.tenant, group)) == 8
    assert is_balanced(shared_store)


def test_a_group_deleted_while_requests_wait_is_gone_for_all_of_them(
    sender: Any, people: list[str], patching: Any, shared_store: Store
) -> None:
    group = sender.group()["id"]

    def delete(tx: Any) -> None:
        stored = directory.fetch(tx, GROUP, group)
        assert stored is not None
        Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c")).delete(stored)

    jobs = [patching(group, adding(each)) for each in people]
    answers = together(jobs, held(shared_store, sender.tenant, group), then=delete)
    assert codes(answers) == {404: 10}
    assert {each.json["detail"] for each in answers} == {f"There is no Group with the id '{group}'"}
    assert [each.kind for each in changes_of(shared_store, sender.tenant, group)] == ["delete"]
    assert all("groups" not in sender.get(f"/Users/{each}").json for each in people)
    assert is_balanced(shared_store)


def test_more_requests_than_one_transaction_takes_are_all_served(
    sender: Any, patching: Any, shared_store: Store
) -> None:
    count = 2 * MOST_REQUESTS + 12
    people = seeded(shared_store, sender.tenant, count)
    group = sender.group()["id"]
    jobs = [patching(group, adding(each)) for each in people]
    assert codes(together(jobs, held(shared_store, sender.tenant, group))) == {204: count}
    changes = changes_of(shared_store, sender.tenant, group)
    alone = turns(shared_store) - 1
    assert Counter(each.received_at for each in changes) == {
        **({changes[0].received_at: 1} if alone else {}),
        changes[alone].received_at: MOST_REQUESTS,
        changes[alone + MOST_REQUESTS].received_at: MOST_REQUESTS,
        changes[-1].received_at: 12 - alone,
    }
    assert sender.member_ids(group) == set(people)
    assert is_balanced(shared_store)


def test_a_lone_request_is_recorded_at_once(sender: Any, people: list[str], patching: Any, shared_store: Store) -> None:
    group = sender.group()["id"]
    took_s = []
    for each in people:
        began = time.monotonic()
        assert patching(group, adding(each))().status_code == 204
        took_s.append(time.monotonic() - began)
    changes = changes_of(shared_store, sender.tenant, group)
    assert (len(changes), transactions(changes)) == (10, 10)
    assert min(took_s) < AT_ONCE_S


def test_edits_of_two_groups_share_no_transaction(
    sender: Any, people: list[str], patching: Any, shared_store: Store
) -> None:
    groups = [sender.group(name)["id"] for name in ("Sales", "Support")]
    jobs = [patching(groups[number % 2], adding(each)) for number, each in enumerate(people)]
    assert codes(together(jobs, held(shared_store, sender.tenant, *groups))) == {204: 10}
    assert [sender.member_ids(each) for each in groups] == [set(people[::2]), set(people[1::2])]
    changes = [changes_of(shared_store, sender.tenant, each) for each in groups]
    assert [transactions(each) for each in changes] == [turns(shared_store)] * 2
    assert transactions(*changes) == 2 * turns(shared_store)
    assert is_balanced(shared_store)


def test_another_tenant_takes_no_part_in_what_waits_for_a_group(
    sender: Any, make_sender: Callable[..., Sender], people: list[str], patching: Any, shared_store: Store
) -> None:
    group, other = sender.group()["id"], make_sender(f"{sender.tenant}-other")
    strangers = [other.user(f"u{number}")["id"] for number in range(4)]
    theirs = other.group()["id"]
    jobs = [patching(group, adding(each)) for each in people]
    # A member of the other tenant is nobody here, nor is this group known there, to whoever it is to hold.
    jobs.append(patching(group, adding(strangers[0])))
    jobs += [patching(group, adding(each), by=other) for each in (*strangers, people[0])]
    # On SQLite all writers take turns; on PostgreSQL nobody waits for what they cannot see.
    wait_for = len(jobs) if shared_store.engine.dialect.name == "sqlite" else 11
    answers = together(jobs, held(shared_store, sender.tenant, group), wait_for=wait_for)
    assert [each.status_code for each in answers] == [204] * 10 + [400] + [404] * 5
    assert sender.member_ids(group) == set(people)
    assert other.member_ids(theirs) == set()
    assert transactions(changes_of(shared_store, sender.tenant, group)) == turns(shared_store)
    assert is_balanced(shared_store)


def seeded(store: Store, tenant: str, count: int) -> list[str]:
    """Put people into a directory and return their ids."""
    ids = [f"{tenant}-{number:04}" for number in range(count)]
    with store.begin(tenant) as tx:
        seeds = [seeding.Seed(scim_id=each, document={"userName": each}, attributes=["userName"]) for each in ids]
        seeding.put(tx, USER, seeds, source="idp")
    return ids
