"""Idempotency-Key over the front door: the same write twice is one change and one answer."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from fakes.server import served
from fakes.sleeps import Sleeps
from flask import Flask
from werkzeug.test import TestResponse

from scim_bridge.settings.models import TenantSettings
from scim_bridge.store import first_answers, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

ANN = {"userName": "ann@example.com"}
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
OF_THE_REQUEST = {"X-Request-ID", "Date"}
"""Headers that belong to one request and not to its answer."""

Changes = Callable[[], int]


@pytest.fixture
def changes(sender: Any, shared_store: Store) -> Changes:
    """Give a function that counts the tenant's changes."""

    def count() -> int:
        query = sa.select(sa.func.count()).select_from(tables.change).where(tables.change.c.tenant == sender.tenant)
        with shared_store.begin(sender.tenant, write=False) as tx:
            return int(tx.connection.execute(query).scalar_one())

    return count


def patch(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def is_again(first: TestResponse, second: TestResponse) -> bool:
    """Tell whether an answer is the first one over again, byte for byte."""
    headers = dict(second.headers)
    assert headers.pop("Idempotent-Replayed") == "true"
    assert "Idempotent-Replayed" not in first.headers
    same = {name: value for name, value in headers.items() if name not in OF_THE_REQUEST}
    expected = {name: value for name, value in first.headers.items() if name not in OF_THE_REQUEST}
    return (first.status_code, first.data, expected) == (second.status_code, second.data, same)


def test_a_create_that_comes_twice_makes_one_user(sender: Any, changes: Changes) -> None:
    body = {**ANN, "displayName": "Ännchen \u2028"}
    first, second = (sender.post("/Users", body, Idempotency_Key="k1") for _ in range(2))
    assert first.status_code == 201
    assert first.headers["Location"].endswith(first.json["id"])
    assert is_again(first, second)
    assert changes() == 1


def test_the_first_answer_stays_when_the_user_has_changed_since(sender: Any) -> None:
    first = sender.post("/Users", ANN, Idempotency_Key="k1")
    sender.delete(f"/Users/{first.json['id']}")
    assert is_again(first, sender.post("/Users", ANN, Idempotency_Key="k1"))


def test_without_a_key_the_second_create_is_a_conflict_always(sender: Any) -> None:
    assert sender.post("/Users", ANN).status_code == 201
    for key in ({}, {"Idempotency_Key": "k1"}, {"Idempotency_Key": "k2"}):
        answer = sender.post("/Users", ANN, **key)
        assert (answer.status_code, answer.json["scimType"]) == (409, "uniqueness")


def test_every_kind_of_write_is_answered_again(sender: Any, changes: Changes) -> None:
    ann, group = sender.user("ann")["id"], sender.group("Sales")["id"]
    title = {"op": "replace", "path": "title", "value": "x"}
    join = {"op": "add", "path": "members", "value": [{"value": ann}]}
    bulk = {"Operations": [{"method": "POST", "path": "/Users", "bulkId": "b", "data": {"userName": "bulk"}}]}
    writes: list[tuple[str, str, Any, int]] = [
        ("PATCH", f"/Users/{ann}", patch(title), 200),
        ("PATCH", f"/Groups/{group}", patch(join), 204),
        ("PUT", f"/Users/{ann}", {**ANN, "title": "y"}, 200),
        ("PUT", f"/Users/{ann}?attributes=title", {**ANN, "title": "y"}, 200),
        ("POST", "/Bulk", bulk, 200),
        ("DELETE", f"/Groups/{group}", None, 204),
    ]
    for number, (method, path, body, status) in enumerate(writes):
        first = sender.send(method, path, body, Idempotency_Key=f"k{number}")
        recorded = changes()
        assert first.status_code == status, first.text
        assert is_again(first, sender.send(method, path, body, Idempotency_Key=f"k{number}")), (method, path)
        assert changes() == recorded


def test_another_body_under_the_same_key_is_refused(sender: Any, changes: Changes) -> None:
    sender.post("/Users", ANN, Idempotency_Key="k1")
    for answer in (
        sender.post("/Users", {"userName": "bob"}, Idempotency_Key="k1"),
        sender.post("/Users?attributes=userName", ANN, Idempotency_Key="k1"),
    ):
        assert answer.status_code == 422
        assert answer.content_type == "application/scim+json"
        assert "key of its own" in answer.json["detail"]
    assert changes() == 1


def test_a_key_counts_for_one_token_and_route(sender: Any, make_sender: Any, changes: Changes) -> None:
    other = make_sender(sender.tenant)
    answers = [
        sender.post("/Users", ANN, Idempotency_Key="k1"),
        other.post("/Users", {"userName": "bob"}, Idempotency_Key="k1"),
        sender.post("/Groups", {"displayName": "Sales"}, Idempotency_Key="k1"),
    ]
    assert [each.status_code for each in answers] == [201, 201, 201]
    assert changes() == 3


def test_a_refusal_is_given_again_even_when_it_would_be_none_now(sender: Any) -> None:
    ann = sender.user("ann")["id"]
    refused = sender.post("/Users", ANN, Idempotency_Key="k1")
    assert refused.status_code == 409
    sender.delete(f"/Users/{ann}")
    assert is_again(refused, sender.post("/Users", ANN, Idempotency_Key="k1"))
    for path, body, status in (("/Users/nobody", ANN, 404), (f"/Groups/{ann}", {"displayName": ""}, 400)):
        gone = sender.put(path, body, Idempotency_Key="k2")
        assert gone.status_code == status
        assert is_again(gone, sender.put(path, body, Idempotency_Key="k2"))


def test_a_body_that_is_too_large_leaves_the_key_free(sender: Any) -> None:
    large = {**ANN, "title": "x" * 200_000}
    assert sender.post("/Users", large, Idempotency_Key="k1").status_code == 413
    assert sender.post("/Users", ANN, Idempotency_Key="k1").status_code == 201


def test_a_token_that_is_not_known_uses_no_key(app: Flask, sender: Any) -> None:
    stranger = type(sender)(app.test_client(), "scb_0123456789abcdef_0", sender.tenant)
    assert stranger.post("/Users", ANN, Idempotency_Key="k1").status_code == 401
    assert sender.post("/Users", ANN, Idempotency_Key="k1").status_code == 201


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tbed"])
def test_a_key_that_cannot_be_one_is_refused(sender: Any, changes: Changes, key: str) -> None:
    answer = sender.post("/Users", ANN, Idempotency_Key=key)
    assert (answer.status_code, answer.json["scimType"]) == (400, "invalidValue")
    assert changes() == 0
    assert sender.get("/Users", Idempotency_Key=key).status_code == 200, "a read has no use for one"


def test_a_day_later_the_key_is_new(sender: Any, shared_store: Store) -> None:
    clock: Any = shared_store.clock
    ann = sender.post("/Users", ANN, Idempotency_Key="k1")
    sender.delete(f"/Users/{ann.json['id']}")
    clock.advance(ms=first_answers.KEPT_MS)
    again = sender.post("/Users", ANN, Idempotency_Key="k1")
    assert again.status_code == 201
    assert again.json["id"] != ann.json["id"]


def test_neither_key_nor_body_nor_path_is_stored_as_it_is(sender: Any, shared_store: Store) -> None:
    sender.put("/Users/ann@example.com", ANN, Idempotency_Key="ann-key")
    with shared_store.begin(sender.tenant, write=False) as tx:
        (row,) = tx.connection.execute(
            sa.select(tables.first_answer).where(tables.first_answer.c.tenant == sender.tenant)
        ).mappings()
    assert all("ann" not in str(row[name]) for name in ("key", "body", "route"))


def test_of_many_at_once_one_is_served(app: Flask, sender: Any, changes: Changes, shared_store: Store) -> None:
    start = Barrier(8)
    headers = {"Authorization": f"Bearer {sender.token}", "Idempotency-Key": "k1"}
    with served(app) as url, ThreadPoolExecutor(8) as pool:

        def send() -> requests.Response:
            with requests.Session() as session:
                session.trust_env = False
                start.wait(20)
                return session.post(f"{url}/scim/v2/Users", json=ANN, headers=headers, timeout=30)

        answers = [future.result() for future in [pool.submit(send) for _ in range(8)]]
        last = send_alone(url, headers)
    first = [each for each in answers if each.status_code == 201 and "Idempotent-Replayed" not in each.headers]
    assert len(first) == 1
    counts = Counter(each.status_code for each in answers)
    assert set(counts) <= {201, 409}
    assert {each.headers["Retry-After"] for each in answers if each.status_code == 409} <= {"2"}
    assert {each.content for each in answers if each.status_code == 201} == {first[0].content}
    assert (last.status_code, last.content, last.headers["Idempotent-Replayed"]) == (201, first[0].content, "true")
    assert changes() == 1
    assert verify_ledger(shared_store, sender.tenant)["balanced"]


def send_alone(url: str, headers: dict[str, str]) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(f"{url}/scim/v2/Users", json=ANN, headers=headers, timeout=30)


class TestOfATenantThatWaits:
    """The answer is known only once the change is settled; until then the request runs."""

    @pytest.fixture
    def tenant_settings(self, tenant_settings: TenantSettings) -> TenantSettings:
        return tenant_settings.model_copy(update={"ack": "confirm"})

    def test_whoever_asks_meanwhile_is_told_to_wait(self, sender: Any, app: Flask, sleeps: Sleeps) -> None:
        asleep, leave = Event(), Event()

        def work() -> None:
            asleep.set()
            leave.wait(20)

        sleeps.work = work
        twin = type(sender)(app.test_client(), sender.token, sender.tenant)
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(sender.post, "/Users", ANN, Idempotency_Key="k1")
            try:
                assert asleep.wait(20)
                meanwhile = twin.post("/Users", ANN, Idempotency_Key="k1")
                other = twin.post("/Users", {"userName": "bob"}, Idempotency_Key="k1")
            finally:
                leave.set()
            first = waiting.result(20)
        assert (meanwhile.status_code, meanwhile.headers["Retry-After"]) == (409, "2")
        assert "scimType" not in meanwhile.json
        assert other.status_code == 422
        assert first.headers["SCIM-Bridge-Acknowledged"] == "accepted; reason=time"
        assert is_again(first, twin.post("/Users", ANN, Idempotency_Key="k1"))

    def test_a_death_while_waiting_leaves_the_usual_answer(
        self, sender: Any, sleeps: Sleeps, shared_store: Store, changes: Changes
    ) -> None:
        class Death(BaseException):
            """The process ends here."""

        def die() -> None:
            raise Death

        clock: Any = shared_store.clock
        sleeps.in_sleep(1, die)
        with pytest.raises(Death):
            sender.post("/Users", ANN, Idempotency_Key="k1")
        assert sender.post("/Users", ANN, Idempotency_Key="k1").status_code == 409
        clock.advance(ms=first_answers.GIVEN_UP_MS)
        answer = sender.post("/Users", ANN, Idempotency_Key="k1")
        assert (answer.status_code, answer.headers["Idempotent-Replayed"]) == (201, "true")
        assert answer.headers["SCIM-Bridge-Acknowledged"] == "accepted; reason=time"
        assert changes() == 1


def test_a_key_under_another_condition_is_another_request(sender: Any) -> None:
    """Whoever sends no If-Match is never told that a precondition failed."""
    ann = sender.user("ann")["id"]
    body = patch({"op": "replace", "path": "title", "value": "Boss"})
    stale = sender.send("PATCH", f"/Users/{ann}", body, Idempotency_Key="k", If_Match='W/"0"')
    again = sender.send("PATCH", f"/Users/{ann}", body, Idempotency_Key="k")
    assert (stale.status_code, again.status_code) == (412, 422)
