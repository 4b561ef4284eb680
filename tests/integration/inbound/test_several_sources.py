"""People of whom several sources speak: identity providers over SCIM, and an HR system by rows."""

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.hr import person
from running.door import Sender

from scim_bridge.domain.rows import Person
from scim_bridge.operators import timeline
from scim_bridge.recording import rows
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.rows import Said
from scim_bridge.settings.models import Settings, TargetSettings, TenantSettings, WebSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import directory, tables, tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger
from scim_bridge.web.app import create_app

ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
_tenants = itertools.count(1)

OKTA = {
    "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
    "userName": "ann@acme.example",
    "name": {"givenName": "Annie", "familyName": "Doe"},
    "emails": [{"primary": True, "value": "ann@acme.example", "type": "work"}],
    "displayName": "Annie Doe",
    "locale": "en-US",
    "externalId": "00ujl29u0le5T6Aj10h7",
    "groups": [],
    "password": "1mz050nq",
    "active": True,
}


@dataclass
class Hr:
    """The tenant's HR system."""

    store: Store
    tenant: str
    owns: Mapping[str, Sequence[str]]

    def tell(self, *people: Person) -> list[str]:
        """Record whole rows and return what became of each."""
        said = [Said(position=n, external_id=each.external_id, what=each) for n, each in enumerate(people, 1)]
        with self.store.begin(self.tenant) as tx:
            recorded = rows.record(
                tx,
                said,
                source="hr",
                owns=self.owns,
                scopes={},
                origin=Origin(source="hr", correlation_id="import"),
            )
        return [str(each.outcome) for each in recorded.became]


@dataclass
class World:
    """One tenant: its sources and what its directory has come to."""

    store: Store
    settings: TenantSettings
    senders: Mapping[str, Sender]
    hr: Hr

    @property
    def okta(self) -> Sender:
        return self.senders["okta"]

    @property
    def entra(self) -> Sender:
        return self.senders["entra"]

    def directory(self, scim_id: str) -> dict[str, Any]:
        """Return what targets are given."""
        with self.store.begin(self.settings.id, write=False) as tx:
            stored = directory.fetch(tx, "User", scim_id)
            assert stored is not None
            assert stored.active is stored.document["active"]
            return dict(stored.document)

    def shown(self, who: str = "ann@acme.example") -> dict[str, Any]:
        """Return the one person of `user show`."""
        (found,) = timeline.show(self.store, who, self.settings.id, owns={self.settings.id: self.hr.owns})["people"]
        return dict(found)

    def owed(self) -> int:
        """Return how many operations the tenant has been made to owe."""
        operation = tables.operation
        with self.store.begin(self.settings.id, write=False) as tx:
            query = sa.select(sa.func.count()).where(operation.c.tenant == self.settings.id)
            return int(tx.connection.execute(query).scalar_one())


MakeWorld = Callable[..., World]


@pytest.fixture
def make_world(shared_store: Store, dispatcher: Any, web_settings: WebSettings, sleeps: Any) -> MakeWorld:
    """Make a tenant; `owns` of Okta, Entra and HR as given. `again` opens the door of a tenant with other sources."""

    def make(
        *,
        sources: Sequence[str] = ("okta", "entra", "hr"),
        again: World | None = None,
        replaces: Mapping[str, list[str]] | None = None,
        **owns: list[str],
    ) -> World:
        kinds = {"hr": "csv"}
        settings = TenantSettings(
            id=f"several-{next(_tenants)}" if again is None else again.settings.id,
            sources=[
                SourceSettings.model_validate(
                    {
                        "name": each,
                        "kind": kinds.get(each, "scim"),
                        "owns": owns.get(each, []),
                        "replaces": (replaces or {}).get(each, []),
                    }
                )
                for each in sources
            ],
            targets=[TargetSettings(name="everybody", kind="fake")],
        )
        door = create_app(
            Settings(web=web_settings, tenants=[settings]),
            shared_store,
            dispatcher,
            clock=shared_store.clock,
            secret=b"s" * 32,
            sleep=sleeps.sleep,
            monotonic_s=sleeps.monotonic_s,
        )
        with shared_store.begin(settings.id) as tx:
            tx.connection.execute(
                sa.insert(tables.lane).values(tenant=settings.id, target="everybody")
            ) if again is None else None
            issued = {each: tokens.issue(tx, scopes=("scim",), source=each) for each in ("okta", "entra")}
        senders = {each: Sender(door.test_client(), token.value, settings.id) for each, token in issued.items()}
        hr = Hr(shared_store, settings.id, {each.name: tuple(each.owns) for each in settings.sources})
        return World(shared_store, settings, senders, hr)

    return make


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


