"""The invented month: what its order promises, and what the model of its end knows."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from scim_bridge.sandbox.sources import month
from scim_bridge.sandbox.sources.month import Events, Fault, Month, Push, Snapshot

ENDED_AT = 1_700_000_000_000

SEEDS = range(1, 6)


@pytest.fixture(scope="module", params=SEEDS)
def told(request: pytest.FixtureRequest) -> Month:
    return month.generate(120, ended_at=ENDED_AT, days=20, seed=request.param)


def events_of(told: Month) -> Iterator[Mapping[str, Any]]:
    """Give every event once, in the order in which they first come."""
    seen: set[str] = set()
    for day in told.days:
        for delivery in day:
            for event in delivery.events if isinstance(delivery, Events) else ():
                if event["event_id"] not in seen:
                    seen.add(event["event_id"])
                    yield event


def test_a_seed_makes_the_same_month_again() -> None:
    first, second = (month.generate(60, ended_at=ENDED_AT, days=10, seed=3) for _ in range(2))
    assert (first.days, first.employees, first.unknown) == (second.days, second.employees, second.unknown)


def test_no_partial_event_comes_before_the_whole_one_that_it_follows(told: Month) -> None:
    newest_partial: dict[str, str] = defaultdict(str)
    for event in events_of(told):
        # Instants of one length sort as texts.
        if event["event"] == "saved":
            assert event["occurred_at"] >= newest_partial[event["id"]]
        elif event["event_id"] not in told.unknown:
            newest_partial[event["id"]] = event["occurred_at"]


def test_an_event_of_somebody_unheard_of_comes_before_all_others_about_them(told: Month) -> None:
    first: dict[str, str] = {}
    for event in events_of(told):
        first.setdefault(event["id"], event["event_id"])
    assert told.unknown <= set(first.values())


def test_every_month_has_what_can_go_wrong() -> None:
    months = [month.generate(120, ended_at=ENDED_AT, days=20, seed=seed) for seed in SEEDS]
    assert any(each.unknown for each in months)
    for each in months:
        snapshots = [one for day in each.days for one in day if isinstance(one, Snapshot)]
        assert {one.fault for one in snapshots} == set(Fault)
        # The last word is a whole file.
        assert snapshots[-1].fault is Fault.NONE


def test_the_model_knows_every_address_that_anybody_ever_had(told: Month) -> None:
    ever: dict[str, set[str]] = defaultdict(set)
    for day in told.days:
        for delivery in day:
            if isinstance(delivery, Snapshot):
                for row in delivery.rows:
                    ever[row["id"]].add(row["email"])
    for each in told.employees:
        assert ever[each.id] <= {each.person.email, *each.former}


def test_a_person_of_two_records_is_pushed_as_the_newer_one_says() -> None:
    """An identity provider knows a person once, and not under an address that they have given up."""
    told = month.generate(60, ended_at=ENDED_AT, days=20, seed=9)
    for day in told.days[1:]:
        evening = day[-1]
        assert isinstance(evening, Snapshot)
        # The newer record's id is the older one's with a letter before it, and stands behind it.
        addresses = {row["id"].removeprefix("E"): row["email"] for row in evening.rows}
        for delivery in day:
            for person in delivery.people if isinstance(delivery, Push) else ():
                assert addresses.get(person.external_id, person.email) == person.email
