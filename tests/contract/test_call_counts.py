"""Calls counted by quota, class and time, on both databases, and what a lane's chart makes of them."""

from typing import Any

import pytest
import sqlalchemy as sa
from fakes import books

from scim_bridge.domain.states import State
from scim_bridge.operators import calls
from scim_bridge.settings.models import LimitSettings, Settings, TargetSettings, TenantSettings
from scim_bridge.store import call_counts, lanes, quota, tables
from scim_bridge.store.call_counts import Asked, Count
from scim_bridge.store.engine import Store


def send(store: Store, *, ago_ms: int, name: str = "q", klass: str = "read", times: int = 1) -> None:
    with store.begin("acme") as tx:
        for _ in range(times):
            number = quota.take(tx, quota=name, klass=klass, deadline_at=tx.now)
            tx.connection.execute(
                sa.update(tables.slot).where(tables.slot.c.id == number).values(sent_at=tx.now - ago_ms)
            )


def settings_of(*limits: LimitSettings, name: str | None = "q") -> Settings:
    target = TargetSettings(name="lms", kind="fake", quota=name, limits=list(limits))
    return Settings(tenants=[TenantSettings(id="acme", targets=[target])])


def limit(requests: int, per_s: float, klass: str | None = None) -> LimitSettings:
    return LimitSettings.model_validate({"requests": requests, "per_s": per_s, "class": klass})


@pytest.fixture
def desk(store: Store) -> Store:
    with store.across_tenants("make the lane", write=True) as tx:
        lanes.sync(tx, [("acme", "lms")])
    return store


def told(store: Store, settings: Settings) -> dict[str, Any]:
    [lane] = calls.report(store, settings, tenant="acme")["lanes"]
    return dict(lane)


def test_calls_are_counted_by_class_in_steps_back_from_now(desk: Store) -> None:
    for ago_ms, klass in ((0, "read"), (4_999, "read"), (5_000, "user_write"), (5_000, "read"), (20_000, "read")):
        send(desk, ago_ms=ago_ms, klass=klass)
    send(desk, ago_ms=0, name="another")
    with desk.begin("acme", write=False) as tx:
        found = call_counts.counts(tx, [Asked(quota="q", since=tx.now - 10_000, step_ms=5_000)])
    assert sorted(found, key=lambda each: (each.steps_ago, each.klass)) == [
        Count(place=0, klass="read", steps_ago=0, calls=2),
        Count(place=0, klass="read", steps_ago=1, calls=1),
        Count(place=0, klass="user_write", steps_ago=1, calls=1),
    ]


def test_the_quota_of_a_lane_is_that_of_its_newest_call(desk: Store) -> None:
    with desk.begin("acme") as tx:
        lane = lanes.by_target(tx, "lms")
        assert lane is not None
        assert call_counts.quotas(tx) == {}
        person = books.add_person(tx, "ann")
        books.send(tx, lane.id, [person], [State.DELIVERED])
        assert call_counts.quotas(tx) == {lane.id: "q"}


def test_a_bar_is_all_that_went_out_within_a_window_of_the_limit(desk: Store) -> None:
    send(desk, ago_ms=1_000, times=3)
    send(desk, ago_ms=8_000, times=4)
    send(desk, ago_ms=299_999)
    lane = told(desk, settings_of(limit(10, 10)))
    assert (lane["limit"], lane["width_s"], len(lane["bars"])) == (10, 10, 60)
    assert lane["bars"][-3:] == [0, 4, 7]
    assert lane["bars"][0] == 1
    assert lane["limits"] == [{"requests": 10, "per_s": 10, "class": None, "used": 7}]


def test_of_several_limits_the_one_that_counts_everything_is_shown(desk: Store) -> None:
    send(desk, ago_ms=1_000, klass="user_write", times=2)
    send(desk, ago_ms=1_000, klass="read")
    lane = told(desk, settings_of(limit(5, 5, "user_write"), limit(60, 60), limit(9_000, 86_400)))
    assert (lane["limit"], lane["class"], lane["bars"][-1]) == (60, None, 3)
    assert [(each["class"], each["used"]) for each in lane["limits"]] == [(None, 3), ("user_write", 2)]


def test_a_window_of_less_than_a_second_is_shown_by_the_second(desk: Store) -> None:
    send(desk, ago_ms=100, times=3)
    lane = told(desk, settings_of(limit(2, 0.5)))
    assert (lane["width_s"], lane["limit"], lane["bars"][-1]) == (1, 4, 3)
    assert lane["limits"] == [{"requests": 4, "per_s": 1, "class": None, "used": 3}]


def test_how_much_of_a_narrow_limit_is_used_is_told_beside_a_wide_one(desk: Store) -> None:
    send(desk, ago_ms=1_000, klass="user_write", times=2)
    send(desk, ago_ms=3_000, klass="user_write")
    lane = told(desk, settings_of(limit(60, 60), limit(5, 2, "user_write")))
    assert lane["bars"][-1] == 3
    assert lane["limits"][1] == {"requests": 5, "per_s": 2, "class": "user_write", "used": 2}


def test_without_limits_the_bars_are_simply_calls(desk: Store) -> None:
    send(desk, ago_ms=100, times=3)
    lane = told(desk, settings_of())
    assert (lane["limit"], lane["limits"], lane["bars"][-1]) == (None, [], 3)


def test_a_lane_of_which_no_quota_is_known_has_no_calls(desk: Store) -> None:
    send(desk, ago_ms=100)
    assert not any(told(desk, settings_of(limit(10, 10), name=None))["bars"])