def created(sender: Sender, body: Mapping[str, Any]) -> dict[str, Any]:
    response = sender.post("/Users", body)
    assert response.status_code == 201, response.text
    return dict(response.json or {})


def said_back(sent: Mapping[str, Any], read: Mapping[str, Any]) -> dict[str, Any]:
    """Return of what is read the attributes that were sent."""
    return {name: read.get(name) for name in sent if name not in {"password", "groups", "schemas"}}


# -- Who is who --------------------------------------------------------------


def test_somebody_whom_hr_made_is_created_by_okta_as_the_same_person(world: World) -> None:
    assert world.hr.tell(person("007", "ann")) == ["created"]
    (known,) = world.okta.get('/Users?filter=userName eq "ann@acme.example"').json["Resources"]
    ann = created(world.okta, OKTA)
    assert ann["id"] == known["id"]
    again = world.okta.post("/Users", OKTA)
    assert (again.status_code, again.json["scimType"]) == (409, "uniqueness")
    assert verify_ledger(world.store)["balanced"]


def test_a_person_is_met_by_address_where_names_differ(world: World) -> None:
    world.hr.tell(person("007", "ann"))
    ann = created(world.okta, {**OKTA, "userName": "adoe"})
    assert ann["userName"] == "adoe"
    assert world.okta.get('/Users?filter=userName eq "ADOE"').json["Resources"][0]["id"] == ann["id"]
    assert len(world.okta.get("/Users").json["Resources"]) == 1


def test_a_mailbox_that_two_people_share_tells_nobody_apart(world: World) -> None:
    shared = {"emails": [{"value": "desk@acme.example"}]}
    created(world.entra, {"userName": "one", **shared})
    created(world.entra, {"userName": "two", **shared})
    created(world.okta, {"userName": "three", **shared})
    assert world.okta.get("/Users").json["totalResults"] == 3


def test_a_source_may_have_two_people_with_one_address(world: World) -> None:
    shared = {"emails": [{"value": "desk@acme.example"}]}
    one = created(world.okta, {"userName": "one", **shared})
    two = created(world.okta, {"userName": "two", **shared})
    assert one["id"] != two["id"]


def test_the_id_of_a_source_tells_the_person_before_any_name(world: World) -> None:
    ann = created(world.okta, OKTA)
    world.hr.tell(person("007", "ann"))
    world.okta.delete(f"/Users/{ann['id']}")
    back = created(world.okta, {"userName": "anna.new", "externalId": OKTA["externalId"], "active": True})
    assert back["id"] == ann["id"]


def test_two_identity_providers_may_know_one_person_by_two_external_ids(world: World) -> None:
    ann = created(world.okta, OKTA)
    same = created(world.entra, {**OKTA, "externalId": "entra-1"})
    assert same["id"] == ann["id"]
    for sender, external_id in ((world.okta, OKTA["externalId"]), (world.entra, "entra-1")):
        (found,) = sender.get(f'/Users?filter=externalId eq "{external_id}"').json["Resources"]
        assert (found["id"], found["externalId"]) == (ann["id"], external_id)
    assert world.directory(ann["id"])["externalId"] == OKTA["externalId"]


