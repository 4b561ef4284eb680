"""The audit proves itself: every entry altered, removed, added or reordered by hand is named. On both databases."""

import itertools
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from scim_bridge.errors import UsageError
from scim_bridge.operators import audit
from scim_bridge.settings.models import Settings, TenantSettings
from scim_bridge.store import audit_chain, audits, tables
from scim_bridge.store.audit_chain import Head
from scim_bridge.store.engine import Store, make_engine

HOUR = 3_600_000
DAY = 24 * HOUR
SETTINGS = Settings(tenants=[TenantSettings(id="acme"), TenantSettings(id="other")])


def decide(store: Store, count: int, *, tenant: str = "acme", what: str = "hold release", who: str = "op@desk") -> None:
    for number in range(count):
        with store.begin(tenant) as tx:
            audits.append(tx, who=who, what=what, before={"status": "open"}, after={"resources": [number]})


def give_places(store: Store) -> int:
    with store.across_tenants("test", write=True) as tx:
        return audit_chain.give_places(tx)


@pytest.fixture
def chained(store: Store, clock: Any) -> Iterator[Store]:
    """Six entries that have their places, the last two of another tenant; an hour ago."""
    decide(store, 4)
    assert give_places(store) == 4
    decide(store, 2, tenant="other", what="token create")
    assert give_places(store) == 2
    clock.advance(ms=HOUR)
    yield store
    while _shells:
        _shells.popitem()[1].dispose()


_shells: dict[sa.URL, sa.Engine] = {}


def shell(store: Store) -> sa.Engine:
    """Return what somebody with a database shell has, past every rule of ours."""
    url = store.engine.url
    return _shells.setdefault(url, make_engine(url.render_as_string(hide_password=False), as_owner=True))


def by_hand(store: Store, *statements: str) -> None:
    with shell(store).begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))


def rows(store: Store) -> list[dict[str, Any]]:
    with store.across_tenants("test") as tx:
        query = sa.select(tables.audit).order_by(tables.audit.c.number, tables.audit.c.id)
        return [dict(row) for row in tx.connection.execute(query).mappings()]


def write(store: Store, row: Mapping[str, Any], *, at: int) -> None:
    """Put a row's values where the entry of an id stands."""
    with shell(store).begin() as connection:
        connection.execute(sa.update(tables.audit).where(tables.audit.c.id == at).values(dict(row)))


def faults(store: Store, *, expect: str | None = None) -> list[str]:
    found = audit.verify(store, expect=expect)
    assert found["verified"] == (not found["faults"])
    return list(found["faults"])


def head(store: Store) -> str:
    return str(audit.verify(store)["head"])


def test_what_nobody_touched_is_proved(chained: Store) -> None:
    found = audit.verify(chained)
    assert (found["verified"], found["entries"], found["waiting"], found["cut"]) == (True, 6, 0, None)
    assert [row["number"] for row in rows(chained)] == [1, 2, 3, 4, 5, 6]
    assert found["head"] == f"6:{rows(chained)[-1]['link']}"
    assert faults(chained, expect=found["head"]) == []


def test_an_audit_without_entries_is_proved(store: Store) -> None:
    assert head(store) == "0:"
    assert faults(store, expect="0:") == []


def test_every_column_but_the_link_itself_is_covered() -> None:
    assert {*audit_chain.COVERED, "link"} == {column.name for column in tables.audit.columns}


def test_whoever_commits_later_has_the_later_place(store: Store) -> None:
    """Keys are given out before a transaction commits, so their order tells nothing."""
    decide(store, 1)
    by_hand(store, "UPDATE audit SET id = 500")
    give_places(store)
    decide(store, 1)
    by_hand(store, "UPDATE audit SET id = 7 WHERE number IS NULL")
    give_places(store)
    assert [(row["id"], row["number"]) for row in rows(store)] == [(500, 1), (7, 2)]
    assert faults(store) == []


def test_writers_at_once_give_each_entry_one_place(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_chain, "AT_A_TIME", 5)
    decide(store, 24)
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        while give_places(store):
            pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [row["number"] for row in rows(store)] == list(range(1, 25))
    assert faults(store) == []


ALTERED = {
    "id": 4_000,
    "tenant": "other",
    "who": "somebody@else",
    "what": "hold reject",
    "before": "",
    "after": '{"resources":[1,2]}',
    "at": 1,
    "link": "0" * 64,
}


