"""A month of a small company through webhooks, SCIM and daily snapshots: the directory ends as the model says."""

import io
import json
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from fakes.dispatcher import RecordingDispatcher
from fakes.hr import Company
from flask.testing import FlaskClient
from pydantic import SecretStr
from running import hr_senders
from running.door import Sender
from werkzeug.test import TestResponse

from scim_bridge import shipped
from scim_bridge.domain.instants import to_iso
from scim_bridge.recording import imports as recording
from scim_bridge.recording.imports import Source
from scim_bridge.sandbox import compare
from scim_bridge.sandbox.senders.people import Person
from scim_bridge.sandbox.sources import month
from scim_bridge.sandbox.sources.month import Events, Fault, Month, Push, Snapshot
from scim_bridge.settings.models import Settings, TargetSettings, TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import imports, lanes, tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger
from scim_bridge.web.app import create_app

SEED = 20261121
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
HR = SourceSettings(
    name="hr",
    kind="generic",
    secret=SecretStr(hr_senders.SECRET),
    owns=list(month.OWNED),
    **tomllib.loads((shipped.folder() / "sources" / "generic.toml").read_text("utf-8")),
)
TENANT = TenantSettings(
    id="acme", sources=[SourceSettings(name="okta"), HR], targets=[TargetSettings(name="one", kind="fake")]
)


@dataclass
class Replay:
    """One bridge, to which a month is sent."""

    store: Store
    client: FlaskClient
    hr_token: str
    idp: Sender
    known: dict[str, str] = field(default_factory=dict)
    """The bridge's ids of people, by the identity provider's."""
    reports: list[tuple[Snapshot, dict[str, Any], list[dict[str, Any]]]] = field(default_factory=list)
    fates: Counter[str] = field(default_factory=Counter)
    refused: set[str] = field(default_factory=set)
    """Events, by their ids."""

    def play(self, told: Month) -> None:
        for deliveries in told.days:
            for each in deliveries:
                match each:
                    case Events():
                        self.tell(each)
                    case Push():
                        for person in each.people:
                            self.push(person)
                    case Snapshot():
                        self.take(each)

    def tell(self, delivery: Events) -> None:
        body = json.dumps(delivery.events).encode()
        headers = hr_senders.generic(body, at_s=self.store.clock() / 1000)
        answer = self.client.post("/hr/v1/events/acme/hr", data=body, headers=headers, content_type="application/json")
        assert answer.status_code == 200, answer.text
        told = _json(answer)["events"]
        self.fates.update(each["outcome"] for each in told)
        refused = [each["position"] for each in told if each["outcome"] == "refused"]
        self.refused.update(delivery.events[position - 1]["event_id"] for position in refused)

    def push(self, person: Person) -> None:
        """Push somebody as an identity provider does: look them up, then create or replace."""
        document = _document(person)
        if person.external_id not in self.known:
            asked = quote(f'userName eq "{person.user_name}"')
            listed = _json(self.idp.get(f"/Users?filter={asked}"))
            if not listed["totalResults"]:
                answer = self.idp.post("/Users", document)
                assert answer.status_code == 201, answer.text
                self.known[person.external_id] = _json(answer)["id"]
                return
            self.known[person.external_id] = listed["Resources"][0]["id"]
        answer = self.idp.put(f"/Users/{self.known[person.external_id]}", document)
        assert answer.status_code == 200, answer.text

    def take(self, snapshot: Snapshot) -> None:
        answer = self.client.post(
            "/hr/v1/imports",
            query_string={"mode": "snapshot", "said_at": to_iso(snapshot.taken_at)},
            data=io.BytesIO(snapshot.content()),
            headers={"Authorization": f"Bearer {self.hr_token}"},
            content_type="text/csv",
        )
        assert answer.status_code == 202, answer.text
        place = _json(answer)["location"]
        self.work(_json(answer)["id"])
        summary = _json(self.client.get(place, headers={"Authorization": f"Bearer {self.hr_token}"}))
        rows = json.loads(
            self.client.get(f"{place}/report.json", headers={"Authorization": f"Bearer {self.hr_token}"}).text
        )
        self.reports.append((snapshot, summary, rows))

    def work(self, name: str) -> None:
        """Do what the relay does."""
        source = Source(tenant=TENANT, settings=HR, scopes={})
        while True:
            with self.store.begin("acme", write=False) as tx:
                found = imports.named(tx, name)
            assert found is not None
            if not found.is_open:
                return
            recording.work(self.store, source, found)


def _json(answer: TestResponse) -> dict[str, Any]:
    assert answer.json is not None
    return dict(answer.json)


def _document(person: Person) -> dict[str, Any]:
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", ENTERPRISE],
        "userName": person.user_name,
        "externalId": f"00u{person.external_id}",
        "name": {"givenName": person.given_name, "familyName": person.family_name},
        "emails": [{"value": person.email, "type": "work", "primary": True}],
        "displayName": f"{person.given_name} {person.family_name}",
        "title": person.title,
        "active": True,
    }


@pytest.fixture
def replay(store: Store) -> Replay:
    app = create_app(Settings(tenants=[TENANT]), store, RecordingDispatcher(), clock=store.clock, secret=b"s" * 32)
    client = app.test_client()
    with store.across_tenants("lanes for the test", write=True) as tx:
        lanes.sync(tx, [("acme", "one")])
    with store.begin("acme") as tx:
        hr_token = tokens.issue(tx, scopes=["hr"], source="hr").value
        okta = tokens.issue(tx, scopes=["scim"], source="okta").value
    return Replay(store=store, client=client, hr_token=hr_token, idp=Sender(client=client, token=okta, tenant="acme"))


def test_a_month_ends_as_the_model_says_with_every_row_accounted_for(replay: Replay) -> None:
    told = month.generate(40, ended_at=replay.store.clock(), days=6, seed=SEED)
    replay.play(told)
    held = compare.directory_state(Company(store=replay.store, tenant="acme").people().values())
    assert compare.differences(told.desired(), held) == []
    titles = {each.person.user_name: each.title for each in told.employees if each.is_active}
    found = {each.user_name: each.attributes["title"] for each in held.accounts if each.user_name in titles}
    assert found == titles
    for snapshot, summary, rows in replay.reports:
        assert sum(summary["outcomes"].values()) == len(rows)
        if snapshot.fault is Fault.NONE:
            assert [each["row"] for each in rows if each["code"] != "not_in_snapshot"] == [
                number for number, _ in enumerate(snapshot.rows, 1)
            ]
            assert {each["row"]: each["code"] for each in rows if each["outcome"] == "refused"} == snapshot.bad
        else:
            assert summary["nobody_missing_because"]
            assert "deactivated" not in summary["outcomes"]
    assert {snapshot.fault for snapshot, _, _ in replay.reports} == set(Fault)
    assert "not_in_snapshot" in {each["code"] for _, _, rows in replay.reports for each in rows}
    assert replay.fates["duplicate"]
    assert replay.refused == told.unknown
    assert verify_ledger(replay.store)["balanced"]
