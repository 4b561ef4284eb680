"""Rows and events of an HR source that come late, out of order, or in pieces: nothing is lost, nothing older wins."""

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from fakes.hr import DAY_MS, Company, person

from scim_bridge.domain.rows import Person
from scim_bridge.recording.rows import Said
from scim_bridge.store import contributions, identities, strangers
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger

T = 1_000_000_000_000


@pytest.fixture
def acme(store: Store) -> Company:
    return Company(store=store)


def part(number: str, document: Mapping[str, Any] | None = None, **more: Any) -> Person:
    """Return what an event says that names some fields only."""
    dates = {"says_start": "starts_at" in more, "says_end": "ends_at" in more}
    return Person(external_id=number, document={"externalId": number, **(document or {})}, **{**dates, **more})


def event(what: Person, at: int, *, is_whole: bool = False) -> Said:
    return Said(position=at, external_id=what.external_id, what=what, said_at=T + at, is_whole=is_whole)


def ends(number: str, at: int) -> Said:
    return Said(position=at, external_id=number, what=None, said_at=T + at)


def told(acme: Company, *said: Said) -> list[str]:
    return [f"{each.outcome} {each.code}".strip() for each in acme.record(*said).became]


def word_of(acme: Company, source: str = "hr") -> Contribution:
    """Return what a source said of the one person whom it names."""
    with acme.store.begin(acme.tenant, write=False) as tx:
        found = contributions.of_people(tx, range(1, 100))
        return next(each for said in found.values() for each in said if each.source == source)


def test_an_event_is_older_news_only_of_what_was_said_since(acme: Company) -> None:
    told(acme, event(person("1", "ann", document={"title": "Dev"}), 1, is_whole=True))
    told(acme, event(part("1", {"title": "Lead"}), 10))
    assert told(acme, event(part("1", {"nickName": "Annie", "title": "Old"}), 5)) == ["updated"]
    assert told(acme, event(part("1", {"title": "Old"}), 9)) == ["unchanged older_news"]
    ann = acme.people()["ann"]
    assert (ann["title"], ann["nickName"]) == ("Lead", "Annie")


def test_a_leaver_is_not_kept_active_by_newer_news_of_something_else(acme: Company) -> None:
    told(acme, event(person("1", "ann"), 1, is_whole=True), event(part("1", {"title": "Lead"}), 10))
    assert told(acme, event(part("1", active=False), 5)) == ["deactivated"]
    assert told(acme, event(part("1", active=True), 4)) == ["unchanged older_news"]
    assert acme.active() == {"ann": False}


def test_an_end_that_comes_late_ends_somebody_of_whom_something_else_was_said_since(acme: Company) -> None:
    told(acme, event(person("1", "ann"), 1, is_whole=True), event(part("1", {"title": "Lead"}), 10))
    assert told(acme, ends("1", 5)) == ["deactivated"]
    assert told(acme, event(person("1", "ann", active=True), 4, is_whole=True)) == ["unchanged"]
    assert acme.active() == {"ann": False}


EVENTS = [
    event(person("1", "ann", document={"title": "Dev"}, active=True), 1, is_whole=True),
    event(part("1", {"title": "Lead", "name": {"givenName": "Anne"}}), 2),
    event(part("1", {"name": {"familyName": "Smith"}}, manager_id=""), 3),
    event(part("1", {"title": None}, active=False), 4),
    event(person("1", "ann", document={"nickName": "A", "title": "Boss"}, active=True), 5, is_whole=True),
    event(part("1", {"name": {"givenName": "Anna"}}, active=False), 6),
]


@pytest.mark.parametrize("order", list(itertools.permutations(range(1, 5)))[::5], ids=str)
def test_the_order_in_which_events_come_makes_no_difference(acme: Company, order: tuple[int, ...]) -> None:
    told(acme, EVENTS[0], EVENTS[5])
    for place in order:
        told(acme, EVENTS[place])
    ann = acme.people()["ann"]
    assert (ann["active"], ann["title"], ann["nickName"]) == (False, "Boss", "A")
    assert ann["name"] == {"givenName": "Anna", "familyName": "Example"}


