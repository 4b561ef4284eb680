"""How many there are is kept, whoever adds and removes at the same time."""

import contextlib
import itertools
import threading

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scim_bridge.domain.resources import CORE_GROUP, CORE_USER, GROUP, USER
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store import directory, population, tables
from scim_bridge.store.engine import Store, Transaction

_tenants = itertools.count(1)


class GaveUpError(Exception):
    """What makes a transaction or a part of it undone."""


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


def counted(tx: Transaction, kind: str) -> int:
    resource = tables.resource
    of_kind = sa.select(sa.func.count()).where(
        resource.c.tenant == tx.tenant, resource.c.kind == kind, resource.c.deleted_at.is_(None)
    )
    return int(tx.connection.execute(of_kind).scalar_one())


def edit(tx: Transaction, what: str, number: int) -> None:
    recorder = Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c"))
    kind = GROUP if what.endswith("group") else USER
    if what.startswith("create"):
        document = {"schemas": [CORE_USER], "userName": f"u{number}"}
        if kind == GROUP:
            document = {"schemas": [CORE_GROUP], "displayName": f"g{number}"}
        # A name that is taken is refused, and undone with the savepoint around it.
        recorder.create(kind, document)
        return
    resource = tables.resource
    query = sa.select(resource.c.scim_id).where(
        resource.c.tenant == tx.tenant, resource.c.kind == kind, resource.c.deleted_at.is_(None)
    )
    found = tx.connection.execute(query.order_by(resource.c.id).limit(1)).scalar()
    stored = directory.fetch(tx, kind, found) if found else None
    if stored is not None:
        recorder.delete(stored)


parts = st.lists(
    st.tuples(
        st.sampled_from(["create user", "create group", "delete user", "delete group"]),
        st.integers(1, 4),
        st.booleans(),
    ),
    max_size=5,
)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(transactions=st.lists(st.tuples(parts, st.booleans()), max_size=6))
def test_what_is_kept_is_what_would_be_counted(
    shared_store: Store, transactions: list[tuple[list[tuple[str, int, bool]], bool]]
) -> None:
    """Whatever is created, deleted, refused or undone, whole or in part."""
    tenant = f"population-{next(_tenants)}"
    for steps, is_undone in transactions:
        with contextlib.suppress(GaveUpError), shared_store.begin(tenant) as tx:
            for what, number, is_part_undone in steps:
                with contextlib.suppress(GaveUpError, directory.NameTaken), tx.savepoint():
                    edit(tx, what, number)
                    if is_part_undone:
                        raise GaveUpError
            if is_undone:
                raise GaveUpError
    with shared_store.begin(tenant, write=False) as tx:
        for kind in (USER, GROUP):
            assert population.living(tx, [kind]) == counted(tx, kind)


def test_creators_at_once_are_all_kept(store: Store) -> None:
    together = threading.Barrier(6)

    def create(writer: int) -> None:
        together.wait()
        for number in range(8):
            with store.begin("acme") as tx:
                edit(tx, "create user", writer * 100 + number)
                edit(tx, "create group", number)

    writers = [threading.Thread(target=create, args=(writer,)) for writer in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert (living(store, "acme", USER), living(store, "acme", GROUP)) == (48, 48)
