"""Files of HR rows that come late or out of order, on both databases."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fakes.hr import DAY_MS, Company, person
from fakes.stores import shared_url

from scim_bridge.domain.rows import Person, Row
from scim_bridge.intake.hr.imports import report
from scim_bridge.intake.hr.imports.receiving import Arrival, Receiver
from scim_bridge.mapping.rows import RowMapping
from scim_bridge.recording import imports as recording
from scim_bridge.recording.imports import Source
from scim_bridge.recording.rows import Said
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import contributions, hr_events, identities, imports
from scim_bridge.store.engine import Store
from scim_bridge.store.hr_events import Kept

T = 1_000_000_000_000
CHANGED = "2001-09-09T01:46:40Z"

SETTINGS = SourceSettings(
    name="hr",
    kind="csv",
    mapping={"externalId": "id", "userName": "name", "displayName": "name", "meta.lastModified": "changed"},
    smallest_share=0.0,
)


@dataclass(slots=True, kw_only=True)
class Office:
    """A company whose HR system sends snapshots of which each row tells when it was changed last."""

    company: Company
    settings: SourceSettings = SETTINGS
    told: str = CHANGED
    """What stands in the last column of each row."""

    def reads(self, told: str, **mapping: str) -> None:
        """Take files whose rows have no time of their own; `mapping` says what the last column is."""
        read = {"externalId": "id", "userName": "name", "displayName": "name", **mapping}
        self.settings = SETTINGS.model_copy(update={"mapping": read, "inactive_values": ["left"]})
        self.told = told

    def dates(self) -> tuple[int | None, int | None]:
        """Return ann's last day, and when it falls due."""
        with self.company.store.begin(self.company.tenant, write=False) as tx:
            number = identities.of_source(tx, "hr", ["ann"])["ann"].resource_id
            said = contributions.of_source(tx, "hr", [number])[number]
        return said.ends_at, said.due_at

    def tell(self, name: str, *, day: int, active: bool) -> str:
        """Record an event of a day, and return what became of it."""
        return self.company.outcomes(person(name, name, active=active), at=T + day * DAY_MS)[0]

    def hear(self, day: int, what: Person | None, *, is_dated: bool = False) -> str:
        """Record an event of a day that states a part of ann, or that she is gone, and return what became of it."""
        at = T + day * DAY_MS
        said = Said(position=1, external_id="ann", what=what, said_at=at, is_whole=False, is_dated=is_dated)
        (became,) = self.company.record(said).became
        return f"{became.outcome} {became.code}".strip()

    def snapshot(self, *names: str, day: int, is_snapshot: bool = True) -> list[str]:
        """Take a file that was made on a day, and return what became of its rows."""
        tenant = TenantSettings(id=self.company.tenant, sources=[self.settings])
        source = Source(tenant=tenant, settings=self.settings, scopes={})
        file = "id,name,changed\n" + "".join(f"{name},{name},{self.told}\n" for name in names)
        receiver = Receiver(
            store=self.company.store, settings=self.settings, mapping=RowMapping(self.settings), secret=b"s" * 32
        )
        arrival = Arrival(
            tenant=self.company.tenant,
            source="hr",
            correlation_id="c",
            is_snapshot=is_snapshot,
            said_at=T + day * DAY_MS,
        )
        found = receiver.receive(arrival, io.BytesIO(file.encode()))
        while (found := self.now(found.name)).is_open:
            recording.work(self.company.store, source, found)
        return [
            f"{each['id']} {each['outcome']} {each['code'] or ''}".strip()
            for each in json.loads("".join(report.as_json(self.company.store, found)))
        ]

    def now(self, name: str) -> imports.Import:
        with self.company.store.begin(self.company.tenant, write=False) as tx:
            found = imports.named(tx, name)
        assert found is not None
        return found


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with shared_url(request) as found:
        yield found


@pytest.fixture
def office(url: str, request: pytest.FixtureRequest, clock: Any) -> Iterator[Office]:
    opened = Store.open(url, clock=clock, use_database_clock=False)
    yield Office(company=Company(store=opened, tenant=request.node.originalname))
    opened.close()


def test_the_rows_tell_when_they_were_changed() -> None:
    mapping = RowMapping(SETTINGS)
    row = Row(external_id="a", fields={"id": "a", "name": "a", "changed": CHANGED}, position=1)
    assert mapping.said_at_of(row.fields) == T


def test_who_was_missing_once_comes_back_with_a_row_that_was_not_changed(office: Office) -> None:
    office.snapshot("ann", "bob", day=1)
    assert office.snapshot("bob", day=2) == ["bob unchanged", "ann deactivated not_in_snapshot"]
    assert office.company.active() == {"ann": False, "bob": True}
    assert office.snapshot("ann", "bob", day=3) == ["ann updated", "bob unchanged"]
    assert office.company.active() == {"ann": True, "bob": True}
    assert office.snapshot("ann", "bob", day=4) == ["ann unchanged", "bob unchanged"]
    assert office.snapshot("bob", day=5)[1:] == ["ann deactivated not_in_snapshot"]


def test_a_snapshot_that_comes_late_ends_nobody_whom_a_later_one_names(office: Office) -> None:
    office.snapshot("ann", "bob", "cyd", day=1)
    office.snapshot("ann", "bob", day=9)
    assert office.snapshot("bob", day=5) == ["bob unchanged", "ann unchanged older_news"]
    assert office.company.active() == {"ann": True, "bob": True, "cyd": False}


