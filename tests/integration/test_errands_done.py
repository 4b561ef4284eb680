"""Errands are carried out by whoever may: what was found stands in the store, whoever dies meanwhile."""

import dataclasses
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.dispatcher import RecordingDispatcher
from fakes.target import SIZES, FakeTarget
from structlog.testing import capture_logs

from scim_bridge.domain.people import Step
from scim_bridge.operators import drift
from scim_bridge.settings.models import Settings, TenantSettings
from scim_bridge.store import errands as kept
from scim_bridge.store import lanes, tables
from scim_bridge.store.engine import Store, StoreUnavailable
from workers import commands, errands, reconcile, visits
from workers.relay import errands as duty
from workers.targets import port

Bench = Any


def ask(bench: Bench, **asked: Any) -> int:
    told = drift.ask(bench.store, RecordingDispatcher(), tenant="acme", target="lms", who="ann@host", **asked)
    return int(told["errand"])


def shown(bench: Bench, number: int) -> dict[str, Any]:
    return drift.show(bench.store, tenant="acme", number=number)


def rows(bench: Bench, number: int) -> list[tuple[str, str | None, list[str]]]:
    page = drift.rows(bench.store, tenant="acme", number=number)
    return [(each["drift"], each["user"], each["parts"]) for each in page["items"]]


@pytest.fixture
def drifted(bench: Bench) -> Bench:
    """Ann was changed by hand, bob has no account any more, and somebody is there whom nobody knows."""
    bench.push("ann")
    bench.push("bob")
    bench.work()
    bench.target.held("ann@example.com").attributes["title"] = "Changed by hand"
    del bench.target.accounts[bench.target.held("bob@example.com").account_id]
    bench.target.seed("stranger@example.com")
    bench.target.calls.clear()
    return bench


FOUND = [("differing", "ann@example.com", ["title"]), ("missing", "bob@example.com", []), ("extra", None, [])]


def test_a_comparison_is_kept_with_figures_and_rows(drifted: Bench) -> None:
    number = ask(drifted)
    errands.work(drifted.runtime, "acme", number)
    told = shown(drifted, number)
    assert (told["status"], told["who"], told["reason"]) == ("done", "ann@host", "")
    assert {name: count for name, count in told["found"].items() if count} == {"missing": 1, "differing": 1, "extra": 1}
    assert sorted(rows(drifted, number)) == sorted(FOUND)
    assert drifted.states() == {"delivered": 2}


def test_a_repair_owes_what_is_missing_or_differs_and_leaves_strangers_alone(drifted: Bench) -> None:
    number = ask(drifted, repair=True)
    errands.work(drifted.runtime, "acme", number)
    assert shown(drifted, number)["found"]["owed"] == 2
    drifted.work(shifts=2)
    assert "title" not in drifted.target.held("ann@example.com").attributes
    assert drifted.target.held("bob@example.com") is not None
    assert drifted.target.held("stranger@example.com").active is True


def test_what_is_over_or_held_by_another_is_left(drifted: Bench, clock: Any) -> None:
    number = ask(drifted)
    with drifted.store.begin("acme") as tx:
        assert kept.take(tx, number, lease_ms=errands.LEASE_MS) is not None
    errands.work(drifted.runtime, "acme", number)
    assert drifted.target.calls == []
    clock.advance(ms=errands.LEASE_MS)
    errands.work(drifted.runtime, "acme", number)
    assert shown(drifted, number)["status"] == "done"
    errands.work(drifted.runtime, "acme", number)
    assert len(drifted.target.calls) == 1


def test_a_holder_who_comes_back_too_late_writes_nothing(drifted: Bench, clock: Any) -> None:
    """While the target is listed the lease runs out, and another worker does it all."""
    number = ask(drifted)
    successor = dataclasses.replace(drifted.runtime, owner="successor")
    successor.pause = drifted.runtime.pause

    def be_late(_: Any) -> None:
        drifted.target.on_call = lambda _: None
        clock.advance(ms=errands.LEASE_MS + 1)
        errands.work(successor, "acme", number)

    drifted.target.on_call = be_late
    errands.work(drifted.runtime, "acme", number)
    assert shown(drifted, number)["status"] == "done"
    assert sorted(rows(drifted, number)) == sorted(FOUND)


