"""Files of HR rows that come late or out of order, on both databases."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fakes.hr import DAY_MS, Company, person
from fakes.stores import shared_url

from scim_bridge.domain.rows import Row
from scim_bridge.intake.hr.imports import report
from scim_bridge.intake.hr.imports.receiving import Arrival, Receiver
from scim_bridge.mapping.rows import RowMapping
from scim_bridge.recording import imports as recording
from scim_bridge.recording.imports import Source
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import imports
from scim_bridge.store.engine import Store

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

    def tell(self, name: str, *, day: int, active: bool) -> str:
        """Record an event of a day, and return what became of it."""
        return self.company.outcomes(person(name, name, active=active), at=T + day * DAY_MS)[0]

    def snapshot(self, *names: str, day: int) -> list[str]:
        """Take a snapshot that was made on a day, and return what became of its rows."""
        tenant = TenantSettings(id=self.company.tenant, sources=[self.settings])
        source = Source(tenant=tenant, settings=self.settings, scopes={})
        file = "id,name,changed\n" + "".join(f"{name},{name},{CHANGED}\n" for name in names)
        receiver = Receiver(
            store=self.company.store, settings=self.settings, mapping=RowMapping(self.settings), secret=b"s" * 32
        )
        arrival = Arrival(
            tenant=self.company.tenant, source="hr", correlation_id="c", is_snapshot=True, said_at=T + day * DAY_MS
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
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with shared_url(request, tmp_path_factory) as found:
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
