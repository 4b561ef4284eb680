"""From a target's event to the read-back, the drift that it shows, and its repair; echoes cost nothing."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
import structlog.testing
from fakes.target import FakeTarget
from pydantic import SecretStr
from running.signing import SECRET, event, signed

from scim_bridge.domain.people import Step
from scim_bridge.domain.replies import Answer
from scim_bridge.domain.states import State
from scim_bridge.intake.webhooks.deciding import ECHO_MS
from scim_bridge.intake.webhooks.receiving import Receiver
from scim_bridge.operators import timeline
from scim_bridge.planning.calls import Call
from scim_bridge.store import tables, webhooks
from workers.relay import housekeeping

Bench = Any
PROVISIONED, DEPROVISIONED = "user.provisioned", "user.deprovisioned"

_seconds = itertools.count(1)


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    """A lane whose target tells the ids of new accounts and may call us."""
    return make_bench(target=FakeTarget(tells_ids=True), secrets={"webhook_secret": SecretStr(SECRET)})


def tell(bench: Bench, kind: str, user_id: str | None, **data: Any) -> str:
    """Let the target tell something; no two webhooks have the same second."""
    receiver = Receiver(bench.settings.tenants, bench.store, bench.runtime.dispatcher, step_aside=lambda: None)
    body = event(kind, user_id, **data)
    headers = signed(body, at_s=bench.clock() / 1000, event_id=f"evt-{next(_seconds)}")
    return receiver.receive("acme", "lms", headers=headers, body=body, correlation_id="from-the-vendor")


def settled(bench: Bench, *names: str) -> None:
    """Deliver people, and let the time go by in which events are taken for echoes."""
    for name in names:
        bench.push(name)
    bench.work()
    bench.clock.advance(ms=ECHO_MS)
    bench.target.calls.clear()


def account(bench: Bench, name: str) -> Any:
    return bench.target.held(f"{name}@example.com")


def steps(bench: Bench) -> list[Any]:
    return [call.step for call in bench.target.calls]


def drifts(bench: Bench, name: str) -> list[str]:
    """Return what the person's timeline says of drift."""
    [person] = timeline.show(bench.store, f"{name}@example.com", "acme")["people"]
    entries = [
        entry
        for change in person["changes"]
        if (change["kind"], change["source"], change["correlation_id"]) == ("readback", "webhook", "from-the-vendor")
        for operation in change["operations"]
        for entry in operation["entries"]
    ]
    return [entry["detail"] for entry in entries if entry["code"] == "drift"]


def test_an_account_closed_behind_our_back_is_seen_as_drift_before_it_is_repaired(bench: Bench) -> None:
    settled(bench, "ann")
    account(bench, "ann").active = False
    assert tell(bench, DEPROVISIONED, account(bench, "ann").account_id) == "taken"
    bench.work()
    assert steps(bench) == [Step.LOOK_UP, Step.REACTIVATE]
    assert drifts(bench, "ann") == ["status"]
    assert account(bench, "ann").active
    assert bench.states() == {"delivered": 2}


def test_an_account_opened_for_a_leaver_is_closed_before_anything_else(bench: Bench) -> None:
    settled(bench, "ann")
    bench.push("ann", active=False)
    settled(bench)
    account(bench, "ann").active = True
    tell(bench, PROVISIONED, account(bench, "ann").account_id)
    assert [row.priority for row in bench.operations() if row.state == "waiting"] == [0]
    bench.work()
    assert steps(bench) == [Step.LOOK_UP, Step.DEACTIVATE]
    assert drifts(bench, "ann") == ["status"]
    assert not account(bench, "ann").active


def test_an_account_opened_for_somebody_deleted_is_closed(bench: Bench) -> None:
    settled(bench, "ann")
    bench.delete("ann")
    settled(bench)
    held = account(bench, "ann")
    held.active = True
    tell(bench, PROVISIONED, held.account_id)
    bench.work()
    assert steps(bench) == [Step.LOOK_UP, Step.DEACTIVATE]
    assert not held.active


def test_an_account_deleted_behind_our_back_is_made_again(bench: Bench) -> None:
    settled(bench, "ann")
    gone = account(bench, "ann").account_id
    del bench.target.accounts[gone]
    tell(bench, DEPROVISIONED, gone)
    bench.work(shifts=3)
    assert steps(bench) == [Step.LOOK_UP, Step.CREATE]
    assert drifts(bench, "ann") == ["account"]
    assert account(bench, "ann").active


