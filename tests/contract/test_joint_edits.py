"""Edits of one group recorded together leave the same books as the same edits recorded one after the other.

Random histories of two groups are recorded four times, each time for a tenant of its own: the requests that came at
the same time in one transaction, step by step and in one trip, each in a transaction of its own, and each by the
recorder that knows one edit only.
More histories, other ones every time: pytest -n 0 tests/contract/test_joint_edits.py --requests 200000
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from fakes import books
from fuzz.options import Effort

from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.domain.states import State
from scim_bridge.recording import joint, moving
from scim_bridge.recording.edits import MemberEdit, Membership
from scim_bridge.recording.joint import Asked, Outcome
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder, UnknownMembers
from scim_bridge.recording.scopes import TargetScope
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.store import directory, lanes, members, seeding, tables, trips
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.seeding import Seed
from scim_bridge.store.verify import verify_ledger

SEED = 20_261_121
HISTORIES = 2
"""So many in the suite, of each case on each database."""

PEOPLE, STRANGERS = range(8), range(100, 103)
GROUPS = ("Sales", "Support")
TARGETS = ("trakstar", "mindtickle")
SCOPES = {target: TargetScope(target=target, groups=frozenset(GROUPS)) for target in TARGETS}
ONLY_SALES = {**SCOPES, "mindtickle": TargetScope(target="mindtickle", groups=frozenset({"Sales"}))}

Edits = tuple[tuple[Membership, tuple[int, ...]], ...]
"""What one request asks for, of people by number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happens to two groups of a tenant."""

    inside: Mapping[str, Sequence[int]]
    """Who is in each group at first."""
    waiting: Sequence[tuple[str | int, str, int]]
    """For whom (a person or a group) and which target an operation waits already, and its priority."""
    ended: Sequence[tuple[int, str, State]]
    """For whom and which target one has ended."""
    rounds: Sequence[tuple[str, Sequence[Edits]]]
    """Groups, each with requests that come at the same time."""


@dataclass(slots=True, kw_only=True)
class Told:
    """What callers were told: the version that each request left, unknown people, and the targets to wake."""

    outcomes: list[tuple[int | None, int, int, tuple[str, ...]]] = field(default_factory=list)
    wakes: list[frozenset[str]] = field(default_factory=list)

    def add(self, outcomes: Sequence[Outcome], wakes: frozenset[str]) -> None:
        self.outcomes += [
            (each.change, each.stored.version, each.stored.modified_at, each.unknown) for each in outcomes
        ]
        self.wakes.append(wakes)


def a_history(dice: random.Random, targets: Sequence[str]) -> History:
    def some(numbers: Sequence[int], most: int) -> tuple[int, ...]:
        return tuple(dice.sample(numbers, dice.randint(1, most)))

    def request() -> Edits:
        people = [*PEOPLE, *STRANGERS] if dice.random() < 0.15 else list(PEOPLE)
        hows = (Membership.ADD, Membership.REMOVE)
        return tuple((dice.choice(hows), some(people, 3)) for _ in range(dice.choice([1, 1, 1, 2, 3])))

    return History(
        inside={group: some(PEOPLE, 6) for group in GROUPS},
        waiting=[
            (dice.choice([*PEOPLE, *GROUPS]), target, dice.choice([0, 1, 5, 9])) for target in targets for _ in range(4)
        ],
        ended=[
            (who, target, dice.choice([State.DELIVERED, State.DEAD]))
            for target in targets
            for who in dice.sample(PEOPLE, 2)
        ],
        rounds=[(dice.choice(GROUPS), [request() for _ in range(dice.randint(1, 6))]) for _ in range(3)],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One tenant, in which people have the same numbers as in every other."""

    name: str
    people: Crowd
    store: Store

    def build(self, history: History) -> None:
        with self.store.begin(self.name) as tx:
            users = seeding.put(
                tx, USER, [_seed(self.people.scim_id(n), self.people.user(n)) for n in PEOPLE], source="s"
            )
            seeds = [_seed(self.group_id(name), self.people.group(name)) for name in GROUPS]
            groups = dict(zip(GROUPS, seeding.put(tx, GROUP, seeds, source="s"), strict=True))
            seeding.put_members(tx, ((groups[name], users[who]) for name in GROUPS for who in history.inside[name]))
            lane_ids = {target: lane_id for lane_id, target in lanes.configured_targets(tx)}
            for who, target, state in history.ended:
                books.edit(tx, users[who], owed_to=[lane_ids[target]])
                books.send(tx, lane_ids[target], [users[who]], [state])
            for who, target, priority in history.waiting:
                resource_id = groups[who] if isinstance(who, str) else users[who]
                books.edit(tx, resource_id, owed_to=[lane_ids[target]], priority=priority)

    def group_id(self, name: str) -> str:
        return self.people.group_id(GROUPS.index(name))

    def fetched(self, tx: Transaction, name: str) -> directory.Stored:
        found = directory.fetch(tx, GROUP, self.group_id(name), lock=True)
        assert found is not None
        return found

    def asked(self, number: int, request: Edits) -> Asked:
        edits = [MemberEdit(how, tuple(self.people.scim_id(who) for who in people)) for how, people in request]
        origin = Origin(source=f"idp{number % 2}", correlation_id=f"request {number}", token_id=f"token {number % 3}")
        return Asked(edits=edits, origin=origin)

    def told_in_terms_of_all(self, told: Told) -> Told:
        """Return it with ranks in place of numbers, which differ from tenant to tenant."""
        with self.store.begin(self.name, write=False) as tx:
            rank = _ranks(tx)
        names = {self.people.scim_id(who): f"stranger {who}" for who in STRANGERS}
        return Told(
            outcomes=[
                (change and rank[change], rank[version], at, tuple(names[who] for who in unknown))
                for change, version, at, unknown in told.outcomes
            ],
            wakes=told.wakes,
        )

    def books(self) -> dict[str, Any]:
        """Return the books and the directory in terms that are the same for every tenant."""
        with self.store.begin(self.name, write=False) as tx:
            return _Books(tx, self).told()


