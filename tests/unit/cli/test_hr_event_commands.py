"""`scim-bridge hr events`: what waits, why, and what an operator can do about it."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from unit.cli.conftest import Run

from scim_bridge.domain.rows import Refusal, Row
from scim_bridge.errors import NotThere
from scim_bridge.operators import kept_events
from scim_bridge.settings.models import Settings
from scim_bridge.store import hr_events, tables
from scim_bridge.store.engine import Store
from scim_bridge.store.hr_events import FETCH, REFUSED, WAITING, Kept
from scim_bridge.wiring import now_ms

REFUSAL = Refusal(code="unknown_status", field="active", advice="Add it to one of the two.")
SECRETIVE = {"email": "ann@x.com", "lastName": "Nguyen"}


@pytest.fixture
def config(sqlite_url: str, tmp_path: Path) -> str:
    file = tmp_path / "bridge.toml"
    file.write_text(
        f'data_dir = "data"\n[store]\nurl = "{sqlite_url}"\n[queue]\nurl = "redis://127.0.0.1:1/0"\n'
        '[[tenants]]\nid = "acme"\n[[tenants.sources]]\nname = "bamboohr"\nkind = "bamboohr"\nsecret = "env:KEY"\n'
        '[[tenants.sources]]\nname = "files"\nkind = "csv"\n[[tenants]]\nid = "other"\n'
    )
    return str(file)


@pytest.fixture(autouse=True)
def store(sqlite_url: str) -> Iterator[Store]:
    """Event 1 waits, 2 is refused, 3 needs a fetch and was put off; 4 is another tenant's."""
    opened = Store.open(sqlite_url, clock=now_ms)
    for tenant in ("acme", "other"):
        with opened.begin(tenant) as tx:
            for state, refusal in ((WAITING, None), (REFUSED, REFUSAL)) if tenant == "acme" else ((WAITING, None),):
                row = Row(external_id="4711", fields=SECRETIVE, position=1)
                kept = Kept(state=state, row=row, correlation_id="c", refusal=refusal)
                hr_events.keep(tx, "bamboohr", [kept])
            if tenant == "acme":
                row = Row(external_id="4712", fields={}, position=1, needs_fetch=True)
                hr_events.keep(tx, "bamboohr", [Kept(state=FETCH, row=row, correlation_id="c")])
    later = {
        "due_at": now_ms() + 60_000,
        "code": "fetch_missing",
        "advice": "Let the credential see them.",
        "attempts": 2,
    }
    with opened.begin("acme") as tx:
        tx.connection.execute(sa.update(tables.hr_event).where(tables.hr_event.c.state == FETCH).values(**later))
    yield opened
    opened.close()


def listed(run: Run, config: str, *options: str) -> Any:
    found = run("hr", "events", "--config", config, "--json", *options)
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def states(run: Run, config: str) -> dict[str, str]:
    return {str(each["event"]): each["state"] for each in listed(run, config, "--tenant", "acme")["events"]}


def number_of(run: Run, config: str, state: str) -> str:
    [found] = listed(run, config, "--tenant", "acme", "--state", state)["events"]
    return str(found["event"])


def audited(store: Store) -> list[tuple[str, Any]]:
    with store.across_tenants("test") as tx:
        rows = tx.connection.execute(sa.select(tables.audit).order_by(tables.audit.c.id))
        return [(row.what, json.loads(row.after)) for row in rows]


def test_everything_that_is_kept_is_listed_with_its_reason(run: Run, config: str) -> None:
    found = listed(run, config)
    assert found["counts"] == {"kept": 2, "needs_fetch": 1, "refused": 1}
    refused, fetch = (
        next(each for each in found["events"] if each["state"] == it) for it in ("refused", "needs_fetch")
    )
    assert (refused["person"], refused["code"], refused["field"]) == ("4711", "unknown_status", "active")
    assert refused["advice"] == REFUSAL.advice
    assert (fetch["person"], fetch["code"], fetch["attempts"]) == ("4712", "fetch_missing", 2)
    assert fetch["next_try_at"] is not None
    assert refused["age_s"] >= 0


