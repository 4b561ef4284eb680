"""Statements that go to the driver as text end as the library's own do."""

import pytest
import sqlalchemy as sa

from scim_bridge.domain.instants import Clock
from scim_bridge.store import lanes, tables
from scim_bridge.store.engine import StatementTimedOut, Store, StoreUnavailable
from scim_bridge.store.prepared import Prepared

ENDLESS = Prepared(
    lambda _dialect: sa.text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
)
LANES = Prepared(lambda _dialect: sa.select(tables.lane.c.target))
GONE = Prepared(lambda _dialect: sa.text("SELECT 1 AS one"))


def test_rows_that_come_too_slowly_time_out_though_the_first_came_at_once(store: Store) -> None:
    """SQLite gives the first rows while it still looks for the others."""
    with pytest.raises(StatementTimedOut), store.begin("acme", write=False, statement_timeout_s=0.1) as tx:
        ENDLESS.rows(tx)


def test_a_transaction_goes_on_after_rows_that_are_few(store: Store) -> None:
    few = Prepared(lambda _dialect: sa.text("SELECT 1 AS one UNION ALL SELECT 2 ORDER BY one"))
    with store.begin("acme", write=False, statement_timeout_s=5) as tx:
        assert [row.one for row in few.rows(tx)] == [1, 2]
        assert few.row(tx).one == 1


def test_a_connection_that_was_lost_makes_the_store_unavailable(store: Store) -> None:
    if store.engine.dialect.name == "sqlite":
        # A file has no connection to lose.
        return
    with pytest.raises(StoreUnavailable), store.begin("acme") as tx:
        tx.connection.connection.dbapi_connection.close()  # type: ignore[union-attr]
        GONE.rows(tx)
    with store.begin("acme") as tx:
        assert GONE.rows(tx)


def test_rows_that_are_asked_for_and_never_read_hold_up_nobody(sqlite_url: str, clock: Clock) -> None:
    """What waits to be read keeps a view of the database, from which nothing can be written once others have."""
    store, other = (Store.open(sqlite_url, clock=clock, pool_size=1) for _ in range(2))
    with store.across_tenants("lanes for the test", write=True) as tx:
        lanes.sync(tx, [("acme", str(number)) for number in range(1_000)])
    with store.begin("acme", write=False) as tx:
        forgotten = LANES.ask(tx)
    for each, target in ((other, "more"), (store, "most")):
        with each.across_tenants("lanes for the test", write=True) as tx:
            lanes.sync(tx, [("acme", target)])
    assert len(forgotten()) == 1_000
    store.close()
    other.close()