def test_a_whole_row_leaves_alone_what_was_said_later(acme: Company) -> None:
    told(acme, event(person("1", "ann", document={"title": "Dev", "nickName": "A"}), 1, is_whole=True))
    told(acme, event(part("1", {"title": "Lead", "nickName": None}), 10))
    newer = event(person("1", "ann", document={"title": "Dev", "nickName": "A", "locale": "de"}), 5, is_whole=True)
    assert told(acme, newer) == ["updated"]
    ann = acme.people()["ann"]
    assert (ann["title"], ann["locale"], "nickName" in ann) == ("Lead", "de", False)
    assert told(acme, event(person("1", "ann"), 11, is_whole=True)) == ["updated"]
    assert word_of(acme).timing.stated == {}


def test_what_comes_late_is_no_later_word_than_another_sources(acme: Company) -> None:
    told(acme, event(person("1", "ann", document={"title": "Dev"}), 1, is_whole=True))
    told(acme, event(part("1", {"locale": "de"}), 10), event(part("1", {"title": "Lead"}), 5))
    assert word_of(acme).changed == {"locale": T + 10, "title": T + 5}


def test_a_row_that_counts_in_part_is_looked_at_again(acme: Company) -> None:
    told(acme, event(person("1", "ann"), 1, is_whole=True), event(part("1", {"title": "Lead"}), 10))
    row = replace(event(person("1", "ann"), 5, is_whole=True), digest="d")
    acme.record(row)
    with acme.store.begin(acme.tenant, write=False) as tx:
        assert identities.of_source(tx, "hr", ["1"])["1"].row_digest is None


def missing(number: str, at: int) -> Said:
    return Said(position=at, external_id=number, what=None, said_at=T + at, as_of=T + at)


def snapshot(what: Person, at: int, *, row_at: int) -> Said:
    """Return a row of a snapshot that tells a time of its own."""
    return Said(position=at, external_id=what.external_id, what=what, said_at=T + row_at, as_of=T + at)


def test_who_was_missing_once_comes_back_with_the_next_snapshot(acme: Company) -> None:
    ann = person("1", "ann", document={"title": "Dev"})
    told(acme, snapshot(ann, 5, row_at=1))
    assert told(acme, missing("1", 10)) == ["deactivated"]
    assert acme.active() == {"ann": False}
    assert told(acme, snapshot(ann, 9, row_at=1)) == ["unchanged"]
    assert acme.active() == {"ann": False}
    assert told(acme, snapshot(ann, 20, row_at=1)) == ["updated"]
    assert acme.active() == {"ann": True}


def test_who_is_there_again_is_what_the_source_said_last(acme: Company) -> None:
    told(acme, snapshot(person("1", "ann"), 5, row_at=1), event(part("1", {"title": "Lead"}, active=False), 6))
    told(acme, missing("1", 10))
    told(acme, snapshot(person("1", "ann", active=True), 20, row_at=1))
    assert acme.active() == {"ann": False}
    assert acme.people()["ann"]["title"] == "Lead"


def test_late_news_bring_nobody_back_who_was_missing_since(acme: Company) -> None:
    told(acme, snapshot(person("1", "ann"), 5, row_at=1))
    told(acme, missing("1", 10))
    told(acme, event(part("1", {"title": "Lead"}, active=True), 7))
    assert (acme.active(), acme.people()["ann"]["title"]) == ({"ann": False}, "Lead")
    assert told(acme, event(part("1", active=True), 11)) == ["updated"]
    assert acme.active() == {"ann": True}


def test_nobody_is_missing_who_was_spoken_of_since(acme: Company) -> None:
    told(acme, event(person("1", "ann"), 15, is_whole=True))
    assert told(acme, missing("1", 10)) == ["unchanged older_news"]


def test_who_was_missing_is_due_no_more(acme: Company, clock: Any) -> None:
    told(acme, event(person("1", "ann", starts_at=clock.now + DAY_MS), 1, is_whole=True))
    told(acme, missing("1", 10))
    assert word_of(acme).due_at is None


def test_part_of_somebody_unknown_waits_for_the_rest_in_the_same_delivery(acme: Company) -> None:
    news = event(part("1", {"title": "Lead"}), 10)
    assert (
        told(acme, news, event(person("1", "ann", document={"title": "Dev"}), 5, is_whole=True))
        == [
            "updated",
            "created",
        ]
        or acme.people()["ann"]["title"] == "Lead"
    )
    assert acme.people()["ann"]["title"] == "Lead"


