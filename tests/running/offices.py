"""Two tenants with a little of everything an operator looks at, made by the code that makes it in life."""

import io
import random
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fakes.dispatcher import RecordingDispatcher
from fakes.target import MAPPING, FakeTarget
from flask import Flask

from scim_bridge.domain.resources import USER
from scim_bridge.domain.rows import Refusal, Row
from scim_bridge.intake.hr.imports.receiving import Arrival
from scim_bridge.intake.hr.imports.whole import Run
from scim_bridge.operators import drift, inbox, notes, replay_plans
from scim_bridge.recording.imports import Source
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.scopes import scopes_of
from scim_bridge.settings.models import GuardSettings, Settings, TargetSettings, TenantSettings, WebSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import directory, errands, hr_events, inbound, lanes, tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app
from workers.delivery import round as delivery_round
from workers.runtime import Runtime

TENANTS = ("acme", "other")
TARGET = "lms"
SCOPES = ("ops:viewer", "ops:operator", "ops:admin", "scim")
SECRET = b"s" * 32

HR = SourceSettings(
    name="hr",
    kind="csv",
    mapping={"externalId": "id", "userName": "email", "name.familyName": "lastName"},
)
SHEET = b"id,email,lastName\r\n1,zoe@{}.example,Lee\r\n2,,Nobody\r\n"


def settings() -> Settings:
    """Return a configuration in which one deactivation goes through and the next is held."""
    guard = GuardSettings(max=1, share=1.0, window_s=3600, min=0)
    target = TargetSettings(name=TARGET, kind="fake", mapping=MAPPING, guard=guard)
    sources = [SourceSettings(name="idp"), HR]
    tenants = [TenantSettings(id=each, targets=[target], sources=sources) for each in TENANTS]
    return Settings(web=WebSettings(requests_per_s=0), tenants=tenants)


@dataclass
class Office:
    """What one tenant has: numbers and names by which an operator asks for it."""

    tenant: str
    tokens: dict[str, str] = field(default_factory=dict)
    token_ids: dict[str, str] = field(default_factory=dict)
    scim_ids: dict[str, str] = field(default_factory=dict)
    dead: list[int] = field(default_factory=list)
    event: int = 0
    import_name: str = ""
    replay: int = 0
    errand: int = 0
    batch: int = 0

    @property
    def held(self) -> str:
        """Return one of the two who are held."""
        return self.name_of("fay")

    def name_of(self, who: str) -> str:
        return f"{who}@{self.tenant}.example"


