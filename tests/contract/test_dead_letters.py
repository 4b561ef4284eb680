"""The dead as the inbox asks for them, on both databases: groups, pages, filters, one tenant at a time."""

from collections.abc import Iterator
from typing import Any

import pytest
from fakes.books import add_person, edit, send
from fakes.stores import shared_url

from scim_bridge.domain.states import State
from scim_bridge.store import dead_letters, lanes, remarks, replays, retention
from scim_bridge.store.engine import Store
from scim_bridge.store.reports import Chosen

START = 1_700_000_000_000
MINUTE = 60_000

DEATHS = (
    # who, target, code, minutes after the start
    ("ann", "one", "too_long", 0),
    ("bo", "one", "too_long", 5),
    ("cy", "one", "too_long", 5),
    ("di", "one", "too_long", 5),
    ("di", "one", "too_long", 7),
    ("ed", "two", "refused", 3),
    ("ann", "two", "too_long", 9),
)
ENDED = ["ann one", "ed two", "bo one", "cy one", "di one", "di one", "ann two"]


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with shared_url(request) as found:
        yield found


class Books:
    """Two lanes of one tenant with all of DEATHS, and one of another tenant with somebody dead."""

    def __init__(self, store: Store, clock: Any, tenant: str) -> None:
        self.store, self.clock, self.tenant, self.other = store, clock, tenant, f"{tenant}-other"
        self.people: dict[str, int] = {}
        with store.across_tenants("a test's lanes", write=True) as tx:
            lanes.sync(tx, [(each, target) for each in (tenant, self.other) for target in ("one", "two")])
        for who, target, code, minutes in sorted(DEATHS, key=lambda death: death[3]):
            clock.now = START + minutes * MINUTE
            self.die(who, target, code)
        with store.begin(self.other) as tx:
            stranger = add_person(tx, "zed")
            send(tx, self.lane(tx, "one"), [stranger], [State.DEAD], code="too_long")

    @staticmethod
    def lane(tx: Any, target: str) -> int:
        found = lanes.by_target(tx, target)
        assert found is not None
        return found.id

    def die(self, who: str, target: str, code: str) -> None:
        with self.store.begin(self.tenant) as tx:
            lane_id = self.lane(tx, target)
            if who not in self.people:
                self.people[who] = add_person(tx, who)
                send(tx, self.lane(tx, "one" if target == "two" else "two"), [self.people[who]], [State.DELIVERED])
            else:
                edit(tx, self.people[who], owed_to=[lane_id])
            send(tx, lane_id, [self.people[who]], [State.DEAD], code=code)

    def groups(self, **chosen: Any) -> list[tuple[str, str, int, int]]:
        with self.store.begin(self.tenant, write=False) as tx:
            found = dead_letters.groups(tx, Chosen(**chosen))
        return [(each.target, each.code, each.operations, each.people) for each in found]

    def page(self, after: tuple[int, int] | None = None, limit: int = 50, *, newest_first: bool = False) -> list[Any]:
        with self.store.begin(self.tenant, write=False) as tx:
            return dead_letters.page(tx, Chosen(), after=after, limit=limit, newest_first=newest_first)

    def told(self, rows: list[Any]) -> list[str]:
        names = {number: name for name, number in self.people.items()}
        return [f"{names[row['resource_id']]} {row['target']}" for row in rows]


@pytest.fixture
def books(url: str, clock: Any, request: pytest.FixtureRequest) -> Iterator[Books]:
    opened = Store.open(url, clock=clock, use_database_clock=False)
    yield Books(opened, clock, request.node.originalname)
    opened.close()


def test_groups_count_people_once_and_tell_their_ages(books: Books) -> None:
    assert books.groups() == [("one", "too_long", 5, 4), ("two", "refused", 1, 1), ("two", "too_long", 1, 1)]
    with books.store.begin(books.tenant, write=False) as tx:
        first = dead_letters.groups(tx, Chosen())[0]
    assert (first.oldest_at, first.newest_at) == (START, START + 7 * MINUTE)


def test_pages_leave_nobody_out_who_ended_at_the_same_instant(books: Books) -> None:
    for newest_first in (False, True):
        found: list[Any] = []
        after = None
        while page := books.page(after, 2, newest_first=newest_first):
            found += page
            after = (page[-1]["at"], page[-1]["id"])
            assert len(found) <= len(DEATHS)
        assert books.told(found) == (ENDED[::-1] if newest_first else ENDED)
        assert len({row["id"] for row in found}) == len(DEATHS)