def test_an_event_that_comes_late_revives_nobody_whom_a_file_has_as_a_leaver(office: Office) -> None:
    """The file has the leaver's row as it was, so nothing was recorded of it."""
    office.settings = SETTINGS.model_copy(update={"mapping": {**SETTINGS.mapping, "active": "changed"}})
    office.settings = office.settings.model_copy(update={"inactive_values": [CHANGED]})
    office.tell("ann", day=0, active=True)
    assert office.snapshot("ann", day=1) == ["ann deactivated"]
    assert office.snapshot("ann", day=9) == ["ann unchanged"]
    assert office.tell("ann", day=5, active=True) == "unchanged older_news"
    assert office.company.active() == {"ann": False}
    assert office.tell("ann", day=10, active=True) == "updated"
    assert office.company.active() == {"ann": True}


def part(**more: Any) -> Person:
    return Person(external_id="ann", document={"externalId": "ann"}, **more)


def test_an_event_that_comes_late_makes_nobody_of_a_stranger_whom_a_later_file_has_as_a_leaver(office: Office) -> None:
    office.reads("left", active="changed")
    assert office.snapshot("ann", day=1) == ["ann unchanged not_here"]
    assert office.snapshot("ann", day=9) == ["ann unchanged"]
    assert office.tell("ann", day=5, active=True) == "unchanged older_news"
    assert office.company.active() == {}
    assert office.tell("ann", day=10, active=True) == "created"


def test_an_event_that_comes_late_takes_no_last_day_away_that_a_later_file_repeats(office: Office, clock: Any) -> None:
    clock.now = T + 20 * DAY_MS
    office.reads("2001-10-09", endDate="changed")
    office.snapshot("ann", day=1)
    dates = office.dates()
    assert None not in dates
    office.snapshot("ann", day=9)
    assert office.hear(5, part(says_end=True)) == "unchanged older_news"
    assert office.tell("ann", day=5, active=True) == "unchanged older_news"
    assert office.dates() == dates
    office.hear(10, part(says_end=True))
    assert office.dates() == (None, None)


def test_an_event_that_comes_late_ends_nobody_whom_a_later_file_has_as_before(office: Office) -> None:
    office.reads("")
    office.snapshot("ann", day=1)
    office.snapshot("ann", day=9)
    assert office.hear(5, None) == "unchanged older_news"
    assert office.hear(5, part(active=False)) == "unchanged older_news"
    assert office.hear(12, part(manager_id="")) == "unchanged"
    assert office.hear(6, part(active=False)) == "unchanged older_news"
    assert office.company.active() == {"ann": True}
    assert office.hear(13, None) == "deactivated"


def test_an_end_that_was_said_since_is_confirmed_by_no_file_before_it(office: Office) -> None:
    """The file repeats a row that does not stand any more."""
    office.snapshot("ann", day=1)
    office.snapshot("ann", day=9)
    assert office.hear(5, None, is_dated=True) == "deactivated"
    assert office.hear(8, part(active=True), is_dated=True) == "updated"


def test_a_file_of_some_columns_repeats_nothing_of_the_others(office: Office) -> None:
    office.reads("", title="elsewhere")
    for day in (1, 9):
        office.snapshot("ann", day=day, is_snapshot=False)
    assert office.hear(5, Person(external_id="ann", document={"title": "Dev"})) == "updated"


def test_news_of_a_day_count_although_a_file_of_that_day_has_the_row_as_before(office: Office) -> None:
    """Rows that tell only the day on which they were changed: the file was made before noon, the change came after."""
    office.snapshot("ann", day=1)
    office.snapshot("ann", day=9)
    assert office.hear(8, None, is_dated=True) == "deactivated"


def test_no_row_is_taken_for_unchanged_while_an_event_of_its_source_waits(office: Office) -> None:
    office.reads("")
    office.snapshot("ann", day=1)
    with office.company.store.begin(office.company.tenant) as tx:
        waiting = Row(external_id="ann", fields={"id": "ann"}, position=1, is_gone=True, said_at=T + 5 * DAY_MS)
        hr_events.keep(tx, "hr", [Kept(state=hr_events.WAITING, row=waiting, correlation_id="c")])
    office.snapshot("ann", day=9)
    with office.company.store.begin(office.company.tenant, write=False) as tx:
        number = identities.of_source(tx, "hr", ["ann"])["ann"].resource_id
        assert contributions.of_source(tx, "hr", [number])[number].said_at == T + 9 * DAY_MS


def test_a_closed_record_that_a_later_file_repeats_is_opened_by_nothing_older(office: Office) -> None:
    office.reads("left", active="changed")
    ann = [{"value": "ann@acme.example"}]
    office.company.tell(Person(external_id="2", document={"userName": "ann", "emails": ann}, active=True), at=T)
    assert office.snapshot("ann", day=1, is_snapshot=False) == ["ann unchanged other_record"]
    assert office.snapshot("ann", day=9, is_snapshot=False) == ["ann unchanged"]
    office.company.tell(Person(external_id="2", document={"userName": "ann"}, active=False), at=T + 2 * DAY_MS)
    assert office.tell("ann", day=5, active=True) == "unchanged older_news"
