"""Statements that go to the driver as text end as the library's own do."""

import pytest
import sqlalchemy as sa

from scim_bridge.store.engine import StatementTimedOut, Store, StoreUnavailable
from scim_bridge.store.prepared import Prepared

ENDLESS = Prepared(
    lambda _dialect: sa.text("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
)
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
