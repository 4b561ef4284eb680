"""People who leave, come back, are renamed, or change while a call is out: one thing after another on one lane."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from fakes.target import SIZES, FakeTarget

from scim_bridge.domain.people import Priority, Step
from scim_bridge.domain.replies import Answer, Reply, Verdict
from scim_bridge.planning.calls import Call
from scim_bridge.recording.scopes import scope_of
from scim_bridge.settings.models import GroupSettings
from workers.delivery import round as delivery_round
from workers.policy.conflicts import fold
from workers.targets import port

Bench = Any

ANN = fold("userName", "ann@example.com")
EACH_GROUP = {"*": GroupSettings(group="{displayName}")}
NEW_NAME = {"userName": "anna@new.com", "emails": [{"value": "anna@new.com", "primary": True}]}
NO_REACTIVATION: dict[Step, int] = {step: size for step, size in SIZES.items() if step is not Step.REACTIVATE}


def steps(bench: Bench) -> list[Step]:
    return [call.step for call in bench.target.calls]


def test_who_is_renamed_before_the_id_is_known_keeps_the_one_account(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    bench.push("ann", **NEW_NAME)
    bench.work(shifts=8)
    (account,) = bench.target.accounts.values()
    assert account.attributes["userName"] == "anna@new.com"
    assert bench.states() == {"delivered": 2}


def test_who_is_renamed_and_leaves_before_the_id_is_known_is_found_by_the_old_name(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    bench.push("ann", **NEW_NAME, active=False)
    bench.work(shifts=8)
    assert [account.active for account in bench.target.accounts.values()] == [False]


def test_a_leaver_whom_the_listing_does_not_show_yet_is_closed_when_it_does(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    bench.target.hides.add(ANN)
    bench.push("ann", active=False)
    bench.work()
    assert "unchanged" not in bench.states(), "so soon after the create, absence proves nothing"
    bench.target.hides.clear()
    bench.work(shifts=8)
    assert bench.target.held("ann@example.com").active is False
    assert bench.states() == {"delivered": 2}


def test_a_create_whose_answer_is_lost_is_not_repeated_while_the_listing_lags(bench: Bench) -> None:
    bench.target.fail_next(after=True)
    bench.target.hides.add(ANN)
    bench.push("ann")
    bench.work(shifts=3)
    bench.target.hides.clear()
    bench.work(shifts=8)
    assert len(bench.target.calls_of(Step.CREATE)) == 1
    assert len(bench.target.accounts) == 1
    assert bench.states() == {"delivered": 1}


@pytest.mark.parametrize("leaving", ["deleted", "inactive"])
def test_who_returns_where_nothing_reactivates_is_dead_and_not_said_to_be_delivered(
    make_bench: Callable[..., Bench], leaving: str
) -> None:
    """Of a deleted person a new record comes; of an inactive one the same record, with a change beside it."""
    bench = make_bench(target=FakeTarget(sizes=NO_REACTIVATION))
    bench.push("ann")
    bench.work()
    if leaving == "deleted":
        bench.delete("ann")
        bench.work(shifts=2)
        bench.return_after_deletion("ann")
    else:
        bench.push("ann", active=False)
        bench.work(shifts=2)
        bench.push("ann", title="New")
    bench.work(shifts=8)
    assert bench.states() == {"delivered": 2, "dead": 1}
    assert bench.operations()[-1].reason == "unsupported"


def test_who_fell_out_of_scope_before_the_target_heard_of_them_is_looked_up_once(
    make_bench: Callable[..., Any],
) -> None:
    bench = make_bench()
    bench.push("ann", userType="Contractor")
    employees = bench.runtime.target_settings("acme", "lms").model_copy(update={"scope": 'userType eq "Employee"'})
    bench.runtime.scopes["acme", "lms"] = scope_of(employees)
    bench.work()
    assert [call.step for call in bench.target.calls] == [Step.LOOK_UP]
    assert bench.states() == {"unchanged": 1}


def test_who_leaves_the_company_is_closed_though_the_scope_keeps_who_leaves_it(
    make_bench: Callable[..., Bench],
) -> None:
    bench = make_bench(scope='userType eq "Employee"', on_unscope="keep")
    bench.push("ann", userType="Employee")
    bench.work()
    bench.push("ann", userType="Former", active=False)
    bench.work(shifts=8)
    assert bench.target.held("ann@example.com").active is False


def test_members_of_a_renamed_group_move_to_the_new_name(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(groups=EACH_GROUP)
    bench.push("ann")
    bench.group("Sales", ("ann",))
    bench.work(shifts=2)
    bench.rename_group("Sales", "Sales EMEA")
    bench.work(shifts=8)
    assert bench.target.held("ann@example.com").groups == {"Sales EMEA"}


def test_a_leaver_who_changes_during_the_look_up_is_still_a_leaver(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    changed = threading.Event()

    def change_meanwhile(call: Call) -> None:
        if call.step is Step.LOOK_UP and not changed.is_set():
            changed.set()
            bench.push("ann", active=False, title="x")

    bench.target.on_call = change_meanwhile
    bench.push("ann", active=False)
    bench.work()
    _, first, second = bench.operations()
    assert (first.state, second.state, second.priority) == ("superseded", "delivered", Priority.LEAVER)
    assert steps(bench) == [Step.CREATE, Step.LOOK_UP, Step.DEACTIVATE]


def test_a_group_whose_making_is_out_is_not_made_a_second_time(
    make_bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker plans several times over while the call is on its way."""
    monkeypatch.setattr(delivery_round, "LONGEST_WAIT_MS", 30)
    bench = make_bench(groups=EACH_GROUP)

    def take_time(call: Call) -> None:
        if call.step is Step.CREATE_GROUP:
            threading.Event().wait(0.25)

    bench.target.on_call = take_time
    bench.push("ann")
    bench.group("Sales", ("ann",))
    bench.work()
    assert len(bench.target.calls_of(Step.CREATE_GROUP)) == 1
    assert bench.target.held("ann@example.com").groups == {"Sales"}


