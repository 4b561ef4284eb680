"""Errands on both databases: one open of a kind, held by a lease, answered in rows that are paged."""

import csv
import io
from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.books import add_person
from fakes.dispatcher import RecordingDispatcher

from scim_bridge.errors import NotThere, UsageError
from scim_bridge.operators import drift
from scim_bridge.store import errands, lanes, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.errands import Errand

LEASE_MS = 1_000


@pytest.fixture(autouse=True)
def _lanes(store: Store) -> None:
    with store.across_tenants("test", write=True) as tx:
        lanes.sync(tx, [("acme", "lms"), ("acme", "gone"), ("other", "lms")])
        lanes.sync(tx, [("acme", "lms"), ("other", "lms")])


def ask(store: Store, *, tenant: str = "acme", kind: str = "reconcile", target: str = "lms") -> int:
    with store.begin(tenant) as tx:
        return errands.ask(tx, target=target, kind=kind, who="ann", asked={"repair": False})[0].id


def take(store: Store, number: int) -> Errand | None:
    with store.begin("acme") as tx:
        return errands.take(tx, number, lease_ms=LEASE_MS)


def line(kind: str, resource_id: int | None = None, account_id: str | None = None, *parts: str) -> Mapping[str, Any]:
    return {"kind": kind, "resource_id": resource_id, "account_id": account_id, "detail": list(parts)}


def answer(store: Store, number: int, *lines: Mapping[str, Any]) -> None:
    held = take(store, number)
    assert held is not None
    with store.begin("acme") as tx:
        errands.begin_rows(tx, held)
        errands.add_rows(tx, held, lines, first=1)
        assert errands.end(tx, held, status="done", answer={"equal": 3})


def test_one_errand_of_a_kind_to_a_target_is_open_at_a_time(store: Store) -> None:
    first = ask(store)
    assert ask(store) == first
    assert ask(store, kind="probe") != first
    assert ask(store, tenant="other") != first
    answer(store, first)
    assert ask(store) > first


def test_what_somebody_holds_is_nobody_elses_until_the_lease_is_over(store: Store, clock: Any) -> None:
    number = ask(store)
    first = take(store, number)
    assert first is not None
    assert take(store, number) is None
    clock.advance(ms=LEASE_MS)
    second = take(store, number)
    assert second is not None
    with store.begin("acme") as tx:
        assert not errands.renew(tx, first, lease_ms=LEASE_MS)
        assert not errands.end(tx, first, status="done", answer={})
        assert errands.renew(tx, second, lease_ms=LEASE_MS)
        assert errands.end(tx, second, status="done", answer={})
        assert not errands.renew(tx, second, lease_ms=LEASE_MS)
    assert take(store, number) is None


def test_a_lease_that_is_renewed_goes_on(store: Store, clock: Any) -> None:
    number = ask(store)
    held = take(store, number)
    assert held is not None
    clock.advance(ms=LEASE_MS - 1)
    with store.begin("acme") as tx:
        errands.renew(tx, held, lease_ms=LEASE_MS)
    clock.advance(ms=LEASE_MS - 1)
    assert take(store, number) is None


def waiting(store: Store) -> list[tuple[str, int]]:
    with store.across_tenants("test") as tx:
        return errands.waiting(tx)


def test_what_nobody_holds_waits_in_configured_lanes(store: Store, clock: Any) -> None:
    mine, theirs = ask(store), ask(store, tenant="other")
    ask(store, target="gone")
    assert waiting(store) == [("acme", mine), ("other", theirs)]
    held = take(store, mine)
    assert held is not None
    assert waiting(store) == [("other", theirs)]
    with store.begin("acme") as tx:
        errands.put_off(tx, held, wait_ms=500)
    assert waiting(store) == [("other", theirs)]
    clock.advance(ms=500)
    assert waiting(store) == [("acme", mine), ("other", theirs)]


def test_what_was_done_in_place_is_nobodys_to_take_up(store: Store) -> None:
    with store.begin("acme") as tx:
        held = errands.note(tx, target="lms", kind="reconcile", who="bob", asked={}, at=tx.now - 10)
    assert waiting(store) == []
    assert drift.show(store, tenant="acme", number=held.id)["reason"] == errands.BROKEN_OFF
    assert ask(store) != held.id
    with store.begin("acme") as tx:
        assert errands.end(tx, held, status="done", answer={"equal": 1})
    shown = drift.show(store, tenant="acme", number=held.id)
    assert (shown["status"], shown["reason"], shown["found"]) == ("done", "", {"equal": 1})