def test_a_source_may_not_call_two_people_by_one_name(make_world: MakeWorld) -> None:
    """The directory would not notice, as HR decides what people are called there."""
    world = make_world(hr=["userName"])
    world.hr.tell(person("1", "ann"), person("2", "bob"))
    created(world.okta, {**OKTA, "userName": "adoe"})
    bob = created(world.okta, {"userName": "bdoe", "emails": [{"value": "bob@acme.example"}]})
    renamed = world.okta.put(f"/Users/{bob['id']}", {"userName": "adoe"})
    assert (renamed.status_code, renamed.json["scimType"]) == (409, "uniqueness")


def test_two_identity_providers_who_bring_somebody_at_once_bring_one_person(world: World) -> None:
    for number in range(8):
        barrier = threading.Barrier(2)

        def bring(sender: Sender, body: Mapping[str, Any], barrier: threading.Barrier = barrier) -> dict[str, Any]:
            barrier.wait()
            return created(sender, body)

        body = {"userName": f"ann{number}", "externalId": f"o{number}"}
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(bring, each, body) for each in (world.okta, world.entra)]
            assert len({each.result()["id"] for each in both}) == 1
    assert verify_ledger(world.store)["balanced"]


# -- What is read back -------------------------------------------------------


def test_okta_reads_back_what_it_sent_whoever_owns_it(make_world: MakeWorld) -> None:
    world = make_world(hr=["userName", "name", "displayName", "active"])
    of_hr = {"emails": OKTA["emails"], "displayName": "Ann E."}
    world.hr.tell(person("007", "ann.hr", document=of_hr, active=True))
    world.hr.tell(person("007", "ann.hr", document=of_hr, active=False))
    ann = created(world.okta, OKTA)
    for read in (ann, world.okta.get(f"/Users/{ann['id']}").json, world.okta.get("/Users").json["Resources"][0]):
        assert said_back(OKTA, read) == said_back(OKTA, OKTA)
    merged = world.directory(ann["id"])
    assert (merged["userName"], merged["displayName"]) == ("ann.hr@acme.example", "Ann E.")
    assert merged["active"] is False


def test_okta_reads_back_what_it_puts(make_world: MakeWorld) -> None:
    world = make_world(hr=["name", "title"])
    world.hr.tell(person("007", "ann", document={"title": "Engineer"}))
    ann = created(world.okta, OKTA)
    assert ann["title"] == "Engineer"
    body = {**world.okta.get(f"/Users/{ann['id']}").json, "nickName": "A", "title": "Dev"}
    put = world.okta.put(f"/Users/{ann['id']}", body)
    assert said_back(body, put.json) | {"meta": None} == said_back(body, body) | {"meta": None}
    merged = world.directory(ann["id"])
    assert (merged["title"], merged["name"]["givenName"], merged["nickName"]) == ("Engineer", "Ann", "A")


def test_entra_reads_back_each_of_its_patches(make_world: MakeWorld) -> None:
    world = make_world(hr=["title", "department"])
    world.hr.tell(person("007", "ann", document={"title": "Engineer", ENTERPRISE: {"department": "R&D"}}))
    (ann,) = world.entra.get('/Users?filter=userName eq "ann@acme.example"').json["Resources"]
    path = f"/Users/{ann['id']}"
    world.entra.patch(path, {"op": "Replace", "path": "title", "value": "Dev"})
    world.entra.patch(path, {"op": "Add", "path": f"{ENTERPRISE}:department", "value": "IT"})
    world.entra.patch(path, {"op": "Add", "path": 'emails[type eq "home"].value', "value": "a@home.example"})
    read = world.entra.get(path).json
    assert (read["title"], read[ENTERPRISE]["department"]) == ("Dev", "IT")
    assert {each["value"] for each in read["emails"]} == {"ann@acme.example", "a@home.example"}
    merged = world.directory(ann["id"])
    assert (merged["title"], merged[ENTERPRISE]["department"]) == ("Engineer", "R&D")


