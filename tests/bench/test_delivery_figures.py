"""What the delivery bench reads from a target's log: each figure from a log that is written by hand."""

from typing import Any

import pytest

from scim_bridge.cli import benches
from scim_bridge.sandbox.benches import (
    delivery,
    delivery_backlog,
    delivery_choosing,
    delivery_creates,
    delivery_edits,
    delivery_hung,
    delivery_leavers,
    delivery_poison,
    delivery_replay,
)
from scim_bridge.sandbox.benches import delivery_arrivals as arrivals
from scim_bridge.sandbox.benches.delivery_arrivals import Arrival
from scim_bridge.sandbox.benches.delivery_finding import Finding, Line
from scim_bridge.sandbox.benches.delivery_leavers import Left
from scim_bridge.sandbox.benches.delivery_stage import Limit
from scim_bridge.store.batches import Sent


def arrival(at_s: float, path: str = "/api/v3/user", *, method: str = "POST", status: int | None = 200) -> Arrival:
    return Arrival(at_s=at_s, at_ms=round(at_s * 1000), method=method, path=path, status=status)


def values(lines: list[Line]) -> dict[str, float]:
    return {line.name: line.value for line in lines}


def missed(lines: list[Line]) -> list[str]:
    return [line.name for line in lines if line.fault is not None]


def test_a_line_of_the_log_is_read() -> None:
    call: dict[str, Any] = {"arrived_s": 1.5, "arrived_ms": 7, "method": "POST", "path": "/api/v3/user", "status": 200}
    (found,) = arrivals.read([{**call, "items": 3}])
    assert (found.at_s, found.at_ms, found.status) == (1.5, 7, 200)
    assert found.is_create
    assert not found.is_archive
    assert arrival(0, "/api/v3/user/12/archive").is_archive
    assert not arrival(0, "/api/v3/user/12/archive").is_create
    assert not arrival(0, method="GET").is_create


@pytest.mark.parametrize(("calls", "seconds"), [(0, 0), (1, 0), (10, 0), (11, 10), (50, 40), (51, 50)])
def test_the_first_burst_is_free(calls: int, seconds: float) -> None:
    assert arrivals.least_s(calls, Limit(requests=10, per_s=10)) == seconds


def test_the_turn_is_the_median_time_until_a_place_is_used_again() -> None:
    limit = Limit(requests=2, per_s=10)
    assert arrivals.turn_s([arrival(at) for at in (0, 1)], limit) is None
    assert arrivals.turn_s([arrival(at) for at in (0, 1, 10.5, 11.1, 30)], limit) == 10.5


def test_creates_in_bursts_at_the_limit_reach_every_bar() -> None:
    log = [arrival(burst * 10.1 + place * 0.01) for burst in range(5) for place in range(10)]
    lines = delivery_creates.figures(log, users=10_000, limit=Limit())
    assert missed(lines) == []
    assert values(lines)["create calls"] == 50
    assert values(lines)["of the least time"] == pytest.approx(40.49 / 40)
    assert values(lines)["quota used"] == pytest.approx(10 / 10.1)


def test_each_bar_of_the_creates_is_held() -> None:
    slow = [arrival(burst * 11.0) for burst in range(5) for _ in range(10)]
    assert missed(delivery_creates.figures(slow, users=10_000, limit=Limit())) == ["of the least time", "quota used"]
    many = [arrival(0.0) for _ in range(3)]
    assert missed(delivery_creates.figures(many, users=400, limit=Limit())) == ["create calls"]
    refused = [arrival(0.0, status=429)]
    assert missed(delivery_creates.figures(refused, users=200, limit=Limit())) == ["answers 429"]


def test_several_events_may_cost_what_one_does_but_no_more() -> None:
    names = (delivery_edits.NEW_ONCE, delivery_edits.NEW_OFTEN, delivery_edits.KNOWN_ONCE, delivery_edits.KNOWN_OFTEN)
    assert missed(delivery_edits.figures(dict(zip(names, (10, 10, 200, 200), strict=True)))) == []
    dear = delivery_edits.figures(dict(zip(names, (10, 11, 200, 201), strict=True)))
    assert missed(dear) == [delivery_edits.NEW_OFTEN, delivery_edits.KNOWN_OFTEN]


def test_what_misses_its_bar_is_told_in_a_sentence() -> None:
    lines = [
        Line(name="calls", value=51, most=50),
        Line(name="delivered", value=2999.5, unit="users/s", least=3000),
        Line(name="time", value=1.0, unit="s"),
    ]
    finding = Finding(part="creates", store="sqlite", users=10, lines=lines, faults=["the books do not agree"])
    assert finding.missed == [
        "creates, sqlite: the books do not agree",
        "creates, sqlite: calls is 51, the bar is at most 50",
        "creates, sqlite: delivered is 3,000 users/s, the bar is at least 3,000 users/s",
    ]
    assert finding.to_json()["figures"] == {"calls": 51, "delivered": 2999.5, "time": 1.0}
    assert finding.rows()[0] == ["creates", "sqlite", "10", "calls", "51", "<= 50"]


def test_the_command_offers_every_part() -> None:
    assert set(benches.PARTS) == {*delivery.PARTS, delivery.ALL}
    assert delivery.chosen(["all"]) == tuple(delivery.PARTS)
    assert delivery.chosen(["hung", "creates"]) == ("creates", "hung")


