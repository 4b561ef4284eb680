"""HR events that were kept while their source was paused, and what the relay makes of them afterwards."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.hr import person

from scim_bridge.domain.rows import Row
from scim_bridge.recording import hr_events as recording
from scim_bridge.recording.hr_events import Event
from scim_bridge.recording.origins import Origin
from scim_bridge.recording.rows import Said
from scim_bridge.recording.rows import record as record_rows
from scim_bridge.settings.models import Settings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import directory_users, hr_events, tables
from scim_bridge.store.directory import NameTaken
from scim_bridge.store.engine import Contended
from workers.relay import events, housekeeping

MAPPING = {"externalId": "id", "userName": "email", "name.familyName": "lastName", "title": "title", "active": "status"}


def settings_of(settings: Settings, *, paused: bool) -> Settings:
    [tenant] = settings.tenants
    source = SourceSettings(
        name="hr",
        kind="generic",
        mapping=MAPPING,
        active_values=["active"],
        inactive_values=["left"],
        paused=paused,
    )
    return settings.model_copy(update={"tenants": [tenant.model_copy(update={"sources": [source]})]})


@dataclass
class Source:
    """A source that is paused at first."""

    bench: Any

    def __post_init__(self) -> None:
        self.pause(paused=True)

    def pause(self, *, paused: bool) -> None:
        self.bench.runtime.settings = settings_of(self.bench.settings, paused=paused)

    def say(self, external_id: str, said_at: int | None = None, *, is_whole: bool = True, **fields: Any) -> str:
        """Record an event as the front door does, and return what became of it."""
        runtime = self.bench.runtime
        source = recording.sources_of(runtime.settings.tenant("acme"))["hr"]
        row = Row(
            external_id=external_id,
            fields={"id": external_id, "email": f"{external_id}@example.com", "lastName": "Lee", **fields},
            position=1,
            is_whole=is_whole,
            said_at=said_at,
        )
        with self.bench.store.begin("acme") as tx:
            origin = Origin(source="hr", correlation_id="c")
            taken = recording.as_it_stands(tx, source)
            fates, _ = recording.record(tx, [Event(row=row)], source=taken, scopes={}, origin=origin)
        self.bench.clock.advance(ms=1_000)
        return fates[0].outcome

    def relay(self) -> int:
        return events.run_once(self.bench.runtime, self.bench.clock()) - self.bench.clock()

    def kept(self, state: str) -> list[hr_events.Kept]:
        with self.bench.store.begin("acme", write=False) as tx:
            return hr_events.of_state(tx, "hr", state, limit=1_000)

    def titles(self) -> dict[str, str | None]:
        query = sa.select(tables.resource.c.document).where(tables.resource.c.kind == "User")
        with self.bench.store.begin("acme", write=False) as tx:
            found = [json.loads(row.document) for row in tx.connection.execute(query)]
        return {document["externalId"]: document.get("title") for document in found}


@pytest.fixture
def source(make_bench: Callable[..., Any]) -> Source:
    return Source(make_bench())


def test_events_stay_while_their_source_is_paused(source: Source) -> None:
    assert source.say("1", title="one") == "kept"
    source.relay()
    assert source.titles() == {}
    assert len(source.kept(hr_events.WAITING)) == 1


def test_events_are_applied_in_their_order_when_their_source_is_paused_no_more(source: Source) -> None:
    for title in ("one", "two"):
        source.say("1", title=title)
    source.pause(paused=False)
    assert source.relay() == events.EVERY_MS
    assert source.titles() == {"1": "two"}
    assert source.kept(hr_events.WAITING) == []
    assert [(tenant, target) for tenant, target, _ in source.bench.runtime.dispatcher.wakes] == [("acme", "lms")]


def test_what_is_said_since_waits_behind_what_was_kept(source: Source) -> None:
    source.say("1", title="kept")
    source.pause(paused=False)
    assert source.say("1", is_whole=False, nickName="since") == "kept"
    source.relay()
    assert source.titles() == {"1": "kept"}
    assert source.say("1", title="last") == "updated"


def test_an_event_that_told_no_time_was_said_when_it_came(source: Source) -> None:
    source.say("1", title="kept")
    source.bench.clock.advance(ms=60_000)
    with source.bench.store.begin("acme") as tx:
        rows = [Said(position=1, external_id="1", what=person("1", document={"title": "since"}), said_at=tx.now - 1)]
        record_rows(tx, rows, source="hr", owns={}, scopes={}, origin=Origin(source="hr", correlation_id="c"))
    source.pause(paused=False)
    source.relay()
    assert source.titles() == {"1": "since"}


def test_an_event_that_cannot_be_applied_is_kept_with_its_reason(source: Source) -> None:
    source.say("1", status="who knows")
    source.say("2", status="active")
    source.pause(paused=False)
    source.relay()
    assert list(source.titles()) == ["2"]
    [refused] = source.kept(hr_events.REFUSED)
    assert refused.refusal is not None
    assert (refused.row.external_id, refused.refusal.code) == ("1", "unknown_status")


def test_refused_events_are_applied_once_more_when_somebody_asks(source: Source) -> None:
    source.pause(paused=False)
    assert source.say("1", status="who knows") == "refused"
    with source.bench.store.begin("acme") as tx:
        assert hr_events.try_again(tx, "hr") == 1
    source.relay()
    assert [kept.row.external_id for kept in source.kept(hr_events.REFUSED)] == ["1"]
    assert source.kept(hr_events.WAITING) == []


def test_an_event_that_we_have_no_answer_to_holds_no_other_up(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    """New ones wait behind those that are kept: whatever cannot be applied must not stay in front."""
    record = recording.record

    def fail(tx: Any, given: Any, **how: Any) -> Any:
        if any(each.row.external_id == "2" for each in given):
            raise ZeroDivisionError
        return record(tx, given, **how)

    for number in ("1", "2", "3"):
        source.say(number)
    source.pause(paused=False)
    monkeypatch.setattr(recording, "record", fail)
    for _ in range(5):
        source.relay()
    assert sorted(source.titles()) == ["1", "3"]
    [aside] = source.kept(hr_events.REFUSED)
    assert (aside.row.external_id, aside.refusal.code if aside.refusal else "") == ("2", "bug")


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)  # on SQLite all writers take turns
def test_two_relays_apply_the_events_of_a_source_one_after_the_other(source: Source) -> None:
    """Or the newer ones would be there first."""
    store = source.bench.store
    source.say("1")
    source.pause(paused=False)
    waits = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    kept = sa.select(tables.hr_event.c.id).with_for_update(skip_locked=True)
    with ThreadPoolExecutor(1) as pool:
        with store.begin("acme") as tx:
            directory_users.take_turns(tx, "hr")
            applied = pool.submit(source.relay)
            while not applied.done() and not tx.connection.execute(waits).scalar_one():
                pass
            assert len(tx.connection.execute(kept).all()) == 1
        applied.result(timeout=10)
    assert list(source.titles()) == ["1"]


def test_nobody_elses_event_is_set_aside_for_one_that_another_relay_has_applied(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("1", "2"):
        source.say(number)
    source.pause(paused=False)
    first = source.kept(hr_events.WAITING)[0].number
    take_turns = directory_users.take_turns
    failures: list[int] = []

    def wait(tx: Any, name: str) -> None:
        """Have the turn after all pieces have failed; by then another relay was done with the first event."""
        take_turns(tx, name)
        if len(failures) == 2:
            assert hr_events.drop(tx, [first]) == 1

    def fail(_tx: Any, given: Any, **_how: Any) -> Any:
        failures.append(len(given))
        raise ZeroDivisionError

    monkeypatch.setattr(directory_users, "take_turns", wait)
    monkeypatch.setattr(recording, "record", fail)
    source.relay()
    assert failures == [2, 1]
    assert source.kept(hr_events.REFUSED) == []
    assert [kept.row.external_id for kept in source.kept(hr_events.WAITING)] == ["2"]


@pytest.mark.parametrize("error", [NameTaken("User"), Contended("deadlock detected")], ids=["name", "deadlock"])
def test_an_event_that_met_another_at_the_same_moment_is_tried_again(
    source: Source, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    source.say("1")
    source.pause(paused=False)

    def fail(*_given: Any, **_how: Any) -> Any:
        raise error

    with monkeypatch.context() as racing:
        racing.setattr(recording, "record", fail)
        assert source.relay() == events.EVERY_MS
    source.relay()
    assert list(source.titles()) == ["1"]


def test_many_events_are_applied_some_at_a_time(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "AT_ONCE", 2)
    for number in range(3):
        source.say(str(number))
    source.pause(paused=False)
    assert source.relay() == 0
    assert len(source.kept(hr_events.WAITING)) == 1
    assert source.relay() == events.EVERY_MS
    assert len(source.titles()) == 3


def test_events_of_a_source_that_is_configured_no_more_stay(source: Source) -> None:
    source.say("1")
    source.bench.runtime.settings = source.bench.settings
    source.relay()
    assert len(source.kept(hr_events.WAITING)) == 1


def test_refused_events_and_marks_are_let_go_when_they_are_old(source: Source) -> None:
    source.pause(paused=False)
    source.say("1", status="who knows")
    with source.bench.store.begin("acme") as tx:
        hr_events.take(tx, "hr", ["m"])
    days = source.bench.runtime.settings.evidence_days
    source.bench.clock.advance(ms=days * 86_400_000 - 60_000)
    housekeeping.run_once(source.bench.runtime, source.bench.clock())
    assert len(source.kept(hr_events.REFUSED)) == 1
    source.bench.clock.advance(ms=120_000)
    housekeeping.run_once(source.bench.runtime, source.bench.clock())
    assert source.kept(hr_events.REFUSED) == []
    with source.bench.store.begin("acme", write=False) as tx:
        assert hr_events.are_taken(tx, "hr", ["m"])
    source.bench.clock.advance(ms=hr_events.KEPT_MS)
    housekeeping.run_once(source.bench.runtime, source.bench.clock())
    with source.bench.store.begin("acme", write=False) as tx:
        assert not hr_events.are_taken(tx, "hr", ["m"])