def test_entra_reads_that_what_it_removed_is_gone(make_world: MakeWorld) -> None:
    world = make_world(hr=["title"])
    world.hr.tell(person("007", "ann", document={"title": "Engineer", ENTERPRISE: {"department": "R&D"}}))
    ann = created(world.entra, OKTA)
    path = f"/Users/{ann['id']}"
    world.entra.patch(path, {"op": "Remove", "path": "title"}, {"op": "Remove", "path": f"{ENTERPRISE}:department"})
    read = world.entra.get(path).json
    assert "title" not in read
    assert "department" not in read.get(ENTERPRISE, {})
    merged = world.directory(ann["id"])
    assert merged["title"] == "Engineer"
    assert ENTERPRISE not in merged


def test_what_entra_says_again_after_hr_said_it_is_its_own_word(world: World) -> None:
    """Or HR's next change would show Entra a difference, which it would send, and that would be the last word."""
    world.hr.tell(person("007", "ann", document={"title": "Dev"}))
    (ann,) = world.entra.get('/Users?filter=userName eq "ann@acme.example"').json["Resources"]
    world.entra.patch(f"/Users/{ann['id']}", {"op": "Replace", "path": "title", "value": "Dev"})
    world.hr.tell(person("007", "ann", document={"title": "Lead"}))
    assert world.entra.get(f"/Users/{ann['id']}").json["title"] == "Dev"
    assert world.directory(ann["id"])["title"] == "Lead"


def test_a_routine_put_does_not_undo_what_hr_said_since(world: World) -> None:
    ann = created(world.okta, {**OKTA, "title": "Dev"})
    world.hr.tell(person("007", "ann", document={"title": "Lead"}))
    before = world.owed()
    for _ in range(2):
        world.okta.put(f"/Users/{ann['id']}", {**OKTA, "title": "Dev"})
    assert world.directory(ann["id"])["title"] == "Lead"
    assert world.owed() == before


# -- Who is active -----------------------------------------------------------


def test_no_put_revives_somebody_whom_hr_ended(world: World) -> None:
    ann = created(world.okta, OKTA)
    assert world.hr.tell(person("007", "ann", active=True)) == ["updated"]
    assert world.hr.tell(person("007", "ann", active=False)) == ["deactivated"]
    before = world.owed()
    put = world.okta.put(f"/Users/{ann['id']}", OKTA)
    patched = world.okta.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"active": True}})
    assert (put.json["active"], patched.json["active"]) == (True, True)
    assert world.directory(ann["id"])["active"] is False
    assert world.owed() == before
    assert world.shown()["held_inactive_by"] == ["hr"]
    world.hr.tell(person("007", "ann", active=True))
    assert world.directory(ann["id"])["active"] is True
    assert world.shown()["held_inactive_by"] == []


def test_hr_revives_nobody_whom_okta_suspended(world: World) -> None:
    ann = created(world.okta, OKTA)
    world.okta.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"active": False}})
    world.hr.tell(person("007", "ann", active=True))
    assert world.directory(ann["id"])["active"] is False
    assert world.shown()["held_inactive_by"] == ["okta"]
    world.okta.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"active": True}})
    assert world.directory(ann["id"])["active"] is True


def test_a_leaver_is_urgent_whoever_says_it(world: World, dispatcher: Any) -> None:
    ann = created(world.okta, OKTA)
    world.hr.tell(person("007", "ann", active=True))
    world.okta.put(f"/Users/{ann['id']}", {**OKTA, "active": False})
    assert dispatcher.wakes[-1] == (world.settings.id, "everybody", True)


def test_only_the_owner_of_active_is_asked(make_world: MakeWorld) -> None:
    world = make_world(hr=["active"])
    ann = created(world.okta, OKTA)
    world.hr.tell(person("007", "ann", active=True))
    world.okta.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"active": False}})
    assert world.okta.get(f"/Users/{ann['id']}").json["active"] is False
    assert world.directory(ann["id"])["active"] is True