def test_who_returns_while_the_deactivation_is_in_doubt_ends_active(bench: Bench) -> None:
    bench.push("ann")
    bench.work()
    bench.push("ann", title="x")
    bench.work()
    bench.target.fail_next(port.AnswerLost("cut"), step=Step.DEACTIVATE)
    bench.delete("ann")
    bench.return_after_deletion("ann")
    bench.work(shifts=12)
    assert bench.target.held("ann@example.com").active is True
    assert len(bench.target.accounts) == 1


def test_a_deleted_one_who_was_never_made_does_not_close_the_account_of_who_returned(bench: Bench) -> None:
    bench.target.refuses[ANN] = "no such department"
    bench.push("ann")
    bench.work()
    assert bench.states() == {"dead": 1}
    bench.target.refuses.clear()

    def show_nothing_the_first_time(call: Call) -> Answer | None:
        first = call.step is Step.LOOK_UP and len(bench.target.calls_of(Step.LOOK_UP)) == 1
        return Answer(replies={}, complete=False) if first else None

    bench.target.on_call = show_nothing_the_first_time
    bench.delete("ann")
    bench.return_after_deletion("ann")
    bench.work(shifts=12)
    assert bench.target.held("ann@example.com").active is True


def test_a_held_conflict_whose_account_is_gone_is_created_at_the_next_change(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(on_conflict="hold")
    account_id = bench.target.seed("ann@example.com")
    bench.push("ann")
    bench.work()
    assert bench.states() == {"held": 1}
    del bench.target.accounts[account_id]
    bench.push("ann", title="x")
    bench.work(shifts=8)
    assert bench.target.held("ann@example.com").attributes["title"] == "x"


def test_an_account_id_that_is_told_for_two_people_is_given_to_one(make_bench: Callable[..., Bench]) -> None:
    """A target that answers a create with an id which it gave before: the id of a person since deleted."""
    bench = make_bench(target=FakeTarget(tells_ids=True))
    bench.push("ann")
    bench.work()
    account_id = bench.target.held("ann@example.com").account_id
    bench.delete("ann")
    bench.work()

    def tell_one_id(call: Call) -> Answer | None:
        reply = Reply(verdict=Verdict.DONE, account_id=account_id)
        return Answer(replies=dict.fromkeys(call.operation_ids, reply)) if call.step is Step.CREATE else None

    bench.target.on_call = tell_one_id
    bench.return_after_deletion("ann")
    bench.push("zoe")
    bench.work(shifts=8)
    assert bench.states() == {"delivered": 3, "dead": 1}
    assert bench.operations()[-1].reason == "merge_needed"


def test_a_second_person_of_the_same_address_never_takes_over_the_first_ones_account(bench: Bench) -> None:
    """The first one's account was made by a call that told no id; it is theirs all the same."""
    bench.push("ann", title="First")
    bench.work()
    bench.push("bob", emails=[{"value": "ANN@example.com", "primary": True}])
    bench.work(shifts=3)
    account = bench.target.held("ann@example.com")
    assert (account.attributes["title"], account.active) == ("First", True)
    assert bench.states() == {"delivered": 1, "dead": 1}
    bench.delete("bob")
    bench.work(shifts=8)
    assert bench.target.held("ann@example.com").active is True


def test_values_that_were_refused_prove_nothing_of_whose_account_it_is(bench: Bench) -> None:
    """Two bears one's address, is refused, and is given an address of his own meanwhile."""
    bench.push("one")
    bench.work()
    bench.push("two", emails=[{"value": "one@example.com", "primary": True}])
    bench.target.on_call = lambda call: rename(bench) if call.step is Step.CREATE else None
    bench.work(shifts=4)
    assert bench.target.held("one@example.com").attributes["email"] == "one@example.com"
    assert bench.target.held("two@example.com").attributes["email"] == "free@example.com"
    assert "dead" not in bench.states()


def rename(bench: Bench) -> None:
    bench.target.on_call = lambda _call: None
    bench.push("two", emails=[{"value": "free@example.com", "primary": True}])


def test_a_chain_of_renames_before_the_ids_are_known_ends_with_everybody_in_place(bench: Bench) -> None:
    bench.push("cha")
    bench.push("chb")
    bench.work()
    for name, new in (("chb", "chc"), ("cha", "chb")):
        bench.push(name, userName=f"{new}@example.com", emails=[{"value": f"{new}@example.com", "primary": True}])
    bench.work(shifts=8)
    assert {a.attributes["userName"] for a in bench.target.accounts.values()} == {"chb@example.com", "chc@example.com"}
    assert "dead" not in bench.states()