def test_part_of_somebody_unknown_is_refused_alone(acme: Company) -> None:
    assert told(acme, event(part("1", {"title": "Lead"}), 10)) == ["refused missing_field"]
    assert told(acme, event(part("1", {"title": "Lead"}), 10), event(person("2", "bob"), 11, is_whole=True)) == [
        "refused missing_field",
        "created",
    ]
    assert list(acme.people()) == ["bob"]
    report = verify_ledger(acme.store)
    assert report["balanced"], report


def test_part_of_somebody_whom_another_source_brought_makes_nobody_twice(acme: Company) -> None:
    acme.record(replace(event(person("9", "ann"), 1, is_whole=True)), source="other")
    told(acme, event(part("1", {"title": "Lead"}), 10), event(person("1", "ann"), 5, is_whole=True))
    assert len(acme.people()) == 1
    assert acme.people()["ann"]["title"] == "Lead"


def test_a_record_that_is_closed_is_not_opened_by_older_news_of_it(acme: Company) -> None:
    told(acme, event(person("1", "ann"), 1, is_whole=True))
    assert told(acme, event(person("2", "ann", active=False), 10, is_whole=True)) == ["unchanged other_record"]
    assert told(acme, event(person("1", "ann", active=False), 2, is_whole=True)) == ["deactivated"]
    assert told(acme, event(person("2", "ann"), 5, is_whole=True)) == ["unchanged older_news"]
    assert acme.active() == {"ann": False}


def test_a_record_that_was_followed_by_another_is_not_opened_by_older_news(acme: Company) -> None:
    told(acme, event(person("1", "ann", active=False), 0, is_whole=True))
    told(acme, event(person("1", "ann"), 1, is_whole=True))
    told(acme, event(person("1", "ann", active=False), 4, is_whole=True), event(person("2", "ann"), 5, is_whole=True))
    assert acme.active() == {"ann": True}
    assert told(acme, event(person("1", "ann"), 2, is_whole=True)) == ["unchanged older_news"]


def test_a_row_that_opens_a_record_may_stand_before_the_one_that_closes_another(acme: Company) -> None:
    told(acme, event(person("1", "ann"), 1, is_whole=True))
    opens, closes = event(person("2", "ann"), 5, is_whole=True), event(person("1", "ann", active=False), 4)
    assert told(acme, opens, closes) == ["updated", "updated"]
    assert acme.active() == {"ann": True}


@pytest.mark.parametrize(
    "left",
    [
        event(person("1", "ann", active=False), 10, is_whole=True),
        event(Person(external_id="1", document={"externalId": "1"}, active=False), 10, is_whole=True),
        event(part("1", active=False), 10),
        ends("1", 10),
    ],
    ids=["whole", "without a name", "part", "gone"],
)
def test_nothing_older_makes_somebody_of_whom_it_was_first_said_that_they_left(acme: Company, left: Said) -> None:
    assert told(acme, left) == ["unchanged not_here"]
    for _ in range(2):
        assert told(acme, event(person("1", "ann"), 5, is_whole=True)) == ["unchanged older_news"]
        assert told(acme, event(part("1", {"title": "Lead"}), 11)) == ["unchanged not_here"]
        assert told(acme, event(person("2", "bob"), 6, is_whole=True), left)[1] == "unchanged not_here"
    assert list(acme.people()) == ["bob"]
    assert told(acme, event(person("1", "ann"), 20, is_whole=True)) == ["created"]
    assert acme.active() == {"ann": True, "bob": True}
    assert told(acme, event(person("1", "ann", active=False), 21, is_whole=True)) == ["deactivated"]
    report = verify_ledger(acme.store)
    assert report["balanced"], report


def test_a_stranger_who_left_is_known_again_by_the_digest_of_the_row(acme: Company) -> None:
    left = event(person("1", "ann", active=False), 10, is_whole=True)
    acme.record(replace(left, digest="d"))
    with acme.store.begin(acme.tenant, write=False) as tx:
        found = strangers.of_source(tx, "hr", ["1", "2"])
        assert {external_id: each.row_digest for external_id, each in found.items()} == {"1": "d"}
        assert identities.of_source(tx, "hr", ["1"]) == {}
    assert acme.waiting() == []


def test_a_stranger_who_left_is_remembered_within_one_delivery(acme: Company) -> None:
    left, was_there = event(person("1", "ann", active=False), 10), event(person("1", "ann"), 5, is_whole=True)
    assert told(acme, left, was_there) == ["unchanged not_here", "unchanged older_news"]
    assert acme.people() == {}
