"""Replay plans in the store, on both databases: what is chosen, whose turn it is, and who puts whom back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.books import add_person, edit, send

from scim_bridge.domain.people import Priority, Record
from scim_bridge.domain.states import State
from scim_bridge.store import lanes, links, outbox, plan_items, plans, replays, tables
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.plans import Fate, Policy, Status
from scim_bridge.store.reports import Chosen
from scim_bridge.store.verify import verify_ledger

START = 1_700_000_000_000


@dataclass
class Books:
    """Two lanes of acme, and one of another tenant."""

    store: Store
    one: int
    two: int

    def die(self, *names: str, code: str = "too_long") -> list[int]:
        """Let people be refused by both lanes; returns their numbers."""
        with self.store.begin("acme") as tx:
            people = [add_person(tx, name) for name in names]
            for lane_id in (self.one, self.two):
                send(tx, lane_id, people, [State.DEAD] * len(people), code=code)
        return people

    def die_again(self, person: int, lane_id: int, *, priority: int = Priority.NORMAL) -> None:
        """Let somebody change, and be refused by a lane."""
        with self.store.begin("acme") as tx:
            edit(tx, person, owed_to=[lane_id], priority=priority)
            send(tx, lane_id, [person], [State.DEAD])

    def plan(self, *, operation_ids: list[int] | None = None, policy: Policy | None = None, **choice: Any) -> int:
        """Plan what is chosen, and let it run."""
        with self.store.begin("acme") as tx:
            number = plans.make(
                tx,
                Chosen(tenant="acme", **choice),
                who="op",
                asked={"target": None},
                policy=policy,
                operation_ids=operation_ids,
                is_approved=True,
            )
        assert number is not None
        return number

    def turn(self, number: int, most: int = 100) -> tuple[int, list[int]] | None:
        with self.store.begin("acme", write=False) as tx:
            return plan_items.next_people(tx, number, most=most)

    def put_back(self, number: int, lane_id: int, people: list[int]) -> int:
        with self.store.begin("acme") as tx:
            return len(plan_items.put_back(tx, number, lane_id, people).waiting)

    def fates(self, number: int) -> dict[str, int]:
        with self.store.begin("acme", write=False) as tx:
            return plan_items.fates(tx, number)

    def status(self, number: int) -> str:
        with self.store.begin("acme", write=False) as tx:
            found = plans.fetch(tx, number)
        assert found is not None
        return found.status


@pytest.fixture
def books(store: Store) -> Books:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "one"), ("acme", "two"), ("other", "one")])
    with store.begin("acme", write=False) as tx:
        found = {lane.target: lane.id for lane in lanes.configured(tx)}
    return Books(store, found["one"], found["two"])


def items(tx: Transaction, number: int) -> list[Any]:
    item = tables.replay_item
    return list(tx.connection.execute(sa.select(item).where(item.c.replay_id == number).order_by(item.c.operation_id)))


def test_a_plan_has_an_item_for_each_dead_operation_with_the_version_of_its_person(books: Books) -> None:
    (ann,) = books.die("ann")
    number = books.plan()
    with books.store.begin("acme", write=False) as tx:
        found = [(row.lane_id, row.resource_id, row.state, row.version) for row in items(tx, number)]
        version = tx.connection.execute(sa.select(tables.resource.c.version)).scalar_one()
    assert found == [(books.one, ann, "planned", version), (books.two, ann, "planned", version)]


# One book for all choices: filling it on PostgreSQL is what takes time.
CHOICES: list[tuple[dict[str, Any], int]] = [
    ({}, 4),
    ({"target": "one"}, 2),
    ({"codes": frozenset({"too_long"})}, 2),
    ({"codes": frozenset()}, 0),
    ({"since": START + 1}, 2),
    ({"until": START + 1}, 2),
    ({"resource_ids": frozenset()}, 0),
]


def test_a_plan_takes_what_all_filters_choose(books: Books, clock: Any) -> None:
    books.die("ann")
    clock.advance(ms=1)
    books.die("bob", code="refused")
    with books.store.across_tenants("test") as tx:
        counts = [plans.count_dead(tx, Chosen(**choice)).get("acme", 0) for choice, _ in CHOICES]
    assert counts == [count for _, count in CHOICES]


def test_where_nothing_is_dead_there_is_no_plan(books: Books) -> None:
    with books.store.begin("other") as tx:
        assert plans.make(tx, Chosen(), who="op", asked={}) is None
        assert plans.page(tx, before=None, limit=9) == []


def test_another_tenant_finds_nothing_of_a_plan(books: Books) -> None:
    books.die("ann")
    number = books.plan()
    with books.store.begin("other") as tx:
        assert plans.fetch(tx, number) is None
        assert plans.page(tx, before=None, limit=9) == []
        assert plan_items.put_back(tx, number, books.one, [1]).waiting == ()


def test_people_are_told_apart_by_what_they_need(books: Books) -> None:
    ann, bob, cyd = books.die("ann", "bob", "cyd")
    held = Record(active=True, attributes={})
    with books.store.begin("acme") as tx:
        links.save(tx, books.one, {each: {"account_id": str(each), "known": held} for each in (bob, cyd)})
        tx.connection.execute(sa.update(tables.resource).where(tables.resource.c.id == cyd).values(active=0))
    number = books.plan(target="one")
    with books.store.begin("acme", write=False) as tx:
        found = plan_items.parts(tx, number)
        leaving = plan_items.known_active(tx, number, books.one, is_out=True)
        staying = plan_items.known_active(tx, number, books.one, is_out=False)
    assert sorted((part.share, part.is_out, part.is_known_active, part.people) for part in found) == [
        ("others", False, True, 1),
        ("others", True, True, 1),
        ("to_create", False, False, 1),
    ]
    assert ([each for each, _ in leaving], [each for each, _ in staying]) == ([cyd], [bob])
    assert ann not in {cyd, bob}


def test_several_dead_operations_of_somebody_are_one_person(books: Books) -> None:
    (ann,) = books.die("ann")
    books.die_again(ann, books.one)
    number = books.plan(target="one")
    with books.store.begin("acme", write=False) as tx:
        (part,) = plan_items.parts(tx, number)
        shown = plan_items.page(tx, number, after=0, limit=9)
        newest = max(row.operation_id for row in items(tx, number))
    assert (part.people, part.operations) == (1, 2)
    assert [row["operation_id"] for row in shown] == [newest]


def test_leavers_have_their_turn_first(books: Books) -> None:
    ann, bob = books.die("ann", "bob")
    books.die_again(bob, books.two, priority=Priority.LEAVER)
    number = books.plan()
    assert books.turn(number) == (books.two, [bob])
    books.put_back(number, books.two, [bob])
    assert books.turn(number) == (books.one, [ann, bob])


def test_people_who_need_the_same_have_their_turn_together(books: Books) -> None:
    ann, bob, cyd = books.die("ann", "bob", "cyd")
    with books.store.begin("acme") as tx:
        links.save(tx, books.one, {bob: {"account_id": "7", "known": Record(active=True, attributes={})}})
    number = books.plan(target="one")
    turns = []
    while (turn := books.turn(number, most=2)) is not None:
        turns.append(turn[1])
        books.put_back(number, *turn)
    assert turns == [[bob], [ann, cyd]]


def test_a_replay_ends_with_the_last_of_its_people(books: Books) -> None:
    (ann,) = books.die("ann")
    number = books.plan()
    books.put_back(number, books.one, [ann])
    assert (books.status(number), books.fates(number)) == (Status.RUNNING, {"planned": 1, "put_back": 1})
    books.put_back(number, books.two, [ann])
    assert (books.status(number), books.fates(number)) == (Status.DONE, {"put_back": 2})
    assert verify_ledger(books.store)["balanced"]


def test_older_ones_give_way_to_the_newest_of_a_person(books: Books) -> None:
    (ann,) = books.die("ann")
    books.die_again(ann, books.one)
    number = books.plan(target="one")
    books.put_back(number, books.one, [ann])
    assert books.fates(number) == {"put_back": 1, "superseded": 1}
    with books.store.begin("acme", write=False) as tx:
        found = plans.fetch(tx, number)
        assert plan_items.standing(tx, number) == {"waiting": 1}
    assert found is not None
    assert found.operations == 2


def test_what_is_dead_no_more_is_passed_over(books: Books) -> None:
    (ann,) = books.die("ann")
    number = books.plan(target="one")
    with books.store.begin("acme") as tx:
        replays.put_back(tx, [(books.one, ann)], who="somebody else")
    assert books.put_back(number, books.one, [ann]) == 0
    assert (books.status(number), books.fates(number)) == (Status.DONE, {Fate.PASSED: 1})


def test_two_who_work_on_a_replay_put_everybody_back_once(books: Books) -> None:
    people = books.die("ann", "bob", "cyd")
    number = books.plan(target="one")
    with ThreadPoolExecutor(2) as pool:
        moved = list(pool.map(lambda _: books.put_back(number, books.one, people), range(2)))
    assert sorted(moved) == [0, 3]
    assert books.fates(number) == {"put_back": 3}
    assert verify_ledger(books.store)["balanced"]


def test_two_replays_of_the_same_put_everybody_back_once(books: Books) -> None:
    people = books.die("ann", "bob", "cyd")
    numbers = [books.plan(target="one"), books.plan(target="one")]
    with ThreadPoolExecutor(2) as pool:
        moved = list(pool.map(lambda number: books.put_back(number, books.one, people), numbers))
    assert sorted(moved) == [0, 3]
    assert sorted(str(books.fates(number)) for number in numbers) == ["{'passed': 3}", "{'put_back': 3}"]
    assert verify_ledger(books.store)["balanced"]


def test_only_what_runs_puts_anybody_back(books: Books) -> None:
    (ann,) = books.die("ann")
    number = books.plan(target="one")
    for status in (Status.PLANNED, Status.CANCELLED, Status.STALE, Status.DONE):
        with books.store.begin("acme") as tx:
            plans.note(tx, number, status=status.value)
            assert plans.running(tx) == []
        assert books.put_back(number, books.one, [ann]) == 0
    assert books.fates(number) == {"planned": 1}


def test_what_differs_from_the_plan_is_told(books: Books) -> None:
    ann, bob, cyd = books.die("ann", "bob", "cyd")
    number = books.plan(target="one")
    with books.store.begin("acme") as tx:
        assert plan_items.difference(tx, number, most=9) is None
        edit(tx, ann, owed_to=[])
        replays.put_back(tx, [(books.one, cyd)], who="somebody else")
        found = plan_items.difference(tx, number, most=1)
        everybody = plan_items.difference(tx, number, most=9)
    assert found is not None
    assert everybody is not None
    assert (found.ended, found.changed, len(found.people)) == (1, 1, 1)
    assert [(row["scim_id"], row["state"]) for row in everybody.people] == [
        ("acme-ann", "dead"),
        ("acme-cyd", "waiting"),
    ]
    assert bob


def test_what_happened_since_differs_though_all_are_dead_with_nobody_changed(books: Books) -> None:
    """Bob was refused twice before; since, ann is owed something more, and cyd was put back and died again."""
    ann, bob, cyd = books.die("ann", "bob", "cyd")
    books.die_again(bob, books.one)
    number = books.plan(target="one", resource_ids=frozenset({ann, bob, cyd}))
    with books.store.begin("acme") as tx:
        as_of = plan_items.as_of(tx, number)
        assert plan_items.difference(tx, number, most=9, as_of=as_of) is None
        outbox.owe(tx, change=1, lane_ids=[books.one], resource_ids=[ann], priority=Priority.NORMAL)
        replays.put_back(tx, [(books.one, cyd)], who="somebody else")
        send(tx, books.one, [cyd], [State.DEAD])
        found = plan_items.difference(tx, number, most=9, as_of=as_of)
    assert found is not None
    assert (found.ended, found.changed) == (0, 2)
    assert [row["scim_id"] for row in found.people] == ["acme-ann", "acme-cyd"]


def test_the_replay_that_put_somebody_back_last_decides_about_conflicts(books: Books) -> None:
    (ann,) = books.die("ann")
    with books.store.begin("acme", write=False) as tx:
        operation_id = tx.connection.execute(
            sa.select(tables.operation.c.id).where(tables.operation.c.lane_id == books.one)
        ).scalar_one()
    found = []
    for policy in ("skip", "hold", None):
        number = books.plan(target="one", policy=policy)
        books.put_back(number, books.one, [ann])
        with books.store.begin("acme") as tx:
            found.append(plans.policies(tx, [operation_id]))
            send(tx, books.one, [ann], [State.DEAD])
    assert found == [{operation_id: "skip"}, {operation_id: "hold"}, {}]


def test_what_waits_for_a_chosen_older_one_has_the_policy_of_the_replay(books: Books) -> None:
    """Ann was refused twice; the first of it is chosen, the second is what is tried again."""
    (ann,) = books.die("ann")
    books.die_again(ann, books.one)
    older, newer = numbers_of(books)
    number = books.plan(operation_ids=[older], policy="skip")
    assert books.put_back(number, books.one, [ann]) == 1
    with books.store.begin("acme", write=False) as tx:
        assert plans.policies(tx, [older, newer]) == {newer: "skip"}
    assert (books.status(number), books.fates(number)) == (Status.DONE, {"put_back": 1, "superseded": 1})


def test_of_two_replays_that_put_somebody_back_the_later_decides_though_planned_earlier(books: Books) -> None:
    (ann,) = books.die("ann")
    earlier, later = books.plan(target="one", policy="skip"), books.plan(target="one")
    books.put_back(later, books.one, [ann])
    with books.store.begin("acme") as tx:
        send(tx, books.one, [ann], [State.DEAD])
    books.put_back(earlier, books.one, [ann])
    with books.store.begin("acme", write=False) as tx:
        assert plans.policies(tx, numbers_of(books)) == dict.fromkeys(numbers_of(books), "skip")
        assert plan_items.standing(tx, later) == {"waiting": 1}
    assert (books.fates(earlier), books.fates(later)) == ({"put_back": 1}, {"superseded": 1})


def numbers_of(books: Books) -> list[int]:
    """Return the operations of the first lane, the oldest first."""
    with books.store.begin("acme", write=False) as tx:
        query = sa.select(tables.operation.c.id).where(tables.operation.c.lane_id == books.one)
        return list(tx.connection.execute(query.order_by(tables.operation.c.id)).scalars())


def test_old_replays_lose_their_items_and_can_be_approved_no_more(books: Books, clock: Any) -> None:
    books.die("ann")
    number = books.plan()
    with books.store.begin("acme") as tx:
        plans.note(tx, number, status=Status.PLANNED.value)
    clock.advance(ms=1)
    running = books.plan()
    with books.store.across_tenants("test", write=True) as tx:
        assert not plans.forget(tx, before=START)
        assert plans.forget(tx, before=START + 2)
        assert not plans.forget(tx, before=START + 2)
    assert (books.fates(number), books.status(number)) == ({}, Status.STALE)
    assert (books.fates(running), books.status(running)) == ({"planned": 2}, Status.RUNNING)
