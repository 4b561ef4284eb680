"""Dates of employment that come: who starts, who has left, and whose source is no longer configured."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.employer import Employer
from fakes.hr import DAY_MS, Company, person

from scim_bridge.domain.rows import Person
from scim_bridge.recording import rows
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import directory_users, tables
from workers.relay import dates


@pytest.fixture
def employer(make_bench: Callable[..., Any]) -> Employer:
    return Employer(make_bench())


def test_who_starts_is_active_from_the_first_day_on(employer: Employer) -> None:
    assert employer.tell(person("1", "ann", starts_at=employer.in_days(1))) == "scheduled"
    employer.wait(0.5)
    assert not employer.is_active()
    employer.wait(0.5)
    assert employer.is_active()


def test_nobody_is_said_to_have_left_before_the_last_day_is_over(employer: Employer) -> None:
    employer.tell(person("1", "ann", active=True))
    assert employer.tell(person("1", "ann", active=False, ends_at=employer.in_days(2))) == "scheduled"
    employer.wait(1)
    assert employer.is_active()
    employer.wait(1)
    assert not employer.is_active()


def test_a_leaver_whose_last_day_is_known_stays_until_then(employer: Employer) -> None:
    """First the day was entered, then the status: news that names some fields only."""
    employer.tell(person("1", "ann", active=True, ends_at=employer.in_days(2)))
    status = Person(external_id="1", document={}, active=False, says_start=False, says_end=False)
    employer.tell(status, is_whole=False)
    assert employer.is_active()
    employer.wait(2)
    assert not employer.is_active()


def test_a_last_day_that_is_taken_back_ends_nobody(employer: Employer) -> None:
    employer.tell(person("1", "ann", active=True))
    employer.tell(person("1", "ann", active=False, ends_at=employer.in_days(2)))
    cancelled = Person(external_id="1", document={}, says_start=False, ends_at=None, says_end=True)
    employer.tell(cancelled, is_whole=False)
    employer.wait(3)
    assert employer.is_active()


@pytest.mark.parametrize("ends", [None, -1, 0], ids=["no day", "yesterday", "now"])
def test_who_has_left_without_a_day_ahead_is_ended_at_once(employer: Employer, ends: int | None) -> None:
    employer.tell(person("1", "ann", active=True))
    ends_at = None if ends is None else employer.in_days(ends)
    assert employer.tell(person("1", "ann", active=False, ends_at=ends_at)) == "deactivated"


def test_who_left_before_they_began_never_begins(employer: Employer) -> None:
    starts_at, ends_at = employer.in_days(1), employer.in_days(3)
    employer.tell(person("1", "ann", active=True, starts_at=starts_at))
    employer.tell(person("1", "ann", active=False, starts_at=starts_at, ends_at=ends_at))
    employer.wait(2)
    assert not employer.is_active()


@pytest.mark.parametrize("names_status", [True, False])
def test_a_last_day_ahead_brings_no_leaver_back(employer: Employer, *, names_status: bool) -> None:
    employer.tell(person("1", "ann", active=True))
    employer.tell(person("1", "ann", active=False))
    ends_at = employer.in_days(2)
    day = Person(
        external_id="1", document={}, active=False if names_status else None, says_start=False, ends_at=ends_at
    )
    employer.tell(day, is_whole=False)
    assert not employer.is_active()


def test_an_end_before_the_beginning_keeps_no_leaver_active(employer: Employer) -> None:
    ends_at = employer.in_days(1)
    employer.tell(person("1", "ann", active=True))
    employer.tell(person("1", "ann", active=False, starts_at=ends_at + DAY_MS, ends_at=ends_at))
    assert not employer.is_active()
    employer.wait(3)
    assert not employer.is_active()


# -- Sources that are taken out of the configuration --------------------------


def test_a_source_that_is_taken_out_ends_whom_it_said_would_leave(employer: Employer) -> None:
    employer.tell(person("1", "ann", active=True, ends_at=employer.in_days(1)))
    employer.tell(person("x", "ann", active=True), source="other")
    employer.configure("other")
    employer.wait(1)
    assert not employer.is_active()
    employer.tell(person("x", "ann", active=True, document={"title": "Lead"}), source="other")
    assert not employer.is_active()


def test_a_source_that_is_taken_out_begins_nobody(employer: Employer) -> None:
    employer.tell(person("1", "ann", starts_at=employer.in_days(1)))
    employer.tell(person("x", "ann", active=True), source="other")
    employer.configure("other")
    assert employer.wait(2) > 0
    assert not employer.is_active()
    employer.tell(person("x", "ann", active=True, document={"title": "Lead"}), source="other")
    assert not employer.is_active()


def test_a_source_that_is_taken_in_again_begins_whom_it_said_it_would(employer: Employer) -> None:
    employer.tell(person("1", "ann", starts_at=employer.in_days(1)))
    employer.configure("other")
    employer.wait(2)
    employer.configure("hr", "other")
    employer.wait(0)
    assert employer.is_active()


def test_first_days_that_do_not_count_keep_no_last_day_waiting(
    employer: Employer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dates, "AT_ONCE", 2)
    for number in range(3):
        employer.tell(person(str(number), starts_at=employer.in_days(1)))
    employer.tell(person("x", "ann", active=True, ends_at=employer.in_days(2)), source="other")
    employer.configure("other")
    employer.wait(3)
    assert not employer.is_active()


@pytest.mark.parametrize("owner", ["other", None])
def test_no_other_source_brings_back_whom_one_had_ended_that_is_taken_out(
    employer: Employer, owner: str | None
) -> None:
    employer.tell(person("1", "ann", active=True))
    employer.tell(person("x", "ann", active=True), source="other")
    employer.tell(person("1", "ann", active=False))
    owns = {} if owner is None else {owner: ["active"]}
    employer.configure("other", **owns)
    employer.tell(person("x", "ann", active=True, document={"title": "Lead"}), source="other")
    assert not employer.is_active()


def test_a_source_that_is_taken_out_ends_nobody_whom_it_could_not_end_before(employer: Employer) -> None:
    employer.configure("hr", "other", other=["active"])
    employer.tell(person("x", "ann", active=True), source="other")
    employer.tell(person("1", "ann", active=False))
    assert employer.is_active()
    employer.configure("other", other=["active"])
    employer.tell(person("x", "ann", active=True, document={"title": "Lead"}), source="other")
    assert employer.is_active()


def test_values_of_a_source_that_is_taken_out_give_way(employer: Employer) -> None:
    employer.tell(person("x", "ann", document={"title": "Dev"}), source="other")
    employer.bench.clock.advance(ms=1_000)
    employer.tell(person("1", "ann", document={"title": "Lead", "nickName": "A"}))
    employer.configure("other")
    employer.tell(person("x", "ann", document={"title": "Dev", "locale": "en"}), source="other")
    ann = employer.company.people()["ann"]
    assert (ann["title"], ann["nickName"], ann["externalId"]) == ("Dev", "A", "x")


def test_dates_of_a_tenant_that_is_taken_out_wait_until_it_is_back(employer: Employer) -> None:
    employer.tell(person("1", "ann", active=True, ends_at=employer.in_days(1)))
    employer.bench.runtime.settings = employer.bench.settings.model_copy(update={"tenants": []})
    assert employer.wait(2) > 0
    assert employer.is_active()
    employer.configure("hr", "other")
    employer.wait(0)
    assert not employer.is_active()
    assert employer.company.waiting()


# -- What else may go wrong ---------------------------------------------------


def test_one_person_whose_date_cannot_be_applied_keeps_nobody_elses(
    employer: Employer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ann", "bob", "cyd", "dan"):
        employer.tell(person(name, name, active=True, ends_at=employer.in_days(1)))
    reckon_anew = rows.reckon_anew
    poison = max(each.resource_id for each in contributions_of(employer.company))

    def fail(tx: Any, numbers: Any, **how: Any) -> Any:
        if poison in numbers:
            raise ZeroDivisionError
        return reckon_anew(tx, numbers, **how)

    monkeypatch.setattr(rows, "reckon_anew", fail)
    assert employer.wait(1) == dates.EVERY_MS
    assert sorted(employer.company.active().values()) == [False, False, False, True]


@pytest.fixture
def neighbour(employer: Employer) -> Company:
    """Another tenant beside the employer's, with a leaver whose last day comes later."""
    runtime = employer.bench.runtime
    beta = TenantSettings(id="beta", sources=[SourceSettings(name="hr", kind="csv")])
    tenants = [*runtime.settings.tenants, beta]
    runtime.settings = runtime.settings.model_copy(update={"tenants": tenants})
    return Company(store=employer.bench.store, tenant="beta", owns={"hr": ()})


