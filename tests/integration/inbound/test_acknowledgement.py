"""When senders are answered: of an `accept` tenant at once, of a `confirm` tenant once the targets have the change."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.books import send
from fakes.sleeps import Sleeps

from scim_bridge.domain.states import State
from scim_bridge.settings.models import GroupSettings, TargetSettings, TenantSettings
from scim_bridge.store import lanes, tables
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.store.verify import verify_ledger

HEADER = "SCIM-Bridge-Acknowledged"
Settle = Callable[..., None]


@pytest.fixture
def tenant_settings(tenant_settings: TenantSettings) -> TenantSettings:
    """A tenant that waits, with one target for everybody, and one for salespeople and a group."""
    sales = TargetSettings(name="sales", kind="fake", groups={"Sales": GroupSettings()}, scope='title eq "Sales"')
    targets = [TargetSettings(name="everybody", kind="fake"), sales]
    return tenant_settings.model_copy(update={"ack": "confirm", "confirm_s": 2.0, "targets": targets})


@pytest.fixture
def settle(sender: Any, shared_store: Store) -> Settle:
    """Give a function that brings all that waits in a target to one end."""

    def to(target: str, state: State, code: str = "ok") -> None:
        with shared_store.begin(sender.tenant) as tx:
            lane = lanes.by_target(tx, target)
            assert lane is not None
            waiting = sa.select(tables.operation.c.resource_id).where(
                tables.operation.c.lane_id == lane.id, tables.operation.c.state == "waiting"
            )
            people = [row.resource_id for row in tx.connection.execute(waiting)]
            send(tx, lane.id, people, [state] * len(people), code=code)

    return to


def changes(store: Store, tenant: str) -> list[int]:
    with store.begin(tenant, write=False) as tx:
        query = sa.select(tables.change.c.number).where(tables.change.c.tenant == tenant)
        return sorted(row.number for row in tx.connection.execute(query))


ANN = {"userName": "ann@example.com"}


def test_a_create_is_confirmed_once_every_target_has_it(sender: Any, sleeps: Sleeps, settle: Settle) -> None:
    sleeps.in_sleep(3, lambda: settle("everybody", State.DELIVERED))
    made = sender.post("/Users", ANN)
    assert (made.status_code, made.headers[HEADER]) == (201, "confirmed")
    assert made.headers["Location"].endswith(made.json["id"])
    assert len(sleeps.slept) == 3


def test_the_targets_are_woken_before_anybody_waits(sender: Any, sleeps: Sleeps, dispatcher: Any) -> None:
    woken = []
    sleeps.in_sleep(1, lambda: woken.extend(dispatcher.wakes))
    sender.post("/Users", ANN)
    assert woken == [(sender.tenant, "everybody", False)]


def test_a_refusal_of_a_target_is_told_with_its_advice(
    sender: Any, sleeps: Sleeps, settle: Settle, shared_store: Store
) -> None:
    sleeps.in_sleep(1, lambda: settle("everybody", State.DEAD, "missing_field"))
    made = sender.post("/Users", ANN)
    (number,) = changes(shared_store, sender.tenant)
    assert (made.status_code, made.headers[HEADER]) == (400, "accepted")
    assert made.content_type == "application/scim+json"
    assert made.json == {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"],
        "status": "400",
        "scimType": "invalidValue",
        "detail": "everybody has not taken this (missing_field): The target needs a value that the source does not "
        f"send. Fill it in the source, or give it in [mapping]. The change itself is recorded as #{number}.",
    }
    assert "ann" not in made.text
    assert sender.get("/Users").json["totalResults"] == 1, "it is recorded all the same"
    assert verify_ledger(shared_store, sender.tenant)["balanced"]


def test_after_the_time_is_over_the_answer_is_the_usual_one(sender: Any, sleeps: Sleeps) -> None:
    made = sender.post("/Users", ANN)
    assert (made.status_code, made.headers[HEADER]) == (201, "accepted; reason=time")
    assert sum(sleeps.slept) == pytest.approx(2)


def test_every_target_that_is_owed_the_change_counts(sender: Any, sleeps: Sleeps, settle: Settle) -> None:
    sleeps.in_sleep(1, lambda: settle("everybody", State.DELIVERED))
    made = sender.post("/Users", {**ANN, "title": "Sales"})
    assert made.headers[HEADER] == "accepted; reason=time"
    sleeps.slept.clear()
    sleeps.in_sleep(1, lambda: (settle("everybody", State.SKIPPED), settle("sales", State.DELIVERED)))
    put = sender.put(f"/Users/{made.json['id']}", {**ANN, "title": "Sales", "locale": "de"})
    assert (put.status_code, put.headers[HEADER]) == (200, "confirmed")


def test_a_hold_is_not_waited_for(sender: Any, sleeps: Sleeps, settle: Settle) -> None:
    sleeps.in_sleep(1, lambda: settle("everybody", State.HELD))
    made = sender.post("/Users", ANN)
    assert (made.status_code, made.headers[HEADER]) == (201, "accepted; reason=held")
    assert len(sleeps.slept) == 1


def test_leavers_never_wait(sender: Any, sleeps: Sleeps) -> None:
    ann, bob, cyd = (sender.user(name)["id"] for name in ("ann", "bob", "cyd"))
    sleeps.slept.clear()
    off = {"op": "replace", "path": "active", "value": False}
    answers = [
        sender.patch(f"/Users/{ann}", off),
        sender.put(f"/Users/{bob}", {"userName": "bob@example.com", "active": False}),
        sender.delete(f"/Users/{cyd}"),
    ]
    assert [each.status_code for each in answers] == [200, 200, 204]
    assert {each.headers[HEADER] for each in answers} == {"accepted; reason=leaver"}
    assert sleeps.slept == []


def test_a_change_of_somebody_who_has_left_is_not_waited_for(sender: Any, sleeps: Sleeps) -> None:
    """Identity providers say again and again that somebody is inactive; nothing must make them doubt it."""
    answers = [sender.post("/Users", {**ANN, "active": False})]
    ann = answers[0].json["id"]
    answers.append(sender.put(f"/Users/{ann}", {**ANN, "active": False, "title": "x"}))
    answers.append(sender.patch(f"/Users/{ann}", {"op": "replace", "path": "title", "value": "y"}))
    assert {each.headers[HEADER] for each in answers} == {"accepted; reason=leaver"}
    assert sleeps.slept == []


def test_bulk_never_waits(sender: Any, sleeps: Sleeps) -> None:
    operations = [{"method": "POST", "path": "/Users", "bulkId": "a", "data": ANN}]
    answer = sender.post("/Bulk", {"Operations": operations})
    assert (answer.status_code, answer.headers[HEADER]) == (200, "accepted; reason=bulk")
    assert sleeps.slept == []


def test_what_changes_nothing_is_not_called_confirmed(sender: Any, sleeps: Sleeps) -> None:
    ann = sender.user("ann")["id"]
    sleeps.slept.clear()
    answer = sender.put(f"/Users/{ann}", ANN)
    assert (answer.status_code, answer.headers[HEADER]) == (200, "accepted; reason=unchanged")
    assert sleeps.slept == []


def test_a_group_that_no_target_sees_is_confirmed_at_once(sender: Any, sleeps: Sleeps) -> None:
    made = sender.post("/Groups", {"displayName": "Marketing"})
    assert (made.status_code, made.headers[HEADER]) == (201, "confirmed")
    assert sleeps.slept == []


def test_a_patch_of_a_group_waits_for_all_whom_it_concerns(sender: Any, sleeps: Sleeps, settle: Settle) -> None:
    people = [sender.user(name)["id"] for name in ("ann", "bob")]
    group = sender.group("Sales")["id"]
    sleeps.slept.clear()
    sleeps.in_sleep(2, lambda: settle("sales", State.DELIVERED))
    operation = {"op": "add", "path": "members", "value": [{"value": each} for each in people]}
    patched = sender.patch(f"/Groups/{group}", operation)
    assert (patched.status_code, patched.headers[HEADER]) == (204, "confirmed")


def test_an_outage_while_waiting_is_no_failure(sender: Any, sleeps: Sleeps, shared_store: Store) -> None:
    def fail() -> None:
        raise StoreUnavailable("gone")

    sleeps.in_sleep(1, fail)
    made = sender.post("/Users", ANN)
    assert (made.status_code, made.headers[HEADER]) == (201, "accepted; reason=unavailable")
    assert len(changes(shared_store, sender.tenant)) == 1


def test_reads_and_refusals_say_nothing_of_acknowledgement(sender: Any) -> None:
    ann = sender.user("ann")["id"]
    answers = [
        sender.get(f"/Users/{ann}"),
        sender.get("/Users"),
        sender.post("/Users/.search", {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]}),
        sender.post("/Users", ANN),
        sender.post("/Users", {"userName": ""}),
    ]
    assert [each.status_code for each in answers] == [200, 200, 200, 409, 400]
    assert all(HEADER not in each.headers for each in answers)


class TestOfATenantThatAccepts:
    """The usual kind."""

    @pytest.fixture
    def tenant_settings(self, tenant_settings: TenantSettings) -> TenantSettings:
        return tenant_settings.model_copy(update={"ack": "accept"})

    def test_nobody_waits(self, sender: Any, sleeps: Sleeps) -> None:
        made = sender.post("/Users", ANN)
        answers = [
            made,
            sender.put(f"/Users/{made.json['id']}", {**ANN, "title": "x"}),
            sender.post("/Bulk", {"Operations": [{"method": "DELETE", "path": f"/Users/{made.json['id']}"}]}),
        ]
        assert {each.headers[HEADER] for each in answers} == {"accepted"}
        assert sleeps.slept == []