# One book for all rows: filling it on PostgreSQL is what takes time.
CHOICES: list[tuple[dict[str, Any], int]] = [
    ({}, 7),
    ({"target": "one"}, 5),
    ({"target": "three"}, 0),
    ({"codes": frozenset({"refused"})}, 1),
    ({"codes": frozenset({"refused", "too_long"})}, 7),
    ({"codes": frozenset()}, 0),
    ({"since": START + 5 * MINUTE}, 5),
    ({"until": START + 5 * MINUTE}, 2),
    ({"since": START + 3 * MINUTE, "until": START + 5 * MINUTE}, 1),
    ({"tenant": "somebody else"}, 0),
    ({"resource_ids": frozenset()}, 0),
]


def test_groups_pages_and_ids_choose_alike(books: Books) -> None:
    choices = [*CHOICES, ({"resource_ids": frozenset({books.people["ann"], books.people["di"]})}, 4)]
    with books.store.begin(books.tenant, write=False) as tx:
        for choice, count in choices:
            chosen = Chosen(**choice)
            assert sum(each.operations for each in dead_letters.groups(tx, chosen)) == count, choice
            assert len(dead_letters.page(tx, chosen, limit=50)) == count, choice
            assert len(dead_letters.ids_of(tx, chosen)) == count, choice


def test_another_tenants_dead_are_not_seen(books: Books) -> None:
    with books.store.begin(books.other, write=False) as tx:
        [theirs] = dead_letters.page(tx, Chosen(), limit=50)
    assert theirs["scim_id"] == f"{books.other}-zed"
    with books.store.begin(books.tenant, write=False) as tx:
        assert theirs["id"] not in dead_letters.ids_of(tx, Chosen())
        assert dead_letters.ended_at(tx, theirs["id"]) is None
        assert dead_letters.places_of(tx, [theirs["id"]]) == []
        assert dead_letters.rows_of(tx, [theirs["id"]]) == []
    with books.store.across_tenants("test") as tx:
        both = dead_letters.ids_of(tx, Chosen(target="one"))
        assert theirs["id"] in both
        assert theirs["id"] in dead_letters.ids_of(tx, Chosen(tenant=books.other))


def test_what_was_put_back_is_no_longer_dead_yet_a_place_to_go_on_behind(books: Books) -> None:
    first, second, *_ = books.page()
    with books.store.begin(books.tenant) as tx:
        replays.put_back(tx, [(second["lane_id"], second["resource_id"])], who="op@desk")
    assert books.told(books.page()) == [each for each in ENDED if each != "ed two"]
    with books.store.begin(books.tenant, write=False) as tx:
        at = dead_letters.ended_at(tx, second["id"])
    assert at == START + 3 * MINUTE
    assert books.told(books.page((at, second["id"]))) == ENDED[2:]
    assert first["id"] not in {row["id"] for row in books.page((at, second["id"]))}


def test_who_died_again_ended_the_second_time(books: Books) -> None:
    row = books.page()[0]
    with books.store.begin(books.tenant) as tx:
        replays.put_back(tx, [(row["lane_id"], row["resource_id"])], who="op@desk")
    books.clock.now = START + 20 * MINUTE
    with books.store.begin(books.tenant) as tx:
        send(tx, row["lane_id"], [row["resource_id"]], [State.DEAD], code="refused")
    last = books.page()[-1]
    assert (last["id"], last["at"], last["code"]) == (row["id"], START + 20 * MINUTE, "refused")
    assert ("one", "refused", 1, 1) in books.groups()


def test_numbers_that_no_database_takes_name_nothing(books: Books) -> None:
    with books.store.begin(books.tenant, write=False) as tx:
        for number in (0, -1, 2**63, 10**40):
            assert dead_letters.ended_at(tx, number) is None
            assert dead_letters.places_of(tx, [number]) == []


def test_remarks_are_kept_by_operation_and_go_with_it(books: Books) -> None:
    row = books.page()[0]
    with books.store.begin(books.tenant) as tx:
        for text in ("first", "<script>alert(1)</script>"):
            remarks.add(tx, [row["id"]], who="op@desk", text=text)
    with books.store.begin(books.tenant, write=False) as tx:
        found = remarks.of(tx, [row["id"], row["id"] + 1])
        assert [(each.who, each.text) for each in found[row["id"]]] == [
            ("op@desk", "first"),
            ("op@desk", "<script>alert(1)</script>"),
        ]
        assert list(found) == [row["id"]]
    with books.store.begin(books.other, write=False) as tx:
        # On SQLite it is for the caller to ask only for the tenant's operations, as rows_of gives them.
        assert dead_letters.rows_of(tx, [row["id"]]) == []
    with books.store.begin(books.tenant) as tx:
        replays.put_back(tx, [(row["lane_id"], row["resource_id"])], who="op@desk")
    with books.store.begin(books.tenant) as tx:
        send(tx, row["lane_id"], [row["resource_id"]], [State.DELIVERED])
    with books.store.across_tenants("test", write=True) as tx:
        retention.close_operations(tx, before=books.clock.now + 1)
    with books.store.begin(books.tenant, write=False) as tx:
        assert remarks.of(tx, [row["id"]]) == {}
