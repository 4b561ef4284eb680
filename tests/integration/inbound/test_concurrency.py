"""Many connections at once, over real HTTP: one winner where there may be one, and nothing lost."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from fakes.server import served
from flask import Flask

from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

THREADS = 16


@pytest.fixture
def call(app: Flask, sender: Any) -> Iterator[Callable[..., requests.Response]]:
    """Give a function that sends one request over a connection of its own."""
    with served(app) as url:

        def send(method: str, path: str, body: Any = None) -> requests.Response:
            with requests.Session() as session:
                session.trust_env = False
                headers = {"Authorization": f"Bearer {sender.token}"}
                return session.request(method, f"{url}/scim/v2{path}", json=body, headers=headers, timeout=60)

        yield send


def at_once(jobs: list[Callable[[], requests.Response]]) -> list[requests.Response]:
    with ThreadPoolExecutor(THREADS) as pool:
        return [future.result() for future in [pool.submit(job) for job in jobs]]


def test_of_identical_creates_one_succeeds_and_the_rest_conflict(call: Any, sender: Any) -> None:
    answers = at_once([lambda: call("POST", "/Users", {"userName": "ann"}) for _ in range(THREADS)])
    assert Counter(each.status_code for each in answers) == {201: 1, 409: THREADS - 1}
    assert {each.json()["scimType"] for each in answers if each.status_code == 409} == {"uniqueness"}
    assert sender.get("/Users").json["totalResults"] == 1


def test_concurrent_adds_to_a_group_lose_nobody(call: Any, sender: Any, shared_store: Store) -> None:
    people = [sender.user(f"u{number}")["id"] for number in range(48)]
    group = sender.group("Sales")["id"]

    def add(scim_id: str) -> requests.Response:
        operation = {"op": "add", "path": "members", "value": [{"value": scim_id}]}
        return call("PATCH", f"/Groups/{group}", {"Operations": [operation]})

    answers = at_once([lambda scim_id=scim_id: add(scim_id) for scim_id in people])
    assert {each.status_code for each in answers} == {204}
    assert sender.member_ids(group) == set(people)
    assert verify_ledger(shared_store)["balanced"]


def test_groups_and_users_that_overlap_change_at_once_without_a_failure(
    call: Any, sender: Any, shared_store: Store
) -> None:
    """Each of these makes the same people owed to the same lane, in different orders."""
    people = [sender.user(f"u{number}")["id"] for number in range(12)]
    groups = [sender.group("Sales")["id"] for _ in range(3)]

    def members(number: int) -> requests.Response:
        chosen = people[number % 5 :: 2] if number % 2 else list(reversed(people))[number % 3 :]
        operation = {"op": "replace", "path": "members", "value": [{"value": each} for each in chosen]}
        return call("PATCH", f"/Groups/{groups[number % 3]}", {"Operations": [operation]})

    def title(number: int) -> requests.Response:
        operation = {"op": "replace", "path": "title", "value": f"title {number}"}
        return call("PATCH", f"/Users/{people[number % 12]}", {"Operations": [operation]})

    jobs = [
        (lambda number=number: members(number)) if number % 2 else (lambda number=number: title(number))
        for number in range(64)
    ]
    answers = at_once(jobs)
    assert Counter(each.status_code for each in answers) == {200: 32, 204: 32}
    assert verify_ledger(shared_store)["balanced"]


def test_concurrent_edits_of_one_user_are_all_applied(call: Any, sender: Any) -> None:
    ann = sender.user("ann")["id"]
    names = ["title", "nickName", "locale", "timezone", "userType", "preferredLanguage", "displayName", "externalId"]

    def edit(name: str) -> requests.Response:
        operation = {"op": "replace", "path": name, "value": f"the {name}"}
        return call("PATCH", f"/Users/{ann}", {"Operations": [operation]})

    assert {each.status_code for each in at_once([lambda name=name: edit(name) for name in names])} == {200}
    read = sender.get(f"/Users/{ann}").json
    assert {name: read[name] for name in names} == {name: f"the {name}" for name in names}


def test_deleting_a_user_who_is_just_joining_leaves_no_ghost(call: Any, sender: Any) -> None:
    people = [sender.user(f"u{number}")["id"] for number in range(10)]
    group = sender.group("Sales")["id"]
    operation = {"op": "add", "path": "members", "value": [{"value": each} for each in people]}
    jobs = [lambda: call("PATCH", f"/Groups/{group}", {"Operations": [operation]}) for _ in range(4)]
    jobs += [lambda scim_id=scim_id: call("DELETE", f"/Users/{scim_id}") for scim_id in people]
    codes = Counter(each.status_code for each in at_once(jobs))
    assert set(codes) <= {204, 400}
    assert codes[204] >= 10
    assert sender.member_ids(group) == set()
