"""Accounts that were there before us: who may not just have them waits, and an operator decides. On both databases."""

from collections.abc import Callable
from typing import Any

import pytest
from fakes.dispatcher import RecordingDispatcher

from scim_bridge.operators import holds, status
from scim_bridge.operators.holds import Kind
from scim_bridge.settings.models import GuardSettings
from workers import reconcile

Bench = Any

ASK_ALWAYS = GuardSettings(max=0, share=1.0, min=0)


@pytest.fixture(params=["protected", "conflict"])
def waiting(request: pytest.FixtureRequest, make_bench: Callable[..., Bench]) -> Bench:
    """Ann's account was there: it is protected, or on_conflict = "hold" asks about all."""
    is_protected = request.param == "protected"
    bench = make_bench(on_conflict="update" if is_protected else "hold", guard=ASK_ALWAYS)
    bench.target.seed("ann@example.com", protected=is_protected, title="Owner")
    bench.push("ann", title="Chief")
    bench.work(shifts=2)
    assert bench.states() == {"held": 1}
    return bench


def decide(bench: Bench, how: Callable[..., Any], **choice: Any) -> int:
    choice = {"tenant": "acme", "who": "op@desk", "reason": "asked Ann", "kind": Kind.TAKEOVER, **choice}
    return int(how(bench.store, RecordingDispatcher(), **choice)["people"])


def listed(bench: Bench, **choice: Any) -> list[tuple[str, str, str]]:
    return [(row["user"], row["kind"], row["status"]) for row in holds.list_held(bench.store, **choice)]


def title(bench: Bench) -> str:
    return str(bench.target.held("ann@example.com").attributes["title"])


def test_who_waits_for_an_account_is_listed(waiting: Bench) -> None:
    assert listed(waiting) == [("ann@example.com", "takeover", "open")]
    assert listed(waiting, user="ann@example.com", tenant="acme", target="lms", kind=Kind.TAKEOVER) == listed(waiting)
    assert listed(waiting, kind=Kind.DEACTIVATION) == listed(waiting, tenant="other") == []
    [row] = holds.list_held(waiting.store)
    assert "--kind takeover" in row["reason"]


def test_who_waits_for_an_account_comes_page_by_page(waiting: Bench) -> None:
    waiting.target.seed("bob@example.com", protected=True)
    waiting.push("bob")
    waiting.work(shifts=2)
    choice: dict[str, Any] = {"tenant": "acme", "kind": Kind.TAKEOVER, "limit": 1}
    first = holds.page(waiting.store, **choice)
    last = holds.page(waiting.store, after=first["next"], **choice)
    assert [row["user"] for row in (*first["items"], *last["items"])] == ["ann@example.com", "bob@example.com"]
    assert last["next"] is None
    assert holds.page(waiting.store, **{**choice, "tenant": "other"}) == {"items": [], "next": None}


def test_release_gives_the_account_and_overwrites_it(waiting: Bench) -> None:
    assert decide(waiting, holds.release) == 1
    assert title(waiting) == "Owner"
    waiting.work(shifts=2)
    assert (title(waiting), listed(waiting)) == ("Chief", [])
    assert waiting.states() == {"delivered": 1}
    assert len(waiting.target.accounts) == 1


def test_release_survives_a_failed_call_then_a_newer_change(waiting: Bench) -> None:
    decide(waiting, holds.release)
    waiting.target.fail_next()
    waiting.push("ann", title="Boss")
    waiting.work(shifts=4)
    assert (title(waiting), listed(waiting)) == ("Boss", [])


def test_a_release_is_for_that_person_alone(waiting: Bench) -> None:
    waiting.target.seed("bob@example.com", protected=True, title="Owner")
    waiting.push("bob", title="Deputy")
    waiting.work(shifts=2)
    assert decide(waiting, holds.release, user="ann@example.com") == 1
    waiting.work(shifts=2)
    assert listed(waiting) == [("bob@example.com", "takeover", "open")]
    assert waiting.target.held("bob@example.com").attributes["title"] == "Owner"


