"""Pause: a lane that stands still loses nothing. On both databases."""

from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from fakes.dispatcher import RecordingDispatcher

from scim_bridge.errors import UsageError
from scim_bridge.operators import pausing, status
from scim_bridge.settings.models import GuardSettings
from scim_bridge.store import tables
from workers.relay import reminding
from workers.targets import port

Bench = Any


def pause(bench: Bench) -> dict[str, Any]:
    return pausing.pause(bench.store, tenant="acme", target="lms", who="op@desk", reason="the target is migrated")


def resume(bench: Bench) -> RecordingDispatcher:
    dispatcher = RecordingDispatcher()
    pausing.resume(bench.store, dispatcher, tenant="acme", target="lms", who="op@desk")
    return dispatcher


def test_pause_sends_nothing_while_all_that_is_owed_waits(bench: Bench) -> None:
    pause(bench)
    bench.push("ann")
    bench.push("bob")
    bench.work(shifts=3)
    assert (bench.target.calls, bench.states()) == ([], {"waiting": 2})
    resume(bench)
    bench.work()
    assert bench.states() == {"delivered": 2}


def test_pause_lets_no_worker_wake_its_own_lane_for_ever(bench: Bench) -> None:
    bench.push("ann")
    pause(bench)
    bench.work()
    assert bench.runtime.dispatcher.wakes == []


def test_pause_tells_who_paused_why(bench: Bench) -> None:
    pause(bench)
    [row] = pausing.report(bench.store, bench.settings)
    assert (row["state"], row["why"], row["by"]) == ("paused", "the target is migrated", "op@desk")
    assert row["since"] == "2023-11-14T22:13:20.000Z"
    assert status.report(bench.store, bench.settings)["lanes"][0]["why"] == "the target is migrated"


def test_pause_of_a_paused_lane_is_refused_with_who_paused_it(bench: Bench) -> None:
    pause(bench)
    with pytest.raises(UsageError, match="paused already, since 2023-11-14T22:13:20"):
        pause(bench)


def test_resume_of_a_lane_that_works_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match="neither paused nor quarantined"):
        resume(bench)


def test_resume_wakes_the_lane(bench: Bench) -> None:
    pause(bench)
    assert resume(bench).wakes == [("acme", "lms", False)]


def test_resume_has_a_quarantined_lane_verified_at_once(bench: Bench) -> None:
    bench.push("ann")
    bench.target.fail_next(port.CredentialRefused("no", status=401))
    bench.target.probe_failure = port.CredentialRefused("no", status=401)
    bench.work(shifts=9)
    probes = bench.target.probes
    assert bench.lane().quarantined_at is not None
    bench.target.probe_failure = None
    resume(bench)
    bench.work()
    assert (bench.target.probes, bench.lane().quarantined_at) == (probes + 1, None)
    assert bench.states() == {"delivered": 1}


def test_pause_outlasts_a_quarantine(bench: Bench) -> None:
    bench.target.fail_next(port.CredentialRefused("no", status=401))
    bench.push("ann")
    bench.work()
    pause(bench)
    assert pausing.report(bench.store, bench.settings)[0]["state"] == "paused"
    bench.work(shifts=9)
    assert bench.target.probes == 0


def test_pausing_is_audited_with_its_reason(bench: Bench) -> None:
    pause(bench)
    resume(bench)
    with bench.store.across_tenants("test") as tx:
        rows = tx.connection.execute(sa.select(tables.audit).order_by(tables.audit.c.id)).all()
    assert [(row.what, row.who) for row in rows] == [("lane pause", "op@desk"), ("lane resume", "op@desk")]
    assert rows[0].before == '{"paused":false}'
    assert "the target is migrated" in rows[0].after
    assert "the target is migrated" in rows[1].before


def test_a_hold_that_nobody_decides_asks_again_after_a_week(make_bench: Any) -> None:
    bench = make_bench(guard=GuardSettings(max=0, min=0))
    bench.target.tells_ids = True
    bench.push("ann")
    bench.work()
    bench.push("ann", active=False)
    bench.work()
    asked = []
    for _ in range(16):
        bench.clock.advance(ms=86_400_000)
        with structlog.testing.capture_logs() as logged:
            reminding.run_once(bench.runtime, bench.clock())
        asked += [(each["event"], each["people"]) for each in logged]
    assert asked == [("deactivations_still_held", 1)] * 2
    bench.work()
    assert bench.target.held("ann@example.com").active is True
