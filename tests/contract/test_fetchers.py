"""What every fetcher keeps to, against the simulated HR systems over real HTTP; and what is each one's own."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr

from scim_bridge.sandbox.sources.vendors import HrVendor, simulate_hr
from scim_bridge.sandbox.targets.faults import Fault
from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.settings.sources import FetchSettings, SourceSettings
from workers.fetchers import answers, registry
from workers.fetchers.port import Fetcher
from workers.targets.port import AnswerLost, CallFailed, CredentialRefused, RateLimited

KEY = "hr-key-91c7"
NOW = 1_795_000_000_000
PERSON: dict[str, dict[str, Any]] = {
    "bamboohr": {"workEmail": "ann@x.com", "lastName": "Lee", "jobTitle": None, "ssn": "078-05"},
    "hibob": {"email": "ann@x.com", "surname": "Lee", "work": {"title": None}, "home": {"ssn": "078-05"}},
}
MAPPING = {
    "bamboohr": {"externalId": "id", "userName": "workEmail", "name.familyName": "lastName", "title": "jobTitle"},
    "hibob": {
        "externalId": "id",
        "userName": "email",
        "name.familyName": "surname",
        "title": "work.title",
        "manager": "work.reportsTo.id || work.manager",
        "startDate": "work.startDate",
    },
}
ROW = {
    "bamboohr": {"id": "1", "workEmail": "ann@x.com", "lastName": "Lee", "jobTitle": None},
    "hibob": {"id": "1", "email": "ann@x.com", "surname": "Lee", "work": {"title": None}},
}
SURNAME = {"bamboohr": "lastName", "hibob": "root.surname"}


@dataclass
class Desk:
    """A fetcher of one kind and the HR system that it speaks to."""

    kind: str
    system: Simulator[HrVendor]
    make: Callable[..., Fetcher]

    def __post_init__(self) -> None:
        self.fetcher = self.make()

    def fetch(self, *ids: str, deadline_s: float = 5.0) -> Any:
        return self.fetcher.fetch(ids or ("1",), deadline_s=deadline_s)

    def answer(self, document: Any, **fault: Any) -> None:
        """Have the next call answered so."""
        body = document if isinstance(document, str) else json.dumps(document)
        self.system.faults.add(Fault(status=200, body=body, **fault))

    def calls(self) -> int:
        return len(list(self.system.log))


def desk_of(kind: Any, **simulator: Any) -> Iterator[Desk]:
    with simulate_hr(kind, secret=KEY, **{"limits": (), **simulator}) as system:
        system.vendor.put({"id": "1", **PERSON[kind]})
        made = []

        def make(**settings: Any) -> Fetcher:
            given = {"base_url": system.base_url, "user": "SERVICE-1", "secret": SecretStr(KEY), **settings}
            source = SourceSettings(name="hr", kind=kind, mapping=MAPPING[kind])
            made.append(registry.build(source, FetchSettings(**given), clock=lambda: NOW))
            return made[-1]

        yield Desk(kind, system, make)
        for each in made:
            each.close()


@pytest.fixture(params=["bamboohr", "hibob"])
def desk(request: pytest.FixtureRequest) -> Iterator[Desk]:
    yield from desk_of(request.param)


@pytest.fixture
def bamboohr() -> Iterator[Desk]:
    yield from desk_of("bamboohr")


@pytest.fixture
def hibob() -> Iterator[Desk]:
    yield from desk_of("hibob")


def test_somebody_who_is_there_is_told_as_the_mapping_reads_them(desk: Desk) -> None:
    assert desk.fetch() == {"1": ROW[desk.kind]}


def test_a_field_that_may_not_be_seen_is_not_named(desk: Desk) -> None:
    desk.system.vendor.unseen = frozenset({SURNAME[desk.kind]})
    [row] = desk.fetch().values()
    assert "Lee" not in json.dumps(row)
    assert not row.keys() & {"lastName", "surname"}


def test_who_is_not_there_is_left_out(desk: Desk) -> None:
    assert desk.fetch("2") == {}


def test_a_wrong_secret_is_a_refused_credential(desk: Desk) -> None:
    desk.fetcher = desk.make(secret=SecretStr("wrong"))
    with pytest.raises(CredentialRefused) as refused:
        desk.fetch()
    assert refused.value.status == 401


def test_a_forbidden_call_is_a_refused_credential(desk: Desk) -> None:
    desk.system.faults.add(Fault(status=403))
    with pytest.raises(CredentialRefused):
        desk.fetch()


def test_too_many_calls_are_told_with_the_time_to_wait() -> None:
    for kind in ("bamboohr", "hibob"):
        for desk in desk_of(kind, limits=(Window(requests=1, per_s=30),)):
            desk.fetch()
            with pytest.raises(RateLimited) as limited:
                desk.fetch()
            # HiBob tells the instant, by the simulator's clock.
            assert limited.value.retry_after_s is None or limited.value.retry_after_s >= 28


def test_an_instant_to_wait_for_is_read(desk: Desk) -> None:
    desk.system.faults.add(Fault(status=429, headers={"X-RateLimit-Reset": str(NOW // 1000 + 17)}))
    with pytest.raises(RateLimited) as limited:
        desk.fetch()
    assert limited.value.retry_after_s == 17


@pytest.mark.parametrize("status", [302, 400, 404, 500, 502, 503])
def test_another_status_tells_of_nobody(desk: Desk, status: int) -> None:
    elsewhere = {"Location": "http://127.0.0.1:1/api/v1/employees/1"} if status == 302 else {}
    desk.system.faults.add(Fault(status=status, headers=elsewhere))
    if (desk.kind, status) == ("bamboohr", 404):
        assert desk.fetch() == {}
        return
    with pytest.raises(CallFailed) as failed:
        desk.fetch()
    assert failed.value.status == status
    assert desk.calls() == 1


@pytest.mark.parametrize("answer", ["html", "empty", "reset", "cut", "drop"])
def test_an_answer_that_cannot_be_read_is_a_lost_one(desk: Desk, answer: Any) -> None:
    desk.system.faults.add(Fault(answer=answer))
    with pytest.raises(CallFailed):
        desk.fetch()
    assert desk.fetch() == {"1": ROW[desk.kind]}


@pytest.mark.parametrize(
    "document",
    [
        *("null", "[]", '"text"', "{", "{}", '{"employees": {}}', '{"id": null}', '{"id": "2", "lastName": "Lee"}'),
        '{"id": "1", "jobTitle": NaN, "employees": []}',
    ],
)
def test_an_answer_of_another_form_is_a_lost_one(desk: Desk, document: str) -> None:
    desk.answer(document)
    with pytest.raises(AnswerLost):
        desk.fetch()


def test_an_answer_that_drips_is_cut_off_at_the_deadline(desk: Desk) -> None:
    desk.system.faults.add(Fault(answer="drip", hang_s=30))
    began = time.monotonic()
    with pytest.raises(AnswerLost):
        desk.fetch(deadline_s=0.3)
    assert time.monotonic() - began < 3


def test_an_answer_that_is_too_large_is_not_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_BYTES", 1_000)
    desk.fetcher = desk.make()
    desk.answer({**ROW[desk.kind], "employees": [ROW[desk.kind]], "more": "x" * 2_000})
    with pytest.raises(AnswerLost):
        desk.fetch()


def test_nobody_is_there_to_be_asked_is_told(desk: Desk) -> None:
    desk.system.stop()
    with pytest.raises(CallFailed):
        desk.fetch()


def test_no_error_tells_the_secret_or_the_person(desk: Desk) -> None:
    for fault in (Fault(status=500), Fault(status=401), Fault(answer="cut"), Fault(answer="html")):
        desk.system.faults.add(fault)
        with pytest.raises(CallFailed) as failed:
            desk.fetch()
        told = f"{failed.value} {failed.value!r} {failed.value.__cause__!r} {failed.value.__context__!r}"
        assert not [each for each in (KEY, "ann@", "Lee", "SERVICE-1") if each in told]
    assert KEY not in repr(desk.fetcher)


# BambooHR


@pytest.mark.parametrize("number", ["0", "", "..", "1/../2", "1?x=y", "directory", "١", "-1"])  # noqa: RUF001
def test_bamboohr_is_not_asked_for_what_is_no_id(bamboohr: Desk, number: str) -> None:
    assert bamboohr.fetch(number) == {}
    assert bamboohr.calls() == 0


def test_bamboohr_is_asked_for_the_fields_of_the_mapping_only(bamboohr: Desk) -> None:
    bamboohr.fetch()
    [call] = bamboohr.system.log
    assert (call.path, call.query) == ("/api/v1/employees/1", "fields=jobTitle%2ClastName%2CworkEmail")


# HiBob


def test_hibob_is_asked_for_several_at_once(hibob: Desk) -> None:
    hibob.system.vendor.put({"id": "2", **PERSON["hibob"]})
    assert sorted(hibob.fetch("2", "1", "3")) == ["1", "2"]
    assert hibob.calls() == 1


def test_hibob_is_asked_for_former_employees_too(hibob: Desk) -> None:
    # The simulator answers 400 to a search without `showInactive`, which would not show them.
    assert hibob.fetch() != {}


def test_values_of_hibobs_lists_come_by_their_names_but_ids_as_ids(hibob: Desk) -> None:
    vendor = hibob.system.vendor
    vendor.lists.update({"255": "Cook", "333": "Zoe Boss", "2026-01-02": "02/01/2026"})
    work = {"title": "255", "reportsTo": {"id": "333", "email": "b@x.com"}, "startDate": "2026-01-02"}
    vendor.put({"id": "1", **PERSON["hibob"], "work": work})
    [row] = hibob.fetch().values()
    assert row["work"] == {"title": "Cook", "reportsTo": {"id": "333"}, "startDate": "2026-01-02"}


def test_hibobs_values_are_found_by_their_paths_alone(hibob: Desk) -> None:
    employee = {"id": "1", "/root/email": {"value": "ann@x.com"}, "/work/title": {"value": "Cook"}}
    hibob.answer({"employees": [employee]})
    assert hibob.fetch() == {"1": {"id": "1", "email": "ann@x.com", "work": {"title": "Cook"}}}


def test_a_manager_whom_hibob_names_by_id_alone_is_no_table(hibob: Desk) -> None:
    hibob.answer({"employees": [{"id": "1", "work": {"reportsTo": "333", "manager": "333"}}]})
    assert hibob.fetch() == {"1": {"id": "1", "work": {"manager": "333"}}}


def test_whom_hibob_was_not_asked_for_is_no_row(hibob: Desk) -> None:
    everybody = [{"id": str(number), "surname": "Lee"} for number in range(5)]
    hibob.answer({"employees": [*everybody, "x", {"surname": "Lee"}, {"id": 1}, {"id": {}}]})
    assert hibob.fetch() == {"1": {"id": "1", "surname": "Lee"}}


def test_somebody_whom_hibob_tells_twice_is_nobody(hibob: Desk) -> None:
    hibob.answer({"employees": [{"id": "1", "surname": "Lee"}, {"id": "1", "surname": "Leigh"}]})
    with pytest.raises(AnswerLost):
        hibob.fetch()
