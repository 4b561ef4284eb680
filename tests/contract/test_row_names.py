"""Rows of an HR source whose people cannot be written as they are: one clash holds nobody else up, and no leaver."""

from typing import Any

import pytest
from fakes.hr import DAY_MS, Company, person

from scim_bridge.domain.resources import ENTERPRISE_USER
from scim_bridge.domain.rows import Person
from scim_bridge.recording import rows
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.recorder import Recorder
from scim_bridge.recording.rows import Said
from scim_bridge.store import contributions, directory_users, identities
from scim_bridge.store.contributions import Contribution
from scim_bridge.store.engine import Store
from scim_bridge.store.verify import verify_ledger


@pytest.fixture
def acme(store: Store) -> Company:
    return Company(store=store)


def bring(acme: Company, name: str, *, source: str = "idp", **more: Any) -> int:
    """Have another source bring somebody, as it did when it was the only one."""
    with acme.store.begin("acme") as tx:
        recorder = Recorder(tx, scopes=acme.scopes, origin=Origin(source=source, correlation_id="c"))
        mail = [{"value": f"{name}@acme.example"}]
        return recorder.create("User", {"userName": f"{name}@acme.example", "emails": mail, **more}).id


def say(acme: Company, number: int, document: dict[str, Any], *, source: str = "idp", **more: Any) -> None:
    """Keep what another source says of somebody, though it does not win yet."""
    with acme.store.begin("acme") as tx:
        word = Contribution(source=source, resource_id=number, document=document, said_at=1, **more)
        contributions.write(tx, [word])


def number_of(acme: Company, external_id: str) -> int:
    with acme.store.begin("acme", write=False) as tx:
        return identities.of_source(tx, "hr", [external_id])[external_id].resource_id


def named(number: int, name: str, **more: Any) -> Person:
    """Return whom a row calls otherwise, with the address that they have."""
    mail = [{"value": f"p{number}@acme.example"}]
    return person(str(number), name, document={"emails": mail}, **more)


def assert_balanced(acme: Company) -> None:
    report = verify_ledger(acme.store)
    assert report["balanced"], report


@pytest.fixture
def clashing(acme: Company) -> Company:
    """Ann, whom the identity provider, which owns userNames by now, calls as Cyd is called, whom no row names."""
    acme.tell(person("1", "ann"), person("2", "bob"))
    bring(acme, "cyd")
    say(acme, number_of(acme, "1"), {"userName": "Cyd@acme.example"})
    acme.owns = {"hr": (), "idp": ("userName",)}
    return acme


def test_a_name_that_another_source_gives_holds_nobody_else_up(clashing: Company) -> None:
    ann, bob = person("1", "ann", document={"title": "Dev"}), person("2", "bob", document={"title": "Lead"})
    assert clashing.outcomes(ann, bob, person("3", "dan")) == ["refused name_taken", "updated", "created"]
    people = clashing.people()
    assert ("title" in people["ann"], people["bob"]["title"]) == (False, "Lead")
    assert_balanced(clashing)


def test_a_name_that_another_source_gives_keeps_no_leaver_active(clashing: Company) -> None:
    assert clashing.outcomes(person("1", "ann", active=False), person("2", "bob")) == ["deactivated", "unchanged"]
    assert clashing.active() == {"ann": False, "bob": True, "cyd": True}
    assert_balanced(clashing)


def test_a_name_that_another_source_gives_holds_no_date_up(acme: Company, clock: Any) -> None:
    ends_at = clock.now + DAY_MS
    acme.tell(person("1", "ann", ends_at=ends_at), person("2", "bob", ends_at=ends_at))
    acme.tell(person("3", "dan", starts_at=ends_at))
    bring(acme, "cyd")
    numbers = [number_of(acme, each) for each in "123"]
    for number in (numbers[0], numbers[2]):
        say(acme, number, {"userName": "cyd@acme.example"})
    acme.owns = {"hr": (), "idp": ("userName",)}
    clock.advance(ms=DAY_MS)
    with acme.store.begin("acme") as tx:
        origin = Origin(source="hr", correlation_id="date")
        rows.reckon_anew(tx, numbers, source="hr", owns=acme.owns, scopes={}, origin=origin)
    assert acme.active() == {"ann": False, "bob": False, "cyd": True, "dan": True}
    with acme.store.begin("acme", write=False) as tx:
        assert {each.due_at for each in contributions.of_source(tx, "hr", numbers).values()} == {None}
    assert_balanced(acme)


def test_whoever_has_a_name_keeps_it(acme: Company) -> None:
    """Whatever the order in which people are known: who leaves without a change of name is let go."""
    acme.tell(person("1", "ann"), person("2", "bob"))
    assert acme.outcomes(person("1", "bob"), person("2", "bob", active=False)) == ["refused name_taken", "deactivated"]
    assert acme.active() == {"ann": True, "bob": False}


def test_what_a_source_said_while_it_was_alone_is_not_undone(acme: Company, clock: Any) -> None:
    """The HR system was taken out of the settings, and comes back."""
    acme.tell(person("1", "ann", document={"title": "Dev"}))
    number = number_of(acme, "1")
    say(acme, number, {"nickName": "A"}, active=True, user_key="ann@acme.example")
    acme.tell(person("1", "ann", document={"title": "Dev"}))
    clock.advance(ms=5)
    with acme.store.begin("acme") as tx:
        recorder = Recorder(tx, scopes={}, origin=Origin(source="idp", correlation_id="c"))
        stored = directory_users.lock(tx, [number])[number]
        recorder.update(stored, {**stored.document, "nickName": "B", "userName": "new@acme.example", "active": False})
    clock.advance(ms=5)
    acme.tell(person("1", "ann", document={"title": "Lead"}))
    (ann,) = acme.people().values()
    assert (ann["active"], ann["nickName"], ann["title"]) == (False, "B", "Lead")
    with acme.store.begin("acme", write=False) as tx:
        assert contributions.known_as(tx, "idp", ["new@acme.example"]) == {"new@acme.example": [number]}


