"""What benches put into a directory is what would be there, had a sender sent it."""

import hashlib
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from scim_bridge.domain.models import MODELS
from scim_bridge.domain.resources import GROUP, USER
from scim_bridge.intake.scim import shown
from scim_bridge.recording import edits
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.sandbox.benches import crowd
from scim_bridge.sandbox.benches.crowd import Crowd
from scim_bridge.store import directory, due, lanes, members, population, seals, seeding, tables, tallies
from scim_bridge.store.engine import Store
from scim_bridge.store.seeding import Seed
from scim_bridge.store.verify import verify_ledger

SENT, SEEDED = "sent", "seeded"
PEOPLE = Crowd(7)
CHANCE = {"id", "number", "scim_id", "tenant", "resource_id", "version", "correlation_id", "seal"}
"""Columns that differ from one recording to the next."""


def rows_of(store: Store, table: sa.Table, tenant: str) -> list[dict[str, Any]]:
    with store.begin(tenant, write=False) as tx:
        found = tx.connection.execute(sa.select(table).where(table.c.tenant == tenant)).mappings().all()
    rows = [{name: value for name, value in row.items() if name not in CHANCE} for row in found]
    return sorted(rows, key=str)


def seed_of(document: dict[str, Any]) -> Seed:
    return Seed(scim_id=uuid4().hex, document=document, attributes=edits.touched({}, document))


@pytest.fixture
def both(store: Store) -> Store:
    """A store in which one tenant's people were recorded, and another's the same people put in."""
    documents = [PEOPLE.user(number) for number in range(30)]
    with store.begin(SENT) as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c"))
        for document in documents:
            recorder.create(USER, document)
        recorder.create(GROUP, PEOPLE.group("Team"))
    with store.begin(SEEDED) as tx:
        seeding.put(tx, USER, [seed_of(document) for document in documents], source="idp")
        seeding.put(tx, GROUP, [seed_of(PEOPLE.group("Team"))], source="idp")
    return store


@pytest.mark.parametrize("table", [tables.resource, tables.lookup, tables.change], ids=lambda table: str(table.name))
def test_the_rows_are_those_that_recording_writes(both: Store, table: sa.Table) -> None:
    seeded = rows_of(both, table, SEEDED)
    assert seeded == rows_of(both, table, SENT)
    assert len(seeded) >= 31


def test_the_people_are_as_the_models_write_them() -> None:
    for number in range(60):
        document = PEOPLE.user(number)
        assert shown.document_to_store(MODELS[USER].model_validate(document)) == document


def test_the_books_of_a_built_directory_agree(store: Store) -> None:
    built = sum(crowd.build(store, SEEDED, PEOPLE, range(700), source="idp"))
    built += sum(crowd.build(store, SEEDED, PEOPLE, range(700, 800), source="idp"))
    assert built == 800
    report = verify_ledger(store, SEEDED)
    assert report["balanced"], report
    assert report["tenants"][0]["changes"]["accepted"] == 800 + 3
    with store.begin(SEEDED, write=False) as tx:
        assert population.living(tx, [USER]) == 800
        assert population.living(tx, [GROUP]) == 3
        team = directory.fetch(tx, GROUP, PEOPLE.group_id(500))
        assert team is not None
        inside = {each.scim_id for each in members.members_of(tx, [team.id])[team.id]}
    assert inside == {PEOPLE.scim_id(number) for number in range(500, 700)}


def test_who_is_created_afterwards_gets_numbers_of_their_own(both: Store) -> None:
    """The database goes on counting behind what was put in."""
    with both.begin(SEEDED) as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c"))
        created = recorder.create(USER, PEOPLE.user(1_000))
    assert created.version > 0
    assert verify_ledger(both)["balanced"]


def test_each_change_is_sealed(both: Store) -> None:
    with both.begin(SEEDED, write=False) as tx:
        rows = tx.connection.execute(sa.select(tables.change).where(tables.change.c.tenant == SEEDED)).mappings().all()
    assert all(seals.seal_of(tables.change, row) == row["seal"] for row in rows)


def test_a_group_holds_exactly_those_who_were_named(store: Store) -> None:
    group_id = crowd.build_group(store, SEEDED, PEOPLE, name="All", users=20, members=range(12), source="idp")
    with store.begin(SEEDED, write=False) as tx:
        group = directory.fetch(tx, GROUP, group_id)
        assert group is not None
        inside = {each.scim_id for each in members.members_of(tx, [group.id])[group.id]}
    assert inside == {PEOPLE.scim_id(number) for number in range(12)}


def test_settling_changes_nobody(store: Store, store_url: str) -> None:
    sum(crowd.build(store, SEEDED, PEOPLE, range(50), source="idp"))
    before = _digest(store)
    seeding.settle(store_url)
    assert _digest(store) == before


def _digest(store: Store) -> str:
    with store.begin(SEEDED, write=False) as tx:
        rows = tx.connection.execute(sa.select(tables.resource).order_by(tables.resource.c.id)).all()
    return hashlib.sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()


def test_what_is_owed_looks_as_if_recording_had_owed_it(store: Store) -> None:
    documents = [{**PEOPLE.user(number), "active": True} for number in range(30)]
    with store.across_tenants("lanes of this test", write=True) as tx:
        lanes.sync(tx, [(tenant, target) for tenant in (SENT, SEEDED) for target in ("one", "two")])
    with store.begin(SENT) as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c"))
        for document in documents:
            recorder.create(USER, document)
    with store.begin(SEEDED, write=False) as tx:
        lane_ids = [lane.id for lane in lanes.configured(tx)]
    crowd.build_owed(store, SEEDED, PEOPLE, range(30), source="idp", lane_ids=lane_ids)
    for table in (tables.change, tables.operation):
        seeded = rows_of(store, table, SEEDED)
        sent = rows_of(store, table, SENT)
        assert len(seeded) == (60 if table is tables.operation else 30)
        assert [_without_lane(row) for row in seeded] == [_without_lane(row) for row in sent]
    assert verify_ledger(store)["balanced"]
    with store.begin(SEEDED, write=False) as tx:
        assert not tallies.is_done(tx)
        assert len(due.people_due(tx, lane_ids[0], limit=100)) == 30


def _without_lane(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("lane_id", "change_number")}


def test_only_the_named_lanes_are_owed(store: Store) -> None:
    with store.across_tenants("lanes of this test", write=True) as tx:
        lanes.sync(tx, [(SEEDED, "one"), (SEEDED, "two")])
    with store.begin(SEEDED, write=False) as tx:
        one, two = (lane.id for lane in lanes.configured(tx))
        assert tallies.is_done(tx)
    crowd.build_owed(store, SEEDED, PEOPLE, range(3), source="idp", lane_ids=[two])
    with store.begin(SEEDED, write=False) as tx:
        assert due.next_due(tx, one) is None
        assert due.next_due(tx, two) is not None
