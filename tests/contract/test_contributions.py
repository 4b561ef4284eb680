"""What each source said of a person, and whom its ids name, on both databases."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from fakes.stores import shared_url
from running.door import Ticking

from scim_bridge.domain.instants import Clock
from scim_bridge.domain.resources import USER
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.store import contributions, identities
from scim_bridge.store.contributions import Contribution, Timing
from scim_bridge.store.directory import Stored
from scim_bridge.store.engine import Store, Transaction
from scim_bridge.store.identities import Identity
from scim_bridge.store.prepared import Prepared

_tenants = itertools.count(1)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    with shared_url(request) as url:
        store = Store.open(url, clock=Ticking())
        yield store
        store.close()


@pytest.fixture
def tx(shared_store: Store) -> Iterator[Transaction]:
    with shared_store.begin(f"tenant-{next(_tenants)}") as opened:
        yield opened


def recorder(tx: Transaction, source: str = "okta") -> Recorder:
    return Recorder(tx, scopes={}, origin=Origin(source=source, correlation_id="c"))


def person(tx: Transaction, name: str = "ann") -> Stored:
    return recorder(tx).create(USER, {"userName": name, "emails": [{"value": f"{name}@example.com"}]})


def test_what_was_said_is_read_back_as_it_was_said(tx: Transaction) -> None:
    ann = person(tx)
    said = Contribution(
        source="hr",
        resource_id=ann.id,
        document={"userName": "Ann Ä", "title": None, "name": {"givenName": 'A"n'}},
        said_at=5,
        active=False,
        began_at=1,
        changed={"title": 3},
        ended_at=9,
        user_key="ann ä",
        external_id="0042",
        starts_at=1,
        ends_at=2,
        due_at=2,
        manager_id="",
    )
    contributions.write(tx, [said])
    assert contributions.of_people(tx, [ann.id]) == {ann.id: [replace(said, written_at=tx.now)]}
    assert contributions.of_source(tx, "hr", [ann.id]) == {ann.id: replace(said, written_at=tx.now)}
    assert contributions.of_source(tx, "okta", [ann.id]) == {}


def test_what_puts_later_news_in_order_is_read_back(tx: Transaction) -> None:
    ann = person(tx)
    timing = Timing(stated={"*": 1, "name.givenName": 5}, missed_at=7, closed={"r1": 3})
    said = Contribution(source="hr", resource_id=ann.id, document={}, said_at=5, changed={"title": 3}, timing=timing)
    for active in (True, False, None):
        contributions.write(tx, [replace(said, active=active)])
        (found,) = contributions.of_people(tx, [ann.id])[ann.id]
        assert found == replace(said, active=active, written_at=tx.now)
        assert found.is_active_at(9) is False


def test_a_source_has_one_word_a_person(tx: Transaction) -> None:
    ann, bob = person(tx), person(tx, "bob")
    for title in ("Dev", "Lead"):
        contributions.write(
            tx,
            [
                Contribution(source=source, resource_id=number, document={"title": title}, said_at=1)
                for source in ("hr", "okta")
                for number in (ann.id, bob.id)
            ],
        )
    found = contributions.of_people(tx, [ann.id, bob.id])
    assert [(each.source, each.document["title"]) for each in found[ann.id]] == [("hr", "Lead"), ("okta", "Lead")]
    assert set(found) == {ann.id, bob.id}


def test_saying_nothing_of_active_is_kept_apart_from_saying_no(tx: Transaction) -> None:
    ann = person(tx)
    contributions.write(
        tx,
        [
            Contribution(source="hr", resource_id=ann.id, document={}, said_at=1, active=False),
            Contribution(source="okta", resource_id=ann.id, document={}, said_at=1),
        ],
    )
    assert [each.active for each in contributions.of_people(tx, [ann.id])[ann.id]] == [False, None]


@pytest.mark.parametrize(
    ("starts_at", "ends_at", "now", "active"),
    [(None, None, 5, True), (6, None, 5, False), (5, None, 5, True), (None, 5, 5, False), (None, 6, 5, True)],
)
def test_dates_bound_when_somebody_is_active(
    *, starts_at: int | None, ends_at: int | None, now: int, active: bool
) -> None:
    said = Contribution(
        source="hr", resource_id=1, document={}, said_at=1, active=True, starts_at=starts_at, ends_at=ends_at
    )
    assert said.is_active_at(now) is active


def test_a_manager_is_read_once_they_have_come(tx: Transaction) -> None:
    ann, bob = person(tx), person(tx, "bob")
    said = Contribution(source="hr", resource_id=ann.id, document={}, said_at=1, manager_id="7")
    contributions.write(tx, [said])
    identities.put(tx, "okta", [Identity(external_id="7", resource_id=ann.id)])
    assert contributions.of_people(tx, [ann.id])[ann.id][0].manager is None
    identities.put(tx, "hr", [Identity(external_id="7", resource_id=bob.id)])
    assert contributions.of_people(tx, [ann.id])[ann.id][0].manager == bob.scim_id


def test_people_are_found_by_what_a_source_calls_them(tx: Transaction) -> None:
    ann, bob = person(tx), person(tx, "bob")
    contributions.write(
        tx,
        [
            Contribution(source="hr", resource_id=ann.id, document={}, said_at=1, user_key="a.smith"),
            Contribution(source="okta", resource_id=bob.id, document={}, said_at=1, user_key="a.smith"),
        ],
    )
    assert contributions.known_as(tx, "hr", ["a.smith", "x"]) == {"a.smith": [ann.id]}
    assert contributions.named(tx, ["ann", "bob", "x"]) == {"ann": ann.id, "bob": bob.id}


def test_people_are_found_by_their_addresses(tx: Transaction) -> None:
    ann = person(tx)
    twin = recorder(tx).create(USER, {"userName": "twin", "emails": [{"value": "ANN@example.com"}, {"value": "t@x"}]})
    found = contributions.addressed(tx, ["ann@example.com", "t@x", "nobody@x"])
    assert found == {"ann@example.com": [ann.id, twin.id], "t@x": [twin.id]}


def test_the_deleted_are_found_by_nothing(tx: Transaction) -> None:
    ann = person(tx)
    identities.put(tx, "hr", [Identity(external_id="7", resource_id=ann.id)])
    contributions.write(tx, [Contribution(source="hr", resource_id=ann.id, document={}, said_at=1, user_key="ann")])
    recorder(tx).delete(ann)
    assert identities.of_source(tx, "hr", ["7"]) == {}
    assert contributions.known_as(tx, "hr", ["ann"]) == {}
    assert contributions.named(tx, ["ann"]) == {}
    assert contributions.addressed(tx, ["ann@example.com"]) == {}


def test_the_last_speaker_is_who_edited_last(tx: Transaction) -> None:
    ann, bob = person(tx), person(tx, "bob")
    recorder(tx, "hr").update(ann, {"userName": "ann", "title": "Lead"})
    assert contributions.last_speakers(tx, [ann.id, bob.id]) == {ann.id: "hr", bob.id: "okta"}


def test_what_was_said_of_the_deleted_can_be_forgotten(tx: Transaction) -> None:
    ann, bob = person(tx), person(tx, "bob")
    for each in (ann, bob):
        contributions.write(tx, [Contribution(source="hr", resource_id=each.id, document={}, said_at=1, ended_at=1)])
        identities.put(tx, "hr", [Identity(external_id=each.scim_id, resource_id=each.id)])
    assert contributions.ended_by(tx, "hr") == 2
    contributions.forget(tx, [ann.id])
    assert set(contributions.of_people(tx, [ann.id, bob.id])) == {bob.id}
    assert set(identities.of_source(tx, "hr", [ann.scim_id, bob.scim_id])) == {bob.scim_id}
    assert contributions.ended_by(tx, "hr") == 1


def test_words_can_be_taken_back_one_source_at_a_time(tx: Transaction) -> None:
    ann = person(tx)
    said = [Contribution(source=each, resource_id=ann.id, document={}, said_at=1) for each in ("hr", "okta", "old")]
    contributions.write(tx, said)
    contributions.retract(tx, ann.id, ["old", "hr"])
    assert [each.source for each in contributions.of_people(tx, [ann.id])[ann.id]] == ["okta"]


def test_tenants_never_meet(shared_store: Store) -> None:
    one, other = (f"tenant-{next(_tenants)}" for _ in range(2))
    with shared_store.begin(one) as tx:
        ann = person(tx)
        identities.put(tx, "hr", [Identity(external_id="7", resource_id=ann.id)])
        contributions.write(
            tx, [Contribution(source="hr", resource_id=ann.id, document={}, said_at=1, user_key="ann", ended_at=1)]
        )
    with shared_store.begin(other) as tx:
        assert contributions.of_people(tx, [ann.id]) == {}
        assert contributions.of_source(tx, "hr", [ann.id]) == {}
        assert identities.of_source(tx, "hr", ["7"]) == {}
        assert contributions.known_as(tx, "hr", ["ann"]) == {}
        assert contributions.named(tx, ["ann"]) == {}
        assert contributions.addressed(tx, ["ann@example.com"]) == {}
        assert contributions.last_speakers(tx, [ann.id]) == {}
        assert contributions.ended_by(tx, "hr") == 0


_ASKED = (
    *(contributions._OF_PEOPLE, contributions._OF_SOURCE, contributions._KNOWN_AS),
    *(contributions._NAMED, contributions._ADDRESSED, contributions._LAST_SPEAKERS),
)


@pytest.mark.parametrize("asked", _ASKED)
def test_sqlite_looks_a_thousand_up_one_by_one(asked: Prepared, sqlite_url: str, clock: Clock) -> None:
    """Without statistics SQLite might walk through all people of a tenant for a list of names."""
    store = Store.open(sqlite_url, clock=clock)
    with store.begin("acme") as tx:
        text = re.sub(r"\?", "'[]'", asked._made_ready(tx).text)
        plan = [str(row.detail) for row in tx.connection.execute(sa.text(f"EXPLAIN QUERY PLAN {text}"))]
    store.close()
    walks = [step for step in plan if step.startswith("SCAN") and "_each" not in step]
    assert [*walks, *(step for step in plan if step.endswith("(tenant=?)"))] == [], plan