def test_a_holder_who_learns_of_a_successor_asks_no_further(
    make_bench: Callable[..., Bench], clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target is asked for one person at a time; during the first call the errand goes to another worker."""
    monkeypatch.setattr(errands, "RENEW_EVERY_S", 0.01)
    bench = make_bench(target=FakeTarget(listing=None, sizes={**SIZES, Step.LOOK_UP: 1}))
    for name in ("ann", "bob", "cyd"):
        bench.push(name)
    bench.work()
    bench.target.calls.clear()
    number = ask(bench, repair=True)

    def lose_the_errand(_: Any) -> None:
        bench.target.on_call = lambda _: None
        [keeper] = [each for each in threading.enumerate() if each.name == f"errand-lease-{number}"]
        taken = None
        while taken is None:
            # The keeper may have renewed the lease between the two.
            clock.advance(ms=errands.LEASE_MS + 1)
            with bench.store.begin("acme") as tx:
                taken = kept.take(tx, number, lease_ms=10**9)
        keeper.join(timeout=10)

    bench.target.on_call = lose_the_errand
    errands.work(bench.runtime, "acme", number)
    assert len(bench.target.calls) == 1


@pytest.mark.parametrize("missing", [True, False])
def test_a_holder_who_learns_of_a_successor_repairs_nothing(drifted: Bench, missing: bool) -> None:  # noqa: FBT001
    """Whatever is left to repair: nothing is linked or owed once the errand is another's."""
    if missing:
        drifted.target.accounts.clear()
    lost = threading.Event()
    drifted.target.on_call = lambda _: lost.set()
    with pytest.raises(visits.CannotReconcile):
        reconcile.reconcile(drifted.runtime, "acme", "lms", repair=True, lost=lost)
    assert drifted.states() == {"delivered": 2}


def take_the_lane(store: Store) -> None:
    with store.begin("acme") as tx:
        lanes.take_lease(tx, lanes.by_target(tx, "lms").id, owner="somebody", lease_ms=10**9)


def test_an_errand_to_a_lane_at_work_waits_and_is_given_up_at_last(drifted: Bench, clock: Any) -> None:
    number = ask(drifted)
    take_the_lane(drifted.store)
    errands.work(drifted.runtime, "acme", number)
    assert shown(drifted, number)["status"] == "waiting"
    clock.advance(ms=errands.TRIED_FOR_MS)
    errands.work(drifted.runtime, "acme", number)
    told = shown(drifted, number)
    assert (told["status"], "at work" in told["reason"]) == ("failed", True)


def test_a_worker_that_stops_leaves_its_errand_to_others(drifted: Bench, clock: Any) -> None:
    number = ask(drifted)
    drifted.target.fail_next()
    drifted.runtime.stopping.set()
    errands.work(drifted.runtime, "acme", number)
    assert shown(drifted, number)["status"] == "waiting"
    drifted.runtime.stopping.clear()
    clock.advance(ms=errands.AGAIN_MS)
    errands.work(drifted.runtime, "acme", number)
    assert shown(drifted, number)["status"] == "done"


def test_an_errand_that_ends_its_process_is_given_up(drifted: Bench, clock: Any) -> None:
    number = ask(drifted)
    for _ in range(errands.MOST_TAKINGS):
        with drifted.store.begin("acme") as tx:
            assert kept.take(tx, number, lease_ms=errands.LEASE_MS) is not None
        clock.advance(ms=errands.LEASE_MS)
    errands.work(drifted.runtime, "acme", number)
    told = shown(drifted, number)
    assert (told["status"], "Its worker ended 3 times" in told["reason"]) == ("failed", True)
    assert drifted.target.calls == []


def test_what_the_store_broke_off_is_not_counted(drifted: Bench, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    number = ask(drifted)

    def lose_the_store() -> bool:
        raise StoreUnavailable

    monkeypatch.setattr(drifted.target, "needs_probe", lose_the_store)
    for _ in range(errands.MOST_TAKINGS + 1):
        with pytest.raises(StoreUnavailable):
            errands.work(drifted.runtime, "acme", number)
        clock.advance(ms=errands.LEASE_MS * 10)
    monkeypatch.undo()
    errands.work(drifted.runtime, "acme", number)
    assert shown(drifted, number)["status"] == "done"


def test_the_relay_ends_errands_to_targets_that_are_gone(drifted: Bench) -> None:
    number = ask(drifted)
    with drifted.store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [])
    duty.run_once(drifted.runtime, drifted.clock())
    told = shown(drifted, number)
    assert (told["status"], told["reason"]) == ("failed", kept.GONE)


def test_a_target_that_does_not_answer_is_the_reason(drifted: Bench) -> None:
    number = ask(drifted, repair=True)
    drifted.target.fail_next()
    errands.work(drifted.runtime, "acme", number)
    told = shown(drifted, number)
    assert (told["status"], "did not show its accounts" in told["reason"]) == ("failed", True)
    assert told["found"] is None
    assert drifted.states() == {"delivered": 2}


def test_a_fault_of_ours_is_told_without_anybodys_data(drifted: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Any) -> Any:
        raise ValueError("ann@example.com")

    number = ask(drifted)
    monkeypatch.setattr(drifted.target, "matching", fail)
    with capture_logs() as logged:
        errands.work(drifted.runtime, "acme", number)
    assert [(each["event"], each["errand"]) for each in logged] == [("errand_failed", number)]
    told = shown(drifted, number)
    assert (told["status"], told["reason"]) == ("failed", "This is a fault of scim-bridge: ValueError.")


def test_a_listing_beyond_the_budget_fails_before_it_begins(make_bench: Callable[..., Bench]) -> None:
    target = FakeTarget(sizes={Step.LOOK_UP: 2, Step.CREATE: 200})
    bench = make_bench(target=target)
    for name in ("ann", "bob", "cyd"):
        bench.push(name)
    bench.work()
    target.calls.clear()
    number = ask(bench, max_calls=1)
    errands.work(bench.runtime, "acme", number)
    told = shown(bench, number)
    assert (told["status"], target.calls) == ("failed", [])
    assert "3 people takes 2 calls, and 1 were allowed" in told["reason"]
    number = ask(bench, max_calls=2)
    errands.work(bench.runtime, "acme", number)
    assert (shown(bench, number)["status"], len(target.calls)) == ("done", 2)


def test_a_target_that_left_the_configuration_is_told(drifted: Bench) -> None:
    number = ask(drifted)
    runtime = dataclasses.replace(drifted.runtime, settings=Settings(tenants=[TenantSettings(id="acme")]))
    errands.work(runtime, "acme", number)
    assert "does not name this target" in shown(drifted, number)["reason"]


def test_a_worker_carries_errands_out_beside_its_other_work(drifted: Bench) -> None:
    number = ask(drifted)
    errands.start(drifted.runtime, "acme", number)
    errands.finish(drifted.runtime, patience_s=10)
    assert shown(drifted, number)["status"] == "done"


def test_a_worker_with_enough_to_do_takes_no_further_errand(drifted: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errands, "AT_ONCE", 0)
    number = ask(drifted)
    errands.start(drifted.runtime, "acme", number)
    assert shown(drifted, number)["status"] == "waiting"


# The relay


def test_the_relay_wakes_open_errands_from_the_store_alone(drifted: Bench) -> None:
    number = ask(drifted)
    duty.run_once(drifted.runtime, drifted.clock())
    assert drifted.runtime.dispatcher.errands == [("acme", number)]
    errands.work(drifted.runtime, "acme", number)
    duty.run_once(drifted.runtime, drifted.clock())
    assert drifted.runtime.dispatcher.errands == [("acme", number)]


def listed(bench: Bench) -> list[tuple[str, str, bool]]:
    page = drift.listed(bench.store, tenant="acme")
    return [(each["who"], each["status"], each["repair"]) for each in page["items"]]


def test_a_target_is_compared_when_its_time_has_come_and_never_repaired(
    make_bench: Callable[..., Bench], clock: Any
) -> None:
    bench = make_bench(reconcile_every="24h")

    def pass_hours(hours: int) -> None:
        clock.advance(ms=hours * 3_600_000 + duty.SCHEDULE_EVERY_MS)
        duty.run_once(bench.runtime, clock())

    pass_hours(0)
    assert listed(bench) == [("schedule", "waiting", False)]
    pass_hours(25)
    assert len(listed(bench)) == 1, "the one that is open is asked for again"
    errands.work(bench.runtime, "acme", bench.runtime.dispatcher.errands[0][1])
    pass_hours(0)
    assert listed(bench)[0][:2] == ("schedule", "waiting"), "a day after the last was asked for"
    errands.work(bench.runtime, "acme", bench.runtime.dispatcher.errands[-1][1])
    pass_hours(23)
    assert len(listed(bench)) == 2
    pass_hours(1)
    assert len(listed(bench)) == 3


def test_a_second_relay_asks_for_no_comparison_that_was_made_since(bench: Bench) -> None:
    """Both have read that one is due; the first one's is over before the second asks."""
    [target] = bench.settings.tenants[0].targets
    due_after = bench.clock() - 1
    for _ in range(2):
        with bench.store.begin("acme") as tx:
            duty.ask_once(tx, target, after=due_after)
        errands.work(bench.runtime, "acme", 1)
    assert listed(bench) == [("schedule", "done", False)]


def test_a_target_without_a_schedule_is_never_compared_by_itself(bench: Bench, clock: Any) -> None:
    clock.advance(ms=10**11)
    duty.run_once(bench.runtime, clock())
    assert listed(bench) == []


# The commands


def test_the_command_keeps_what_it_found(drifted: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    code = commands.reconcile(drifted.runtime, tenant="acme", target="lms", repair=True, as_json=True, who="ann@host")
    assert (code, json.loads(capsys.readouterr().out.splitlines()[-1])["owed"]) == (0, 2)
    [told] = drift.listed(drifted.store, tenant="acme")["items"]
    assert (told["who"], told["status"], told["repair"], told["found"]["owed"]) == ("ann@host", "done", True, 2)
    assert sorted(rows(drifted, told["errand"])) == sorted(FOUND)
    with drifted.store.begin("acme") as tx:
        assert tx.connection.execute(sa.select(tables.audit.c.who)).scalars().all() == ["ann@host"]


def test_the_command_keeps_why_it_could_not(drifted: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    drifted.target.fail_next()
    assert commands.reconcile(drifted.runtime, tenant="acme", target="lms", repair=False, as_json=False) == 1
    assert "did not show" in capsys.readouterr().err
    [told] = drift.listed(drifted.store, tenant="acme")["items"]
    assert (told["status"], "did not show" in told["reason"]) == ("failed", True)


def test_the_command_stays_within_its_budget(drifted: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    drifted.target.abilities().sizes[Step.LOOK_UP] = 1
    code = commands.reconcile(drifted.runtime, tenant="acme", target="lms", repair=False, as_json=False, max_calls=1)
    assert (code, drifted.target.calls) == (1, [])
    assert "2 calls, and 1 were allowed" in capsys.readouterr().err


# Probes


class Unlearned(FakeTarget):
    """Says of itself what it can do, when it is asked."""

    def needs_probe(self) -> bool:
        return self.doubts > 0


def test_a_probe_tells_what_a_target_supports(
    make_bench: Callable[..., Bench], capsys: pytest.CaptureFixture[str]
) -> None:
    bench = make_bench(target=Unlearned())
    assert commands.probe(bench.runtime, tenant="acme", target="lms", as_json=True) == 1
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (told["reached"], told["tells"], told["recorded"]) == (True, True, None)
    assert told["supports"]["steps"]["create"] == 200
    assert {"what": "create", "was": 1, "is": 200} in told["differences"], "more than was taken for granted"
    assert bench.target.probes == 2, "what it can do, and whether it takes the credential"
    assert commands.probe(bench.runtime, tenant="acme", target="lms", as_json=False) == 0
    told = capsys.readouterr().out
    assert "people a call, by its own word: create 200" in told
    assert "  groups: yes\n" in told


def test_a_probe_is_an_errand_too(bench: Bench) -> None:
    bench.target.probe_failure = port.CredentialRefused("no such key", status=401)
    number = ask(bench, kind="probe")
    errands.work(bench.runtime, "acme", number)
    found = shown(bench, number)["found"]
    assert (found["reached"], found["http_status"], found["differences"]) == (False, 401, [])
    assert found["failure"] == "CredentialRefused: no such key"
    assert bench.lane().quarantined_at is not None


def test_a_probe_of_what_is_not_there_is_refused(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.probe(bench.runtime, tenant="acme", target="nope", as_json=False) == 2
    assert "--target" in capsys.readouterr().err