def test_a_put_that_does_not_say_active_holds_nobody(world: World) -> None:
    ann = created(world.okta, {**OKTA, "active": None})
    world.hr.tell(person("007", "ann", active=False))
    world.okta.put(f"/Users/{ann['id']}", {**OKTA, "active": None})
    world.hr.tell(person("007", "ann", active=True))
    assert world.directory(ann["id"])["active"] is True


# -- Who is deleted ----------------------------------------------------------


def test_whom_okta_deletes_while_hr_holds_them_is_gone_for_okta_alone(world: World) -> None:
    ann = created(world.okta, OKTA)
    world.hr.tell(person("007", "ann", active=True), person("8", "bob", active=True))
    world.okta.group("Sales", ann["id"])
    assert world.okta.delete(f"/Users/{ann['id']}").status_code == 204
    path = f"/Users/{ann['id']}"
    gone = [
        world.okta.get(path),
        world.okta.put(path, OKTA),
        world.okta.patch(path, {"op": "replace", "path": "title", "value": "x"}),
        world.okta.delete(path),
    ]
    assert {each.status_code for each in gone} == {404}
    for query in ("", "?sortBy=userName", "?cursor", '?filter=userName co "acme"', '?filter=active eq "false"'):
        assert ann["id"] not in {each["id"] for each in world.okta.get(f"/Users{query}").json["Resources"]}, query
    assert world.okta.get('/Users?filter=userName eq "ann@acme.example"').json["totalResults"] == 0
    assert world.okta.get(f'/Users?filter=externalId eq "{OKTA["externalId"]}"').json["totalResults"] == 0
    assert world.okta.get("/Users").json["totalResults"] == 1
    assert world.okta.get("/Users?count=0").json["totalResults"] == 1
    assert world.entra.get(path).status_code == 200
    assert world.entra.get("/Users").json["totalResults"] == 2
    assert "groups" not in world.entra.get(path).json
    assert world.directory(ann["id"])["active"] is False
    assert world.shown()["held_inactive_by"] == ["okta"]
    assert verify_ledger(world.store)["balanced"]


def test_whom_okta_deleted_it_may_create_again(world: World) -> None:
    ann = created(world.okta, OKTA)
    world.hr.tell(person("007", "ann", active=True))
    world.okta.delete(f"/Users/{ann['id']}")
    back = created(world.okta, OKTA)
    assert back["id"] == ann["id"]
    assert world.okta.get(f"/Users/{ann['id']}").status_code == 200
    assert world.directory(ann["id"])["active"] is True


def test_whom_nobody_else_holds_is_deleted_for_all(world: World) -> None:
    ann = created(world.okta, OKTA)
    created(world.entra, {**OKTA, "externalId": "entra-1"})
    for sender in (world.okta, world.entra):
        assert sender.delete(f"/Users/{ann['id']}").status_code == 204
    assert world.shown()["deleted_at"] is not None
    assert created(world.okta, OKTA)["id"] != ann["id"]
    assert world.okta.get("/Users").json["totalResults"] == 1
    assert verify_ledger(world.store)["balanced"]


def test_memberships_of_another_identity_provider_stay(world: World) -> None:
    ann = created(world.okta, OKTA)
    created(world.entra, {**OKTA, "externalId": "entra-1"})
    group = world.entra.group("Sales", ann["id"])
    world.okta.delete(f"/Users/{ann['id']}")
    assert world.entra.member_ids(group["id"]) == {ann["id"]}


# -- From one source to several ----------------------------------------------