def _seed(scim_id: str, document: Mapping[str, Any]) -> Seed:
    return Seed(scim_id=scim_id, document=document, attributes=[])


def _ranks(tx: Transaction) -> dict[int, int]:
    """Return which one of the tenant's changes each number is; a resource's first `previous` stays 0."""
    query = sa.select(tables.change.c.number).where(tables.change.c.tenant == tx.tenant).order_by("number")
    return {number: rank for rank, number in enumerate([0, *tx.connection.execute(query).scalars()])}


class _Books:
    def __init__(self, tx: Transaction, tenant: Tenant) -> None:
        def rows(table: sa.Table) -> list[dict[str, Any]]:
            query = sa.select(table).where(table.c.tenant == tx.tenant)
            return [dict(row) for row in tx.connection.execute(query).mappings()]

        self._by_scim_id = {tenant.people.scim_id(who): f"person {who}" for who in PEOPLE}
        self._by_scim_id |= {tenant.group_id(name): name for name in GROUPS}
        self._tx, self._rank = tx, _ranks(tx)
        self._resources = rows(tables.resource)
        self._names = {row["id"]: self._by_scim_id[row["scim_id"]] for row in self._resources}
        self._targets = dict(lanes.configured_targets(tx))
        self._changes, self._entries = rows(tables.change), rows(tables.entry)
        self._operations = {row["id"]: row for row in rows(tables.operation)}
        self._successors = {row["operation_id"]: row["superseded_by"] for row in self._entries if row["superseded_by"]}

    def told(self) -> dict[str, Any]:
        by_name = {name: number for number, name in self._names.items()}
        group_members = {name: members.users_of(self._tx, by_name[name]) for name in GROUPS}
        return {
            "members": {name: {self._names[user] for user in users} for name, users in group_members.items()},
            "versions": {
                self._names[row["id"]]: (self._rank[row["version"]], row["modified_at"]) for row in self._resources
            },
            "changes": {self._rank[row["number"]]: self._change(row) for row in self._changes},
            "operations": {self._key(number): self._standing(row) for number, row in self._operations.items()},
            "entries": sorted(map(self._entry, self._entries)),
            "counts": {"operations": len(self._operations), "changes": len(self._changes)},
        }

    def _change(self, row: dict[str, Any]) -> dict[str, Any]:
        same = ("kind", "source", "token_id", "request", "owed", "received_at")
        return {
            "resource": self._names[row["resource_id"]],
            "previous": self._rank[row["previous"]],
            "correlation_id": self._by_scim_id.get(row["correlation_id"], row["correlation_id"]),
            **{name: row[name] for name in same},
        }

    def _key(self, number: int) -> tuple[int, str, str]:
        row = self._operations[number]
        return self._rank[row["change_number"]], self._targets[row["lane_id"]], self._names[row["resource_id"]]

    def _standing(self, row: dict[str, Any]) -> tuple[Any, ...]:
        """Of what is over, the priority is of no use; among what waits it is the order."""
        priority = row["priority"] if row["state"] == State.WAITING else None
        same = ("state", "attempts", "due_at", "received_at", "reason", "cap")
        return priority, *(row[name] for name in same)

    def _entry(self, row: dict[str, Any]) -> tuple[Any, ...]:
        """What was superseded twice in one go is so by the last at once: tell by what it is in the end."""
        last = row["superseded_by"]
        while last in self._successors:
            last = self._successors[last]
        successor = self._key(last) if last else ()
        same = ("outcome", "code", "detail", "who", "at")
        return self._key(row["operation_id"]), successor, row["batch_id"] is None, *(row[name] for name in same)


