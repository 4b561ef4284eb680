"""People whom an HR event only named, looked up in a simulated HR system and recorded like any other news."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from scim_bridge.domain.rows import Refusal, Row
from scim_bridge.recording import hr_events as recording
from scim_bridge.recording.hr_events import Event
from scim_bridge.recording.origins import Origin
from scim_bridge.sandbox.sources.vendors import HrVendor, simulate_hr
from scim_bridge.sandbox.targets.faults import Fault
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.settings.sources import FetchSettings, SourceSettings
from scim_bridge.store import hr_events, tables
from workers.fetchers import work
from workers.relay import events, fetching, housekeeping

KEY = "bamboo-key-91c7"
MAPPING = {
    "bamboohr": {
        "externalId": "id",
        "userName": "workEmail",
        "name.familyName": "lastName",
        "title": "jobTitle",
        "active": "status",
        "meta.lastModified": "lastChanged",
    },
    "hibob": {
        "externalId": "id",
        "userName": "email",
        "name.familyName": "surname",
        "title": "work.title",
        "active": "internal.status",
    },
}
ANN = {"id": "1", "workEmail": "ann@x.com", "lastName": "Lee", "jobTitle": "Cook", "status": "Active", "ssn": "078-05"}


def bob(number: str, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "email": f"p{number}@x.com",
        "surname": "Lee",
        "work": {"title": "255"},
        "internal": {"status": "Active"},
        **more,
    }


@dataclass
class Source:
    """A source whose events name people only, and the HR system that knows them."""

    bench: Any
    system: Simulator[HrVendor]
    kind: str = "bamboohr"

    def __post_init__(self) -> None:
        self.configure()

    def configure(
        self, *, secret: str = KEY, paused: bool = False, names: Sequence[str] = ("hr",), **limits: Any
    ) -> None:
        """Configure the source (or several with one credential) as if the relay had just been started."""
        fetch = FetchSettings(
            base_url=self.system.base_url, user="SERVICE-1", secret=SecretStr(secret), **{"requests": 1000, **limits}
        )
        sources = [
            SourceSettings(
                name=name,
                kind=self.kind,
                mapping=MAPPING[self.kind],
                active_values=["active"],
                inactive_values=["inactive"],
                paused=paused,
                fetch=fetch,
            )
            for name in names
        ]
        [tenant] = self.bench.settings.tenants
        tenants = [tenant.model_copy(update={"sources": sources})]
        self.bench.runtime.settings = self.bench.settings.model_copy(update={"tenants": tenants})
        self.bench.runtime.askers.clear()

    def say(self, external_id: str, *, said_at: int | None = None, by: str = "hr", **what: Any) -> str:
        """Record an event as the front door does; without more it names the person only."""
        source = recording.sources_of(self.bench.runtime.settings.tenant("acme"))[by]
        row = Row(
            external_id=external_id, position=1, said_at=said_at, **{"fields": {}, "needs_fetch": not what, **what}
        )
        with self.bench.store.begin("acme") as tx:
            origin = Origin(source=by, correlation_id=f"c-{external_id}")
            fates, _ = recording.record(tx, [Event(row=row)], source=source, scopes={}, origin=origin)
        self.bench.clock.advance(ms=1_000)
        return fates[0].outcome

    def ask(self, *, after_ms: int = 0) -> None:
        """Let the relay's duty ask until it has nothing to ask now."""
        self.bench.clock.advance(ms=after_ms)
        fetching.run_once(self.bench.runtime, self.bench.clock())
        fetching.finish(self.bench.runtime, patience_s=20)

    def meanwhile(self, happens: Callable[[], Any]) -> None:
        """Have something happen during the next call: before the HR system is asked."""

        def interrupted(ids: Sequence[str], **more: Any) -> Any:
            asker.fetcher.fetch = real
            happens()
            return real(ids, **more)

        [asker] = self.bench.runtime.askers.values()
        real, asker.fetcher.fetch = asker.fetcher.fetch, interrupted

    def waiting(self) -> dict[str, str]:
        """Return who is still to be looked up, with the code of what kept it from being done."""
        return {each.row.external_id: each.refusal.code if each.refusal else "" for each in self.kept(hr_events.FETCH)}

    def kept(self, state: str) -> list[hr_events.Kept]:
        with self.bench.store.begin("acme", write=False) as tx:
            return hr_events.of_state(tx, "hr", state, limit=1_000)

    def people(self) -> dict[str, Any]:
        query = sa.select(tables.resource.c.document, tables.resource.c.active).where(tables.resource.c.kind == "User")
        with self.bench.store.begin("acme", write=False) as tx:
            found = [{**json.loads(row.document), "active": bool(row.active)} for row in tx.connection.execute(query)]
        return {each["externalId"]: each for each in found}

    def titles(self) -> dict[str, Any]:
        return {number: each.get("title") for number, each in self.people().items()}

    def calls(self) -> int:
        return len(list(self.system.log))