def test_the_directory_is_the_first_sources_word_until_it_speaks_again(make_world: MakeWorld) -> None:
    alone = make_world(sources=("okta",))
    ann = created(alone.okta, {**OKTA, "title": "Dev"})
    with_hr = make_world(again=alone, hr=["name"])
    assert with_hr.hr.tell(person("007", "ann", active=True)) == ["updated"]
    assert said_back(OKTA, with_hr.okta.get(f"/Users/{ann['id']}").json) == said_back(OKTA, OKTA)
    merged = with_hr.directory(ann["id"])
    assert (merged["title"], merged["locale"], merged["externalId"]) == ("Dev", "en-US", OKTA["externalId"])
    assert merged["name"]["givenName"] == "Ann"
    assert with_hr.okta.post("/Users", OKTA).status_code == 409


@pytest.mark.parametrize("speaks_first", ["hr", "okta", "entra"])
def test_a_second_source_revives_no_leaver(make_world: MakeWorld, speaks_first: str) -> None:
    alone = make_world(sources=("okta",))
    ann = created(alone.okta, {**OKTA, "active": False})
    several = make_world(again=alone)
    if speaks_first == "hr":
        several.hr.tell(person("007", "ann", active=True))
    elif speaks_first == "entra":
        created(several.entra, {**OKTA, "externalId": "entra-1"})
    else:
        several.okta.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "title", "value": "x"})
        several.hr.tell(person("007", "ann", active=True))
    assert several.directory(ann["id"])["active"] is False
    assert several.shown()["held_inactive_by"] == ["okta"]


def test_going_to_two_sources_sends_nothing_by_itself(make_world: MakeWorld) -> None:
    alone = make_world(sources=("okta",))
    ann = created(alone.okta, OKTA)
    before = alone.owed()
    several = make_world(again=alone)
    several.okta.put(f"/Users/{ann['id']}", OKTA)
    assert several.owed() == before


def test_a_renamed_source_speaks_on_for_the_old_one(make_world: MakeWorld) -> None:
    alone = make_world(sources=("okta",))
    ann = created(alone.okta, {**OKTA, "title": "Dev", "active": False})
    renamed = make_world(again=alone, sources=("entra", "hr"), replaces={"entra": ["okta"]})
    renamed.hr.tell(person("007", "ann", active=True))
    assert renamed.directory(ann["id"])["active"] is False
    renamed.entra.put(f"/Users/{ann['id']}", OKTA)
    assert renamed.directory(ann["id"])["active"] is True
    assert renamed.shown()["held_inactive_by"] == []


@pytest.mark.parametrize("left", [("okta",), ("okta", "entra")])
@pytest.mark.parametrize("owner", ["okta", None])
def test_nobody_comes_back_because_the_source_that_ended_them_is_taken_out(
    make_world: MakeWorld, left: Sequence[str], owner: str | None
) -> None:
    several = make_world()
    ann = created(several.okta, OKTA)
    several.hr.tell(person("007", "ann", active=True))
    several.hr.tell(person("007", "ann", active=False))
    owns = {} if owner is None else {owner: ["active"]}
    without = make_world(again=several, sources=left, **owns)
    for _ in range(2):
        put = without.okta.put(f"/Users/{ann['id']}", {**OKTA, "title": "Dev"})
        patched = without.okta.patch(f"/Users/{ann['id']}", {"op": "replace", "value": {"active": True}})
        assert (put.json["active"], patched.json["active"]) == (True, True)
        assert without.directory(ann["id"])["active"] is False
    assert without.directory(ann["id"])["title"] == "Dev"
    assert without.shown()["held_inactive_by"] == ["hr"]
    back = make_world(again=several)
    back.hr.tell(person("007", "ann", active=True))
    assert back.directory(ann["id"])["active"] is True


def test_a_source_that_replaces_another_brings_back_whom_that_had_ended(make_world: MakeWorld) -> None:
    several = make_world()
    ann = created(several.okta, OKTA)
    several.hr.tell(person("007", "ann", active=True))
    several.hr.tell(person("007", "ann", active=False))
    without = make_world(again=several, sources=("okta",), replaces={"okta": ["hr"]})
    assert without.directory(ann["id"])["active"] is False
    without.okta.put(f"/Users/{ann['id']}", {**OKTA, "title": "Dev"})
    assert without.directory(ann["id"])["active"] is True


