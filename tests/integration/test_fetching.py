"""People whom an HR event only named, looked up in a simulated HR system and recorded like any other news."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from scim_bridge.domain.rows import Row
from scim_bridge.recording import hr_events as recording
from scim_bridge.recording.hr_events import Event
from scim_bridge.recording.origins import Origin
from scim_bridge.sandbox.sources.vendors import HrVendor, simulate_hr
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.settings.sources import FetchSettings, SourceSettings
from scim_bridge.store import hr_events, tables
from workers.relay import fetching

KEY = "bamboo-key-91c7"
MAPPING = {
    "bamboohr": {
        "externalId": "id",
        "userName": "workEmail",
        "name.familyName": "lastName",
        "title": "jobTitle",
        "active": "status",
        "meta.lastModified": "lastChanged",
    },
    "hibob": {
        "externalId": "id",
        "userName": "email",
        "name.familyName": "surname",
        "title": "work.title",
        "active": "internal.status",
    },
}
ANN = {"id": "1", "workEmail": "ann@x.com", "lastName": "Lee", "jobTitle": "Cook", "status": "Active", "ssn": "078-05"}


def bob(number: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "email": f"p{number}@x.com",
        "surname": "Lee",
        "work": {"title": "255"},
        "internal": {"status": "Active"},
        **more,
    }


@dataclass
class Source:
    """A source whose events name people only, and the HR system that knows them."""

    bench: Any
    system: Simulator[HrVendor]
    kind: str = "bamboohr"

    def __post_init__(self) -> None:
        self.configure()

    def configure(self, *, secret: str = KEY, paused: bool = False, **limits: Any) -> None:
        """Configure the source as if the relay had just been started."""
        fetch = FetchSettings(
            base_url=self.system.base_url, user="SERVICE-1", secret=SecretStr(secret), **{"requests": 1000, **limits}
        )
        source = SourceSettings(
            name="hr",
            kind=self.kind,
            mapping=MAPPING[self.kind],
            active_values=["active"],
            inactive_values=["inactive"],
            paused=paused,
            fetch=fetch,
        )
        [tenant] = self.bench.settings.tenants
        tenants = [tenant.model_copy(update={"sources": [source]})]
        self.bench.runtime.settings = self.bench.settings.model_copy(update={"tenants": tenants})
        self.bench.runtime.askers.clear()

    def say(self, external_id: str, *, said_at: int | None = None, **what: Any) -> str:
        """Record an event as the front door does; without more it names the person only."""
        source = recording.sources_of(self.bench.runtime.settings.tenant("acme"))["hr"]
        row = Row(
            external_id=external_id, position=1, said_at=said_at, **{"fields": {}, "needs_fetch": not what, **what}
        )
        with self.bench.store.begin("acme") as tx:
            origin = Origin(source="hr", correlation_id=f"c-{external_id}")
            fates, _ = recording.record(tx, [Event(row=row)], source=source, scopes={}, origin=origin)
        self.bench.clock.advance(ms=1_000)
        return fates[0].outcome

    def ask(self, *, after_ms: int = 0) -> None:
        """Let the relay's duty ask until it has nothing to ask now."""
        self.bench.clock.advance(ms=after_ms)
        fetching.run_once(self.bench.runtime, self.bench.clock())
        fetching.finish(self.bench.runtime, patience_s=20)

    def waiting(self) -> dict[str, str]:
        """Return who is still to be looked up, with the code of what kept it from being done."""
        return {each.row.external_id: each.refusal.code if each.refusal else "" for each in self.kept(hr_events.FETCH)}

    def kept(self, state: str) -> list[hr_events.Kept]:
        with self.bench.store.begin("acme", write=False) as tx:
            return hr_events.of_state(tx, "hr", state, limit=1_000)

    def people(self) -> dict[str, Any]:
        query = sa.select(tables.resource.c.document, tables.resource.c.active).where(tables.resource.c.kind == "User")
        with self.bench.store.begin("acme", write=False) as tx:
            found = [{**json.loads(row.document), "active": bool(row.active)} for row in tx.connection.execute(query)]
        return {each["externalId"]: each for each in found}

    def titles(self) -> dict[str, Any]:
        return {number: each.get("title") for number, each in self.people().items()}

    def calls(self) -> int:
        return len(list(self.system.log))


@pytest.fixture
def bamboohr(make_bench: Callable[..., Any]) -> Iterator[Source]:
    with simulate_hr("bamboohr", secret=KEY, limits=()) as system:
        system.vendor.put(ANN)
        yield Source(make_bench(), system)


@pytest.fixture
def hibob(make_bench: Callable[..., Any]) -> Iterator[Source]:
    with simulate_hr("hibob", secret=KEY, limits=()) as system:
        system.vendor.put(*(bob(str(number)) for number in range(1, 61)))
        system.vendor.lists["255"] = "Cook"
        yield Source(make_bench(), system, "hibob")


def test_whom_an_event_names_is_looked_up(bamboohr: Source) -> None:
    assert bamboohr.say("1") == "needs_fetch"
    bamboohr.ask()
    assert bamboohr.waiting() == {}
    [ann] = bamboohr.people().values()
    assert (ann["userName"], ann["title"], ann["active"]) == ("ann@x.com", "Cook", True)
    assert [(tenant, target) for tenant, target, _ in bamboohr.bench.runtime.dispatcher.wakes] == [("acme", "lms")]