on_sqlite = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
"""What is decided without the store is so on any database."""


@pytest.fixture(scope="module")
def systems() -> Iterator[dict[str, Simulator[HrVendor]]]:
    """The HR systems, for all tests in turn."""
    bamboohr, hibob = simulate_hr("bamboohr", secret=KEY, limits=()), simulate_hr("hibob", secret=KEY, limits=())
    with bamboohr, hibob:
        yield {"bamboohr": bamboohr, "hibob": hibob}


def anew(system: Simulator[HrVendor]) -> Simulator[HrVendor]:
    """Return an HR system without what an earlier test left there."""
    system.faults.clear()
    system.log.clear()
    system.vendor.people.clear()
    system.vendor.set_options({"is_locked_out": False, "unseen": ()})
    return system


@pytest.fixture
def bamboohr(systems: dict[str, Simulator[HrVendor]], make_bench: Callable[..., Any]) -> Source:
    system = anew(systems["bamboohr"])
    system.vendor.put(ANN)
    return Source(make_bench(), system)


@pytest.fixture
def hibob(systems: dict[str, Simulator[HrVendor]], make_bench: Callable[..., Any]) -> Source:
    system = anew(systems["hibob"])
    system.vendor.put(*(bob(str(number)) for number in range(1, 61)))
    system.vendor.lists["255"] = "Cook"
    return Source(make_bench(), system, "hibob")


@on_sqlite
def test_whom_an_event_names_is_looked_up(bamboohr: Source) -> None:
    assert bamboohr.say("1") == "needs_fetch"
    bamboohr.ask()
    assert bamboohr.waiting() == {}
    [ann] = bamboohr.people().values()
    assert (ann["userName"], ann["title"], ann["active"]) == ("ann@x.com", "Cook", True)
    assert [(tenant, target) for tenant, target, _ in bamboohr.bench.runtime.dispatcher.wakes] == [("acme", "lms")]


@on_sqlite
def test_only_what_the_mapping_reads_is_kept_of_whom_is_looked_up(bamboohr: Source) -> None:
    bamboohr.system.vendor.put({**ANN, "status": "who knows"})
    bamboohr.say("1")
    bamboohr.ask()
    [refused] = bamboohr.kept(hr_events.REFUSED)
    assert refused.refusal is not None
    assert (refused.refusal.code, refused.correlation_id) == ("unknown_status", "c-1")
    assert sorted(refused.row.fields) == ["id", "jobTitle", "lastChanged", "lastName", "status", "workEmail"]
    assert bamboohr.waiting() == {}


def test_many_are_looked_up_by_one_call_where_the_vendor_takes_it(hibob: Source) -> None:
    for number in range(1, 61):
        hibob.say(str(number))
    hibob.ask()
    assert (hibob.calls(), len(hibob.people())) == (2, 60)
    assert set(hibob.titles().values()) == {"Cook"}


@on_sqlite
def test_who_is_not_shown_is_no_leaver(bamboohr: Source) -> None:
    bamboohr.say("1")
    bamboohr.ask()
    bamboohr.system.vendor.remove("1")
    bamboohr.say("1")
    bamboohr.ask()
    assert bamboohr.people()["1"]["active"] is True
    assert bamboohr.waiting() == {"1": "fetch_missing"}