def test_a_source_that_is_taken_out_ends_nobody_over_whom_it_had_no_say(make_world: MakeWorld) -> None:
    several = make_world(okta=["active"])
    ann = created(several.okta, OKTA)
    several.hr.tell(person("007", "ann", active=False))
    without = make_world(again=several, sources=("okta", "entra"), okta=["active"])
    without.okta.put(f"/Users/{ann['id']}", {**OKTA, "title": "Dev"})
    assert without.directory(ann["id"])["active"] is True


def test_what_was_said_while_there_was_one_source_is_not_lost(make_world: MakeWorld) -> None:
    several = make_world()
    ann = created(several.okta, {**OKTA, "title": "Dev"})
    several.hr.tell(person("007", "ann", active=True))
    alone = make_world(again=several, sources=("okta",))
    alone.okta.put(f"/Users/{ann['id']}", {**OKTA, "title": "Lead"})
    again = make_world(again=several)
    again.okta.patch(f"/Users/{ann['id']}", {"op": "replace", "path": "nickName", "value": "A"})
    merged = again.directory(ann["id"])
    assert (merged["title"], merged["nickName"]) == ("Lead", "A")


# -- What it costs -----------------------------------------------------------


@contextmanager
def told(store: Store) -> Iterator[list[str]]:
    """Gather what SQLite is told in a block, but for the token's."""
    found: list[str] = []

    def note(statement: str) -> None:
        if statement.split(maxsplit=1)[0] in {"SELECT", "INSERT", "UPDATE", "DELETE"} and "token" not in statement:
            found.append(statement)

    def trace(driver: Any, *_rest: Any) -> None:
        driver.set_trace_callback(note)

    def stop(driver: Any, *_rest: Any) -> None:
        driver.set_trace_callback(None)

    sa.event.listen(store.engine, "checkout", trace)
    sa.event.listen(store.engine, "checkin", stop)
    try:
        yield found
    finally:
        sa.event.remove(store.engine, "checkout", trace)
        sa.event.remove(store.engine, "checkin", stop)


def _requests(sender: Sender) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Give what an identity provider does with a person in their life."""
    yield "find nobody", lambda: sender.get('/Users?filter=userName eq "ann@acme.example"')
    yield "create", lambda: sender.post("/Users", OKTA)
    path = f"/Users/{sender.last.json['id']}" if sender.last is not None else ""
    yield "find", lambda: sender.get('/Users?filter=userName eq "ann@acme.example"')
    yield "read", lambda: sender.get(path)
    yield "list", lambda: sender.get("/Users")
    yield "put", lambda: sender.put(path, {**OKTA, "title": "Dev"})
    yield "put the same", lambda: sender.put(path, {**OKTA, "title": "Dev"})
    yield "patch", lambda: sender.patch(path, {"op": "replace", "value": {"active": False}})
    yield "delete", lambda: sender.delete(path)


def _costs(world: World) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, request in _requests(world.okta):
        with told(world.store) as statements:
            assert request().status_code < 300, name
        found[name] = list(statements)
    return found


@pytest.mark.parametrize("shared_store", ["sqlite"], indirect=True)  # SQLite tells what it is told
def test_a_tenant_with_one_source_pays_for_nothing_else(make_world: MakeWorld) -> None:
    alone, several = _costs(make_world(sources=("okta",))), _costs(make_world())
    words = [each for each in itertools.chain(*alone.values()) if "contribution" in each or "identity" in each]
    assert words == []
    # What a source costs that is not the only one: its words are read, and written where it says something new.
    assert {name: len(several[name]) - len(alone[name]) for name in alone} == {
        "find nobody": 2,
        "create": 7,
        "find": 3,
        "read": 1,
        "list": 2,
        "put": 3,
        "put the same": 2,
        "patch": 3,
        "delete": 3,
    }
