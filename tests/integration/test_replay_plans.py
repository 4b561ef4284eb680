"""Replays that are planned, approved, watched and stopped, on books that delivery itself has written."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.dispatcher import RecordingDispatcher

from scim_bridge.domain.people import Step
from scim_bridge.errors import NotThere, OutOfDate, UsageError
from scim_bridge.operators import discarding, replay, replay_plans
from scim_bridge.settings.models import FieldSettings, GuardSettings, LimitSettings
from scim_bridge.store import lanes, plans, tables
from scim_bridge.store.reports import Chosen
from workers.relay import housekeeping, replaying

Bench = Any

TENANT = "acme"


def die(bench: Bench, *who: str, **changes: Any) -> None:
    """Let the target refuse people; then mend it."""
    for each in who:
        bench.target.refuses[f"{each}@example.com"] = "refused"
        bench.push(each, **changes)
    bench.work()
    bench.target.refuses.clear()


def plan(bench: Bench, who: str = "op@desk", **choice: Any) -> dict[str, Any]:
    return replay_plans.plan(bench.store, bench.settings, tenant=TENANT, who=who, **choice)


def approve(bench: Bench, number: int, who: str = "boss@desk") -> dict[str, Any]:
    return replay_plans.approve(bench.store, bench.settings, tenant=TENANT, number=number, who=who)


def status(bench: Bench, number: int) -> dict[str, Any]:
    return replay_plans.status(bench.store, bench.settings, tenant=TENANT, number=number)


def relay(bench: Bench, *, rounds: int = 5) -> None:
    """Let the relay look several times; what has nothing to do does nothing."""
    for _ in range(rounds):
        replaying.run_once(bench.runtime, bench.clock())


def audited(bench: Bench) -> list[tuple[str, str]]:
    with bench.store.begin(TENANT, write=False) as tx:
        rows = tx.connection.execute(sa.select(tables.audit).order_by(tables.audit.c.id)).all()
    return [(row.what, row.who) for row in rows]


def test_an_approved_plan_is_delivered_with_every_step_in_the_audit(bench: Bench) -> None:
    die(bench, "ann", "bob")
    made = plan(bench)
    assert (made["status"], made["figures"]["people"], made["figures"]["operations"]) == ("planned", 2, 2)
    relay(bench)
    assert bench.states() == {"dead": 2}
    assert approve(bench, made["replay"])["status"] == "running"
    relay(bench)
    assert bench.runtime.dispatcher.wakes == [(TENANT, "lms", False)]
    bench.work()
    assert bench.states() == {"delivered": 2}
    shown = status(bench, made["replay"])
    assert (shown["status"], shown["put_back"], shown["standing"], shown["eta_s"]) == ("done", 2, {"delivered": 2}, 0)
    assert shown["progress"] == {"planned": 0, "put_back": 2, "superseded": 0, "passed": 0}
    assert audited(bench) == [
        ("replay plan", "op@desk"),
        ("replay approve", "boss@desk"),
        ("replay done", "boss@desk"),
    ]


def test_a_plan_foretells_calls_and_time_behind_what_waits(bench: Bench) -> None:
    lane = bench.settings.tenants[0].targets[0]
    slow = lane.model_copy(update={"limits": [LimitSettings(requests=2, per_s=10)]})
    tenant = bench.settings.tenants[0].model_copy(update={"targets": [slow]})
    bench.settings = bench.settings.model_copy(update={"tenants": [tenant]})
    die(bench, "ann", "bob", "cyd")
    for name in ("dan", "eve"):
        bench.push(name)
    made = plan(bench)
    # The fake takes one person in a call: five calls are two at once, two after 10 s, one after 20 s.
    (target,) = made["figures"]["targets"]
    assert (target["calls"], target["eta_s"]) == (3, 20 + 2)
    assert (made["figures"]["calls"], made["figures"]["eta_s"]) == (3, 22)


def test_of_a_lane_that_stands_still_nobody_knows_the_time(bench: Bench) -> None:
    die(bench, "ann")
    with bench.store.begin(TENANT) as tx:
        lane = lanes.by_target(tx, "lms")
        assert lane is not None
        lanes.note(tx, lane.id, paused_at=1)
    made = plan(bench)
    assert made["figures"]["eta_s"] is None
    assert made["figures"]["targets"][0]["state"] == "paused"
    assert status(bench, made["replay"])["eta_s"] is None


@pytest.mark.parametrize(("most", "held"), [(0, 1), (1, 0)])
def test_a_plan_tells_whom_the_guard_would_hold(make_bench: Callable[..., Bench], most: int, held: int) -> None:
    bench = make_bench(guard=GuardSettings(max=most, share=1.0, min=0))
    bench.push("ann")
    bench.work(shifts=2)
    die(bench, "ann", title="Chief")
    bench.push("ann", title="Chief", active=False)
    figures = plan(bench)["figures"]
    assert (figures["leavers"], figures["deactivations"], figures["held"]) == (1, 1, held)


def test_who_is_out_of_scope_is_counted_as_leaving(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench()
    bench.push("ann")
    bench.work(shifts=2)
    die(bench, "ann", title="Chief")
    lane = bench.settings.tenants[0].targets[0].model_copy(update={"scope": 'title ne "Chief"'})
    tenant = bench.settings.tenants[0].model_copy(update={"targets": [lane]})
    bench.settings = bench.settings.model_copy(update={"tenants": [tenant]})
    assert plan(bench)["figures"]["deactivations"] == 1


def test_a_plan_of_yesterdays_world_is_refused_with_what_has_changed(bench: Bench) -> None:
    die(bench, "ann", "bob", "cyd")
    number = plan(bench)["replay"]
    bench.push("ann", title="Chief")
    replay.run(bench.store, bench.runtime.dispatcher, who="op@desk", user="bob@example.com")
    with pytest.raises(replay_plans.StalePlan) as refused:
        approve(bench, number)
    difference = refused.value.difference
    assert (difference["no_longer_dead"], difference["changed"]) == (1, 1)
    assert [(each["user"], each["why"]) for each in difference["people"]] == [
        ("ann@example.com", "changed"),
        ("bob@example.com", "waiting"),
    ]
    assert "ann@" not in str(refused.value)
    relay(bench)
    assert status(bench, number)["status"] == "stale"
    assert bench.states() == {"dead": 2, "waiting": 2}
    with pytest.raises(OutOfDate, match="it cannot be approved"):
        approve(bench, number)


def test_two_who_approve_the_same_at_once_cause_one_delivery(bench: Bench) -> None:
    die(bench, "ann")
    numbers = [plan(bench, who=who)["replay"] for who in ("one@desk", "two@desk")]
    for number in numbers:
        approve(bench, number)
    relay(bench)
    bench.work(shifts=2)
    assert bench.states() == {"delivered": 1}
    assert len(bench.target.calls_of(Step.CREATE)) == 1 + 1
    fates = [status(bench, number)["progress"] for number in numbers]
    assert [(each["put_back"], each["passed"]) for each in fates] == [(1, 0), (0, 1)]


def test_what_a_cancelled_replay_has_not_put_back_stays_dead(bench: Bench) -> None:
    bench.push("bob")
    bench.work(shifts=2)
    die(bench, "ann", "bob", title="Chief")
    number = plan(bench)["replay"]
    approve(bench, number)
    # Those who need the same have their turn together, so that these two have one each.
    relay(bench, rounds=1)
    cancelled = replay_plans.cancel(bench.store, tenant=TENANT, number=number, who="boss@desk")
    relay(bench)
    assert (cancelled["status"], cancelled["put_back"]) == ("cancelled", 1)
    bench.work(shifts=2)
    assert bench.states() == {"delivered": 2, "dead": 1}
    assert status(bench, number)["progress"] == {"planned": 1, "put_back": 1, "superseded": 0, "passed": 0}
    with pytest.raises(OutOfDate, match="nothing to cancel"):
        replay_plans.cancel(bench.store, tenant=TENANT, number=number, who="boss@desk")


def test_a_plan_that_is_cancelled_cannot_be_approved(bench: Bench) -> None:
    die(bench, "ann")
    number = plan(bench)["replay"]
    replay_plans.cancel(bench.store, tenant=TENANT, number=number, who="op@desk")
    with pytest.raises(OutOfDate, match="is cancelled since"):
        approve(bench, number)
    assert bench.states() == {"dead": 1}


def test_a_plan_that_was_not_finished_cannot_be_approved(bench: Bench) -> None:
    die(bench, "ann")
    with bench.store.begin(TENANT) as tx:
        # As it is left by a process that died before it had written the figures.
        number = plans.make(tx, Chosen(tenant=TENANT), who="op@desk", asked={"target": None})
    assert number is not None
    with pytest.raises(OutOfDate, match=f"replay {number} was not finished; plan again"):
        approve(bench, number)
    assert (bench.states(), status(bench, number)["status"]) == ({"dead": 1}, "planned")


def test_what_is_named_without_being_dead_is_told_of_only(bench: Bench) -> None:
    bench.push("ann")
    bench.push("ann", title="Chief")
    bench.work()
    die(bench, "bob", "cyd")
    superseded, delivered, discarded, dead = (row.id for row in bench.operations())
    discarding.discard(bench.store, TENANT, who="op", reason="left", operations=[discarded])
    named = [superseded, delivered, discarded, 999]
    nothing = plan(bench, operations=named)
    assert nothing["not_dead"] == {"delivered": 1, "discarded": 1, "not_there": 1, "superseded": 1}
    assert (nothing["replay"], nothing["status"]) == (None, "nothing")
    assert replay_plans.list_plans(bench.store, tenant=TENANT)["items"] == []
    made = plan(bench, operations=[*named, dead])
    assert (made["figures"]["operations"], made["not_dead"]) == (1, nothing["not_dead"])


def doors(bench: Bench, tenant: str, number: int) -> tuple[Callable[[], Any], ...]:
    """Return every way to ask about one replay."""
    given = {"tenant": tenant, "number": number}
    return (
        lambda: replay_plans.approve(bench.store, bench.settings, who="op", **given),
        lambda: replay_plans.cancel(bench.store, who="op", **given),
        lambda: replay_plans.status(bench.store, bench.settings, **given),
        lambda: replay_plans.preview(bench.store, bench.settings, **given),
    )


def test_a_number_that_no_replay_has_is_not_there(bench: Bench) -> None:
    for number in (7, 0, -1, 2**63, 10**30):
        for door in (*doors(bench, TENANT, number), lambda n=number: replay_plans.tenant_of(bench.store, n)):
            with pytest.raises(NotThere, match="there is no replay"):
                door()


def test_another_tenants_replay_is_not_there(bench: Bench) -> None:
    die(bench, "ann")
    for door in doors(bench, "other", plan(bench)["replay"]):
        with pytest.raises(NotThere, match="there is no replay"):
            door()
    assert replay_plans.list_plans(bench.store, tenant="other") == {"items": [], "next": None}


# One book for all rows: filling it on PostgreSQL is what takes time.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"target": "lsm"}, "has no target lsm"),
    ({"code": "too_lon"}, "there is no code"),
    ({"klass": "datum"}, "there is no class"),
    ({"policy": "merge"}, "there is no conflict policy 'merge'"),
    ({"policy": "x" * 10_000}, "there is no conflict policy 'xxx"),
    ({"operations": []}, "name from 1 to 10000 operations"),
    ({"operations": range(1, 10_002)}, "name from 1 to 10000 operations"),
    ({"operations": [0]}, "are named by their numbers"),
    ({"operations": [2**63]}, "are named by their numbers"),
]


def test_what_cannot_be_planned_is_a_usage_error(bench: Bench) -> None:
    for choice, sentence in WRONG:
        with pytest.raises(UsageError, match=sentence) as refused:
            plan(bench, **choice)
        assert len(str(refused.value)) < 5_000
    assert audited(bench) == []


def test_a_page_has_a_size(bench: Bench) -> None:
    for limit in (0, -1, 501):
        with pytest.raises(UsageError, match="a page has from 1 to 500 rows"):
            replay_plans.list_plans(bench.store, tenant=TENANT, limit=limit)
        with pytest.raises(UsageError, match="a page has from 1 to 500 rows"):
            replay_plans.preview(bench.store, bench.settings, tenant=TENANT, number=1, limit=limit)


def test_replays_are_listed_page_by_page_the_newest_first(bench: Bench) -> None:
    die(bench, "ann")
    numbers = [plan(bench)["replay"] for _ in range(3)]
    first = replay_plans.list_plans(bench.store, tenant=TENANT, limit=2)
    rest = replay_plans.list_plans(bench.store, tenant=TENANT, after=first["next"], limit=2)
    assert [each["replay"] for each in first["items"] + rest["items"]] == numbers[::-1]
    assert rest["next"] is None


def test_each_person_is_shown_before_and_after(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(fields={"lastName": FieldSettings(max_length=10)})
    bench.push("bob", title="Rep")
    bench.work(shifts=2)
    die(bench, "ann", "bob", title="Chief")
    die(bench, "cyd", name={"givenName": "Cyd", "familyName": "x" * 11})
    number = plan(bench)["replay"]
    first = replay_plans.preview(bench.store, bench.settings, tenant=TENANT, number=number, limit=2)
    rest = replay_plans.preview(bench.store, bench.settings, tenant=TENANT, number=number, after=first["next"], limit=2)
    ann, bob, cyd = first["items"] + rest["items"]
    assert rest["next"] is None
    assert (ann["user"], ann["does"], ann["before"], ann["code"]) == ("ann@example.com", "create", None, "refused")
    assert ann["after"]["attributes"]["title"] == "Chief"
    assert (bob["does"], bob["changes"]) == ("update", ["title"])
    assert (bob["before"]["attributes"]["title"], bob["after"]["attributes"]["title"]) == ("Rep", "Chief")
    assert (cyd["does"], cyd["after"], cyd["refused"]["code"]) == ("refused", None, "too_long")


def test_what_is_done_first_is_told(bench: Bench) -> None:
    bench.push("ann", title="Rep")
    bench.work(shifts=2)
    die(bench, "ann", title="Chief")
    number = plan(bench)["replay"]
    for change, does, changes in (({}, "nothing", []), ({"active": False}, "deactivate", ["status"])):
        bench.push("ann", title="Rep", **change)
        (ann,) = replay_plans.preview(bench.store, bench.settings, tenant=TENANT, number=number)["items"]
        assert (ann["does"], ann["changes"]) == (does, changes)


def test_who_is_out_of_scope_is_shown_as_closed(bench: Bench) -> None:
    bench.push("ann", title="Rep")
    bench.work(shifts=2)
    die(bench, "ann", title="Chief")
    for on_unscope, does in (("deactivate", "deactivate"), ("keep", "out_of_scope")):
        lane = bench.settings.tenants[0].targets[0]
        lane = lane.model_copy(update={"scope": 'title ne "Chief"', "on_unscope": on_unscope})
        tenant = bench.settings.tenants[0].model_copy(update={"targets": [lane]})
        bench.settings = bench.settings.model_copy(update={"tenants": [tenant]})
        number = plan(bench)["replay"]
        (ann,) = replay_plans.preview(bench.store, bench.settings, tenant=TENANT, number=number)["items"]
        assert ann["does"] == does


def test_a_target_that_is_not_configured_is_told_of(bench: Bench) -> None:
    die(bench, "ann")
    tenant = bench.settings.tenants[0].model_copy(update={"targets": []})
    bench.settings = bench.settings.model_copy(update={"tenants": [tenant]})
    made = plan(bench)
    assert (made["figures"]["targets"][0]["state"], made["figures"]["eta_s"]) == ("not configured", None)
    given = {"tenant": TENANT, "number": made["replay"]}
    (ann,) = replay_plans.preview(bench.store, bench.settings, **given)["items"]
    assert (ann["does"], ann["after"]) == ("not_configured", None)


@pytest.mark.parametrize(
    ("usual", "policy", "title", "states"),
    [
        ("update", "skip", "Old", {"skipped": 1}),
        ("update", "hold", "Old", {"held": 1}),
        ("hold", "update", "New", {"delivered": 1}),
        ("hold", None, "Old", {"held": 1}),
    ],
)
def test_a_replay_may_have_a_conflict_policy_of_its_own(
    make_bench: Callable[..., Bench], usual: str, policy: str | None, title: str, states: dict[str, int]
) -> None:
    bench = make_bench(on_conflict=usual)
    die(bench, "ann", title="New")
    bench.target.seed("ann@example.com", title="Old", firstName="Ann", lastName="Person")
    made = plan(bench, policy=policy)
    assert made["policy"] == policy
    approve(bench, made["replay"])
    relay(bench)
    bench.work(shifts=2)
    assert bench.target.held("ann@example.com").attributes["title"] == title
    assert bench.states() == states


def test_a_change_that_comes_after_the_replay_follows_the_configuration_again(bench: Bench) -> None:
    die(bench, "ann", title="New")
    bench.target.seed("ann@example.com", title="Old", firstName="Ann", lastName="Person")
    approve(bench, plan(bench, policy="skip")["replay"])
    relay(bench)
    bench.push("ann", title="Newer")
    bench.work(shifts=2)
    assert bench.target.held("ann@example.com").attributes["title"] == "Newer"


class Deaf(RecordingDispatcher):
    """Fails at the first wake."""

    def wake(self, tenant: str, target: str, *, urgent: bool) -> None:
        super().wake(tenant, target, urgent=urgent)
        if len(self.wakes) == 1:
            raise ValueError


def test_a_replay_at_which_the_relay_fails_keeps_no_other(bench: Bench) -> None:
    die(bench, "ann", "bob")
    for name in ("ann", "bob"):
        approve(bench, plan(bench, user=f"{name}@example.com")["replay"])
    bench.runtime.dispatcher = Deaf()
    relay(bench, rounds=1)
    assert bench.states() == {"waiting": 2}


def test_a_replay_that_runs_at_once_is_a_plan_that_is_done(bench: Bench) -> None:
    die(bench, "ann")
    (number,) = replay.run(bench.store, bench.runtime.dispatcher, who="op@desk", code="refused")["runs"]
    shown = status(bench, number)
    assert (shown["status"], shown["approved_by"], shown["filter"]["code"]) == ("done", "op@desk", "refused")
    assert audited(bench) == [("replay run", "op@desk"), ("replay done", "op@desk")]


def test_a_plan_that_nobody_approved_for_a_quarter_is_forgotten(bench: Bench) -> None:
    die(bench, "ann")
    number = plan(bench)["replay"]
    for days, expected in ((89, "planned"), (2, "stale")):
        bench.clock.advance(ms=days * 86_400_000)
        housekeeping.run_once(bench.runtime, bench.clock())
        assert status(bench, number)["status"] == expected
    assert replay_plans.preview(bench.store, bench.settings, tenant=TENANT, number=number)["items"] == []


def test_nobodys_name_is_kept_with_a_replay(bench: Bench) -> None:
    die(bench, "ann")
    made = plan(bench, user="ann@example.com")
    with bench.store.begin(TENANT, write=False) as tx:
        rows = [dict(row) for row in tx.connection.execute(sa.select(tables.replay)).mappings()]
        rows += [dict(row) for row in tx.connection.execute(sa.select(tables.audit)).mappings()]
    assert made["filter"]["by_user"] is True
    assert "ann@" not in json.dumps(rows)


def test_a_plan_is_stale_once_somebody_was_put_back_by_another_with_no_better_luck(bench: Bench) -> None:
    die(bench, "ann")
    made, other = plan(bench), plan(bench)
    approve(bench, other["replay"])
    relay(bench)
    bench.target.refuses["ann@example.com"] = "refused"
    bench.work()
    assert bench.states() == {"dead": 1}
    with pytest.raises(OutOfDate, match="of 1 the person has changed"):
        approve(bench, made["replay"])
    assert "as_of" not in status(bench, made["replay"])["figures"]


@pytest.mark.parametrize(
    ("change", "is_stale"),
    [({"on_conflict": "skip"}, True), ({"scope": 'title eq "Chief"'}, True), ({"max_attempts": 3}, False)],
)
def test_a_plan_is_stale_once_its_target_would_be_told_otherwise(
    bench: Bench, *, change: dict[str, Any], is_stale: bool
) -> None:
    die(bench, "ann")
    made = plan(bench)
    target = bench.settings.tenants[0].targets[0].model_copy(update=change)
    tenant = bench.settings.tenants[0].model_copy(update={"targets": [target]})
    bench.settings = bench.settings.model_copy(update={"tenants": [tenant]})
    if not is_stale:
        assert approve(bench, made["replay"])["status"] == "running"
        return
    with pytest.raises(replay_plans.StalePlan, match="lms is configured otherwise now") as refused:
        approve(bench, made["replay"])
    assert (refused.value.difference["targets"], refused.value.difference["people"]) == (["lms"], [])
    assert status(bench, made["replay"])["status"] == "stale"
