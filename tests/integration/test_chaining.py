"""The relay gives the audit's entries their places, logs the head hourly, and lets old ones go; on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from scim_bridge.operators import audit
from scim_bridge.store import audit_chain, audits
from workers.relay import chaining, loop

HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as lines:
        monkeypatch.setattr(chaining, "_log", structlog.get_logger("test"))
        yield lines


def decide(bench: Any, count: int = 1) -> None:
    with bench.store.begin("acme") as tx:
        for number in range(count):
            audits.append(tx, who="op@desk", what="hold allow", after={"count": number})


def look(bench: Any) -> int:
    return chaining.run_once(bench.runtime, bench.clock()) - bench.clock()


def test_an_entry_has_its_place_soon(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_chain, "AT_A_TIME", 2)
    monkeypatch.setattr(chaining, "ROUNDS", 2)
    decide(bench, 5)
    # Four in two transactions, the last one at once afterwards.
    assert [look(bench), look(bench)] == [0, chaining.EVERY_MS]
    found = audit.verify(bench.store)
    assert (found["verified"], found["entries"], found["waiting"]) == (True, 5, 0)


def test_the_head_is_logged_once_an_hour(bench: Any, logged: list[Any]) -> None:
    look(bench)
    assert logged == []
    decide(bench)
    for _ in range(3):
        look(bench)
    assert [line["event"] for line in logged] == ["audit_head"]
    assert f"{logged[0]['number']}:{logged[0]['link']}" == audit.verify(bench.store)["head"]
    decide(bench)
    bench.clock.advance(ms=HOUR - 1)
    look(bench)
    assert len(logged) == 1
    bench.clock.advance(ms=1)
    look(bench)
    assert [line["number"] for line in logged] == [1, 2]


def test_a_relay_that_stops_logs_the_head(bench: Any, logged: list[Any]) -> None:
    decide(bench)
    look(bench)
    decide(bench)
    chaining.finish(bench.runtime)
    assert [line["number"] for line in logged] == [1, 2]


def test_a_relay_stops_without_a_store(bench: Any, logged: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    bench.store.close()
    monkeypatch.setattr(bench.store.engine, "connect", _gone)
    chaining.finish(bench.runtime)
    assert [line["event"] for line in logged] == ["audit_head_not_logged"]


def _gone(*_: object) -> None:
    raise OSError


def test_what_retention_no_longer_covers_is_cut_off(bench: Any, logged: list[Any]) -> None:
    decide(bench, 2)
    look(bench)
    bench.clock.advance(ms=bench.settings.retention_days * DAY)
    decide(bench)
    look(bench)
    assert audit.verify(bench.store)["entries"] == 3
    bench.clock.advance(ms=HOUR)
    look(bench)
    [line] = [line for line in logged if line["event"] == "audit_cut"]
    found = audit.verify(bench.store, expect=f"{line['number']}:{line['link']}")
    assert (line["entries"], found["entries"], found["verified"]) == (2, 1, True)
    assert found["cut"] == found["expected"]


def test_old_entries_that_do_not_fit_stay(bench: Any, logged: list[Any]) -> None:
    decide(bench, 2)
    look(bench)
    with bench.store.across_tenants("test", write=True) as tx:
        tx.connection.exec_driver_sql("UPDATE audit SET who = 'somebody@else' WHERE number = 1")
    bench.clock.advance(ms=bench.settings.retention_days * DAY + HOUR)
    look(bench)
    assert [line["event"] for line in logged] == ["audit_head", "audit_head", "audit_not_cut"]
    assert len(audit.list_entries(bench.store, bench.settings)["items"]) == 2


def test_the_relay_does_it(bench: Any) -> None:
    decide(bench)
    loop.run_due(bench.runtime, dict.fromkeys(loop.DUTIES, 0))
    assert audit.verify(bench.store)["waiting"] == 0