Record = Callable[[Tenant, str, Sequence[Asked], Mapping[str, TargetScope]], tuple[list[Outcome], frozenset[str]]]


def together(
    tenant: Tenant, group: str, asked: Sequence[Asked], scopes: Mapping[str, TargetScope]
) -> tuple[list[Outcome], frozenset[str]]:
    with tenant.store.begin(tenant.name) as tx:
        outcomes, wakes = joint.record(tx, tenant.fetched(tx, group), asked, scopes=scopes)
    with tenant.store.begin(tenant.name, write=False) as tx:
        assert tenant.fetched(tx, group) == outcomes[-1].stored
    return outcomes, wakes


def at_once(
    tenant: Tenant, group: str, asked: Sequence[Asked], scopes: Mapping[str, TargetScope]
) -> tuple[list[Outcome], frozenset[str]]:
    """As PostgreSQL records them by itself: as many on each trip as name nobody twice."""
    if not trips.are_made(tenant.store):
        return together(tenant, group, asked, scopes)
    outcomes, wakes, left = list[Outcome](), frozenset[str](), list(asked)
    while left:
        count = moving.apart(left)
        recorded = moving.record(tenant.store, tenant.name, tenant.group_id(group), left[:count], scopes=scopes)
        assert recorded is not None
        outcomes, wakes, left = outcomes + recorded[0], wakes | recorded[1], left[count:]
    with tenant.store.begin(tenant.name, write=False) as tx:
        assert tenant.fetched(tx, group) == outcomes[-1].stored
    return outcomes, wakes


def one_by_one(
    tenant: Tenant, group: str, asked: Sequence[Asked], scopes: Mapping[str, TargetScope]
) -> tuple[list[Outcome], frozenset[str]]:
    done = [together(tenant, group, [each], scopes) for each in asked]
    return [outcomes[0] for outcomes, _ in done], frozenset[str]().union(*(wakes for _, wakes in done))


def by_the_recorder(
    tenant: Tenant, group: str, asked: Sequence[Asked], scopes: Mapping[str, TargetScope]
) -> tuple[list[Outcome], frozenset[str]]:
    outcomes, wakes = list[Outcome](), set[str]()
    for each in asked:
        with tenant.store.begin(tenant.name, write=False) as tx:
            before = tenant.fetched(tx, group)
        try:
            with tenant.store.begin(tenant.name) as tx:
                recorder = Recorder(tx, scopes=scopes, origin=each.origin)
                stored = recorder.update(tenant.fetched(tx, group), None, member_edits=each.edits)
            outcomes.append(Outcome(stored=stored, change=next(iter(recorder.changes), None)))
            wakes |= recorder.wakes.keys()
        except UnknownMembers as refusal:
            outcomes.append(Outcome(stored=before, unknown=tuple(refusal.args[0])))
    return outcomes, frozenset(wakes)


@dataclass(slots=True)
class Archive:
    """Makes tenants of a store, four for each history."""

    store: Store
    made: int = 0

    def books_of(
        self, history: History, *, targets: Sequence[str], scopes: Mapping[str, TargetScope]
    ) -> dict[str, tuple[Told, dict[str, Any]]]:
        """Record a history in each way; return what callers were told and what the books say, by the way."""
        ways: dict[str, Record] = {
            "together": together,
            "at once": at_once,
            "one by one": one_by_one,
            "by the recorder": by_the_recorder,
        }
        tenants = {way: self._tenant() for way in ways}
        with self.store.across_tenants("lanes for the test", write=True) as tx:
            lanes.sync(tx, [(tenant.name, target) for tenant in tenants.values() for target in targets])
        found = {}
        for way, record in ways.items():
            tenant, told = tenants[way], Told()
            tenant.build(history)
            for number, (group, requests) in enumerate(history.rounds):
                asked = [tenant.asked(10 * number + place, request) for place, request in enumerate(requests)]
                told.add(*record(tenant, group, asked, scopes))
            report = verify_ledger(self.store, tenant.name)
            assert report["balanced"], (way, report)
            found[way] = tenant.told_in_terms_of_all(told), tenant.books()
        return found

    def _tenant(self) -> Tenant:
        self.made += 1
        return Tenant(name=f"tenant {self.made}", people=Crowd(self.made), store=self.store)


@pytest.fixture
def archive(store: Store) -> Archive:
    return Archive(store)


CASES = {
    "no lane": ((), SCOPES),
    "one lane": (TARGETS[:1], SCOPES),
    "two lanes": (TARGETS, SCOPES),
    "two lanes that name different groups": (TARGETS, ONLY_SALES),
}


