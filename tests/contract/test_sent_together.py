"""Statements that are sent while others are on their way, and rows that are numbered before they are there."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, nullcontext
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa

from scim_bridge.store import numbers, prepared, tables
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.prepared import Prepared

ECHO = Prepared(
    lambda _dialect: sa.select(prepared.number("given").label("given"), prepared.text("said").label("said"))
)
TENANTS = Prepared(lambda _dialect: sa.select(tables.tenant.c.tenant).order_by(tables.tenant.c.tenant))
NEW_TENANT = Prepared(
    lambda _dialect: sa.insert(tables.tenant).values(tenant=prepared.text("tenant"), created_at=prepared.number("at"))
)
MOVED = Prepared(
    lambda _dialect: (
        sa.update(tables.tenant)
        .values(created_at=tables.tenant.c.created_at + 1)
        .returning(tables.tenant.c.tenant, tables.tenant.c.created_at)
    )
)
MADE = Prepared(
    lambda _dialect: (
        sa.insert(tables.tenant)
        .values(tenant=prepared.text("tenant"), created_at=prepared.number("at"))
        .returning(tables.tenant.c.tenant)
    )
)

Block = Callable[[Transaction], AbstractContextManager[None]]


@pytest.fixture(params=["in a pipeline", "in none"])
def block(request: pytest.FixtureRequest) -> Block:
    """What encloses the statements: a pipeline, or nothing."""
    if request.param == "in a pipeline":
        return Transaction.pipeline
    return lambda _tx: nullcontext()


def new_tenant(tx: Transaction, name: str) -> None:
    NEW_TENANT.send(tx, tenant=name, at=1)


@pytest.fixture
def across(store: Store) -> Callable[[], AbstractContextManager[Transaction]]:
    return lambda: store.across_tenants("rows of many tenants", write=True)


Across = Callable[[], AbstractContextManager[Transaction]]


def tenants(across: Across) -> list[str]:
    with across() as tx:
        return [row.tenant for row in TENANTS.rows(tx)]


def test_each_answer_is_the_one_that_was_asked_for(across: Across, block: Block) -> None:
    with across() as tx, block(tx):
        for order in itertools.permutations(range(4)):
            answers = [ECHO.ask(tx, given=number, said=f"n{number}") for number in range(4)]
            found = {number: [(row.given, row.said) for row in answers[number]()] for number in order}
            assert found == {number: [(number, f"n{number}")] for number in range(4)}, order


def test_what_is_changed_later_is_not_in_an_answer(across: Across, block: Block) -> None:
    with across() as tx, block(tx):
        new_tenant(tx, "acme")
        first = MOVED.ask(tx)
        said = ECHO.ask(tx, given=1, said="first")
        new_tenant(tx, "other")
        second = MOVED.ask(tx)
        assert [row.said for row in ECHO.rows(tx, given=2, said="at once")] == ["at once"]
        assert sorted(second()) == [("acme", 3), ("other", 2)]
        assert [row.said for row in said()] == ["first"]
        assert first() == [("acme", 2)]


def test_what_nobody_asks_the_answer_of_is_done_all_the_same(across: Across, block: Block) -> None:
    with across() as tx, block(tx):
        TENANTS.ask(tx)
        new_tenant(tx, "acme")
    assert tenants(across) == ["acme"]


def test_what_was_sent_in_a_pipeline_is_seen_behind_it(across: Across) -> None:
    with across() as tx:
        with tx.pipeline():
            new_tenant(tx, "acme")
        assert tx.connection.execute(sa.select(tables.tenant.c.tenant)).scalars().all() == ["acme"]


def test_an_error_of_what_was_sent_comes_by_the_end_of_the_block(across: Across, block: Block) -> None:
    with pytest.raises(sa.exc.IntegrityError), across() as tx:
        new_tenant(tx, "kept out too")
        with block(tx):
            new_tenant(tx, "acme")
            new_tenant(tx, "acme")
        pytest.fail("nothing was raised by the end of the block")
    assert tenants(across) == []


def test_an_error_is_raised_though_what_follows_it_is_asked(across: Across, block: Block) -> None:
    with pytest.raises(sa.exc.DBAPIError), across() as tx, block(tx):
        new_tenant(tx, "acme")
        new_tenant(tx, "acme")
        TENANTS.ask(tx)()
        pytest.fail("an answer came behind an error")
    assert tenants(across) == []


def test_an_error_of_what_was_asked_comes_with_its_answer_at_the_latest(across: Across, block: Block) -> None:
    with pytest.raises(sa.exc.DBAPIError), across() as tx, block(tx):
        new_tenant(tx, "acme")
        MADE.ask(tx, tenant="acme", at=1)()
        pytest.fail("an answer came of what failed")
    assert tenants(across) == []


def test_an_error_of_ours_in_a_pipeline_undoes_what_was_sent(across: Across, block: Block) -> None:
    with pytest.raises(LookupError), across() as tx, block(tx):
        new_tenant(tx, "acme")
        raise LookupError
    assert tenants(across) == []


def test_a_connection_serves_on_after_an_error_in_a_pipeline(across: Across, block: Block) -> None:
    for _ in range(3):
        with pytest.raises(sa.exc.DBAPIError), across() as tx, block(tx):
            new_tenant(tx, "acme")
            new_tenant(tx, "acme")
    with across() as tx, block(tx):
        new_tenant(tx, "acme")
    assert tenants(across) == ["acme"]


def take(tx: Transaction, count: int) -> list[int]:
    return numbers.reserve(tx, tables.change.c.number, count)()


def append(tx: Transaction, number: int) -> None:
    row: dict[str, Any] = {
        **dict.fromkeys(("tenant", "kind", "source", "correlation_id", "request", "seal"), "x"),
        **dict.fromkeys(("resource_id", "previous", "owed", "received_at"), 0),
    }
    tx.connection.execute(sa.insert(tables.change).values(**row, number=number))


def test_numbers_ascend(across: Across) -> None:
    for count in (1, 2, 64):
        with across() as tx:
            found = take(tx, count)
        assert len(set(found)) == count
        assert found == sorted(found)
        assert found[0] > 0


def test_numbers_go_on_behind_the_rows_that_are_there(across: Across) -> None:
    with across() as tx:
        first = take(tx, 3)
        for number in first:
            append(tx, number)
        second = take(tx, 3)
    assert max(first) < min(second)


def test_a_row_that_the_database_numbers_follows_those_with_reserved_numbers(across: Across) -> None:
    with across() as tx:
        reserved = take(tx, 3)
        for number in reserved:
            append(tx, number)
        query = tables.change.insert().from_select(
            [column.name for column in tables.change.c if column.name != "number"],
            sa.select(*(column for column in tables.change.c if column.name != "number")).limit(1),
        )
        number = tx.connection.execute(query.returning(tables.change.c.number)).scalar_one()
    assert number > max(reserved)


def test_numbers_of_a_transaction_that_was_undone_do_no_harm(across: Across) -> None:
    with pytest.raises(LookupError), across() as tx:
        for number in take(tx, 2):
            append(tx, number)
        raise LookupError
    with across() as tx:
        for number in take(tx, 2):
            append(tx, number)


@pytest.mark.postgres
def test_transactions_at_the_same_time_get_different_numbers(postgres_url: str) -> None:
    writers, rounds = 4, 15
    barrier = Barrier(writers)

    def reserve(store: Store) -> list[list[int]]:
        found = []
        for _ in range(rounds):
            with store.begin("acme") as tx:
                barrier.wait(20)
                found.append(take(tx, 7))
        return found

    opened = Store.open(postgres_url, clock=lambda: 1, pool_size=writers)
    with closing(opened), ThreadPoolExecutor(writers) as pool:
        parts = [part for of_writer in pool.map(reserve, [opened] * writers) for part in of_writer]
    assert all(part == sorted(part) for part in parts)
    assert len({number for part in parts for number in part}) == writers * rounds * 7