@on_sqlite
def test_who_is_not_shown_yet_is_asked_for_again(bamboohr: Source) -> None:
    bamboohr.say("2")
    bamboohr.ask()
    bamboohr.system.vendor.put({**ANN, "id": "2"})
    bamboohr.ask(after_ms=work.FIRST_MISSING_MS - 2_000)
    assert bamboohr.waiting() == {"2": "fetch_missing"}
    bamboohr.ask(after_ms=2_000)
    assert bamboohr.waiting() == {}
    assert list(bamboohr.people()) == ["2"]


@on_sqlite
def test_who_stays_unseen_is_asked_for_ever_more_rarely(bamboohr: Source) -> None:
    bamboohr.say("2")
    waits = []
    for _ in range(13):
        bamboohr.ask()
        [kept] = bamboohr.kept(hr_events.FETCH)
        waits.append(kept.due_at - bamboohr.bench.clock())
        bamboohr.bench.clock.advance(ms=waits[-1])
    assert waits[:3] == [30_000, 60_000, 120_000]
    assert waits[-1] == work.LONGEST_MISSING_MS
    assert bamboohr.calls() == 13


def test_nobody_asks_for_whom_the_source_deleted_since(bamboohr: Source) -> None:
    bamboohr.say("1")
    bamboohr.ask()
    bamboohr.say("1", said_at=bamboohr.bench.clock())
    bamboohr.say("1", said_at=bamboohr.bench.clock(), is_gone=True)
    bamboohr.system.vendor.remove("1")
    bamboohr.ask()
    assert bamboohr.waiting() == {}
    assert bamboohr.people()["1"]["active"] is False


@on_sqlite
def test_older_news_that_is_looked_up_changes_nothing(bamboohr: Source) -> None:
    now = bamboohr.bench.clock()
    bamboohr.say("1", said_at=now, fields={**ANN, "jobTitle": "Chef"})
    bamboohr.say("1", said_at=now - 60_000)
    bamboohr.ask()
    assert bamboohr.titles() == {"1": "Chef"}
    assert bamboohr.waiting() == {}


@on_sqlite
def test_the_sources_own_time_counts(bamboohr: Source) -> None:
    bamboohr.say("1", said_at=bamboohr.bench.clock() - 60_000)
    bamboohr.say("1", said_at=bamboohr.bench.clock() - 30_000, fields={**ANN, "jobTitle": "Chef"})
    bamboohr.system.vendor.put({**ANN, "jobTitle": "Baker", "lastChanged": "2001-01-01T00:00:00Z"})
    bamboohr.ask()
    assert bamboohr.titles() == {"1": "Chef"}


@on_sqlite
def test_who_is_refused_stops_asking_for_everybody(bamboohr: Source) -> None:
    bamboohr.configure(secret="wrong")
    for number in ("1", "2", "3"):
        bamboohr.say(number)
    bamboohr.ask()
    bamboohr.ask(after_ms=60_000)
    bamboohr.say("1")
    bamboohr.ask(after_ms=60_000)
    assert bamboohr.calls() == 1
    assert bamboohr.waiting() == {"1": "fetch_refused", "2": "", "3": ""}
    with bamboohr.bench.store.across_tenants("test") as tx:
        owed = tx.connection.execute(sa.select(tables.notice)).all()
    assert [(each.tenant, each.target, each.kind, each.code) for each in owed] == [("acme", "", "fetch_refused", "hr")]


def test_after_a_refusal_one_call_tries_again(bamboohr: Source) -> None:
    bamboohr.system.vendor.is_locked_out = True
    for number in ("1", "2", "3"):
        bamboohr.say(number)
    bamboohr.ask()
    bamboohr.ask(after_ms=work.REFUSED_MS)
    assert bamboohr.calls() == 2
    bamboohr.system.vendor.is_locked_out = False
    bamboohr.ask(after_ms=work.REFUSED_MS)
    assert bamboohr.waiting() == {"2": "fetch_missing", "3": "fetch_missing"}
    assert list(bamboohr.people()) == ["1"]