def test_a_person_is_known_by_the_name_that_whoever_brought_them_gave(acme: Company, clock: Any) -> None:
    number = bring(acme, "ann")
    clock.advance(ms=5)
    acme.tell(person("1", "ann.smith", document={"emails": [{"value": "ann@acme.example"}]}))
    assert list(acme.people()) == ["ann.smith"]
    with acme.store.begin("acme", write=False) as tx:
        assert contributions.known_as(tx, "idp", ["ann@acme.example"]) == {"ann@acme.example": [number]}


def test_an_address_that_a_row_before_gave_up_names_nobody(acme: Company) -> None:
    acme.tell(person("1", "ann"))
    assert acme.outcomes(person("1", "ann.smith"), person("2", "ann")) == ["updated", "created"]
    acme.tell(person("3", "cyd"))
    assert acme.outcomes(person("4", "cyd"), person("3", "cyd.smith")) == ["created", "updated"]
    assert sorted(acme.people()) == ["ann", "ann.smith", "cyd", "cyd.smith"]
    assert_balanced(acme)


@pytest.mark.parametrize("owned", ["department", f"{ENTERPRISE_USER}:Department", "Title"])
def test_who_owns_an_attribute_can_say_that_it_has_no_value(acme: Company, owned: str) -> None:
    def said(title: str | None, department: str | None) -> dict[str, Any]:
        return {"title": title, ENTERPRISE_USER: {"department": department}}

    number = bring(acme, "ann", **said("Dev", "IT"))
    acme.owns = {"hr": (owned,), "idp": ()}
    acme.tell(person("1", "ann", document=said("Lead", "Sales")))
    acme.tell(person("1", "ann", document=said(None, None)))
    (ann,) = acme.people().values()
    kept = {"Dev": ann.get("title"), "IT": ann.get(ENTERPRISE_USER, {}).get("department")}
    assert kept == ({"Dev": None, "IT": "IT"} if owned == "Title" else {"Dev": "Dev", "IT": None}), number


@pytest.mark.parametrize("what", [None, person("1", "ann", active=False)], ids=["gone", "closed"])
def test_a_leaver_of_whom_no_word_is_kept_any_more_is_let_go(acme: Company, what: Person | None) -> None:
    """What the source said was dropped while it was not configured, but its id still names the person."""
    acme.record(Said(position=1, external_id="1", what=person("1", "ann"), digest="d"))
    say(acme, number_of(acme, "1"), {}, active=True)
    with acme.store.begin("acme") as tx:
        contributions.retract(tx, number_of(acme, "1"), ["hr"])
        assert identities.of_source(tx, "hr", ["1"])["1"].row_digest is None
    assert [each.outcome for each in acme.record(Said(position=1, external_id="1", what=what)).became] == [
        "deactivated"
    ]
    assert acme.active() == {"ann": False}


def test_a_new_record_that_cannot_be_written_keeps_no_closed_one_open(acme: Company) -> None:
    acme.tell(person("1", "ann"), person("2", "bob"))
    mail = [{"value": "ann@acme.example"}]
    opens = person("3", "bob", document={"emails": mail})
    assert acme.outcomes(person("1", "ann", active=False), opens) == ["deactivated", "refused name_taken"]
    assert acme.active() == {"ann": False, "bob": True}
    assert acme.outcomes(person("3", "ann")) == ["updated"]
    assert acme.active() == {"ann": True, "bob": True}
    assert_balanced(acme)


class Asked(dict[str, tuple[str, ...]]):
    """What sources own, which counts how often it is asked about one: once for each time that somebody is reckoned."""

    times = 0

    def __contains__(self, source: object) -> bool:
        self.times += 1
        return super().__contains__(source)


@pytest.mark.parametrize("active", [True, False], ids=["at work", "leavers"])
def test_a_chain_of_names_is_given_up_at_once(acme: Company, *, active: bool) -> None:
    """Each wants the name of the next, and somebody whom no row names has the last one."""
    count = 40
    acme.tell(*[person(str(number), f"p{number}") for number in range(count + 1)])
    acme.owns = asked = Asked(hr=())
    found = acme.outcomes(*[named(number, f"p{number + 1}", active=active) for number in range(count)])
    assert set(found) == ({"deactivated"} if not active else {"refused name_taken"})
    assert count <= asked.times <= 10 * count
    assert sorted(acme.people()) == sorted(f"p{number}" for number in range(count + 1))
    assert_balanced(acme)


def test_whoever_waits_for_a_name_that_is_given_up_in_vain_holds_nobody_else_up(acme: Company) -> None:
    acme.tell(*[person(str(number), f"p{number}") for number in range(6)])
    wanted = {0: "p1", 1: "p2", 3: "p4", 4: "p3"}
    found = acme.outcomes(*[named(number, name) for number, name in wanted.items()])
    assert found == ["refused name_taken", "refused name_taken", "updated", "updated"]
