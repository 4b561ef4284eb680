"""PostgreSQL's connections: what one transaction was told does not reach the next, and a lost one is replaced."""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from scim_bridge.domain.instants import Clock
from scim_bridge.store import engine as engines
from scim_bridge.store import lanes, tables
from scim_bridge.store.engine import StatementTimedOut, Store, StoreUnavailable, Transaction, make_engine

pytestmark = pytest.mark.postgres


@pytest.fixture
def single(postgres_url: str, clock: Clock) -> Iterator[Store]:
    """A store that has one connection as a rule: each transaction takes the one that was just given back."""
    opened = Store.open(postgres_url, clock=clock, pool_size=1)
    yield opened
    opened.close()


def backend(tx: Transaction) -> int:
    return int(tx.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def backends(store: Store, count: int = 1) -> set[int]:
    """Open so many transactions at once, and return the server's processes that served them."""
    with store.begin("acme", write=False) as tx:
        return {backend(tx)} | (backends(store, count - 1) if count > 1 else set())


def setting(tx: Transaction, name: str) -> str | None:
    query = sa.text("SELECT current_setting(:name, true)")
    return tx.connection.execute(query, {"name": name}).scalar_one()  # type: ignore[no-any-return]


def end(postgres_url: str, *pids: int) -> None:
    """End connections as an operator, or a restart of the server, does; wait until they are gone."""
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        for pid in pids:
            assert connection.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,)).fetchone() == (True,)


def test_a_lost_connection_is_replaced_unnoticed(single: Store, postgres_url: str) -> None:
    (lost,) = backends(single)
    end(postgres_url, lost)
    with single.begin("acme") as tx:
        lanes.sync(tx, [("acme", "trakstar")])
        assert backend(tx) != lost
    with single.begin("acme", write=False) as tx:
        assert [target for _, target in lanes.configured_targets(tx)] == ["trakstar"]


def test_all_connections_of_a_pool_may_be_lost(postgres_url: str, clock: Clock) -> None:
    with contextlib.closing(Store.open(postgres_url, clock=clock, pool_size=3)) as store:
        lost = backends(store, 3)
        assert len(lost) == 3
        end(postgres_url, *lost)
        assert not backends(store, 3) & lost


def test_a_replaced_connection_keeps_tenants_apart(single: Store, postgres_url: str) -> None:
    """A new connection must take the application's role, which is what row-level security holds."""
    with single.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar"), ("other", "trakstar")])
    end(postgres_url, *backends(single))
    with single.begin("acme", write=False) as tx:
        assert tx.connection.execute(sa.select(tables.lane.c.tenant)).scalars().all() == ["acme"]


def test_a_connection_that_is_lost_in_a_transaction_undoes_it(single: Store, postgres_url: str) -> None:
    with pytest.raises(StoreUnavailable), single.begin("acme") as tx:
        lanes.sync(tx, [("acme", "trakstar")])
        end(postgres_url, backend(tx))
        lanes.configured_targets(tx)
    with single.begin("acme", write=False) as tx:
        assert lanes.configured_targets(tx) == []


def test_a_connection_that_is_lost_in_a_pipeline_undoes_it(single: Store, postgres_url: str) -> None:
    with pytest.raises(StoreUnavailable), single.begin("acme") as tx:
        lanes.sync(tx, [("acme", "trakstar")])
        pid = backend(tx)
        with tx.pipeline():
            end(postgres_url, pid)
            lanes.configured_targets(tx)
    with single.begin("acme", write=False) as tx:
        assert lanes.configured_targets(tx) == []


def test_connections_that_are_lost_each_time_are_given_up(
    single: Store, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "STALE_CONNECTIONS", 3)
    backends(single)

    def lose(connection: Any, _record: Any, _proxy: Any) -> None:
        end(postgres_url, connection.info.backend_pid)

    sa.event.listen(single.engine, "checkout", lose)
    with pytest.raises(StoreUnavailable, match="lost as soon as they are made"), single.begin("acme"):
        pass
    sa.event.remove(single.engine, "checkout", lose)
    assert backends(single)


def test_a_time_limit_ends_with_its_transaction(single: Store) -> None:
    with single.begin("acme", statement_timeout_s=1.5) as tx:
        limited = backend(tx)
        assert setting(tx, "statement_timeout") == "1500ms"
    with single.begin("acme") as tx:
        assert backend(tx) == limited
        assert setting(tx, "statement_timeout") == "0"


def test_a_time_limit_that_struck_ends_with_its_transaction(single: Store) -> None:
    with pytest.raises(StatementTimedOut), single.begin("acme", statement_timeout_s=0.05) as tx:
        limited = backend(tx)
        tx.connection.exec_driver_sql("SELECT pg_sleep(10)")
    with single.begin("acme") as tx:
        assert backend(tx) == limited
        assert setting(tx, "statement_timeout") == "0"


@pytest.mark.parametrize("is_undone", [False, True], ids=["committed", "undone"])
def test_a_tenant_ends_with_its_transaction(single: Store, *, is_undone: bool) -> None:
    with single.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar"), ("other", "trakstar")])
    with contextlib.suppress(LookupError), single.begin("acme") as tx:
        used = backend(tx)
        assert [lane.tenant for lane in lanes.configured(tx)] == ["acme"]
        if is_undone:
            raise LookupError
    with single.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one() == used
        assert connection.execute(sa.select(tables.lane.c.tenant)).all() == [], "nobody's door shows nothing"
    with single.begin("other", write=False) as tx:
        assert tx.connection.execute(sa.select(tables.lane.c.tenant)).scalars().all() == ["other"]


def test_the_door_to_all_tenants_closes(single: Store) -> None:
    with single.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar"), ("other", "trakstar")])
        assert len(lanes.configured(tx)) == 2
    with single.begin("nobody", write=False) as tx:
        assert tx.connection.execute(sa.select(tables.lane)).all() == []


def test_a_snapshot_ends_with_its_transaction(single: Store) -> None:
    with single.across_tenants("test", snapshot=True) as tx:
        assert setting(tx, "transaction_isolation") == "repeatable read"
    with single.across_tenants("test") as tx:
        assert setting(tx, "transaction_isolation") == "read committed"


def test_a_tenant_is_a_value_whatever_it_is_called(single: Store, postgres_url: str) -> None:
    name = "o'x'); DROP TABLE lane; --"
    with single.begin(name) as tx:
        assert setting(tx, "bridge.tenant") == name
    owner = make_engine(postgres_url, as_owner=True)
    with owner.connect() as connection:
        assert connection.execute(sa.select(tables.lane)).all() == []
    owner.dispose()