@on_sqlite
def test_a_new_process_tries_its_own_credential_at_once(bamboohr: Source) -> None:
    bamboohr.configure(secret="wrong")
    for number in ("1", "2"):
        bamboohr.say(number)
    bamboohr.ask()
    bamboohr.configure()
    bamboohr.ask()
    assert "fetch_refused" not in bamboohr.waiting().values()
    assert list(bamboohr.people()) == ["1"]


@on_sqlite
def test_one_person_who_is_forbidden_does_not_stop_the_others(bamboohr: Source) -> None:
    bamboohr.system.faults.add(Fault(status=403, path="/api/v1/employees/9", times=None))
    bamboohr.say("9")
    bamboohr.ask()
    bamboohr.say("1")
    for _ in range(3):
        bamboohr.ask(after_ms=work.REFUSED_MS)
    assert bamboohr.waiting() == {"9": "fetch_forbidden"}
    bamboohr.system.vendor.put({**ANN, "jobTitle": "Chef"})
    bamboohr.say("1")
    bamboohr.ask()
    assert bamboohr.titles() == {"1": "Chef"}


@on_sqlite
def test_who_is_hidden_delays_nobody_who_is_shown(bamboohr: Source) -> None:
    bamboohr.system.faults.add(Fault(status=403, path="/api/v1/employees/9", times=None))
    for number in ("9", "1"):
        bamboohr.say(number)
    bamboohr.ask()
    assert list(bamboohr.people()) == ["1"]
    assert bamboohr.waiting() == {"9": "fetch_forbidden"}


@on_sqlite
def test_two_people_who_are_hidden_in_a_row_stop_the_source(bamboohr: Source) -> None:
    for number in range(11, 17):
        bamboohr.system.faults.add(Fault(status=403, path=f"/api/v1/employees/{number}", times=None))
        bamboohr.say(str(number))
    bamboohr.say("1")
    bamboohr.ask()
    assert bamboohr.calls() == 2
    bamboohr.ask(after_ms=work.REFUSED_MS)
    assert bamboohr.calls() == 4
    for _ in range(2):
        bamboohr.ask(after_ms=work.REFUSED_MS)
    assert list(bamboohr.people()) == ["1"]
    assert set(bamboohr.waiting().values()) == {"fetch_forbidden"}


@on_sqlite
def test_a_credential_that_sees_again_lets_nobody_wait(bamboohr: Source) -> None:
    bamboohr.system.faults.add(Fault(status=403, times=None))
    for number in ("1", "2"):
        bamboohr.say(number)
    for _ in range(8):
        bamboohr.ask(after_ms=work.REFUSED_MS)
    bamboohr.system.faults.clear()
    bamboohr.ask(after_ms=work.REFUSED_MS)
    assert bamboohr.waiting() == {"2": "fetch_missing"}


@on_sqlite
@pytest.mark.parametrize("status", [429, 503])
def test_a_source_that_asks_for_patience_is_given_it(bamboohr: Source, status: int) -> None:
    bamboohr.system.faults.add(Fault(status=status, headers={"Retry-After": "30"}))
    for number in ("1", "2"):
        bamboohr.say(number)
    bamboohr.ask()
    bamboohr.ask(after_ms=28_000)
    assert bamboohr.calls() == 1
    bamboohr.ask(after_ms=3_000)
    assert list(bamboohr.people()) == ["1"]


@on_sqlite
@pytest.mark.parametrize("status", [429, 401])
def test_a_stop_holds_though_the_person_is_named_during_the_call(bamboohr: Source, status: int) -> None:
    bamboohr.say("1")
    bamboohr.ask()
    bamboohr.system.faults.add(Fault(status=status, headers={"Retry-After": "3000"}, times=None))
    bamboohr.say("1")
    bamboohr.meanwhile(lambda: bamboohr.say("1"))
    bamboohr.ask()
    for _ in range(12):
        bamboohr.say("1")
        bamboohr.ask(after_ms=work.GLANCE_MS)
    assert bamboohr.calls() == 2