def test_an_altered_column_is_found(chained: Store) -> None:
    for place, (name, value) in itertools.product((1, 3, 6), ALTERED.items()):
        row = rows(chained)[place - 1]
        write(chained, {name: "acme" if row[name] == value else value}, at=row["id"])
        [fault] = faults(chained)
        assert fault.startswith(f"entry {place} (id "), name
        assert fault.endswith("does not fit its link: altered, or put in another's place"), name
        write(chained, row, at=4_000 if name == "id" else row["id"])
    assert faults(chained) == []


COPY = "INSERT INTO audit (tenant, who, what, before, after, at, number, link) SELECT tenant, who, what, before, after"
DONE: list[tuple[str, tuple[str, ...], str]] = [
    ("first removed", ("DELETE FROM audit WHERE number = 1",), "entry 1 is missing before entry 2: removed"),
    ("one removed", ("DELETE FROM audit WHERE number = 3",), "entry 3 is missing before entry 4: removed"),
    ("two removed", ("DELETE FROM audit WHERE number IN (3, 4)",), "entries 3 to 4 are missing before entry 5"),
    ("last removed", ("DELETE FROM audit WHERE number = 6",), "entry 6 is missing from the end: removed"),
    ("all removed", ("DELETE FROM audit",), "entries 1 to 6 are missing from the end: removed"),
    ("doubled at the end", (f"{COPY}, at, 7, link FROM audit WHERE number = 3",), "entry 7 does not fit"),
    ("doubled far behind", (f"{COPY}, at, 9, link FROM audit WHERE number = 3",), "entries 7 to 8 are missing before"),
    ("doubled in front", (f"{COPY}, at, -3, link FROM audit WHERE number = 3",), "entry -3 stands where"),
    (
        "doubled without a place",
        (f"{COPY}, at, NULL, NULL FROM audit WHERE number = 3",),
        "1 entry has no place since 2023-11-14T22:13:20.000Z; the relay gives them, is one running?",
    ),
    ("moved away", ("UPDATE audit SET number = 80 WHERE number = 3",), "entry 3 stands as number 80: reordered"),
    (
        "moved out",
        ("UPDATE audit SET number = NULL WHERE number = 6", "UPDATE audit_head SET number = 5"),
        "the head 5:",
    ),
    (
        "moved out of the middle",
        ("UPDATE audit SET number = NULL WHERE number = 3",),
        "entry 3 stands without a number: reordered",
    ),
    ("head put back", ("UPDATE audit_head SET number = 5",), "entry 6 stands behind the head: added"),
    ("head's link", ("UPDATE audit_head SET link = 'no'",), "the head 6:no does not fit entry 6: altered"),
    ("head removed", ("DELETE FROM audit_head",), "the row that says where the chain ends is missing: removed"),
    ("cut feigned", ("UPDATE audit_head SET cut_number = 2",), "entry 1 stands where there is one already, or"),
    # The index is gone from here on.
    (
        "doubled in its place",
        ("DROP INDEX audit_number", f"{COPY}, at, 3, link FROM audit WHERE number = 3"),
        "entry 3 stands where there is one already, or none any more: added",
    ),
]


def test_what_was_done_by_hand_is_named(chained: Store) -> None:
    """One book for all rows: making it on PostgreSQL is what takes time."""
    before = rows(chained), head(chained)
    for name, statements, told in DONE:
        by_hand(chained, *statements)
        assert re.sub(r" \(id \d+\)", "", faults(chained)[0]).startswith(told), name
        put_back(chained, *before)
        assert faults(chained) == [], name


def put_back(store: Store, entries: Sequence[Mapping[str, Any]], end: str) -> None:
    """Make the audit as it was, its head included."""
    found = audit_chain.parse_head(end)
    assert found is not None
    place = {"number": found.number, "link": found.link, "cut_number": 0, "cut_link": "", "logged_at": 0}
    with shell(store).begin() as connection:
        for table in (tables.audit, tables.audit_head):
            connection.execute(sa.delete(table))
        connection.execute(sa.insert(tables.audit), [dict(row) for row in entries])
        connection.execute(sa.insert(tables.audit_head).values(id=1, **place))


def test_two_that_change_places_are_named(chained: Store) -> None:
    before = rows(chained), head(chained)
    places = {row["number"]: row for row in before[0]}
    for one, other in ((2, 3), (1, 6), (3, 5)):
        by_hand(chained, f"UPDATE audit SET number = -1 WHERE number = {one}")
        write(chained, {name: places[one][name] for name in ("number", "link")}, at=places[other]["id"])
        write(chained, {name: places[other][name] for name in ("number", "link")}, at=places[one]["id"])
        assert f"stands as number {other}: reordered" in faults(chained)[0]
        put_back(chained, *before)