def test_the_memory_of_a_worker_is_compared_by_thirds() -> None:
    flat = [100.0] * delivery_backlog.SAMPLES
    growing = [100.0 + at for at in range(delivery_backlog.SAMPLES)]
    lines = delivery_backlog.figures(
        delivered=6_000, elapsed_s=2.0, least_per_s=3_000, rss_mb={"one": flat, "two": growing}
    )
    assert values(lines)["delivered"] == 3_000
    assert missed(lines) == ["growth of two"]


def test_of_few_samples_no_growth_is_told() -> None:
    lines = delivery_backlog.figures(delivered=1, elapsed_s=1.0, least_per_s=2.0, rss_mb={"one": [1.0, 9.0]})
    assert missed(lines) == ["delivered"]


def test_choosing_may_take_twice_as_long_in_the_long_backlog() -> None:
    assert missed(delivery_choosing.figures([1, 2, 99], [4, 4, 4], few=1, users=2)) == []
    assert missed(delivery_choosing.figures([1, 2, 99], [5, 5, 5], few=1, users=2)) == ["ratio"]


def test_the_poison_user_alone_may_be_missing() -> None:
    log = [arrival(at) for at in range(18)]
    assert missed(delivery_poison.figures(log, held=199, dead=1)) == []
    assert missed(delivery_poison.figures([*log, arrival(18)], held=199, dead=1)) == ["extra calls"]
    assert missed(delivery_poison.figures(log, held=198, dead=2)) == [
        "users in the target",
        "users told apart as refused",
    ]


def test_a_replay_may_take_a_twentieth_longer_than_first_shown() -> None:
    log = [arrival(at) for at in range(50)]
    told = {"users": 10_000, "held": 10_000, "eta_s": 41, "plan_s": 1.0}
    assert missed(delivery_replay.figures(log, took_s=43.0, **told)) == []
    assert missed(delivery_replay.figures(log, took_s=43.1, **told)) == ["of the time first shown"]
    assert missed(delivery_replay.figures([*log, arrival(50, status=429)], took_s=43.0, **{**told, "held": 9_800})) == [
        "users in the target",
        "calls",
        "answers 429",
    ]


def test_of_a_replay_that_no_limit_stops_the_time_says_nothing() -> None:
    short = delivery_replay.figures([arrival(0)], users=200, held=200, eta_s=1, plan_s=1.0, took_s=9.0)
    assert missed(short) == []


def test_calls_a_window_tell_every_wait_wherever_windows_begin() -> None:
    limit = Limit(requests=2, per_s=10)
    assert arrivals.calls_a_window([arrival(at) for at in (0, 0.1, 10, 10.1, 20, 20.1)], limit) == 2
    assert arrivals.calls_a_window([arrival(at) for at in (0, 5, 10, 15, 20)], limit) == 2
    # A turn that took twice as long, and the one behind it.
    assert arrivals.calls_a_window([arrival(at) for at in (0, 1, 10, 21, 30)], limit) == 2 * 10 / (50 / 3)
    assert arrivals.calls_a_window([arrival(0), arrival(1)], limit) == 2
    assert arrivals.calls_a_window([], limit) == 0


def test_a_lane_beside_a_silent_one_keeps_its_calls() -> None:
    assert missed(delivery_hung.figures(9.8, 9.5)) == []
    assert missed(delivery_hung.figures(9.8, 9.2)) == ["ratio"]


LIMIT = Limit(requests=2, per_s=10)


def archive(at_s: float, account: str) -> Arrival:
    return arrival(at_s, f"/api/v3/user/{account}/archive")


def test_lateness_counts_from_the_answer_where_there_is_room() -> None:
    log = [arrival(0), archive(3, "7")]
    assert delivery_leavers.lateness_s(log, [Left(account_id="7", told_ms=2_500)], LIMIT) == [0.5]


def test_lateness_counts_from_when_the_window_next_has_room() -> None:
    log = [arrival(0), arrival(1), archive(10.2, "7"), archive(11.5, "8")]
    left = [Left(account_id="7", told_ms=2_000), Left(account_id="8", told_ms=2_000)]
    assert delivery_leavers.lateness_s(log, left, LIMIT) == [pytest.approx(0.2), pytest.approx(0.5)]


def test_a_create_that_was_out_already_overtakes_nobody() -> None:
    log = [arrival(0), arrival(5), arrival(6), archive(10, "7"), arrival(11)]
    left = [Left(account_id="7", told_ms=4_900)]
    begun = [Sent(step="create", opened_at=at) for at in (0, 4_890, 5_950, 10_900)]
    assert delivery_leavers.overtakings(log, left, begun) == 1
    earlier = [Sent(step="create", opened_at=at) for at in (0, 4_890, 4_895, 10_900)]
    assert delivery_leavers.overtakings(log, left, earlier) == 0


def test_a_leaver_who_is_never_archived_is_told() -> None:
    left = [Left(account_id="7", told_ms=1), Left(account_id="8", told_ms=1)]
    lines = delivery_leavers.figures([archive(0.5, "7")], left, [], limit=LIMIT)
    assert missed(lines) == ["leavers archived"]