class Offices:
    """Both tenants, in one store."""

    def __init__(self, url: str, clock: Callable[[], int], *, filled: Mapping[str, Office] | None = None) -> None:
        """Fill a database, or open a copy of one that was `filled` before."""
        self.clock = clock
        self.store = Store.open(url, clock=clock, use_database_clock=False)
        self.settings = settings()
        self.dispatcher = RecordingDispatcher()
        self.by_tenant = dict(filled or {tenant: Office(tenant) for tenant in TENANTS})
        if filled is None:
            self._fill_all()

    def _fill_all(self) -> None:
        with self.store.across_tenants("make the lanes", write=True) as tx:
            lanes.sync(tx, [(tenant, TARGET) for tenant in TENANTS])
        for office in self.by_tenant.values():
            self._fill(office)

    def close(self) -> None:
        self.store.close()

    def app(self, *, queue_url: str) -> Flask:
        return create_app(
            self.settings, self.store, self.dispatcher, clock=self.clock, secret=SECRET, queue_url=queue_url
        )

    def _fill(self, office: Office) -> None:
        target = FakeTarget(mapping=MAPPING, tells_ids=True)
        for who in ("cyd", "dan"):
            target.refuses[office.name_of(who)] = "The name is too long."
        for who in ("ann", "cyd", "dan", "eve", "fay", "gil"):
            self._push(office, who)
        self._work(office, target)
        for who in ("eve", "fay", "gil"):
            self._push(office, who, active=False)
        self._work(office, target)
        self._issue_tokens(office)
        self._tell_of_rows(office)
        self._work_on_the_dead(office)
        self._compare(office)
        self._knock(office)

    def _push(self, office: Office, who: str, **changes: Any) -> None:
        name = office.name_of(who)
        document = {"userName": name, "emails": [{"value": name, "primary": True}], "active": True, **changes}
        tenant = self.settings.tenant(office.tenant)
        assert tenant is not None
        with self.store.begin(office.tenant) as tx:
            recorder = Recorder(tx, scopes=scopes_of(tenant), origin=Origin(source="idp", correlation_id="c"))
            if who in office.scim_ids:
                recorder.update(directory.fetch(tx, USER, office.scim_ids[who]), document)
            else:
                office.scim_ids[who] = recorder.create(USER, document).scim_id

    def _work(self, office: Office, target: FakeTarget) -> None:
        runtime = Runtime(
            settings=self.settings,
            store=self.store,
            dispatcher=self.dispatcher,
            fingerprint_key=b"k" * 32,
            clock=self.clock,
            random=random.Random(7),
            targets={(office.tenant, TARGET): target},
        )
        runtime.pause = lambda _seconds: None
        delivery_round.work_lane(runtime, office.tenant, TARGET)

    def _issue_tokens(self, office: Office) -> None:
        for scope in SCOPES:
            with self.store.begin(office.tenant) as tx:
                issued = tokens.issue(tx, scopes=[scope], source="idp", name=f"{scope} of {office.tenant}")
            office.tokens[scope], office.token_ids[scope] = issued.value, issued.id

    def _tell_of_rows(self, office: Office) -> None:
        tenant = self.settings.tenant(office.tenant)
        assert tenant is not None
        source = Source(tenant=tenant, settings=HR, scopes=scopes_of(tenant))
        run = Run(store=self.store, dispatcher=self.dispatcher, source=source, secret=SECRET)
        arrival = Arrival(tenant=office.tenant, source="hr", correlation_id=f"import-{secrets.token_hex(4)}")
        sheet = SHEET.replace(b"{}", office.tenant.encode())
        office.import_name = run.run(arrival, io.BytesIO(sheet), lambda *_: None).name
        refusal = Refusal(code="unknown_status", field="active", advice="Add it to one of the two.")
        row = Row(external_id=f"person-of-{office.tenant}", fields={"email": "x"}, position=1)
        kept = hr_events.Kept(state=hr_events.REFUSED, row=row, correlation_id="c", refusal=refusal)
        with self.store.begin(office.tenant) as tx:
            hr_events.keep(tx, "hr", [kept])
            office.event = int(tx.connection.exec_driver_sql("SELECT max(id) FROM hr_event").scalar_one())

    def _work_on_the_dead(self, office: Office) -> None:
        items = inbox.items(self.store, office.tenant)["items"]
        office.dead = [item["operation"] for item in items]
        assert len(office.dead) == 2, items
        office.batch = items[0]["batch"]
        notes.note(self.store, office.tenant, office.dead[:1], who="op@desk", text=f"Noted at {office.tenant}.")
        made = replay_plans.plan(
            self.store, self.settings, tenant=office.tenant, who="op@desk", operations=office.dead[:1]
        )
        office.replay = made["replay"]

    def _compare(self, office: Office) -> None:
        asked = drift.ask(self.store, self.dispatcher, tenant=office.tenant, target=TARGET, who="op@desk")
        office.errand = asked["errand"]
        line = {
            "kind": "missing",
            "resource_id": None,
            "account_id": f"account-of-{office.tenant}",
            "detail": ["status"],
        }
        with self.store.begin(office.tenant) as tx:
            held = errands.take(tx, office.errand, lease_ms=1_000)
            assert held is not None
            errands.begin_rows(tx, held)
            errands.add_rows(tx, held, [line, line], first=1)
            assert errands.end(tx, held, status=errands.DONE, answer={"missing": 2})

    def _knock(self, office: Office) -> None:
        seen = inbound.Seen(
            at=self.clock(),
            method="POST",
            route="/scim/v2/Users",
            status=409,
            took_ms=3,
            tenant=office.tenant,
            token_id=office.token_ids["scim"],
            source="idp",
            correlation_id="c",
            detail=f"Taken at {office.tenant}.",
        )
        with self.store.begin(office.tenant) as tx:
            inbound.append(tx, [seen, seen])