def test_two_that_exchange_what_they_say_are_named(chained: Store) -> None:
    """Their keys, numbers and links stay."""
    said = ("tenant", "who", "what", "before", "after", "at")
    second, fifth = rows(chained)[1], rows(chained)[4]
    write(chained, {name: fifth[name] for name in said}, at=second["id"])
    write(chained, {name: second[name] for name in said}, at=fifth["id"])
    assert faults(chained) == ["entry 2 (id 5) stands as number 5: reordered"]


def rewrite(store: Store) -> None:
    """Compute a whole new chain, as somebody would who can write everything."""
    link = ""
    for row in rows(store):
        link = audit_chain.link_of(link, row)
        write(store, {"link": link}, at=row["id"])
    by_hand(store, f"UPDATE audit_head SET link = '{link}', number = {len(rows(store))}")


def test_a_chain_written_anew_fits_itself_but_not_a_head_that_was_noted(chained: Store) -> None:
    noted = head(chained)
    write(chained, {"who": "somebody@else"}, at=3)
    rewrite(chained)
    assert faults(chained) == []
    assert faults(chained, expect=noted) == [
        f"the chain does not pass through {noted}: it was written anew, or is another's"
    ]


def test_a_chain_shortened_with_its_head_is_found_by_a_head_that_was_noted(chained: Store) -> None:
    noted = head(chained)
    by_hand(chained, "DELETE FROM audit WHERE number = 6")
    rewrite(chained)
    assert faults(chained) == []
    assert faults(chained, expect=noted) == ["the chain ends at 5, before 6: entries are missing from its end"]


def test_a_head_of_long_ago_is_passed_still(chained: Store) -> None:
    link = rows(chained)[2]["link"]
    assert faults(chained, expect=f"3:{link}") == []
    decide(chained, 3)
    give_places(chained)
    assert faults(chained, expect=f"3:{link}") == []


def test_what_lies_behind_a_fault_is_not_judged(chained: Store) -> None:
    noted = head(chained)
    write(chained, {"who": "somebody@else"}, at=3)
    assert faults(chained, expect=noted)[1:] == ["the chain was followed to 2 only, not to 6"]


def test_a_token_is_told_whether_the_chain_fits_without_figures_of_others(chained: Store) -> None:
    noted = head(chained)
    assert audit.verify_for_token(chained, expect=noted) == {
        "verified": True,
        "expected": noted,
        "head": noted,
        "fault": None,
    }
    by_hand(chained, "DELETE FROM audit WHERE number = 3")
    found = audit.verify_for_token(chained)
    assert (found["verified"], found["fault"]) == (False, audit.DOES_NOT_FIT)
    assert not any(letter.isdigit() for letter in audit.DOES_NOT_FIT)


def test_entries_may_wait_two_minutes_for_their_place(chained: Store, clock: Any) -> None:
    decide(chained, 2)
    clock.advance(ms=120_000)
    found = audit.verify(chained)
    assert (found["verified"], found["waiting"], found["waiting_since"]) == (True, 2, "2023-11-14T23:13:20.000Z")
    clock.advance(ms=1)
    assert faults(chained) == [
        "2 entries have no place since 2023-11-14T23:13:20.000Z; the relay gives them, is one running?"
    ]


def test_a_long_chain_is_followed_in_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from scim_bridge.store import audit_proof  # noqa: PLC0415 - only this test turns its pages

    monkeypatch.setattr(audit_proof, "AT_A_TIME", 3)
    decide(store, 7)
    give_places(store)
    assert audit.verify(store)["entries"] == 7
    by_hand(store, "DELETE FROM audit WHERE number = 4")
    assert faults(store) == ["entry 4 is missing before entry 5 (id 5): removed"]


def cut(store: Store, *, before: int) -> audit_chain.Cut | None:
    with store.across_tenants("test", write=True) as tx:
        return audit_chain.cut(tx, before=before)


def test_retention_cuts_the_chain_where_it_says_so(chained: Store, clock: Any) -> None:
    noted = [f"{row['number']}:{row['link']}" for row in rows(chained)]
    clock.advance(ms=DAY)
    decide(chained, 2)
    give_places(chained)
    found = cut(chained, before=clock())
    assert found == audit_chain.Cut(at=audit_chain.parse_head(noted[5]) or Head(number=0, link=""), entries=6)
    assert not found.may_be_more
    report = audit.verify(chained, expect=noted[5])
    assert (report["verified"], report["entries"], report["cut"]) == (True, 2, noted[5])
    [fault] = faults(chained, expect=noted[4])
    assert fault == f"the head 5 cannot be proved: retention has cut the chain at {noted[5]}; give a head from then on"
    assert faults(chained, expect=f"6:{'0' * 64}") == [
        f"the chain does not pass through 6:{'0' * 64}: it was written anew, or is another's"
    ]
    assert cut(chained, before=clock()) is None


