"""The relay warns of tokens that will expire: in time, once a day, by their ids."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from scim_bridge.store import tokens
from workers.relay import expiry, loop

DAY = 86_400_000


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What the relay logs from here on."""
    with structlog.testing.capture_logs() as logged:
        monkeypatch.setattr(expiry, "_log", structlog.get_logger("test"))
        yield logged


@pytest.fixture
def issue(bench: Any) -> Callable[..., str]:
    def make(*, days: float) -> str:
        with bench.store.begin("acme") as tx:
            ends = tx.now + round(days * DAY)
            return tokens.issue(tx, scopes=["scim"], source="idp", name="Ann", expires_at=ends).id

    return make


def look(bench: Any, *, hours: int) -> None:
    """Let the relay look at the tokens each hour, and once at the end of it."""
    for _ in range(hours):
        bench.clock.advance(ms=DAY // 24)
        assert expiry.run_once(bench.runtime, bench.clock()) == bench.clock() + expiry.EVERY_MS


def test_a_token_is_warned_of_from_thirty_days_before_its_end(bench: Any, issue: Any, warnings: Any) -> None:
    token_id = issue(days=30.5)
    look(bench, hours=11)
    assert warnings == []
    look(bench, hours=2)
    assert warnings == [
        {
            "event": "token_expires_soon",
            "log_level": "warning",
            "tenant": "acme",
            "token_id": token_id,
            "days_left": 30,
        }
    ]


def test_each_day_has_one_warning_until_it_is_over(bench: Any, issue: Any, warnings: Any) -> None:
    issue(days=3.5)
    look(bench, hours=5 * 24)
    assert [each["days_left"] for each in warnings] == [3, 2, 1]


def test_a_relay_that_starts_again_says_nothing_twice(bench: Any, issue: Any, warnings: Any) -> None:
    issue(days=2.5)
    look(bench, hours=13)
    assert len(warnings) == 1
    for _ in range(5):
        bench.runtime.expiries_seen_at = None
        bench.clock.advance(ms=expiry.EVERY_MS + 1)
        expiry.run_once(bench.runtime, bench.clock())
    assert len(warnings) == 1


def test_tokens_that_nobody_need_replace_are_not_warned_of(bench: Any, issue: Any, warnings: Any) -> None:
    revoked, replaced, _later = issue(days=2.5), issue(days=2.5), issue(days=400)
    with bench.store.begin("acme") as tx:
        tokens.revoke(tx, revoked)
        tokens.rotate(tx, replaced, overlap_ms=10 * DAY, good_for_ms=400 * DAY)
    look(bench, hours=4 * 24)
    assert warnings == []


def test_the_relay_does_it(bench: Any) -> None:
    due = dict.fromkeys(loop.DUTIES, 0)
    loop.run_due(bench.runtime, due)
    assert due["expiry"] == bench.clock() + expiry.EVERY_MS