def test_an_event_that_is_not_so_changes_nothing(bench: Bench) -> None:
    settled(bench, "ann")
    tell(bench, DEPROVISIONED, account(bench, "ann").account_id)
    bench.work()
    assert steps(bench) == [Step.LOOK_UP]
    assert drifts(bench, "ann") == []
    assert bench.states() == {"delivered": 1, "unchanged": 1}


def test_many_events_of_one_person_are_one_read_back(bench: Bench) -> None:
    settled(bench, "ann")
    for _ in range(20):
        tell(bench, DEPROVISIONED, account(bench, "ann").account_id)
    bench.work()
    assert steps(bench) == [Step.LOOK_UP]


def test_events_of_many_people_are_read_back_in_one_call(bench: Bench) -> None:
    names = [f"p{number}" for number in range(60)]
    settled(bench, *names)
    for name in names:
        account(bench, name).active = False
        tell(bench, DEPROVISIONED, account(bench, name).account_id)
    bench.work()
    assert steps(bench).count(Step.LOOK_UP) == 1


def test_echoes_of_what_we_did_cost_no_call(bench: Bench) -> None:
    for name in ("ann", "bob", "cyd"):
        bench.push(name)
    bench.work()
    bench.push("cyd", active=False)
    bench.work()
    bench.target.calls.clear()
    for _ in range(3):
        tell(bench, PROVISIONED, account(bench, "ann").account_id)
        tell(bench, PROVISIONED, account(bench, "bob").account_id)
        tell(bench, DEPROVISIONED, account(bench, "cyd").account_id)
    bench.work()
    assert bench.target.calls == []


def test_the_echo_of_a_repair_ends_there(bench: Bench) -> None:
    """The target tells of each change, ours too; after the repair nothing more is sent."""
    settled(bench, "ann")
    account(bench, "ann").active = False
    tell(bench, DEPROVISIONED, account(bench, "ann").account_id)
    bench.work()
    bench.target.calls.clear()
    for _ in range(5):
        tell(bench, PROVISIONED, account(bench, "ann").account_id)
        bench.work()
    assert bench.target.calls == []


def undone(bench: Bench, *, minutes: int, active: bool, step: int = 1) -> list[int]:
    """Let another system undo each repair within `step` minutes; returns the minutes that saw a repair."""
    held, repaired = account(bench, "ann"), []
    for minute in range(0, minutes, step):
        if held.active is not active:
            repaired.append(minute)
            held.active = active
            tell(bench, PROVISIONED if active else DEPROVISIONED, held.account_id)
        bench.work()
        bench.clock.advance(ms=step * 60_000 - 2_500)
    return repaired


def test_a_repair_that_is_undone_again_and_again_costs_few_calls(bench: Bench) -> None:
    """Another system closes the account each time; without a limit that were 144 calls a day."""
    settled(bench, "ann")
    undone(bench, minutes=24 * 60, active=False, step=20)
    assert len(bench.target.calls) <= 40
    assert bench.states() == {"delivered": len(bench.operations()) - 1, "waiting": 1}
    assert all("status" in detail for detail in drifts(bench, "ann"))
    assert "repaired in 10 min" in drifts(bench, "ann")[3]


def test_a_repair_that_was_put_off_is_made_in_its_time(bench: Bench) -> None:
    settled(bench, "ann")
    times = undone(bench, minutes=80, active=False)
    assert times[:4] == [0, 1, 2, 3]
    assert [later - earlier for earlier, later in itertools.pairwise(times[3:])] == [11, 21, 41]


def test_a_change_of_the_directory_does_not_wait_for_a_contested_repair(bench: Bench) -> None:
    settled(bench, "ann")
    undone(bench, minutes=6, active=False)
    assert not account(bench, "ann").active
    bench.push("ann", title="Engineer")
    bench.work(shifts=2)
    assert (account(bench, "ann").active, account(bench, "ann").attributes["title"]) == (True, "Engineer")


def test_a_leaver_who_is_let_in_again_and_again_is_put_out_every_ten_minutes(bench: Bench) -> None:
    settled(bench, "ann")
    bench.push("ann", active=False)
    settled(bench)
    times = undone(bench, minutes=40, active=True)
    assert {later - earlier for earlier, later in itertools.pairwise(times[3:])} == {11}


def test_drifts_of_one_person_do_not_put_off_anothers_repair(bench: Bench) -> None:
    settled(bench, "ann", "bob")
    undone(bench, minutes=6, active=False)
    account(bench, "bob").active = False
    tell(bench, DEPROVISIONED, account(bench, "bob").account_id)
    bench.work()
    assert account(bench, "bob").active