@pytest.mark.parametrize(
    ("options", "events"),
    [
        (("--tenant", "acme"), 3),
        (("--tenant", "other"), 1),
        (("--source", "files"), 0),
        (("--state", "kept"), 2),
        (("--state", "refused", "--tenant", "other"), 0),
        (("--limit", "1"), 1),
    ],
)
def test_events_are_chosen_by_options(run: Run, config: str, options: tuple[str, ...], events: int) -> None:
    assert len(listed(run, config, *options)["events"]) == events


def test_nothing_personal_is_shown(run: Run, config: str) -> None:
    for flags in ((), ("--json",)):
        shown = run("hr", "events", "--config", config, *flags).output
        assert "4711" in shown
        assert not [each for each in ("ann@x.com", "Nguyen") if each in shown]


def test_people_read_a_line_an_event(run: Run, config: str) -> None:
    found = run("hr", "events", "--config", config, "--state", "refused")
    assert (found.exit_code, found.stdout.splitlines()[-1]) == (0, "1 refused")
    assert "what to do: Add it to one of the two." in found.stdout
    assert run("hr", "events", "--config", config, "--source", "files").stdout == "no events\n"
    assert "1 more than shown" in run("hr", "events", "--config", config, "--state", "kept", "--limit", "1").stdout


def test_a_refused_event_waits_to_be_applied_again(run: Run, config: str, store: Store) -> None:
    number = number_of(run, config, "refused")
    found = run("hr", "events", "retry", number, "--config", config)
    assert (found.exit_code, found.stdout) == (0, "1 event is tried again\n")
    assert states(run, config)[number] == "kept"
    assert audited(store) == [("hr events retry", {"event": int(number), "source": "bamboohr", "events": 1})]


def test_a_person_is_looked_up_at_once(run: Run, config: str) -> None:
    number = number_of(run, config, "needs_fetch")
    assert run("hr", "events", "retry", number, "--config", config).exit_code == 0
    [fetch] = listed(run, config, "--state", "needs_fetch")["events"]
    assert (fetch["code"], fetch["attempts"], fetch["next_try_at"]) == ("", 0, None)


def test_all_of_a_source_are_tried_again(run: Run, config: str) -> None:
    found = run("hr", "events", "retry", "--tenant", "acme", "--source", "bamboohr", "--config", config, "--json")
    assert json.loads(found.stdout) == {"tenant": "acme", "source": "bamboohr", "events": 2}
    assert sorted(states(run, config).values()) == ["kept", "kept", "needs_fetch"]
    nothing = run("hr", "events", "retry", "--tenant", "acme", "--source", "files", "--config", config)
    assert (nothing.exit_code, nothing.stdout) == (0, "0 events are tried again\n")


def test_an_event_without_data_that_was_refused_needs_a_fetch(run: Run, config: str, store: Store) -> None:
    with store.begin("acme") as tx:
        for number in ("4712", "4713"):
            row = Row(external_id=number, fields={}, position=1)
            kept = Kept(state=REFUSED, row=row, correlation_id="c", refusal=REFUSAL)
            hr_events.keep(tx, "bamboohr", [kept])
    run("hr", "events", "retry", "--tenant", "acme", "--source", "bamboohr", "--config", config)
    fetches = listed(run, config, "--state", "needs_fetch")["events"]
    assert sorted(each["person"] for each in fetches) == ["4712", "4713"]


def test_an_event_that_waits_in_its_order_stays(run: Run, config: str, store: Store) -> None:
    found = run("hr", "events", "retry", number_of(run, config, "kept"), "--config", config)
    assert (found.exit_code, "applied when bamboohr is not paused" in found.stderr) == (1, True)
    assert audited(store) == []