def fail_of(monkeypatch: pytest.MonkeyPatch, names: set[str]) -> None:
    """Let dates of people with these ids fail, whoever else is applied beside them."""
    reckon_anew = rows.reckon_anew

    def fail(tx: Any, numbers: Any, **how: Any) -> Any:
        said = sa.select(tables.contribution.c.external_id).where(tables.contribution.c.resource_id.in_(numbers))
        if names & set(tx.connection.execute(said).scalars()):
            raise ZeroDivisionError
        return reckon_anew(tx, numbers, **how)

    monkeypatch.setattr(rows, "reckon_anew", fail)


def test_dates_that_fail_in_one_tenant_keep_no_other_tenants_leaver(
    employer: Employer, neighbour: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dates, "AT_ONCE", 2)
    for number in ("1", "2", "3"):
        employer.tell(person(number, active=True, ends_at=employer.in_days(1)))
    neighbour.tell(person("9", "zed", active=True, ends_at=employer.in_days(2)))
    fail_of(monkeypatch, {"1", "2", "3"})
    employer.bench.clock.advance(ms=3 * DAY_MS)
    dates.run_once(employer.bench.runtime, employer.bench.clock())
    assert neighbour.active() == {"zed": False}


def test_dates_that_fail_keep_no_later_leaver_of_their_own_source(
    employer: Employer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the first time nor when they are tried again, and again in vain."""
    monkeypatch.setattr(dates, "AT_ONCE", 2)
    poison = {str(number) for number in range(5)}
    for number in poison:
        employer.tell(person(number, active=True, ends_at=employer.in_days(1)))
    employer.tell(person("8", "ann", active=True, ends_at=employer.in_days(2)))
    employer.tell(person("9", "bob", active=True, ends_at=employer.in_days(3)))
    fail_of(monkeypatch, poison)
    employer.wait(2)
    assert not employer.is_active()
    employer.bench.clock.advance(ms=DAY_MS)
    dates.run_once(employer.bench.runtime, employer.bench.clock())
    assert not employer.is_active("bob")


def test_a_date_that_failed_is_tried_again_in_time(employer: Employer, monkeypatch: pytest.MonkeyPatch) -> None:
    employer.tell(person("1", "ann", active=True, ends_at=employer.in_days(1)))
    with monkeypatch.context() as broken:
        fail_of(broken, {"1"})
        employer.wait(1)
    employer.wait(0)
    assert employer.is_active()
    employer.wait(dates.PUT_OFF_MS / DAY_MS)
    assert not employer.is_active()


def contributions_of(company: Company) -> list[Any]:
    with company.store.begin(company.tenant, write=False) as tx:
        return list(tx.connection.execute(sa.select(tables.contribution)))


@pytest.mark.postgres
@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)  # on SQLite all writers take turns
def test_dates_hold_nothing_while_they_wait_for_rows_of_the_same_source(employer: Employer) -> None:
    """Whoever writes rows has the people locked, and wants what was said of them next."""
    store = employer.bench.store
    employer.tell(person("1", "ann", active=True, ends_at=employer.in_days(1)))
    employer.bench.clock.advance(ms=DAY_MS)
    waits = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    said = sa.select(tables.contribution.c.id).with_for_update(nowait=True)
    with ThreadPoolExecutor(1) as pool:
        with store.begin("acme") as tx:
            directory_users.take_turns(tx, "hr")
            applied = pool.submit(dates.run_once, employer.bench.runtime, employer.bench.clock())
            while not applied.done() and not tx.connection.execute(waits).scalar_one():
                pass
            assert tx.connection.execute(said).all()
        applied.result(timeout=10)
    assert not employer.is_active()
