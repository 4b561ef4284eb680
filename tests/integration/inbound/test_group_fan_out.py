"""What becomes of a large group concerns each of its members once, in as many statements as that of a small one."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from scim_bridge.domain.resources import USER
from scim_bridge.settings.models import WebSettings
from scim_bridge.store import seeding, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

LARGE, SMALL = 3_000, 5
MOST_STATEMENTS = 25
SLOWEST_S = 5.0


@pytest.fixture
def web_settings() -> WebSettings:
    return WebSettings()


@pytest.fixture
def people(sender: Any, shared_store: Store) -> list[str]:
    """The SCIM ids of people who were there before."""
    seeds = [
        seeding.Seed(
            scim_id=f"{number:08}-{sender.tenant}",
            document={"schemas": [], "userName": f"u{number}", "active": True},
            attributes=["userName"],
        )
        for number in range(LARGE)
    ]
    with shared_store.begin(sender.tenant) as tx:
        seeding.put(tx, USER, seeds, source="idp")
    return [seed.scim_id for seed in seeds]


@pytest.fixture
def counted(shared_store: Store) -> Iterator[Callable[[], Any]]:
    """Give what counts the statements of a block where the driver sends them, however they were made."""
    made = Counter[str]()

    class Counting(psycopg.Cursor[Any]):
        def execute(self, query: Any, *given: Any, **options: Any) -> Any:
            made[str(query)] += 1
            return super().execute(query, *given, **options)

        def executemany(self, query: Any, rows: Any, **options: Any) -> None:
            rows = list(rows)
            made[str(query)] += len(rows)
            super().executemany(query, rows, **options)

    def watch(connection: Any, *_: object) -> None:
        if shared_store.engine.dialect.name == "sqlite":
            connection.set_trace_callback(lambda text: made.update([text]))
        else:
            connection.cursor_factory = Counting

    event.listen(shared_store.engine, "checkout", watch)

    @contextmanager
    def block() -> Iterator[Counter[str]]:
        made.clear()
        yield made

    yield block
    event.remove(shared_store.engine, "checkout", watch)
    shared_store.engine.dispose()


def last_owed(sender: Any, store: Store) -> tuple[int, Counter[str], int]:
    """Return what the last change says it owes, its operations by target, and how many resources they concern."""
    change, operation, lane = tables.change, tables.operation, tables.lane
    with store.begin(sender.tenant, write=False) as tx:
        number, owed = tx.connection.execute(
            sa.select(change.c.number, change.c.owed)
            .where(change.c.tenant == sender.tenant)
            .order_by(change.c.number.desc())
            .limit(1)
        ).one()
        rows = tx.connection.execute(
            sa.select(lane.c.target, operation.c.resource_id)
            .join(lane, lane.c.id == operation.c.lane_id)
            .where(operation.c.change_number == number)
        ).all()
    return owed, Counter(row.target for row in rows), len({row.resource_id for row in rows})


def test_a_large_group_owes_each_member_once_in_few_statements(
    sender: Any, shared_store: Store, people: list[str], counted: Any
) -> None:
    statements: dict[int, list[int]] = {}
    for size in (SMALL, LARGE):
        members = [{"value": each} for each in people[:size]]
        steps: list[tuple[str, str, Any]] = [
            ("POST", "/Groups", {"displayName": "Sales", "members": members}),
            ("PATCH", "/Groups/{id}", {"Operations": [{"op": "replace", "value": {"displayName": "Renamed"}}]}),
            ("PUT", "/Groups/{id}", {"displayName": "Sales"}),
            ("PATCH", "/Groups/{id}", {"Operations": [{"op": "replace", "path": "members", "value": []}]}),
            ("PATCH", "/Groups/{id}", {"Operations": [{"op": "add", "path": "members", "value": members}]}),
            ("DELETE", "/Groups/{id}", None),
        ]
        group = ""
        for method, path, body in steps:
            began = time.monotonic()
            with counted() as made:
                response = sender.send(method, path.replace("{id}", group), body)
            assert time.monotonic() - began < SLOWEST_S, (method, path, size)
            assert response.status_code < 300, response.text
            group = group or response.json["id"]
            assert last_owed(sender, shared_store) == (1 + size, {"sales": 1 + size}, 1 + size), (method, path)
            statements.setdefault(size, []).append(made.total())
    assert max(*statements[SMALL], *statements[LARGE]) <= MOST_STATEMENTS, statements
    # But for tokens, which are looked up now and then; and PostgreSQL is told an edit of few members in one message.
    ways = 0 if shared_store.engine.dialect.name == "sqlite" else 15
    assert sum(statements[LARGE]) <= sum(statements[SMALL]) + 10 + ways
    report = verify_ledger(shared_store, sender.tenant)
    assert report["balanced"], report["tenants"][0]["faults"][:5]
    assert report["tenants"][0]["operations"]["waiting"] == LARGE + 2, "one for each of them, and one for each group"


def test_a_large_group_that_no_target_maps_owes_nothing(
    sender: Any, shared_store: Store, people: list[str], counted: Any
) -> None:
    group = sender.group("Other", *people[:SMALL])["id"]
    for method, body in (("PUT", {"displayName": "Another"}), ("DELETE", None)):
        with counted() as made:
            assert sender.send(method, f"/Groups/{group}", body).status_code < 300
        assert made.total() <= MOST_STATEMENTS
        assert last_owed(sender, shared_store) == (0, {}, 0)
