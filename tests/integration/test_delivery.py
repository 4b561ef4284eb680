"""One lane from the outbox to the target and back into the books, on both databases."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from fakes.target import FakeTarget

from scim_bridge.domain.people import Step
from scim_bridge.planning.calls import Call
from scim_bridge.settings.models import FieldSettings, GroupSettings, LimitSettings
from scim_bridge.store import batches, lanes
from scim_bridge.store.engine import Store
from workers.delivery import round as delivery_round
from workers.policy.conflicts import fold
from workers.targets import port

Bench = Any


def test_a_backlog_is_created_in_full_batches(bench: Bench) -> None:
    for number in range(450):
        bench.push(f"p{number}")
    bench.work()
    # Several are under way at once, and none waits for another.
    assert sorted(len(call.items) for call in bench.target.calls) == [50, 200, 200]
    assert len(bench.target.accounts) == 450
    assert bench.states() == {"delivered": 450}


def test_an_update_learns_the_id_by_one_look_up_for_all(bench: Bench) -> None:
    for name in ("ann", "bob", "cyd"):
        bench.push(name)
    bench.work()
    for name in ("ann", "bob", "cyd"):
        bench.push(name, title="Chief")
    bench.work()
    assert len(bench.target.calls_of(Step.LOOK_UP)) == 1
    assert len(bench.target.calls_of(Step.UPDATE)) == 3
    assert all(account.attributes["title"] == "Chief" for account in bench.target.accounts.values())
    assert bench.states() == {"delivered": 6}


def test_a_leaver_goes_before_everybody_who_waits(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    for number in range(5):
        bench.push(f"p{number}")
    bench.push("ann", active=False)
    bench.work()
    assert [call.step for call in bench.target.calls] == [Step.CREATE, Step.LOOK_UP, Step.DEACTIVATE, Step.CREATE]
    assert bench.target.held("ann@example.com").active is False
    assert bench.states() == {"delivered": 7}


def test_a_leaver_who_comes_while_calls_are_planned_goes_before_them(make_bench: Callable[..., Bench]) -> None:
    meanwhile: list[Callable[[], None]] = []

    class Slow(FakeTarget):
        """A target for which something happens between the choice of a call's people and the call."""

        def describe(self, call: Call) -> tuple[str, str, Mapping[str, object]]:
            if meanwhile:
                meanwhile.pop()()
            return super().describe(call)

    bench = make_bench(target=Slow())
    bench.push("ann")
    bench.work()
    for number in range(5):
        bench.push(f"p{number}")
    meanwhile.append(lambda: bench.push("ann", active=False))
    bench.work()
    assert [call.step for call in bench.target.calls] == [Step.CREATE, Step.LOOK_UP, Step.DEACTIVATE, Step.CREATE]
    assert bench.states() == {"delivered": 7}


def test_a_leaver_who_was_never_there_is_looked_up_before_anything_is_said(bench: Bench) -> None:
    bench.push("ann")
    bench.push("ann", active=False)
    bench.work()
    assert [call.step for call in bench.target.calls] == [Step.LOOK_UP]
    assert bench.states() == {"unchanged": 1, "superseded": 1}