def test_a_contested_repair_is_told_in_the_log(bench: Bench) -> None:
    settled(bench, "ann")
    with structlog.testing.capture_logs() as told:
        undone(bench, minutes=6, active=False)
    contested = [line for line in told if line["event"] == "drift_contested"]
    assert [(line["log_level"], line["drifts"], line["repaired_in_s"]) for line in contested] == [("warning", 4, 600)]


def test_an_echo_that_overtakes_the_answer_costs_no_call(bench: Bench) -> None:
    """The target tells of an account while our call that makes it is still out."""
    bench.push("ann")

    def telling(call: Call) -> Answer | None:
        if call.step is Step.CREATE:
            tell(bench, PROVISIONED, "1001", email="ann@example.com")
        return None

    bench.target.on_call = telling
    bench.work()
    assert steps(bench) == [Step.CREATE]
    assert bench.states() == {"delivered": 1}


def test_what_is_told_while_a_call_is_out_is_read_back_after_it(bench: Bench) -> None:
    settled(bench, "ann")
    held = account(bench, "ann")

    def telling(call: Call) -> Answer | None:
        if call.step is Step.UPDATE and held.active:
            held.active = False
            tell(bench, DEPROVISIONED, held.account_id)
        return None

    bench.target.on_call = telling
    bench.push("ann", title="Engineer")
    bench.work(shifts=2)
    assert steps(bench) == [Step.UPDATE, Step.LOOK_UP, Step.REACTIVATE]
    assert drifts(bench, "ann") == ["status"]
    assert (held.active, held.attributes["title"]) == (True, "Engineer")


def test_what_is_told_of_somebody_who_waits_is_read_back_with_them(bench: Bench) -> None:
    settled(bench, "ann")
    account(bench, "ann").active = False
    bench.push("ann", title="Engineer")
    tell(bench, DEPROVISIONED, account(bench, "ann").account_id)
    assert [row.state for row in bench.operations()] == ["delivered", "waiting"]
    bench.work()
    assert steps(bench) == [Step.LOOK_UP, Step.REACTIVATE, Step.UPDATE]
    assert account(bench, "ann").active


def test_a_change_that_comes_before_the_read_back_does_not_lose_it(bench: Bench) -> None:
    settled(bench, "ann")
    account(bench, "ann").active = False
    tell(bench, DEPROVISIONED, account(bench, "ann").account_id)
    bench.push("ann", title="Engineer")
    bench.work()
    assert account(bench, "ann").active
    assert steps(bench)[0] is Step.LOOK_UP


def test_who_has_another_account_is_not_read_back(bench: Bench) -> None:
    settled(bench, "ann")
    tell(bench, DEPROVISIONED, "somebody-elses", email="ann@example.com")
    bench.work()
    assert bench.target.calls == []


def test_somebody_out_of_the_lane_is_left_alone(make_bench: Callable[..., Bench]) -> None:
    """An account of somebody who is not in the target's scope is nobody's business of ours."""
    bench = make_bench(scope='title eq "Engineer"', secrets={"webhook_secret": SecretStr(SECRET)})
    bench.push("ann")
    bench.target.seed("ann@example.com")
    bench.work()
    tell(bench, PROVISIONED, account(bench, "ann").account_id, email="ann@example.com")
    bench.work()
    assert bench.target.calls == []
    assert account(bench, "ann").active


def test_an_account_that_cannot_be_seen_keeps_its_read_back(bench: Bench) -> None:
    settled(bench, "ann")
    bench.target.hides.add("ann@example.com")
    tell(bench, DEPROVISIONED, account(bench, "ann").account_id)
    bench.work()
    assert drifts(bench, "ann") == ["account"]
    assert State.SENDING not in {row.state for row in bench.operations()}


def test_marks_of_webhooks_are_let_go_after_a_day_and_not_before(bench: Bench) -> None:
    many = webhooks.AT_A_TIME + 1
    with bench.store.begin("acme") as tx:
        for number in range(many):
            assert webhooks.take(tx, "lms", [f"mark-{number}"])
    bench.clock.advance(ms=webhooks.KEPT_MS)
    with bench.store.begin("acme") as tx:
        webhooks.take(tx, "lms", ["young"])
    housekeeping.run_once(bench.runtime, bench.clock())
    assert kept(bench) == many + 1
    bench.clock.advance(ms=1)
    housekeeping.run_once(bench.runtime, bench.clock())
    assert kept(bench) == 1


def kept(bench: Bench) -> int:
    with bench.store.begin("acme", write=False) as tx:
        return int(tx.connection.execute(sa.select(sa.func.count()).select_from(tables.webhook)).scalar_one())