def test_events_come_page_by_page(store: Store) -> None:
    found, after = [], 0
    while after is not None:
        page = kept_events.report(store, Settings(), limit=1, after=after)
        found += [each["event"] for each in page["events"]]
        after = page["next"]
        assert sum(page["counts"].values()) == 4
    assert len(found) == 4
    assert found == sorted(found)


@pytest.mark.parametrize("act", [kept_events.retry, partial(kept_events.drop, reason="gone")])
def test_an_event_of_another_tenant_is_not_there(store: Store, act: Any) -> None:
    with pytest.raises(NotThere):
        act(store, number=2, who="op@desk", tenant="other")
    assert audited(store) == []


def test_an_event_is_given_up_with_a_reason(run: Run, config: str, store: Store) -> None:
    number = number_of(run, config, "needs_fetch")
    found = run("hr", "events", "drop", number, "--reason", " never worked here ", "--config", config)
    assert (found.exit_code, found.stdout) == (0, f"dropped event {number} of acme/bamboohr\n")
    assert number not in states(run, config)
    told = {"event": int(number), "source": "bamboohr", "state": "needs_fetch"}
    assert audited(store) == [("hr events drop", {**told, "reason": "never worked here"})]


def test_an_event_that_was_applied_meanwhile_is_not_told_as_dropped(
    run: Run, config: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = number_of(run, config, "kept")
    find = kept_events._find

    def find_late(opened: Store, wanted: int, tenant: str | None) -> Any:
        found = find(opened, wanted, tenant)
        with opened.begin(found.tenant) as tx:
            hr_events.drop(tx, [wanted])
        return found

    monkeypatch.setattr(kept_events, "_find", find_late)
    found = run("hr", "events", "drop", number, "--reason", "gone", "--config", config)
    assert (found.exit_code, f"there is no event {number}" in found.stderr) == (2, True)
    assert audited(store) == []


BAD: list[tuple[tuple[str, ...], str]] = [
    (("--tenant", "acmee"), "there is no tenant acmee (there: acme, other)"),
    (("--source", "bamboo"), "there is no source bamboo (there: bamboohr, files, idp)"),
    (("--state", "lost"), "Invalid value for '--state'"),
    (("retry",), "say which: the number of one event, or else --tenant and --source"),
    (("retry", "1", "--tenant", "acme", "--source", "bamboohr"), "say which"),
    (("retry", "--source", "bamboohr"), "say which"),
    (("retry", "one"), "'one' is not a valid integer"),
    (("retry", "999"), "there is no event 999; it may have been applied since. See scim-bridge hr events"),
    (("retry", "--tenant", "acme", "--source", "x"), "there is no source x (there: bamboohr, files)"),
    (("drop", "999", "--reason", "gone"), "there is no event 999"),
    (("drop", "1"), "Missing option '--reason'"),
    (("drop", "1", "--reason", " "), "say why with --reason"),
    (("drop", "1", "--reason", "a\nb"), "say why with --reason"),
    (("drop", "1", "--reason", "x" * 501), "500 characters at the most"),
]


@pytest.mark.parametrize(("arguments", "sentence"), BAD)
def test_what_is_wrong_with_a_command_is_said_in_a_line(
    run: Run, config: str, arguments: tuple[str, ...], sentence: str
) -> None:
    found = run("hr", "events", *arguments, "--config", config)
    assert (found.exit_code, sentence in found.stderr) == (2, True), found.output


def test_options_before_the_command_are_not_lost_silently(run: Run, config: str) -> None:
    found = run("hr", "events", "--tenant", "acme", "retry", "--source", "bamboohr", "--config", config)
    assert (found.exit_code, "behind the command" in found.stderr) == (2, True)


def test_a_database_that_is_not_there_ends_with_1(run: Run, tmp_path: Path) -> None:
    elsewhere = tmp_path / "else.toml"
    elsewhere.write_text('[store]\nurl = "sqlite:///nowhere.db"\n[[tenants]]\nid = "acme"\n')
    assert run("hr", "events", "--config", str(elsewhere)).exit_code == 1