def test_a_deleted_user_is_deactivated(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    bench.delete("ann")
    bench.work()
    assert bench.target.held("ann@example.com").active is False


@pytest.mark.parametrize(
    ("policy", "title", "states"),
    [
        ("update", "New", {"delivered": 1}),
        ("skip", "Old", {"skipped": 1}),
        ("hold", "Old", {"held": 1}),
    ],
)
def test_a_conflict_is_settled_by_policy(
    make_bench: Callable[..., Bench], policy: str, title: str, states: dict[str, int]
) -> None:
    bench = make_bench(on_conflict=policy)
    bench.target.seed("ann@example.com", title="Old", firstName="Ann", lastName="Person")
    bench.push("ann", title="New")
    bench.work(shifts=2)
    assert bench.target.held("ann@example.com").attributes["title"] == title
    assert len(bench.target.accounts) == 1
    assert bench.states() == states


def test_a_conflict_with_nobody_to_be_found_is_dead_without_a_loop(bench: Bench) -> None:
    bench.target.seed("ann@example.com")
    bench.target.hides.add(fold("userName", "ann@example.com"))
    bench.push("ann")
    bench.work(shifts=4)
    assert bench.states() == {"dead": 1}
    assert len(bench.target.calls) == 2


def test_an_owner_or_administrator_is_held_never_adopted(bench: Bench) -> None:
    bench.target.seed("ann@example.com", protected=True, title="Owner")
    bench.push("ann", title="Trainee")
    bench.work(shifts=3)
    assert bench.states() == {"held": 1}
    assert bench.target.held("ann@example.com").attributes["title"] == "Owner"


def test_an_account_has_one_owner(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    bench.push("ann", title="x")
    bench.work()
    bench.push("bob", emails=[{"value": "ann@example.com", "primary": True}])
    bench.work(shifts=3)
    assert bench.states() == {"delivered": 2, "dead": 1}


def test_a_re_created_person_takes_over_the_account_of_the_deleted_one(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    bench.push("ann", title="x")
    bench.work()
    bench.delete("ann")
    bench.work(shifts=2)
    del bench.ids["ann"]
    bench.push("ann")
    bench.work(shifts=3)
    assert len(bench.target.accounts) == 1
    assert bench.target.held("ann@example.com").active is True
    assert "dead" not in bench.states()


def test_a_refused_person_dies_alone(bench: Bench) -> None:
    bench.target.refuses[fold("userName", "bad@example.com")] = "no such department"
    for name in ("ann", "bad", "cyd"):
        bench.push(name)
    bench.work()
    assert bench.states() == {"delivered": 2, "dead": 1}


def test_one_poison_person_costs_at_most_seventeen_calls_more(bench: Bench) -> None:
    bench.target.poison.add(fold("userName", "p77@example.com"))
    for number in range(200):
        bench.push(f"p{number}")
    bench.work(shifts=3)
    assert len(bench.target.accounts) == 200, "alone, the call that carries the poison is accepted by the fake"
    assert bench.states() == {"delivered": 200}
    assert len(bench.target.calls) <= 18


def test_a_lost_answer_after_the_call_was_applied_makes_nobody_twice(bench: Bench) -> None:
    for number in range(20):
        bench.push(f"p{number}")
    bench.target.fail_next(port.AnswerLost("reset"), after=True)
    bench.work(shifts=3)
    assert [call.step for call in bench.target.calls] == [Step.CREATE, Step.LOOK_UP]
    assert len(bench.target.accounts) == 20
    assert bench.states() == {"delivered": 20}


def test_half_applied_is_read_back_and_only_the_rest_is_sent(bench: Bench) -> None:
    for number in range(20):
        bench.push(f"p{number}")
    bench.target.fail_next(port.AnswerLost("cut", status=500), after=True, applies=8)
    bench.work(shifts=10)
    assert len(bench.target.accounts) == 20
    assert [len(call.items) for call in bench.target.calls_of(Step.CREATE)] == [20, 12]
    assert bench.states() == {"delivered": 20}


def test_an_unreachable_target_burns_nobodys_attempts(bench: Bench) -> None:
    bench.push("ann")
    for _ in range(3):
        bench.target.fail_next(port.Unreachable("refused"))
    bench.work(shifts=8)
    assert bench.states() == {"delivered": 1}
    assert len(bench.target.calls) == 4


def test_five_failures_in_a_row_open_the_breaker_and_one_probe_closes_it(bench: Bench, store: Store) -> None:
    bench.push("ann")
    for _ in range(5):
        bench.target.fail_next(port.Unreachable("refused"))
    bench.target.probe_failure = port.Unreachable("refused")
    bench.work(shifts=20)
    assert len(bench.target.calls) == 5
    assert bench.target.probes >= 1
    with store.begin("acme", write=False) as tx:
        assert lanes.by_target(tx, "lms").breaker_until is not None
    bench.target.probe_failure = None
    bench.work(shifts=8)
    assert bench.states() == {"delivered": 1}


def test_a_refused_credential_quarantines_the_lane_which_recovers_by_itself(bench: Bench, store: Store) -> None:
    bench.push("ann")
    bench.target.fail_next(port.CredentialRefused("key unknown", status=401))
    bench.work()
    with store.begin("acme", write=False) as tx:
        assert lanes.by_target(tx, "lms").quarantine_reason
    bench.work(shifts=6)
    assert bench.states() == {"delivered": 1}
    with store.begin("acme", write=False) as tx:
        assert lanes.by_target(tx, "lms").quarantined_at is None


def test_patience_that_the_target_asks_for_is_kept(bench: Bench) -> None:
    bench.push("ann")
    bench.target.fail_next(port.RateLimited("slow down", retry_after_s=30))
    bench.work(shifts=8)
    assert len(bench.target.calls) == 1
    bench.work(shifts=8)
    assert bench.states() == {"delivered": 1}


def test_a_mapping_problem_is_dead_at_once_and_names_the_field(bench: Bench) -> None:
    bench.push("ann")
    bench.target = bench.runtime.targets["acme", "lms"] = FakeTarget(fields={"title": FieldSettings(required=True)})
    bench.push("bob", title="Chief")
    bench.work()
    assert bench.states() == {"delivered": 1, "dead": 1}
    assert bench.target.held("bob@example.com") is not None


def test_groups_are_listed_then_made_once_then_filled(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(groups={"Sales": GroupSettings(group="Sales team")})
    for name in ("ann", "bob"):
        bench.push(name)
    bench.work()
    bench.group("Sales", ("ann", "bob"))
    bench.work(shifts=2)
    assert len(bench.target.calls_of(Step.CREATE_GROUP)) == 1
    assert bench.target.held("ann@example.com").groups == {"Sales team"}
    assert bench.states() == {"delivered": 5}


def test_people_who_are_created_with_their_groups_need_no_second_call(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(groups={"Sales": GroupSettings(group="Sales")})
    for number in range(30):
        bench.push(f"p{number}")
    bench.group("Sales", tuple(f"p{number}" for number in range(30)))
    bench.work(shifts=2)
    assert [call.step for call in bench.target.calls] == [Step.LOOK_UP, Step.CREATE_GROUP, Step.CREATE]
    assert bench.target.held("p7@example.com").groups == {"Sales"}


def test_a_group_that_vanished_from_the_target_is_made_again(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(groups={"Sales": GroupSettings(group="Sales")})
    bench.push("ann")
    bench.group("Sales", ("ann",))
    bench.work(shifts=2)
    bench.target.groups.clear()
    bench.push("bob")
    bench.join("Sales", "bob")
    bench.work(shifts=3)
    assert bench.target.held("bob@example.com").groups == {"Sales"}
    assert len(bench.target.calls_of(Step.CREATE_GROUP)) == 2


def test_an_account_that_vanished_is_made_again(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    bench.push("ann", title="x")
    bench.work()
    bench.target.accounts.clear()
    bench.push("ann", title="y")
    bench.work(shifts=10)
    assert bench.target.held("ann@example.com").attributes["title"] == "y"
    bench.target.accounts.clear()
    bench.push("ann", active=False)
    bench.work(shifts=10)
    assert "dead" not in bench.states()


def test_the_limit_is_never_passed_and_the_rest_waits_its_turn(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(limits=[LimitSettings(requests=3, per_s=10)], target=FakeTarget(tells_ids=True))
    for number in range(6):
        bench.push(f"p{number}")
    bench.work()
    for number in range(6):
        bench.push(f"p{number}", title="x")
    sent: list[int] = []
    for _ in range(100):
        before = len(bench.target.calls)
        delivery_round.work_lane(bench.runtime, "acme", "lms")
        sent += [bench.clock.now] * (len(bench.target.calls) - before)
        bench.clock.advance(ms=500)
    assert len(sent) >= 6
    for first, fourth in zip(sent, sent[3:], strict=False):
        assert fourth - first >= 10_000
    assert bench.states() == {"delivered": 12}


def test_the_people_of_a_dead_workers_call_are_read_back_after_its_deadline(bench: Bench, store: Store) -> None:
    """A worker dies between its commit and the answer; whether the call was applied nobody knows."""
    bench.push("ann")
    bench.push("bob")
    with store.begin("acme") as tx:
        lane = lanes.by_target(tx, "lms")
        epoch = lanes.take_lease(tx, lane.id, owner="dead", lease_ms=1)
        batches.open_batch(
            tx,
            lane_id=lane.id,
            epoch=epoch,
            step="create",
            operation_ids=[1],
            method="POST",
            path="/user",
            request={},
            quota_name="q",
            klass="user_write",
            deadline_ms=10_000,
        )
    bench.target.seed("ann@example.com", firstName="Ann", lastName="Person")
    bench.clock.advance(ms=5_000)
    bench.work()
    assert [call.step for call in bench.target.calls] == [Step.CREATE], "bob is not held up"
    bench.clock.advance(ms=10_000)
    bench.work(shifts=2)
    assert [call.step for call in bench.target.calls] == [Step.CREATE, Step.LOOK_UP]
    assert bench.states() == {"delivered": 2}


def test_an_answer_that_comes_after_the_lease_was_lost_owes_a_read_back(bench: Bench, store: Store) -> None:
    bench.push("ann")

    class Slow(FakeTarget):
        def submit(self, call: Any, **how: Any) -> Any:
            answer = super().submit(call, **how)
            with store.begin("acme") as tx:
                lanes.free_leases(tx, bench.runtime.owner)
                lanes.take_lease(tx, lanes.by_target(tx, "lms").id, owner="successor", lease_ms=1)
            return answer

    slow, honest = Slow(), bench.target
    bench.runtime.targets["acme", "lms"] = slow
    bench.work()
    bench.clock.advance(ms=100_000)
    honest.accounts = slow.accounts
    bench.runtime.targets["acme", "lms"] = honest
    bench.work(shifts=3)
    assert len(honest.accounts) == 1
    assert honest.calls_of(Step.CREATE) == []
    assert "waiting" not in bench.states()


def test_a_paused_lane_calls_nobody_and_loses_nothing(bench: Bench, store: Store) -> None:
    with store.begin("acme") as tx:
        lanes.note(tx, lanes.by_target(tx, "lms").id, paused_at=tx.now, paused_by="operator")
    bench.push("ann")
    bench.work(shifts=3)
    assert bench.target.calls == []
    with store.begin("acme") as tx:
        lanes.note(tx, lanes.by_target(tx, "lms").id, paused_at=None, paused_by=None)
    bench.work()
    assert bench.states() == {"delivered": 1}


def test_a_dry_run_says_so_and_sends_nothing(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(mode="dry-run")
    bench.push("ann")
    bench.work()
    assert bench.target.calls == []
    assert bench.states() == {"skipped": 1}


def test_who_leaves_the_scope_is_deactivated_and_who_was_never_in_it_is_not_made(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(scope='userType eq "Employee"')
    bench.push("ann", userType="Employee")
    bench.push("bob", userType="Contractor")
    bench.work()
    assert [account.attributes["userName"] for account in bench.target.accounts.values()] == ["ann@example.com"]
    bench.push("ann", userType="Contractor")
    bench.work()
    assert bench.target.held("ann@example.com").active is False
    assert bench.states() == {"delivered": 2}


def test_who_leaves_the_scope_stays_where_the_configuration_says_keep(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(scope='userType eq "Employee"', on_unscope="keep")
    bench.push("ann", userType="Employee")
    bench.work()
    bench.push("ann", userType="Contractor")
    bench.work()
    assert bench.target.held("ann@example.com").active is True


def test_a_leaver_whom_two_accounts_match_is_not_called_gone(bench: Bench) -> None:
    """Two accounts bear the address; which of them is the person's nobody can tell, so an operator is asked."""
    for number in range(2):
        bench.target.seed(f"ann{number}@example.com", email="ann@example.com")
    bench.push("ann", active=False)
    bench.work(shifts=2)
    assert bench.states() == {"dead": 1}
