"""Operations of several changes made at once: one waits for each lane and person, and the others name it."""

import itertools
import random
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from fakes import books

from scim_bridge.domain.states import State
from scim_bridge.store import dues, lanes, ledger, outbox, tables
from scim_bridge.store.dues import Due
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.verify import verify_ledger

SEED = 4711

Row = dict[str, Any]


@pytest.fixture
def lane_ids(store: Store) -> list[int]:
    with store.across_tenants("lanes for the test", write=True) as tx:
        lanes.sync(tx, [("acme", "one"), ("acme", "two")])
    with store.begin("acme", write=False) as tx:
        return [lane.id for lane in lanes.configured(tx)]


@pytest.fixture
def people(store: Store, lane_ids: Sequence[int]) -> list[int]:
    """Ann, Bob and Cyd, for whom nothing waits any more."""
    with store.begin("acme") as tx:
        numbers = [books.add_person(tx, name) for name in ("ann", "bob", "cyd")]
        for lane_id in lane_ids:
            books.send(tx, lane_id, numbers, [State.DELIVERED] * len(numbers))
    return numbers


def append(tx: Transaction, resource_id: int, *, owed: int) -> int:
    """Append a change that owes so much; whatever its resource, others are owed something too."""
    previous = sa.select(sa.func.max(tables.change.c.number)).where(tables.change.c.resource_id == resource_id)
    number = ledger.append_change(
        tx,
        resource_id=resource_id,
        previous=tx.connection.execute(previous).scalar_one(),
        kind="update",
        source="idp",
        token_id=None,
        correlation_id="c",
        request="{}",
        owed=owed,
    )
    version = sa.update(tables.resource).where(tables.resource.c.id == resource_id).values(version=number)
    tx.connection.execute(version)
    return number


def owe(tx: Transaction, *changes: Sequence[tuple[int, int, int]]) -> list[int]:
    """Owe for each change some (lane, resource, priority), all at once; return the changes' numbers."""
    numbers = [append(tx, change[0][1], owed=len(change)) for change in changes]
    dues.owe_each(
        tx,
        [
            Due(change=number, lane_id=lane_id, resource_id=resource_id, priority=priority)
            for number, change in zip(numbers, changes, strict=True)
            for lane_id, resource_id, priority in change
        ],
    )
    return numbers


def operations(store: Store) -> list[Row]:
    """Return all operations in order, each with its entries."""
    with store.begin("acme", write=False) as tx:
        rows = [dict(row) for row in tx.connection.execute(sa.select(tables.operation).order_by("id")).mappings()]
        entries = [dict(row) for row in tx.connection.execute(sa.select(tables.entry).order_by("id")).mappings()]
    return [{**row, "entries": [entry for entry in entries if entry["operation_id"] == row["id"]]} for row in rows]


def of_changes(store: Store, numbers: Sequence[int]) -> list[Row]:
    return [row for row in operations(store) if row["change_number"] in numbers]


def assert_balanced(store: Store) -> None:
    report = verify_ledger(store)
    assert report["balanced"], report


def test_of_many_changes_the_last_one_waits(store: Store, lane_ids: Sequence[int], people: Sequence[int]) -> None:
    with store.begin("acme") as tx:
        numbers = owe(tx, *[[(lane_ids[0], people[0], 5)] for _ in range(3)])
    states = [(row["change_number"], row["state"]) for row in of_changes(store, numbers)]
    assert states == list(zip(numbers, ["superseded", "superseded", "waiting"], strict=True))
    assert_balanced(store)


def test_what_is_superseded_names_what_waits(store: Store, lane_ids: Sequence[int], people: Sequence[int]) -> None:
    with store.begin("acme") as tx:
        before = books.edit(tx, people[0], owed_to=[lane_ids[0]])
        numbers = owe(tx, *[[(lane_ids[0], people[0], 5)] for _ in range(2)])
    *old, newest = of_changes(store, [before, *numbers])
    assert [row["state"] for row in old] == ["superseded", "superseded"]
    for row in old:
        (entry,) = row["entries"]
        assert (entry["outcome"], entry["code"]) == ("superseded", outbox.NEWER)
        assert entry["superseded_by"] == newest["id"] > row["id"]
        assert (entry["tenant"], entry["who"], entry["batch_id"]) == ("acme", "bridge", None)
    assert newest["entries"] == []
    assert_balanced(store)


URGENCIES: list[tuple[int | None, list[int], int]] = [
    # What waited, what was owed one after the other, and what is kept.
    (None, [5], 5),
    (0, [5], 0),  # a leaver stays one
    (0, [1, 5], 0),
    (5, [0], 0),  # the new one is the more urgent
    (9, [5, 1, 5], 1),  # the one between is, and does not wait
    (5, [0, 9], 0),
    (1, [5, 5], 1),
    (3, [3], 3),
]


