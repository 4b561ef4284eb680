"""Ways in which provisioning fails that no other module has; unit/test_failure_modes.py says which test has which."""

from collections.abc import Callable
from typing import Any

import pytest
from model.breaking import BreakingStore

from scim_bridge.operators import replay
from scim_bridge.settings.models import GroupSettings
from scim_bridge.store import lanes, quota
from scim_bridge.store.engine import Store
from scim_bridge.store.quota import Window
from workers.delivery.post import MARGIN_MS
from workers.policy.conflicts import fold
from workers.targets import port

Bench = Any

WINDOWS = [Window(requests=2, width_ms=10_000, klass=None)]


def room(store: Store, tenant: str) -> quota.Room:
    with store.begin(tenant) as tx:
        return quota.room(tx, quota="shared", klass="user_write", windows=WINDOWS, margin_ms=MARGIN_MS)


def take(store: Store, clock: Any, tenant: str) -> int:
    with store.begin(tenant) as tx:
        return quota.take(tx, quota="shared", klass="user_write", deadline_at=clock.now + 60_000)


def test_lanes_that_share_a_credential_share_its_count(store: Store, clock: Any) -> None:
    """Failure mode 6: the limit belongs to the key, whoever's lane and whichever worker it is."""
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms"), ("globex", "lms")])
    take(store, clock, "acme")
    assert room(store, "globex").next_at <= clock.now
    take(store, clock, "globex")
    assert room(store, "acme").next_at > clock.now
    assert room(store, "globex").next_at > clock.now


def test_the_next_window_begins_a_margin_after_the_answer(store: Store, clock: Any) -> None:
    """Failure mode 7: a call arrives at the target somewhere between its sending and its answer."""
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms")])
    slots = [take(store, clock, "acme") for _ in range(2)]
    sent_at = clock.now
    clock.advance(ms=700)
    with store.begin("acme") as tx:
        for slot in slots:
            quota.answered(tx, slot, tx.now)
    assert room(store, "acme").next_at == sent_at + 700 + 10_000 + MARGIN_MS


def test_many_bad_users_do_not_open_the_breaker(bench: Bench) -> None:
    """Failure mode 19: what is wrong with people is no failure of the target."""
    for number in range(12):
        bench.target.refuses[fold("userName", f"p{number}@example.com")] = "no such department"
        bench.push(f"p{number}")
        bench.work()
    assert (bench.lane().breaker_until, bench.lane().failures) == (None, 0)
    assert bench.states() == {"dead": 12}


def test_a_membership_waits_for_the_user_whose_create_failed(make_bench: Callable[..., Bench]) -> None:
    """Failure mode 14: nobody else of the group is kept out, and the user comes into it with the replay."""
    bench = make_bench(groups={"*": GroupSettings(group="{displayName}")})
    bench.target.refuses[fold("userName", "bad@example.com")] = "no such department"
    bench.push("ann")
    bench.push("bad")
    bench.work()
    bench.group("Sales", ("ann", "bad"))
    bench.work(shifts=4)
    assert bench.target.held("ann@example.com").groups == {"Sales"}
    assert bench.target.held("bad@example.com") is None
    bench.target.refuses.clear()
    replay.run(bench.store, bench.runtime.dispatcher, who="operator")
    bench.work(shifts=4)
    assert bench.target.held("bad@example.com").groups == {"Sales"}


def test_a_settling_whose_confirmation_was_lost_is_settled_once(bench: Bench) -> None:
    """Failure mode 16: the database committed, and the connection was cut before it could say so."""
    bench.push("ann")
    settling = 3
    bench.runtime.store = BreakingStore(store=bench.store, at_step=settling, how="cut_after")
    bench.work()
    assert bench.runtime.store.steps > settling
    assert bench.states() == {"delivered": 1}


def test_a_target_that_goes_on_asking_for_patience_is_asked_less_and_less(bench: Bench) -> None:
    """Failure mode 6: 429 without Retry-After, again and again."""
    calls: list[int] = []

    def refuse(_: Any) -> None:
        calls.append(bench.clock.now)
        raise port.RateLimited("no")

    bench.target.on_call = refuse
    bench.push("ann")
    for _ in range(40):
        bench.work()
        bench.clock.advance(ms=12_500)
    assert bench.states() == {"waiting": 1}
    assert len(calls) <= 16, "ten minutes long"
    bench.target.on_call = lambda _: None
    bench.clock.advance(ms=70_000)
    bench.work()
    assert bench.states() == {"delivered": 1}


@pytest.mark.parametrize("broken", ["desired", "matching"])
def test_a_fault_of_ours_about_a_leaver_does_not_keep_the_leaver_active(bench: Bench, broken: str) -> None:
    """What the target should hold of somebody who has left is known without looking at the rest of them."""
    bench.push("ann")
    bench.work()

    def fail(_: Any) -> Any:
        raise KeyError("department")

    setattr(bench.target, broken, fail)
    bench.push("ann", active=False)
    bench.work(shifts=3)
    assert bench.target.held("ann@example.com").active is False
    assert bench.states() == {"delivered": 2}
