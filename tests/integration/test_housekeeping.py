"""What the relay lets go of."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from scim_bridge.store import first_answers, inbound, tables
from scim_bridge.store.first_answers import Keyed
from scim_bridge.store.inbound import Seen
from workers.relay import housekeeping


def test_first_answers_are_let_go_after_a_day_and_not_before(make_bench: Callable[..., Any]) -> None:
    bench = make_bench()
    many = first_answers.AT_A_TIME + 1
    with bench.store.begin("acme") as tx:
        row = {"tenant": "acme", "token_id": "t", "route": "r", "body": "b", "owner": "", "status": 204}
        rows = [{**row, "key": f"k{number}", "started_at": tx.now + number} for number in range(many)]
        tx.connection.execute(sa.insert(tables.first_answer), rows)
    bench.clock.advance(ms=first_answers.KEPT_MS)
    with bench.store.begin("acme") as tx:
        first_answers.claim(tx, Keyed(token_id="t", route="r", key="young", body="b"), owner="o")
    housekeeping.run_once(bench.runtime, bench.clock())
    assert kept(bench) == many + 1
    bench.clock.advance(ms=many)
    housekeeping.run_once(bench.runtime, bench.clock())
    assert kept(bench) == 1


def test_requests_that_came_in_are_let_go_when_there_are_too_many(make_bench: Callable[..., Any]) -> None:
    bench = make_bench()
    note(bench, inbound.MOST_OF_A_TENANT + 2)
    housekeeping.run_once(bench.runtime, bench.clock())
    assert requests_kept(bench) == inbound.MOST_OF_A_TENANT
    # One is written down a little after it came, when the relay has looked already.
    bench.clock.advance(ms=housekeeping.EVERY_MS)
    note(bench, 1, ago_ms=housekeeping.EVERY_MS + 1)
    housekeeping.run_once(bench.runtime, bench.clock())
    assert requests_kept(bench) == inbound.MOST_OF_A_TENANT


def test_requests_that_came_in_are_let_go_after_a_week(make_bench: Callable[..., Any]) -> None:
    bench = make_bench()
    note(bench, 1)
    bench.clock.advance(ms=inbound.KEPT_MS)
    housekeeping.run_once(bench.runtime, bench.clock())
    assert requests_kept(bench) == 1
    bench.clock.advance(ms=1)
    housekeeping.run_once(bench.runtime, bench.clock())
    assert requests_kept(bench) == 0


def note(bench: Any, count: int, *, ago_ms: int = 0) -> None:
    came = Seen(
        at=bench.clock() - ago_ms,
        method="GET",
        route="/scim/v2/Users",
        status=200,
        took_ms=1,
        tenant="acme",
        token_id=None,
        source="okta",
        correlation_id="c",
    )
    with bench.store.across_tenants("test", write=True) as tx:
        inbound.append(tx, [came] * count)


def requests_kept(bench: Any) -> int:
    with bench.store.begin("acme", write=False) as tx:
        return len(inbound.listed(tx, limit=1_000_000))


def kept(bench: Any) -> int:
    with bench.store.begin("acme", write=False) as tx:
        return int(tx.connection.execute(sa.select(sa.func.count()).select_from(tables.first_answer)).scalar_one())