@on_sqlite
@pytest.mark.parametrize("how", ["drop", "retry"])
def test_an_operator_does_not_end_the_time_that_a_source_asked_for(bamboohr: Source, how: str) -> None:
    bamboohr.system.faults.add(Fault(status=429, headers={"Retry-After": "3000"}))
    for number in ("1", "2"):
        bamboohr.say(number)
    bamboohr.ask()
    throttled = [each.number for each in bamboohr.kept(hr_events.FETCH) if each.refusal]
    with bamboohr.bench.store.begin("acme") as tx:
        if how == "drop":
            hr_events.drop(tx, throttled)
        else:
            hr_events.try_again(tx, "hr")
    bamboohr.configure()
    bamboohr.ask(after_ms=2_990_000)
    assert bamboohr.calls() == 1
    bamboohr.ask(after_ms=20_000)
    assert bamboohr.calls() == (2 if how == "drop" else 3)


@on_sqlite
def test_sources_with_one_credential_are_patient_together(bamboohr: Source) -> None:
    bamboohr.configure(names=("hr", "twin"))
    bamboohr.system.faults.add(Fault(status=429, headers={"Retry-After": "30"}))
    bamboohr.say("1")
    bamboohr.ask()
    bamboohr.say("1", by="twin")
    bamboohr.ask(after_ms=work.GLANCE_MS)
    assert bamboohr.calls() == 1
    bamboohr.ask(after_ms=30_000)
    assert bamboohr.calls() == 3


@on_sqlite
def test_the_fetches_of_many_sources_take_turns(bamboohr: Source) -> None:
    names = [f"hr{number:02}" for number in range(fetching.AT_ONCE + 3)]
    runtime, may_answer, asked = bamboohr.bench.runtime, threading.Semaphore(0), []
    bamboohr.configure(names=names)
    [tenant] = runtime.settings.tenants
    for source in tenant.sources:
        asker = fetching._asker(runtime, tenant, source, source.fetch)
        runtime.askers["acme", source.name] = asker
        asker.fetcher.fetch = lambda _ids, name=source.name, **_: (
            asked.append(name) or (may_answer.acquire(timeout=20) and {})
        )
        bamboohr.say("1", by=source.name)
        bamboohr.say("2", by=source.name)

    def run_until(calls: int) -> None:
        patience = time.monotonic() + 10
        while len(asked) < calls and time.monotonic() < patience:
            fetching.run_once(runtime, runtime.clock())
            time.sleep(0.002)
        assert len(asked) == calls

    run_until(fetching.AT_ONCE)
    fetching.run_once(runtime, runtime.clock())
    assert [name for (_, name), asker in runtime.askers.items() if asker.is_busy] == names[: fetching.AT_ONCE]
    for calls in range(fetching.AT_ONCE + 1, 2 * len(names) + 1):
        may_answer.release()
        run_until(calls)
    may_answer.release(fetching.AT_ONCE)
    fetching.finish(runtime, patience_s=20)
    assert sorted(asked[: len(names)]) == names
    assert sorted(asked[len(names) :]) == names


@on_sqlite
@pytest.mark.parametrize("answer", ["html", "cut", "reset", "empty", "drop"])
def test_a_broken_answer_is_no_news_of_anybody(bamboohr: Source, answer: Any) -> None:
    bamboohr.system.faults.add(Fault(answer=answer))
    bamboohr.say("1")
    bamboohr.ask()
    assert bamboohr.waiting() == {"1": "fetch_failed"}
    assert bamboohr.people() == {}
    bamboohr.ask(after_ms=3_000)
    assert list(bamboohr.people()) == ["1"]


@on_sqlite
def test_whoever_spoils_a_call_stands_alone_in_the_end(hibob: Source) -> None:
    def refuses(ids: Any, **_: Any) -> Any:
        if "7" in ids:
            raise RuntimeError("of p7@x.com")
        return real(ids, deadline_s=5)

    for number in range(1, 13):
        hibob.say(str(number))
    fetching.run_once(hibob.bench.runtime, hibob.bench.clock())
    fetching.finish(hibob.bench.runtime, patience_s=20)
    hibob.system.log.clear()
    [asker] = hibob.bench.runtime.askers.values()
    real, asker.fetcher.fetch = asker.fetcher.fetch, refuses
    for number in range(1, 13):
        hibob.system.vendor.put(bob(str(number), surname="Leigh"))
        hibob.say(str(number))
    for _ in range(30):
        hibob.ask(after_ms=10_000)
    assert hibob.waiting() == {"7": "fetch_failed"}
    names = {number: each["name"]["familyName"] for number, each in hibob.people().items()}
    assert [number for number, name in names.items() if name == "Lee"] == ["7"]


