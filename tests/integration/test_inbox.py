"""Working through the dead: pages, notes, giving up, a file for others, and what a person's timeline says of it."""

import csv
import io
from typing import Any

import pytest
import sqlalchemy as sa

from scim_bridge.errors import NotThere, UsageError
from scim_bridge.operators import batches, discarding, inbox, notes, replay, timeline
from scim_bridge.operators.inbox import Filters
from scim_bridge.settings.models import Settings
from scim_bridge.store import tables, tokens

Bench = Any

SCRIPT = "<script>alert(1)</script>"


def die(bench: Bench, *who: str, **changes: Any) -> None:
    for each in who:
        bench.target.refuses[f"{each}@example.com"] = "refused"
        bench.push(each, **changes)
    bench.work()


def items(bench: Bench, **filters: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = inbox.items(bench.store, "acme", Filters(**filters))["items"]
    return found


def audited(bench: Bench) -> list[tuple[str, str]]:
    with bench.store.across_tenants("test") as tx:
        rows = tx.connection.execute(sa.select(tables.audit.c.who, tables.audit.c.what).order_by(tables.audit.c.id))
        return [(row.who, row.what) for row in rows]


def test_a_group_tells_what_to_do_and_who_does_it(bench: Bench) -> None:
    die(bench, "ann", "bob")
    bench.clock.advance(ms=60_000)
    [group] = inbox.groups(bench.store, "acme")["groups"]
    wanted = ("target", "code", "people", "operations", "class", "owner")
    assert [group[name] for name in wanted] == ["lms", "refused", 2, 2, "data", "source"]
    assert group["advice"]
    assert group["oldest_s"] >= 60
    assert inbox.groups(bench.store, "other") == {"groups": []}
    assert inbox.groups(bench.store, None)["groups"] == [group]


def test_pages_lead_from_one_to_the_next(bench: Bench) -> None:
    die(bench, "ann", "bob", "cyd")
    first = inbox.items(bench.store, "acme", limit=2)
    second = inbox.items(bench.store, "acme", after=first["next"], limit=2)
    assert [len(first["items"]), len(second["items"]), second["next"]] == [2, 1, None]
    oldest = inbox.items(bench.store, "acme", newest_first=False, limit=3)
    assert [each["user"] for each in first["items"] + second["items"]] == [
        each["user"] for each in reversed(oldest["items"])
    ]


def test_a_page_that_cannot_be_is_refused(bench: Bench) -> None:
    for asked in (
        {"limit": 0},
        {"limit": 501},
        {"filters": Filters(code="too_lon")},
        {"filters": Filters(klass="datum")},
    ):
        with pytest.raises(UsageError):
            inbox.items(bench.store, "acme", **asked)


def test_there_is_no_page_behind_what_never_died(bench: Bench) -> None:
    die(bench, "ann")
    [row] = items(bench)
    for tenant, after in (("acme", row["operation"] + 99), ("other", row["operation"]), ("acme", 10**30)):
        with pytest.raises(NotThere):
            inbox.items(bench.store, tenant, after=after)


def test_a_note_is_shown_in_the_inbox_as_it_was_written(bench: Bench) -> None:
    die(bench, "ann")
    [row] = items(bench)
    text = f"{SCRIPT}\nask 張さん on Monday"
    assert notes.note(bench.store, "acme", [row["operation"]], who="op@desk", text=f"  {text}\r\n") == {"operations": 1}
    [note] = items(bench)[0]["notes"]
    assert (note["who"], note["text"]) == ("op@desk", text)
    assert audited(bench) == [("op@desk", "failed note")]


def test_a_note_beside_what_is_not_there_writes_nothing(bench: Bench) -> None:
    die(bench, "ann")
    [row] = items(bench)
    for tenant, named in (("acme", [row["operation"], 999]), ("other", [row["operation"]]), ("acme", [-1])):
        with pytest.raises(NotThere, match="nothing was done"):
            notes.note(bench.store, tenant, named, who="op@desk", text="hello")
    for named in ([], range(1, notes.MOST_OPERATIONS + 2)):
        with pytest.raises(UsageError):
            notes.note(bench.store, "acme", named, who="op@desk", text="hello")
    assert items(bench)[0]["notes"] == []
    assert audited(bench) == []


def give_up(bench: Bench, tenant: str | None = "acme", filters: Filters | None = None, **how: Any) -> dict[str, Any]:
    return discarding.discard(bench.store, tenant, filters, who="op@desk", **{"reason": "they left", **how})


def test_what_is_discarded_is_not_tried_again(bench: Bench) -> None:
    die(bench, "ann", "bob")
    result = give_up(bench, filters=Filters(user="ann@example.com"))
    assert (result["operations"], result["discarded"], result["passed"]) == (1, 1, [])
    assert bench.states() == {"dead": 1, "discarded": 1}
    [person] = timeline.show(bench.store, "ann@example.com")["people"]
    last = person["changes"][0]["operations"][0]["entries"][-1]
    assert [last[name] for name in ("outcome", "code", "who", "detail")] == [
        "discarded",
        "discarded",
        "op@desk",
        "they left",
    ]
    assert audited(bench) == [("op@desk", "failed discard")]
    assert [each["user"] for each in items(bench)] == ["bob@example.com"]


def test_a_later_change_of_somebody_given_up_is_sent(bench: Bench) -> None:
    die(bench, "ann")
    give_up(bench, filters=Filters(code="refused"))
    bench.target.refuses.clear()
    bench.push("ann", title="Chief")
    bench.work()
    assert bench.states() == {"delivered": 1, "discarded": 1}


def test_a_dry_run_gives_nothing_up(bench: Bench) -> None:
    die(bench, "ann")
    assert give_up(bench, filters=Filters(), dry_run=True)["operations"] == 1
    assert bench.states() == {"dead": 1}
    assert audited(bench) == []


def test_what_is_not_dead_says_so(bench: Bench) -> None:
    die(bench, "ann")
    bench.push("bob")
    bench.work()
    delivered, dead = (
        next(row.id for row in bench.operations() if row.state == state) for state in ("delivered", "dead")
    )
    result = give_up(bench, operations=[delivered, dead])
    assert (result["discarded"], result["passed"]) == (
        1,
        [
            {
                "operation": delivered,
                "state": "delivered",
                "says": f"operation {delivered} is delivered, not dead: there is nothing to discard",
            }
        ],
    )
    assert [each["state"] for each in give_up(bench, operations=[dead])["passed"]] == ["discarded"]
    assert bench.states() == {"delivered": 1, "discarded": 1}
    assert len(audited(bench)) == 1


def test_all_operations_of_a_person_may_be_given_up_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """In slices of few people, as if there were many."""
    monkeypatch.setattr(discarding, "PEOPLE_A_TRANSACTION", 2)
    die(bench, "ann", "bob", "cyd")
    die(bench, "ann", title="Chief")
    result = give_up(bench, None, Filters(target="lms"))
    assert (result["operations"], result["discarded"]) == (4, 4)
    assert bench.states() == {"discarded": 4}
    assert len(audited(bench)) == 2


def test_giving_up_nothing_in_particular_is_refused(bench: Bench) -> None:
    refused: list[tuple[dict[str, Any], type[Exception]]] = [
        ({}, UsageError),
        ({"filters": Filters(), "operations": [1]}, UsageError),
        ({"filters": Filters(code="too_lon")}, UsageError),
        ({"filters": Filters(), "reason": " "}, UsageError),
        ({"filters": Filters(), "reason": "x" * 501}, UsageError),
        ({"operations": [12_345]}, NotThere),
        ({"operations": []}, UsageError),
    ]
    for how, error in refused:
        with pytest.raises(error):
            give_up(bench, **how)


def test_the_file_for_others_has_everything_as_text(bench: Bench) -> None:
    die(bench, "=cmd|' /c calc'!a0")
    die(bench, "ann", name={"givenName": SCRIPT, "familyName": "Person"})
    first = next(each["operation"] for each in items(bench) if each["user"].startswith("="))
    notes.note(bench.store, "acme", [first], who="op@desk", text="@SUM(A1)")
    rows = list(csv.DictReader(io.StringIO("".join(inbox.as_csv(bench.store, "acme")))))
    assert [row["user"] for row in rows] == ["'=cmd|' /c calc'!a0@example.com", "ann@example.com"]
    assert rows[0]["code"] == "refused"
    assert rows[0]["notes"].endswith(" op@desk: @SUM(A1)")
    assert "".join(inbox.as_csv(bench.store, "other")).split("\r\n") == [",".join(inbox.COLUMNS), ""]
    with pytest.raises(UsageError):
        inbox.as_csv(bench.store, "acme", Filters(code="too_lon"))


def test_the_timeline_tells_who_sent_what_where_it_stood_and_what_was_answered(bench: Bench) -> None:
    with bench.store.begin("acme") as tx:
        token = tokens.issue(tx, scopes=["scim"], source="idp", name="Okta, production")
    bench.push("bob")
    die(bench, "ann")
    with bench.store.begin("acme") as tx:
        tx.connection.execute(sa.update(tables.change).values(token_id=token.id))
    bench.group("Staff", ("ann",))
    [person] = timeline.show(bench.store, "ann@example.com", "acme", settings=bench.settings)["people"]
    change = person["changes"][0]
    assert (change["token_id"], change["token_name"]) == (token.id, "Okta, production")
    [operation] = change["operations"]
    assert operation["calls"] >= 1
    call = next(each for each in person["batches"] if each["step"] == "create")
    assert (call["target"], call["position"], call["people"], call["request"]) == ("lms", 2, 2, {"items": 2})
    assert call["answer"] is not None
    [made] = person["mapped"]
    assert (made["target"], made["in_scope"], made["refused"], made["active"]) == ("lms", True, None, True)
    assert "ann@example.com" in made["attributes"].values()
    assert person["groups"] == ["Staff"]


def test_the_timeline_tells_who_replayed_with_their_notes(bench: Bench) -> None:
    die(bench, "ann")
    [row] = items(bench)
    notes.note(bench.store, "acme", [row["operation"]], who="op@desk", text=SCRIPT)
    replay.run(bench.store, bench.runtime.dispatcher, who="eve@desk")
    [person] = timeline.show(bench.store, "ann@example.com", settings=Settings())["people"]
    operation = person["changes"][0]["operations"][0]
    assert [each["who"] for each in operation["replayed"]] == ["eve@desk"]
    assert [(each["who"], each["text"]) for each in operation["notes"]] == [("op@desk", SCRIPT)]
    assert person["mapped"] == []


def test_what_an_account_was_last_known_to_hold_is_told(bench: Bench) -> None:
    bench.push("ann", title="Chief")
    bench.work(shifts=2)
    [link] = timeline.show(bench.store, "ann@example.com")["people"][0]["links"]
    assert link["known"]["active"] is True
    assert "ann@example.com" in link["known"]["attributes"].values()


def test_a_batch_tells_what_became_of_each_person_in_it(bench: Bench) -> None:
    bench.push("bob")
    die(bench, "ann")
    [row] = items(bench)
    found = batches.show(bench.store, "acme", row["batch"])
    assert [(each["position"], each["user"], each["outcome"]) for each in found["people"]] == [
        (1, "bob@example.com", "delivered"),
        (2, "ann@example.com", "dead"),
    ]
    assert found["outcomes"] == {"dead": 1, "delivered": 1}
    assert (found["target"], found["status"], found["request"]) == ("lms", "finished", {"items": 2})
    for tenant, number in (("other", row["batch"]), ("acme", row["batch"] + 99), (None, 10**30), (None, 0)):
        with pytest.raises(NotThere, match="there is no batch"):
            batches.show(bench.store, tenant, number)