def test_the_most_urgent_priority_outlives_what_had_it(store: Store, lane_ids: Sequence[int]) -> None:
    found = []
    for number, (waiting, owed, _) in enumerate(URGENCIES):
        with store.begin("acme") as tx:
            person = books.add_person(tx, f"person {number}")
            books.send(tx, lane_ids[0], [person], [State.DELIVERED])
            if waiting is not None:
                books.edit(tx, person, owed_to=[lane_ids[0]], priority=waiting)
            numbers = owe(tx, *[[(lane_ids[0], person, priority)] for priority in owed])
        last = of_changes(store, numbers)[-1]
        assert last["state"] == "waiting"
        found.append((waiting, owed, last["priority"]))
    assert found == URGENCIES
    assert_balanced(store)


def test_priorities_are_kept_for_whom_they_were(store: Store, lane_ids: Sequence[int], people: Sequence[int]) -> None:
    one, two = lane_ids
    ann, bob, cyd = people
    with store.begin("acme") as tx:
        books.edit(tx, ann, owed_to=[one], priority=0)
        books.edit(tx, bob, owed_to=[two], priority=0)
        books.edit(tx, cyd, owed_to=[one], priority=1)
        numbers = owe(tx, [(lane_id, person, 5) for lane_id in lane_ids for person in people])
    found = {(row["lane_id"], row["resource_id"]): row["priority"] for row in of_changes(store, numbers)}
    assert found == {(one, ann): 0, (one, bob): 5, (one, cyd): 1, (two, ann): 5, (two, bob): 0, (two, cyd): 5}
    assert_balanced(store)


def test_what_waits_for_another_lane_goes_on_waiting(
    store: Store, lane_ids: Sequence[int], people: Sequence[int]
) -> None:
    with store.begin("acme") as tx:
        other = books.edit(tx, people[0], owed_to=[lane_ids[1]], priority=0)
        numbers = owe(tx, [(lane_ids[0], people[0], 5)])
    assert [(row["state"], row["priority"]) for row in of_changes(store, [other, *numbers])] == [
        ("waiting", 0),
        ("waiting", 5),
    ]


def test_lanes_that_are_owed_different_people_end_nothing_else(
    store: Store, lane_ids: Sequence[int], people: Sequence[int]
) -> None:
    with store.begin("acme") as tx:
        other = books.edit(tx, people[1], owed_to=[lane_ids[0]], priority=0)
        numbers = owe(tx, [(lane_ids[0], people[0], 5), (lane_ids[1], people[1], 5)])
    assert [row["state"] for row in of_changes(store, [other, *numbers])] == ["waiting"] * 3
    assert_balanced(store)


def test_what_is_being_sent_is_left_alone(store: Store, lane_ids: Sequence[int], people: Sequence[int]) -> None:
    with store.begin("acme") as tx:
        sent = books.edit(tx, people[0], owed_to=[lane_ids[0]])
        sending = {"state": State.SENDING.value}
        moved = outbox.move(tx, [row.id for row in _of_change(tx, sent)], before=State.WAITING, values=sending)
        assert len(moved) == 1
        owe(tx, [(lane_ids[0], people[0], 5)])
    assert [row["state"] for row in of_changes(store, [sent])] == ["sending"]


def _of_change(tx: Transaction, number: int) -> Sequence[Any]:
    return tx.connection.execute(
        sa.select(tables.operation.c.id).where(tables.operation.c.change_number == number)
    ).all()


def test_a_new_operation_starts_from_the_beginning(
    store: Store, lane_ids: Sequence[int], people: Sequence[int]
) -> None:
    with store.begin("acme") as tx:
        numbers = owe(tx, [(lane_ids[0], people[0], 5)])
        now = tx.now
    (row,) = of_changes(store, numbers)
    fresh = {"tenant": "acme", "attempts": 0, "due_at": now, "received_at": now, "reason": None, "cap": None}
    assert {name: row[name] for name in fresh} == fresh


def test_nothing_is_done_for_no_operations(store: Store, people: Sequence[int]) -> None:
    before = operations(store)
    assert people
    with store.begin("acme") as tx:
        dues.owe_each(tx, [])
    assert operations(store) == before


def test_at_most_one_waits_whatever_is_owed(store: Store, lane_ids: Sequence[int], people: Sequence[int]) -> None:
    dice = random.Random(SEED)
    places = list(itertools.product(lane_ids, people))
    urgent: dict[tuple[int, int], int] = {}
    for _ in range(12):
        changes = [
            [(lane_id, person, dice.randrange(10)) for lane_id, person in dice.sample(places, dice.randint(1, 4))]
            for _ in range(dice.randint(1, 5))
        ]
        for lane_id, person, priority in itertools.chain(*changes):
            urgent[lane_id, person] = min(priority, urgent.get((lane_id, person), priority))
        with store.begin("acme") as tx:
            owe(tx, *changes)
    waiting = [row for row in operations(store) if row["state"] == "waiting"]
    assert len(waiting) == len(urgent)
    assert {(row["lane_id"], row["resource_id"]): row["priority"] for row in waiting} == urgent, f"seed {SEED}"
    assert_balanced(store)