@on_sqlite
def test_calls_keep_to_the_limit(bamboohr: Source) -> None:
    bamboohr.configure(requests=2, per_s=60)
    for number in ("1", "2", "3", "4", "5"):
        bamboohr.system.vendor.put({**ANN, "id": number, "workEmail": f"p{number}@x.com"})
        bamboohr.say(number)
    bamboohr.ask()
    assert bamboohr.calls() == 2
    bamboohr.ask(after_ms=30_000)
    assert bamboohr.calls() == 2
    bamboohr.ask(after_ms=31_000)
    assert bamboohr.calls() == 4


def test_what_is_said_during_a_call_is_looked_at_once_more(bamboohr: Source) -> None:
    def interrupted(ids: Any, **_: Any) -> Any:
        asker.fetcher.fetch = real
        found = real(ids, deadline_s=5)
        bamboohr.system.vendor.put({**ANN, "jobTitle": "Chef"})
        bamboohr.say("1")
        return found

    bamboohr.system.vendor.put({**ANN, "id": "2", "workEmail": "p2@x.com"})
    bamboohr.say("2")
    bamboohr.ask()
    [asker] = bamboohr.bench.runtime.askers.values()
    real, asker.fetcher.fetch = asker.fetcher.fetch, interrupted
    bamboohr.say("1")
    bamboohr.ask()
    assert bamboohr.titles() == {"2": "Cook", "1": "Chef"}
    assert bamboohr.waiting() == {}


def test_two_processes_do_not_ask_for_the_same_person(bamboohr: Source) -> None:
    bamboohr.say("1")
    bamboohr.ask()
    [asker] = bamboohr.bench.runtime.askers.values()
    bamboohr.say("1")
    errand = work._take(bamboohr.bench.runtime, asker)
    assert errand is not None
    bamboohr.ask()
    assert bamboohr.calls() == 1
    bamboohr.ask(after_ms=work.LEASE_MS)
    assert bamboohr.calls() == 2


def test_a_process_that_comes_back_too_late_records_nothing(bamboohr: Source) -> None:
    """Both looks are as old as the event, so that their times do not tell which one was later."""
    bamboohr.say("1")
    bamboohr.ask()
    [asker] = bamboohr.bench.runtime.askers.values()
    bamboohr.say("1", said_at=bamboohr.bench.clock() + 500)
    late = work._take(bamboohr.bench.runtime, asker)
    assert late is not None
    bamboohr.system.vendor.put({**ANN, "jobTitle": "Chef"})
    bamboohr.ask(after_ms=work.LEASE_MS)
    work._settle(bamboohr.bench.runtime, asker, late, {"1": {**ANN, "jobTitle": "Cook"}})
    assert bamboohr.titles() == {"1": "Chef"}


@on_sqlite
def test_a_paused_source_is_not_asked(bamboohr: Source) -> None:
    bamboohr.configure(paused=True)
    bamboohr.say("1", needs_fetch=True)
    bamboohr.ask()
    assert (bamboohr.calls(), bamboohr.waiting()) == (0, {"1": ""})
    bamboohr.configure()
    events.run_once(bamboohr.bench.runtime, bamboohr.bench.clock())
    bamboohr.ask()
    assert list(bamboohr.people()) == ["1"]