def test_rows_come_in_pages_with_their_people(store: Store) -> None:
    with store.begin("acme") as tx:
        ann = add_person(tx, "ann")
        document = '{"userName":"=ann@example.com"}'
        tx.connection.execute(sa.update(tables.resource).where(tables.resource.c.id == ann).values(document=document))
    number = ask(store)
    lines = [line("differing", ann, "7", "title", "status"), line("extra", None, "8"), line("extra", None, "9")]
    answer(store, number, *lines)
    page = drift.rows(store, tenant="acme", number=number, limit=2)
    assert page == {
        "items": [
            {
                "row": 1,
                "drift": "differing",
                "id": "acme-ann",
                "user": "=ann@example.com",
                "account": "7",
                "parts": ["title", "status"],
            },
            {"row": 2, "drift": "extra", "id": None, "user": None, "account": "8", "parts": []},
        ],
        "next": 2,
    }
    rest = drift.rows(store, tenant="acme", number=number, limit=2, after=2)
    assert ([each["account"] for each in rest["items"]], rest["next"]) == (["9"], None)
    extra = drift.rows(store, tenant="acme", number=number, kind="extra")
    assert [each["row"] for each in extra["items"]] == [2, 3]
    table = list(csv.reader(io.StringIO("".join(drift.as_csv(store, tenant="acme", number=number)), newline="")))
    assert table == [
        ["drift", "user", "id", "account", "parts"],
        ["differing", "'=ann@example.com", "acme-ann", "7", "title, status"],
        ["extra", "", "", "8", ""],
        ["extra", "", "", "9", ""],
    ]


def test_an_answer_begun_by_another_holder_is_written_anew(store: Store, clock: Any) -> None:
    number = ask(store)
    first = take(store, number)
    assert first is not None
    with store.begin("acme") as tx:
        errands.add_rows(tx, first, [line("extra"), line("extra")], first=1)
    clock.advance(ms=LEASE_MS)
    answer(store, number, line("missing"))
    rows = drift.rows(store, tenant="acme", number=number)["items"]
    assert [each["drift"] for each in rows] == ["missing"]


def test_errands_are_listed_newest_first_in_pages(store: Store) -> None:
    numbers = []
    for _ in range(3):
        numbers.append(ask(store))
        answer(store, numbers[-1])
    ask(store, tenant="other")
    page = drift.listed(store, tenant="acme", limit=2)
    assert ([each["errand"] for each in page["items"]], page["next"]) == (numbers[:0:-1], numbers[1])
    page = drift.listed(store, tenant="acme", limit=2, after=page["next"])
    assert ([each["errand"] for each in page["items"]], page["next"]) == (numbers[:1], None)
    assert drift.listed(store, tenant="acme", target="gone")["items"] == []


def test_asking_wakes_a_worker_once_and_is_audited_once(store: Store) -> None:
    dispatcher = RecordingDispatcher()
    first = drift.ask(store, dispatcher, tenant="acme", target="lms", who="ann@host", repair=True, max_calls=9)
    again = drift.ask(store, dispatcher, tenant="acme", target="lms", who="bob@host")
    number = first["errand"]
    assert first == {"errand": number, "status": "waiting", "is_new": True, "repair": True, "max_calls": 9}
    assert again == {**first, "is_new": False}
    assert dispatcher.errands == [("acme", number)]
    with store.begin("acme") as tx:
        audited = tx.connection.execute(sa.select(tables.audit.c.who, tables.audit.c.what)).all()
    assert [tuple(row) for row in audited] == [("ann@host", "reconcile")]


@pytest.mark.parametrize(
    ("asked", "error", "sentence"),
    [
        ({"target": "nowhere"}, NotThere, "no target nowhere"),
        # A lane that is left of an earlier configuration.
        ({"target": "gone"}, NotThere, "no target gone"),
        ({"max_calls": 0}, UsageError, "from 1"),
        ({"max_calls": -1}, UsageError, "from 1"),
        ({"max_calls": 10**9}, UsageError, "from 1"),
        ({"extra": True}, UsageError, "goes with --repair"),
        ({"kind": "probe", "repair": True}, UsageError, "repairs nothing"),
        ({"kind": "probe", "max_calls": 3}, UsageError, "one call"),
        ({"kind": "dance"}, UsageError, "no errand of kind dance"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_sentence(
    store: Store, asked: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        drift.ask(store, RecordingDispatcher(), **{"tenant": "acme", "target": "lms", "who": "ann", **asked})
    assert drift.listed(store, tenant="acme")["items"] == []


def test_another_tenants_errand_is_not_there(store: Store) -> None:
    number = ask(store, tenant="other")
    for look in (drift.show, drift.rows, drift.as_csv):
        with pytest.raises(NotThere, match=f"no errand {number}"):
            look(store, tenant="acme", number=number)
    assert take(store, number) is None


def test_a_kind_of_drift_that_there_is_not_is_named(store: Store) -> None:
    with pytest.raises(UsageError, match="missing, differing"):
        drift.rows(store, tenant="acme", number=ask(store), kind="lost")


def test_old_errands_are_forgotten_slice_by_slice_save_the_newest(
    store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errands, "FORGOTTEN_AT_ONCE", 2)
    numbers = []
    for _ in range(2):
        numbers.append(ask(store))
        answer(store, numbers[-1], line("extra"), line("extra"), line("extra"))
    clock.advance(ms=10)
    slices = 0
    while True:
        with store.across_tenants("test", write=True) as tx:
            if not errands.forget(tx, before=tx.now):
                break
        slices += 1
    assert slices == 2
    assert [each["errand"] for each in drift.listed(store, tenant="acme")["items"]] == numbers[1:]
    assert len(drift.rows(store, tenant="acme", number=numbers[1])["items"]) == 3
