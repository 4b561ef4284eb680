"""How many there are is kept, whoever adds and removes at the same time."""

import contextlib
import threading

import pytest
import sqlalchemy as sa

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.store import population, tables
from scim_bridge.store.engine import Store


def living(store: Store, tenant: str, *kinds: str) -> int:
    with store.begin(tenant, write=False) as tx:
        return population.living(tx, kinds)


def test_changes_add_up_by_kind(store: Store) -> None:
    for counts in ({USER: 2}, {USER: -1, GROUP: 3}, {GROUP: 0}, {}):
        with store.begin("acme") as tx:
            population.note(tx, counts)
    assert (living(store, "acme", USER), living(store, "acme", GROUP), living(store, "acme", USER, GROUP)) == (1, 3, 4)
    assert living(store, "other", USER, GROUP) == 0


def test_a_transaction_that_is_undone_counts_nobody(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.begin("acme") as tx:
        population.note(tx, {USER: 1})
        1 / 0  # noqa: B018 - as an accident does it
    assert living(store, "acme", USER) == 0


def test_writers_at_once_lose_no_count(store: Store) -> None:
    """Each adds users and groups in one transaction; none deadlocks, and none overwrites another's number."""
    together = threading.Barrier(8)

    def write() -> None:
        together.wait()
        for _ in range(25):
            with store.begin("acme") as tx:
                population.note(tx, {USER: 2, GROUP: 1})

    writers = [threading.Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (living(store, "acme", USER), living(store, "acme", GROUP)) == (400, 200)


@pytest.mark.postgres
def test_writers_through_different_connections_do_not_queue(postgres_url: str) -> None:
    """While one transaction holds its count, others go on: they add to other rows."""
    store = Store.open(postgres_url, clock=lambda: 0)
    shard = sa.text(f"SELECT pg_backend_pid() % {population.SHARDS}")
    shards = set()
    with contextlib.ExitStack() as still_open:
        while len(shards) < 2:
            tx = still_open.enter_context(store.begin("acme", statement_timeout_s=5))
            mine = tx.connection.execute(shard).scalar_one()
            if mine not in shards:
                population.note(tx, {USER: 1})
            shards.add(mine)
    with store.begin("acme", write=False) as tx:
        assert tx.connection.execute(sa.select(tables.population.c.living)).scalars().all() == [1, 1]
        assert population.living(tx, [USER]) == 2
    store.close()
