"""Guard: past a threshold deactivations wait for a person, and everything else flows. On both databases."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from fakes.dispatcher import RecordingDispatcher

from scim_bridge.domain.people import Step
from scim_bridge.operators import holds as decisions
from scim_bridge.operators import status, timeline
from scim_bridge.planning.calls import Call
from scim_bridge.settings.models import GroupSettings, GuardSettings
from scim_bridge.store import lanes, tables
from workers.targets import port

Bench = Any
MakeBench = Callable[..., Bench]

TWO = GuardSettings(max=2, share=1.0, window_s=3600, min=0)
CREW = ("ann", "bob", "cyd", "dan", "eve")


def staffed(make_bench: MakeBench, crew: Iterable[str] = CREW, **options: Any) -> Bench:
    """Return a bench whose target holds everybody of a crew, ids known."""
    bench = make_bench(**{"guard": TWO, **options})
    bench.target.tells_ids = True
    for who in crew:
        bench.push(who)
    bench.work()
    return bench


def leave(bench: Bench, *who: str) -> None:
    for each in who:
        bench.push(each, active=False)


def active(bench: Bench) -> set[str]:
    return {each.attributes["userName"].partition("@")[0] for each in bench.target.accounts.values() if each.active}


def held(bench: Bench) -> int:
    return int(status.report(bench.store, bench.settings)["lanes"][0]["held"])


def decide(bench: Bench, how: Callable[..., Any], **choice: Any) -> dict[str, Any]:
    choice = {"tenant": "acme", "target": "lms", "who": "op@desk", "reason": "checked with HR", **choice}
    return dict(how(bench.store, RecordingDispatcher(), **choice))


def allow(bench: Bench, count: int, *, for_ms: int = 86_400_000) -> dict[str, Any]:
    return dict(
        decisions.allow(
            bench.store, tenant="acme", target="lms", count=count, for_ms=for_ms, who="op@desk", reason="layoff day"
        )
    )


def audited(bench: Bench) -> list[Any]:
    with bench.store.across_tenants("test") as tx:
        return list(tx.connection.execute(sa.select(tables.audit).order_by(tables.audit.c.id)))


def test_guard_lets_exactly_the_threshold_through(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    leave(bench, "ann", "bob")
    bench.work()
    assert (active(bench), held(bench)) == ({"cyd", "dan", "eve"}, 0)
    leave(bench, "cyd")
    bench.work()
    assert (active(bench), held(bench)) == ({"cyd", "dan", "eve"}, 1)
    assert bench.states()["held"] == 1


def test_guard_holds_what_comes_at_once_beyond_the_threshold(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    leave(bench, *CREW)
    bench.work()
    assert (len(active(bench)), held(bench)) == (3, 3)


def test_guard_holds_up_nobody_else(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    leave(bench, "ann", "bob", "cyd", "dan")
    bench.push("eve", title="Chief")
    bench.push("fay")
    bench.work()
    assert bench.target.held("eve@example.com").attributes["title"] == "Chief"
    assert bench.target.held("fay@example.com") is not None


def test_guard_window_slides(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    leave(bench, "ann")
    bench.work()
    bench.clock.advance(ms=1_800_000)
    leave(bench, "bob")
    bench.work()
    # Ann's hour is over, bob's is not: there is room for one.
    bench.clock.advance(ms=1_800_000)
    leave(bench, "cyd", "dan")
    bench.work()
    assert (active(bench), held(bench)) == ({"dan", "eve"}, 1)


def test_guard_counts_in_the_store_whoever_works(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    for who in ("ann", "bob", "cyd"):
        leave(bench, who)
        # Each shift takes the lane anew, as another process would.
        bench.work()
    assert held(bench) == 1


@pytest.mark.parametrize(
    ("guard", "let_go"),
    [
        (GuardSettings(max=100, share=0.1, min=0), 1),
        (GuardSettings(max=100, share=0.3, min=0), 3),
        (GuardSettings(max=2, share=0.3, min=0), 2),
        (GuardSettings(max=100, share=0.1, min=5), 4),
        (GuardSettings(max=0, share=1.0, min=1), 0),
    ],
)
def test_guard_takes_the_smaller_of_number_and_share_from_min_on(
    make_bench: MakeBench, guard: GuardSettings, let_go: int
) -> None:
    crew = tuple(f"p{number}" for number in range(10))
    bench = staffed(make_bench, crew, guard=guard)
    leave(bench, *crew[:8])
    bench.work()
    assert (10 - len(active(bench)), held(bench)) == (let_go, 8 - let_go)


def test_guard_share_is_of_those_in_scope(make_bench: MakeBench) -> None:
    bench = make_bench(guard=GuardSettings(max=100, share=0.5, min=0), scope='userType eq "Employee"')
    bench.target.tells_ids = True
    for number in range(4):
        bench.push(f"p{number}", userType="Employee")
    for number in range(20):
        bench.push(f"guest{number}", userType="Guest")
    bench.work()
    for number in range(3):
        bench.push(f"p{number}", userType="Employee", active=False)
    bench.work()
    assert (active(bench), held(bench)) == ({"p2", "p3"}, 1)


def test_guard_share_does_not_shrink_while_people_leave(make_bench: MakeBench) -> None:
    crew = tuple(f"p{number}" for number in range(20))
    bench = staffed(make_bench, crew, guard=GuardSettings(max=100, share=0.1, min=0))
    for who in crew[:2]:
        leave(bench, who)
        bench.work()
    assert held(bench) == 0


@pytest.mark.parametrize("how", ["inactive", "deleted", "unscoped"])
def test_guard_counts_every_way_of_leaving_alike(make_bench: MakeBench, how: str) -> None:
    bench = make_bench(guard=TWO, scope='userType eq "Employee"')
    bench.target.tells_ids = True
    for who in CREW:
        bench.push(who, userType="Employee")
    bench.work()
    for who in CREW:
        if how == "inactive":
            bench.push(who, userType="Employee", active=False)
        elif how == "deleted":
            bench.delete(who)
        else:
            bench.push(who, userType="Guest")
    bench.work()
    assert (len(active(bench)), held(bench)) == (3, 3)


def test_guard_counts_leavers_whose_account_is_looked_up_first(make_bench: MakeBench) -> None:
    bench = make_bench(guard=TWO)
    for who in CREW:
        bench.target.seed(f"{who}@example.com")
        bench.push(who, active=False)
    bench.work()
    assert (len(active(bench)), held(bench)) == (3, 3)


def test_guard_lets_other_attributes_flow_while_held(make_bench: MakeBench) -> None:
    bench = staffed(make_bench, guard=GuardSettings(max=0, share=1.0, min=0))
    leave(bench, "ann")
    bench.work()
    bench.push("ann", active=False, title="Former")
    bench.work(shifts=2)
    account = bench.target.held("ann@example.com")
    assert (account.active, account.attributes["title"]) == (True, "Former")
    assert (held(bench), bench.target.calls_of(Step.DEACTIVATE)) == (1, [])
    assert bench.states()["held"] == 2


def test_guard_ends_a_hold_when_the_directory_says_active_again(make_bench: MakeBench) -> None:
    bench = staffed(make_bench, guard=GuardSettings(max=0, share=1.0, min=0))
    leave(bench, "ann")
    bench.work()
    assert held(bench) == 1
    bench.push("ann", title="Back")
    bench.work()
    assert (held(bench), decisions.list_held(bench.store)) == (0, [])
    assert bench.target.held("ann@example.com").attributes["title"] == "Back"
    assert bench.states() == {"delivered": 6, "superseded": 1}
    leave(bench, "ann")
    bench.work()
    assert held(bench) == 1


def test_guard_counts_nobody_who_came_back(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    leave(bench, "ann", "bob")
    bench.work()
    bench.push("ann")
    bench.work()
    leave(bench, "cyd")
    bench.work()
    assert (active(bench), held(bench)) == ({"ann", "dan", "eve"}, 0)


def test_guard_delivers_what_is_released(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    leave(bench, *CREW)
    bench.work()
    told = decide(bench, decisions.release)
    assert (told["people"], held(bench)) == (3, 0)
    bench.work()
    assert (active(bench), bench.states()) == (set(), {"delivered": 10})


def test_guard_releases_who_was_deleted_meanwhile_before_everybody_who_waits(make_bench: MakeBench) -> None:
    bench = staffed(make_bench, guard=GuardSettings(max=0, share=1.0, min=0))
    leave(bench, "ann")
    bench.work()
    bench.delete("ann")
    assert decide(bench, decisions.release)["people"] == 1
    bench.push("fay")
    sent = len(bench.target.calls)
    bench.work()
    assert [call.step for call in bench.target.calls[sent:]] == [Step.DEACTIVATE, Step.CREATE]


def test_guard_releases_one_person_alone(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    leave(bench, *CREW)
    bench.work()
    waiting = sorted(active(bench))
    assert decide(bench, decisions.release, user=f"{waiting[0]}@example.com")["people"] == 1
    bench.work()
    assert (sorted(active(bench)), held(bench)) == (waiting[1:], 2)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_guard_releases_who_waits_for_a_group_meanwhile(make_bench: MakeBench) -> None:
    bench = staffed(
        make_bench,
        guard=GuardSettings(max=0, share=1.0, min=0),
        groups={"*": GroupSettings(group="{displayName}")},
    )

    def refuse(call: Call) -> None:
        if call.step is Step.CREATE_GROUP:
            raise port.BatchRefused("no", status=400)

    bench.target.on_call = refuse
    bench.group("Sales", ("ann",))
    bench.work(shifts=3)
    leave(bench, "ann")
    bench.work()
    assert bench.operations()[-1].reason == "blocked_by_group"
    [row] = decisions.list_held(bench.store)
    assert row["user"] == "ann@example.com"
    assert decide(bench, decisions.release)["people"] == 1
    bench.work()
    assert "ann" not in active(bench)
    assert decisions.list_held(bench.store) == []


def test_held_people_come_page_by_page(make_bench: MakeBench) -> None:
    bench = staffed(make_bench, guard=GuardSettings(max=0, share=1.0, min=0))
    leave(bench, "ann", "bob", "cyd")
    bench.work()
    choice: dict[str, Any] = {"tenant": "acme", "kind": decisions.Kind.DEACTIVATION, "limit": 2}
    first = decisions.page(bench.store, **choice)
    last = decisions.page(bench.store, after=first["next"], **choice)
    assert (len(first["items"]), len(last["items"]), last["next"]) == (2, 1, None)
    assert [*first["items"], *last["items"]] == decisions.list_held(bench.store)
    assert decisions.page(bench.store, rejected=True, **choice) == {"items": [], "next": None}
    assert decisions.page(bench.store, user="bob@example.com", **choice)["items"][0]["user"] == "bob@example.com"


def test_guard_closes_what_is_rejected_as_drift(make_bench: MakeBench) -> None:
    bench = staffed(make_bench, guard=GuardSettings(max=0, share=1.0, min=0))
    leave(bench, "ann")
    bench.work()
    assert decide(bench, decisions.reject)["people"] == 1
    assert (held(bench), bench.states()["discarded"]) == (0, 1)
    bench.push("ann", active=False, title="Former")
    bench.work(shifts=2)
    account = bench.target.held("ann@example.com")
    assert (account.active, account.attributes["title"]) == (True, "Former")
    [person] = timeline.show(bench.store, "ann@example.com")["people"]
    [operation] = person["changes"][-1]["operations"]
    assert (operation["state"], operation["code"]) == ("skipped", "deactivation_rejected")
    [row] = decisions.list_held(bench.store, rejected=True)
    assert (row["status"], row["user"]) == ("rejected", "ann@example.com")


def test_guard_delivers_a_rejected_deactivation_that_is_released_after_all(make_bench: MakeBench) -> None:
    bench = staffed(make_bench, guard=GuardSettings(max=0, share=1.0, min=0))
    leave(bench, "ann")
    bench.work()
    decide(bench, decisions.reject)
    assert decide(bench, decisions.release, user="ann@example.com", rejected=True)["people"] == 1
    bench.work()
    assert "ann" not in active(bench)
    assert bench.states()["delivered"] == 6


def test_guard_asks_about_a_person_who_returns_after_a_rejection(make_bench: MakeBench) -> None:
    bench = staffed(make_bench, guard=GuardSettings(max=0, share=1.0, min=0))
    leave(bench, "ann")
    bench.work()
    decide(bench, decisions.reject)
    bench.push("ann")
    bench.work()
    leave(bench, "ann")
    bench.work()
    assert held(bench) == 1


def test_guard_ends_a_hold_when_the_account_moves_to_a_recreated_person(make_bench: MakeBench) -> None:
    bench = staffed(make_bench, guard=GuardSettings(max=0, share=1.0, min=0))
    bench.delete("ann")
    bench.work()
    assert held(bench) == 1
    bench.return_after_deletion("ann", title="New")
    bench.work(shifts=3)
    account = bench.target.held("ann@example.com")
    assert (account.active, account.attributes["title"], held(bench)) == (True, "New", 0)
    assert bench.states() == {"delivered": 6, "unchanged": 1}


def test_guard_allows_so_many_more_once(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    allow(bench, 2)
    leave(bench, *CREW)
    bench.work()
    assert (len(active(bench)), held(bench)) == (1, 1)


def test_guard_allowance_leaves_the_ordinary_threshold_as_it_was(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    allow(bench, 1)
    leave(bench, "ann", "bob", "cyd")
    bench.work()
    bench.clock.advance(ms=3_600_000)
    leave(bench, "dan", "eve")
    bench.work()
    assert (active(bench), held(bench)) == (set(), 0)


def test_guard_allowance_expires(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    allow(bench, 3, for_ms=86_400_000)
    bench.clock.advance(ms=86_400_000)
    leave(bench, *CREW)
    bench.work()
    assert held(bench) == 3


def test_guard_asks_nobody_twice_while_a_deactivation_is_tried_again(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    leave(bench, "ann", "bob")
    bench.target.fail_next(step=Step.DEACTIVATE)
    bench.work(shifts=6)
    assert (active(bench), held(bench)) == ({"cyd", "dan", "eve"}, 0)


def test_guard_of_one_lane_counts_nothing_of_another(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    with bench.store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms"), ("other", "lms")])
    with bench.store.begin("other") as tx:
        lane = lanes.by_target(tx, "lms")
        assert lane is not None
    decisions.allow(
        bench.store, tenant="other", target="lms", count=9, for_ms=86_400_000, who="op@desk", reason="theirs"
    )
    leave(bench, *CREW)
    bench.work()
    assert held(bench) == 3


def test_guard_tells_at_once_whom_it_holds_without_naming_people(make_bench: MakeBench) -> None:
    bench = staffed(make_bench)
    leave(bench, *CREW)
    with structlog.testing.capture_logs() as logged:
        bench.work()
    [line] = [each for each in logged if each["event"] == "deactivations_held"]
    assert {name: line[name] for name in ("tenant", "target", "people", "most", "window_s")} == {
        "tenant": "acme",
        "target": "lms",
        "people": 3,
        "most": 2,
        "window_s": 3600,
    }
    assert "example.com" not in repr(line)


def test_guard_shows_the_held_in_list_as_in_the_timeline(make_bench: MakeBench) -> None:
    bench = staffed(make_bench, guard=GuardSettings(max=0, share=1.0, min=0))
    leave(bench, "ann")
    bench.work()
    [row] = decisions.list_held(bench.store, tenant="acme", target="lms")
    assert (row["user"], row["target"], row["status"]) == ("ann@example.com", "lms", "open")
    [person] = timeline.show(bench.store, "ann@example.com")["people"]
    operation = person["changes"][-1]["operations"][0]
    assert (operation["state"], operation["code"]) == ("held", "guard_held")
    assert "hold release" in operation["advice"]


def test_guard_decisions_are_audited_with_who_decided_why(make_bench: MakeBench) -> None:
    bench = staffed(make_bench, guard=GuardSettings(max=0, share=1.0, min=0))
    leave(bench, "ann", "bob")
    bench.work()
    allow(bench, 1)
    decide(bench, decisions.release, user="ann@example.com")
    decide(bench, decisions.reject, user="bob@example.com")
    rows = audited(bench)
    assert [row.what for row in rows] == ["hold allow", "hold release", "hold reject"]
    assert {row.who for row in rows} == {"op@desk"}
    assert [row.before for row in rows] == ["", '{"status":"open"}', '{"status":"open"}']
    assert "layoff day" in rows[0].after
    assert "checked with HR" in rows[1].after
    assert "example.com" not in repr(rows)
