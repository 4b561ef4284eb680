"""What the delivery bench reads from a target's log: each figure from a log that is written by hand."""

from typing import Any

import pytest

from scim_bridge.sandbox.benches import delivery_arrivals as arrivals
from scim_bridge.sandbox.benches import delivery_creates, delivery_edits
from scim_bridge.sandbox.benches.delivery_arrivals import Arrival
from scim_bridge.sandbox.benches.delivery_finding import Finding, Line
from scim_bridge.sandbox.benches.delivery_stage import Limit


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
