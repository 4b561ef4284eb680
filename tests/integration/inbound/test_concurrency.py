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


def bulk(call: Any, *steps: dict[str, Any]) -> requests.Response:
    message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": list(steps)}
    return call("POST", "/Bulk", message)


def replaced(path: str, attribute: str, value: Any) -> dict[str, Any]:
    """Return the step of a bulk request that replaces one attribute."""
    operation = {"op": "replace", "path": attribute, "value": value}
    return {"method": "PATCH", "path": path, "data": {"Operations": [operation]}}


def outcomes(answers: list[requests.Response]) -> Counter[str]:
    assert {each.status_code for each in answers} == {200}, Counter(each.status_code for each in answers)
    return Counter(step["status"] for each in answers for step in each.json()["Operations"])


def test_bulks_over_the_same_people_in_opposite_orders_all_succeed(call: Any, sender: Any, shared_store: Store) -> None:
    """Each would hold what the next one waits for, if they did not take everything that they name at once."""
    people = [f"/Users/{sender.user(f'u{number}')['id']}" for number in range(10)]
    groups = [f"/Groups/{sender.group('Sales')['id']}" for _ in range(3)]
    ids = [each.removeprefix("/Users/") for each in people]

    def steps(number: int) -> list[dict[str, Any]]:
        members = [{"value": each} for each in ids[number % 4 :: 2]]
        made = [replaced(each, "title", f"t{number}") for each in people]
        made += [replaced(each, "members", members) for each in groups]
        made.append(replaced(groups[number % 3], "displayName", f"Sales {number % 2}"))
        return made if number % 2 else made[::-1]

    answers = at_once([lambda number=number: bulk(call, *steps(number)) for number in range(THREADS)])
    assert outcomes(answers) == {"200": THREADS * 14}
    assert verify_ledger(shared_store)["balanced"]


def test_bulks_that_make_the_same_people_in_opposite_orders_make_each_once(
    call: Any, sender: Any, shared_store: Store
) -> None:
    steps = [
        {"method": "POST", "path": "/Users", "bulkId": str(number), "data": {"userName": f"u{number}"}}
        for number in range(10)
    ]
    jobs = [lambda number=number: bulk(call, *(steps if number % 2 else steps[::-1])) for number in range(THREADS)]
    assert outcomes(at_once(jobs)) == {"201": 10, "409": 10 * (THREADS - 1)}
    assert sender.get("/Users").json["totalResults"] == 10
    assert verify_ledger(shared_store)["balanced"]


def test_bulks_among_single_requests_on_the_same_people_all_succeed(
    call: Any, sender: Any, shared_store: Store
) -> None:
    people = [sender.user(f"u{number}")["id"] for number in range(8)]
    group = sender.group("Sales", *people[:4])["id"]

    def job(number: int) -> requests.Response:
        who = people[number % 8]
        if number % 4 == 0:
            order = people if number % 8 else people[::-1]
            steps = [replaced(f"/Users/{each}", "title", f"t{number}") for each in order]
            return bulk(call, *steps, replaced(f"/Groups/{group}", "members", [{"value": each} for each in order]))
        if number % 4 == 1:
            operation = {"op": "replace", "path": "userName", "value": f"u{number % 8}-{number}"}
            return call("PATCH", f"/Users/{who}", {"Operations": [operation]})
        if number % 4 == 2:
            operation = {"op": "remove", "path": f'members[value eq "{who}"]'}
            return call("PATCH", f"/Groups/{group}", {"Operations": [operation]})
        return call("PUT", f"/Groups/{group}", {"displayName": f"Sales {number}", "members": [{"value": who}]})

    answers = at_once([lambda number=number: job(number) for number in range(48)])
    assert {each.status_code for each in answers} == {200, 204}
    assert verify_ledger(shared_store)["balanced"]


def test_adds_and_removals_of_many_at_once_leave_exactly_the_right_members(
    call: Any, sender: Any, shared_store: Store
) -> None:
    """Each sender has people of its own, whose end it knows, and edits the others' too, each of them the same way."""
    people = [sender.user(f"u{number}")["id"] for number in range(40)]
    own, shared = people[:32], people[32:]
    group = sender.group("Sales", *people[::2])["id"]

    def patch(*operations: dict[str, Any]) -> requests.Response:
        return call("PATCH", f"/Groups/{group}", {"Operations": list(operations)})

    def session(number: int) -> list[requests.Response]:
        stays, goes = own[2 * number], own[2 * number + 1]
        add = {"op": "add", "path": "members", "value": [{"value": stays}, {"value": goes}, {"value": shared[0]}]}
        listed = {"op": "remove", "path": "members", "value": [{"value": goes}, {"value": shared[1]}]}
        chosen = {"op": "remove", "path": f'members[value eq "{stays}" or value eq "{shared[2]}"]'}
        again = {"op": "add", "path": "members", "value": [{"value": stays}, {"value": shared[3]}]}
        return [
            patch(add, listed),
            patch(chosen),
            patch(again, {"op": "remove", "path": f'members[value eq "{goes}"]'}),
        ]

    with ThreadPoolExecutor(THREADS) as pool:
        answers = [each for done in pool.map(session, range(THREADS)) for each in done]
    assert {each.status_code for each in answers} == {204}
    untouched = {each for number, each in enumerate(people) if number >= 36 and number % 2 == 0}
    assert sender.member_ids(group) == {*own[::2], shared[0], shared[3], *untouched}
    assert verify_ledger(shared_store)["balanced"]


def test_a_group_that_is_deleted_while_it_is_patched_is_gone_for_everybody(
    call: Any, sender: Any, shared_store: Store
) -> None:
    people = [sender.user(f"u{number}")["id"] for number in range(16)]
    group = sender.group("Sales")["id"]

    def job(number: int) -> requests.Response:
        if number % 8 == 5:
            return call("DELETE", f"/Groups/{group}")
        operation = {"op": "add", "path": "members", "value": [{"value": people[number % 16]}]}
        return call("PATCH", f"/Groups/{group}", {"Operations": [operation]})

    codes = Counter(each.status_code for each in at_once([lambda number=number: job(number) for number in range(32)]))
    assert set(codes) <= {204, 404}
    assert sender.get(f"/Groups/{group}").status_code == 404
    assert all("groups" not in each for each in sender.get("/Users").json["Resources"])
    assert verify_ledger(shared_store)["balanced"]


def test_a_user_who_is_deleted_while_they_are_patched_is_gone_once(call: Any, sender: Any, shared_store: Store) -> None:
    ann = sender.user("ann")["id"]

    def job(number: int) -> requests.Response:
        if number % 4 == 3:
            return call("DELETE", f"/Users/{ann}")
        operation = {"op": "replace", "path": "title", "value": f"t{number}"}
        return call("PATCH", f"/Users/{ann}", {"Operations": [operation]})

    answers = at_once([lambda number=number: job(number) for number in range(32)])
    codes = Counter(each.status_code for each in answers)
    assert set(codes) <= {200, 204, 404}
    assert codes[204] == 1, "of all deletions one deletes"
    assert sender.get(f"/Users/{ann}").status_code == 404
    assert verify_ledger(shared_store)["balanced"]