@on_sqlite
def test_no_transaction_is_open_while_the_source_is_asked(bamboohr: Source) -> None:
    """Whoever writes during the call is not kept waiting: on SQLite there is one writer at a time."""

    def writing(ids: Any, **_: Any) -> Any:
        asker.fetcher.fetch = real
        with bamboohr.bench.store.begin("acme") as tx:
            hr_events.take(tx, "hr", ["m"])
        return real(ids, deadline_s=5)

    bamboohr.say("1")
    bamboohr.ask()
    [asker] = bamboohr.bench.runtime.askers.values()
    real, asker.fetcher.fetch = asker.fetcher.fetch, writing
    bamboohr.say("1")
    bamboohr.ask()
    assert bamboohr.waiting() == {}


def test_an_operator_lets_a_stopped_source_go_on(bamboohr: Source) -> None:
    bamboohr.system.vendor.is_locked_out = True
    for number in ("1", "2"):
        bamboohr.say(number)
    bamboohr.ask()
    bamboohr.system.vendor.is_locked_out = False
    with bamboohr.bench.store.begin("acme") as tx:
        row = Row(external_id="1", fields={}, position=1)
        refusal = Refusal(code="impossible_date", field="timestamp", advice="")
        hr_events.keep(tx, "hr", [hr_events.Kept(state="refused", row=row, correlation_id="c", refusal=refusal)])
        assert hr_events.try_again(tx, "hr") == 3
    bamboohr.ask(after_ms=work.GLANCE_MS)
    assert bamboohr.waiting() == {"2": "fetch_missing"}
    assert bamboohr.kept(hr_events.REFUSED) == []


@on_sqlite
def test_calls_of_a_long_window_are_remembered(bamboohr: Source) -> None:
    bamboohr.configure(requests=1, per_s=86_400)
    for number in ("1", "2"):
        bamboohr.say(number)
    bamboohr.ask()
    bamboohr.bench.clock.advance(ms=12 * 3_600_000)
    housekeeping.run_once(bamboohr.bench.runtime, bamboohr.bench.clock())
    bamboohr.ask()
    assert bamboohr.calls() == 1


@on_sqlite
def test_the_relay_does_not_wait_for_a_slow_source(bamboohr: Source) -> None:
    runtime, answered = bamboohr.bench.runtime, threading.Event()
    bamboohr.say("1")
    bamboohr.ask()
    [asker] = runtime.askers.values()
    asker.fetcher.fetch = lambda _ids, **_: answered.wait(20) and {}
    bamboohr.say("1")
    began = time.monotonic()
    for _ in range(3):
        fetching.run_once(runtime, runtime.clock())
        bamboohr.bench.clock.advance(ms=1_000)
    assert time.monotonic() - began < 5
    assert asker.thread.is_alive()
    answered.set()
    fetching.finish(runtime, patience_s=20)
    assert bamboohr.waiting() == {"1": "fetch_missing"}


@on_sqlite
def test_what_may_no_longer_be_seen_stays_as_it_was(bamboohr: Source) -> None:
    bamboohr.say("1")
    bamboohr.ask()
    bamboohr.system.vendor.unseen = frozenset({"jobTitle", "status"})
    bamboohr.system.vendor.put({**ANN, "lastName": "Leigh"})
    bamboohr.say("1")
    bamboohr.ask()
    ann = bamboohr.people()["1"]
    assert (ann["title"], ann["active"], ann["name"]["familyName"]) == ("Cook", True, "Leigh")


@on_sqlite
def test_the_latest_time_counts_however_late_older_events_come(bamboohr: Source) -> None:
    now = bamboohr.bench.clock()
    bamboohr.say("1", said_at=now - 30_000, fields={**ANN, "jobTitle": "Chef"})
    bamboohr.say("1", said_at=now)
    bamboohr.say("1", said_at=now - 60_000)
    bamboohr.ask()
    assert bamboohr.titles() == {"1": "Cook"}


@on_sqlite
def test_what_is_looked_up_waits_behind_what_was_kept(bamboohr: Source) -> None:
    bamboohr.configure(paused=True)
    bamboohr.say("2", fields={**ANN, "id": "2", "workEmail": "p2@x.com"})
    bamboohr.say("1")
    bamboohr.configure()
    bamboohr.ask()
    assert bamboohr.people() == {}
    events.run_once(bamboohr.bench.runtime, bamboohr.bench.clock())
    assert sorted(bamboohr.people()) == ["1", "2"]