def test_a_release_of_deactivations_lets_nobody_have_an_account(waiting: Bench) -> None:
    assert decide(waiting, holds.release, kind=Kind.DEACTIVATION) == 0
    waiting.work(shifts=2)
    assert (title(waiting), waiting.states()) == ("Owner", {"held": 1})


def test_reject_leaves_the_account_as_it_is_whatever_comes(waiting: Bench) -> None:
    assert decide(waiting, holds.reject) == 1
    assert (listed(waiting), waiting.states()) == ([], {"discarded": 1})
    assert listed(waiting, rejected=True) == [("ann@example.com", "takeover", "rejected")]
    waiting.push("ann", title="Boss")
    waiting.work(shifts=2)
    assert (title(waiting), waiting.states()) == ("Owner", {"discarded": 1, "skipped": 1})
    assert status.report(waiting.store, waiting.settings)["lanes"][0]["held"] == 0


def test_what_was_rejected_is_released_after_all(waiting: Bench) -> None:
    decide(waiting, holds.reject)
    assert decide(waiting, holds.release, rejected=True) == 1
    waiting.work(shifts=2)
    assert (title(waiting), listed(waiting, rejected=True)) == ("Chief", [])
    assert waiting.states() == {"discarded": 1, "delivered": 1}


def test_somebody_rejected_gets_an_own_account_once_the_other_is_gone(waiting: Bench) -> None:
    decide(waiting, holds.reject)
    waiting.target.accounts.clear()
    waiting.push("ann", title="Boss")
    waiting.work(shifts=2)
    assert (title(waiting), listed(waiting, rejected=True)) == ("Boss", [])


def test_a_decision_comes_once(waiting: Bench) -> None:
    assert [decide(waiting, holds.release), decide(waiting, holds.release)] == [1, 0]


def test_reconcile_says_held_of_who_waits_for_an_account(waiting: Bench) -> None:
    report = reconcile.reconcile(waiting.runtime, "acme", "lms", repair=True)
    assert {name: report.to_json()[name] for name in ("held", "differing", "owed", "adopted")} == {
        "held": 1,
        "differing": 0,
        "owed": 0,
        "adopted": 0,
    }
    assert report.differences[0].parts == ("account",)
    decide(waiting, holds.reject)
    assert reconcile.reconcile(waiting.runtime, "acme", "lms", repair=False).to_json()["held"] == 1


@pytest.mark.parametrize("how", [None, holds.reject])
def test_reconcile_says_held_of_who_may_not_leave_yet(
    make_bench: Callable[..., Bench], how: Callable[..., Any] | None
) -> None:
    bench = make_bench(guard=ASK_ALWAYS)
    bench.target.tells_ids = True
    for who in ("ann", "bob"):
        bench.push(who)
    bench.work()
    bench.push("ann", active=False)
    bench.work()
    if how is not None:
        assert decide(bench, how, kind=Kind.DEACTIVATION) == 1
    bench.target.held("bob@example.com").attributes["title"] = "Changed by hand"
    report = reconcile.reconcile(bench.runtime, "acme", "lms", repair=True)
    told = report.to_json()
    assert {name: told[name] for name in ("held", "differing", "owed")} == {"held": 1, "differing": 1, "owed": 1}


def test_an_allowance_for_now_releases_the_longest_held_as_far_as_it_goes(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(guard=ASK_ALWAYS)
    bench.target.tells_ids = True
    crew = ("ann", "bob", "cyd", "dan")
    for who in crew:
        bench.push(who)
    bench.work()
    for who in crew[:3]:
        bench.push(who, active=False)
        bench.work()
    asked = {"tenant": "acme", "target": "lms", "for_ms": 86_400_000, "who": "op@desk", "reason": "layoff"}
    told = holds.allow_now(bench.store, RecordingDispatcher(), count=2, **asked)
    assert (told["released"], told["still_held"]) == (2, 1)
    bench.work()
    assert [user for user, _, _ in listed(bench)] == ["cyd@example.com"]
    told = holds.allow_now(bench.store, RecordingDispatcher(), count=3, **asked)
    assert (told["released"], told["still_held"]) == (1, 0)
    # Two of the three are left for those who come.
    bench.push("dan", active=False)
    bench.work()
    assert (listed(bench), bench.states()) == ([], {"delivered": 8})