def test_retention_leaves_what_has_no_place_yet(store: Store, clock: Any) -> None:
    decide(store, 2)
    clock.advance(ms=DAY)
    assert cut(store, before=clock()) is None
    assert len(rows(store)) == 2


def test_retention_lets_go_all_that_is_old_and_the_chain_goes_on(chained: Store, clock: Any) -> None:
    cut(chained, before=clock())
    assert rows(chained) == []
    decide(chained, 1)
    give_places(chained)
    assert [row["number"] for row in rows(chained)] == [7]
    assert faults(chained) == []


def test_retention_removes_no_evidence(chained: Store, clock: Any) -> None:
    write(chained, {"who": "somebody@else"}, at=3)
    found = cut(chained, before=clock())
    assert found is not None
    assert (found.is_sound, found.entries, len(rows(chained))) == (False, 0, 6)


@pytest.mark.parametrize(
    "text",
    ["", "6", "6:", ":", f"06:{'a' * 64}", f"6:{'A' * 64}", f"6:{'a' * 63}", f"6:{'a' * 64}\n", f"-6:{'a' * 64}"],
)
def test_what_is_no_head_is_refused_unseen(tmp_path: Path, text: str) -> None:
    nowhere = Store.open(f"sqlite:///{tmp_path}/none/bridge.db", clock=lambda: 0)
    with pytest.raises(UsageError, match="the expected head must be NUMBER:LINK"):
        audit.verify(nowhere, expect=text)
    nowhere.close()


def listed(store: Store, **choice: Any) -> list[int]:
    found = audit.list_entries(store, SETTINGS, **choice)
    return [each["id"] for each in found["items"]]


def test_entries_are_chosen(chained: Store, clock: Callable[[], int]) -> None:
    decide(chained, 1, who="token:console", what="tokens swept")
    choices: list[tuple[dict[str, Any], list[int]]] = [
        ({}, [7, 6, 5, 4, 3, 2, 1]),
        ({"tenant": "other"}, [6, 5]),
        ({"who": "token:console"}, [7]),
        ({"what": "token"}, [6, 5]),
        ({"what": "token create"}, [6, 5]),
        ({"what": "token_create"}, []),
        ({"what": "hold", "tenant": "other"}, []),
        ({"since": clock()}, [7]),
        ({"until": clock()}, [6, 5, 4, 3, 2, 1]),
        ({"until": clock(), "since": clock() - HOUR, "limit": 2}, [6, 5]),
    ]
    assert [listed(chained, **choice) for choice, _ in choices] == [ids for _, ids in choices]


def test_pages_follow_one_another(chained: Store) -> None:
    first = audit.list_entries(chained, SETTINGS, limit=4)
    assert ([each["id"] for each in first["items"]], first["next"]) == ([6, 5, 4, 3], 3)
    second = audit.list_entries(chained, SETTINGS, limit=4, after=first["next"])
    assert ([each["id"] for each in second["items"]], second["next"]) == ([2, 1], None)


def test_an_entry_is_shown_with_both_sides_even_when_somebody_spoilt_it(chained: Store) -> None:
    by_hand(chained, "UPDATE audit SET after = '{' WHERE number = 6")
    [entry] = audit.list_entries(chained, SETTINGS, limit=1)["items"]
    assert entry | {"link": ""} == {
        "id": 6,
        "number": 6,
        "tenant": "other",
        "at": "2023-11-14T22:13:20.000Z",
        "who": "op@desk",
        "what": "token create",
        "before": {"status": "open"},
        "after": "{",
        "link": "",
    }


BAD: list[tuple[dict[str, Any], str]] = [
    ({"tenant": "none"}, "there is no tenant none"),
    ({"since": 2, "until": 2}, "nothing is since .* but before .*; exchange them"),
    ({"limit": 0}, "1 to 500"),
    ({"limit": 501}, "1 to 500"),
    ({"who": "a\0b"}, "who must be printable text"),
    ({"what": "\udc80"}, "what must be printable text"),
]


def test_what_chooses_nothing_is_refused(store: Store) -> None:
    for choice, told in BAD:
        with pytest.raises(UsageError, match=told):
            audit.list_entries(store, SETTINGS, **choice)
