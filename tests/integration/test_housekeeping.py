"""What the relay lets go of."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from scim_bridge.store import first_answers, tables
from scim_bridge.store.first_answers import Keyed
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


def kept(bench: Any) -> int:
    with bench.store.begin("acme", write=False) as tx:
        return int(tx.connection.execute(sa.select(sa.func.count()).select_from(tables.first_answer)).scalar_one())