@pytest.mark.parametrize("case", CASES)
def test_edits_together_leave_the_books_that_they_leave_one_by_one(archive: Archive, effort: Effort, case: str) -> None:
    targets, scopes = CASES[case]
    first = SEED if effort.seed is None else effort.seed
    for seed in range(first, first + effort.share(HISTORIES)):
        history = a_history(random.Random(seed), targets)
        found = archive.books_of(history, targets=targets, scopes=scopes)
        assert found["together"] == found["one by one"], f"seed {seed}: {history}"
        assert found["together"] == found["by the recorder"], f"seed {seed}: {history}"
        assert found["at once"] == found["one by one"], f"seed {seed}: {history}"


ADD, REMOVE = Membership.ADD, Membership.REMOVE


@pytest.fixture
def acme(archive: Archive) -> Tenant:
    """Sales holds 0 and 1; for 3 an operation more urgent than usual waits, for the group one less urgent."""
    with archive.store.across_tenants("a lane for the test", write=True) as tx:
        lanes.sync(tx, [("acme", "trakstar")])
    acme = Tenant(name="acme", people=Crowd(1), store=archive.store)
    waiting = [(3, "trakstar", 0), ("Sales", "trakstar", 9)]
    acme.build(History(inside={"Sales": [0, 1], "Support": []}, waiting=waiting, ended=[], rounds=[]))
    return acme


REQUESTS: list[Edits] = [
    ((ADD, (0,)),),  # is in already
    ((ADD, (2, 3)), (REMOVE, (1,))),  # three move
    ((ADD, (4, 100)),),  # unknown
    ((REMOVE, (2, 101)),),  # one moves
    ((ADD, (5,)), (REMOVE, (5,))),  # comes to nothing
    ((ADD, (2,)),),  # one moves
]


def test_each_request_has_an_outcome_of_its_own(acme: Tenant) -> None:
    outcomes, wakes = together(acme, "Sales", [acme.asked(n, each) for n, each in enumerate(REQUESTS)], SCOPES)
    before = outcomes[0].stored.version
    changes = [each.change for each in outcomes]
    one, two, three = (change for change in changes if change is not None)
    assert changes == [None, one, None, two, None, three]
    assert [each.stored.version for each in outcomes] == [before, one, one, two, two, three]
    assert before < one < two < three
    assert [each.unknown for each in outcomes] == [(), (), (acme.people.scim_id(100),), (), (), ()]
    assert wakes == {"trakstar"}


def test_one_waits_for_each_person_in_the_end(acme: Tenant) -> None:
    together(acme, "Sales", [acme.asked(n, each) for n, each in enumerate(REQUESTS)], SCOPES)
    told = acme.books()
    waiting = {key: standing[0] for key, standing in told["operations"].items() if standing[1] == State.WAITING}
    last = max(told["changes"])
    assert waiting == {
        (last, "trakstar", "Sales"): 1,
        (last, "trakstar", "person 2"): 5,
        (last - 2, "trakstar", "person 3"): 0,
        (last - 2, "trakstar", "person 1"): 5,
    }
    assert told["members"]["Sales"] == {"person 0", "person 2", "person 3"}
    assert [told["changes"][number]["owed"] for number in (last - 2, last - 1, last)] == [4, 2, 2]


def test_a_group_that_no_target_names_owes_nothing(acme: Tenant) -> None:
    before = acme.books()
    asked = [acme.asked(0, ((ADD, (0, 3)),)), acme.asked(1, ((REMOVE, (3,)),))]
    outcomes, wakes = together(acme, "Support", asked, {"trakstar": TargetScope(target="trakstar")})
    after = acme.books()
    assert wakes == frozenset()
    assert after["operations"] == before["operations"]
    assert after["members"]["Support"] == {"person 0"}
    assert [after["changes"][number]["owed"] for number in sorted(after["changes"])[-2:]] == [0, 0]
    assert None not in [each.change for each in outcomes]


def test_a_request_that_changes_nothing_leaves_no_trace(acme: Tenant) -> None:
    before = acme.books()
    asked = [acme.asked(0, ((ADD, (0,)),)), acme.asked(1, ((REMOVE, (6,)),)), acme.asked(2, ((ADD, (102,)),))]
    _, wakes = together(acme, "Sales", asked, SCOPES)
    assert wakes == frozenset()
    assert acme.books() == before


def test_who_is_in_already_is_owed_nothing(acme: Tenant) -> None:
    together(acme, "Sales", [acme.asked(0, ((ADD, (0, 6)),)), acme.asked(1, ((ADD, (7,)),))], SCOPES)
    concerned = {key[2] for key in acme.books()["operations"]}
    assert concerned == {"Sales", "person 3", "person 6", "person 7"}
