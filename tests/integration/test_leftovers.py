"""What is left of sources that are not configured any more: it is forgotten in time, or gives way to others."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from fakes.employer import Employer
from fakes.hr import Company, person

from scim_bridge.domain.rows import Row
from scim_bridge.recording import rows
from scim_bridge.store import hr_events, imports, tables
from scim_bridge.store.directory import NameTaken
from scim_bridge.store.hr_events import Kept
from scim_bridge.store.imports import Staged
from workers.relay import leftovers


@pytest.fixture
def employer(make_bench: Callable[..., Any]) -> Employer:
    return Employer(make_bench())


def tidy(employer: Employer, *, days: int = 0) -> list[Any]:
    """Let days go by and the relay tidy up; return what the log says of it."""
    employer.bench.clock.advance(ms=days * 86_400_000)
    with structlog.testing.capture_logs() as lines:
        assert leftovers.run_once(employer.bench.runtime, employer.bench.clock()) > employer.bench.clock()
    return lines


def keep(employer: Employer, source: str, state: str = hr_events.WAITING) -> None:
    row = Row(external_id="1", fields={"email": "ann@acme.example"}, position=1)
    with employer.bench.store.begin("acme") as tx:
        hr_events.keep(tx, source, [Kept(state=state, row=row, correlation_id="c")])


def begin_file(employer: Employer, source: str) -> str:
    with employer.bench.store.begin("acme") as tx:
        found = imports.begin(
            tx,
            source=source,
            name=f"file-of-{source}",
            is_snapshot=False,
            is_dry_run=False,
            is_whole=True,
            token_id=None,
            correlation_id="c",
            said_at=tx.now,
        )
        imports.stage(tx, found.id, [Staged(position=1, external_id="1", fields='{"email": "ann@acme.example"}')])
        imports.note(tx, found.id, status=imports.WAITING)
    return found.name


def texts(employer: Employer) -> str:
    with employer.bench.store.across_tenants("test") as tx:
        return repr([list(tx.connection.execute(sa.select(each))) for each in (tables.hr_event, tables.import_row)])


@pytest.mark.parametrize("state", [hr_events.WAITING, hr_events.FETCH])
def test_events_that_nobody_can_apply_are_forgotten_in_time(employer: Employer, state: str) -> None:
    keep(employer, "hr", state)
    employer.configure("other")
    days = employer.bench.settings.evidence_days
    assert tidy(employer, days=days - 1) == []
    assert "ann@acme.example" in texts(employer)
    [line] = tidy(employer, days=2)
    assert (line["event"], line["source"], line["events"]) == ("kept_events_forgotten", "hr", 1)
    assert "ann@acme.example" not in texts(employer) + repr(line)


def test_files_that_nobody_can_apply_are_forgotten_in_time(employer: Employer) -> None:
    name = begin_file(employer, "hr")
    employer.configure("other")
    days = employer.bench.settings.evidence_days
    assert tidy(employer, days=days - 1) == []
    [line] = tidy(employer, days=2)
    assert (line["event"], line["source"], line["number"]) == ("import_forgotten", "hr", name)
    with employer.bench.store.begin("acme", write=False) as tx:
        found = imports.named(tx, name)
    assert found is not None
    assert (found.status, "not configured any more" in found.reason) == (imports.REFUSED, True)
    assert "ann@acme.example" not in texts(employer) + repr(line)


def test_what_waits_for_a_source_that_is_configured_stays(employer: Employer) -> None:
    begin_file(employer, "hr")
    assert tidy(employer, days=400) == []
    assert "ann@acme.example" in texts(employer)


def test_a_source_in_the_place_of_another_brings_back_those_of_whom_it_speaks(employer: Employer) -> None:
    for name in ("ann", "bob"):
        employer.tell(person(name, name, active=True))
        employer.tell(person(name, name, active=False))
    employer.configure("other", replaces=["hr"])
    employer.tell(person("x", "ann", active=True), source="other")
    assert not employer.is_active("ann")
    [line] = tidy(employer)
    assert (line["event"], line["former"], line["people"]) == ("source_replaced", "hr", 1)
    assert employer.company.active() == {"ann": True, "bob": False}
    assert tidy(employer) == []


def test_a_source_that_is_back_after_another_took_its_place_is_heard_again(employer: Employer) -> None:
    employer.tell(person("1", "ann", active=True))
    employer.tell(person("x", "ann", active=True), source="other")
    employer.configure("other", replaces=["hr"])
    tidy(employer)
    employer.configure("hr", "other")
    employer.tell(person("1", "ann", active=False))
    assert not employer.is_active("ann")


@pytest.mark.parametrize("is_trimmed", [False, True])
@pytest.mark.parametrize("speaks_last", ["hr", "other"])
def test_nothing_of_a_replaced_source_stays_after_one_round(
    employer: Employer, speaks_last: str, *, is_trimmed: bool
) -> None:
    """Whichever of the two spoke last, and whether or not the books still tell it."""
    employer.tell(person("1", "ann", active=True))
    for name in ("other", "hr") if speaks_last == "hr" else ("hr", "other"):
        employer.bench.clock.advance(ms=1_000)
        number, active, title = ("1", False, "Dev") if name == "hr" else ("x", True, "Lead")
        employer.tell(person(number, "ann", active=active, document={"title": title}), source=name)
    employer.configure("other", replaces=["hr"])
    if is_trimmed:
        with employer.bench.store.across_tenants("test", write=True) as tx:
            tx.connection.execute(sa.delete(tables.operation))
            tx.connection.execute(sa.delete(tables.change))
    employer.bench.clock.advance(ms=1_000)
    tidy(employer)
    ann = employer.company.people()["ann"]
    assert (ann["active"], ann["title"]) == (True, "Lead")
    with employer.bench.store.begin("acme", write=False) as tx:
        assert list(tx.connection.execute(sa.select(tables.contribution.c.source)).scalars()) == ["other"]


def fail_of(monkeypatch: pytest.MonkeyPatch, error: Exception, *names: str) -> None:
    """Let whatever is reckoned anew of these people fail, whoever else is beside them."""
    reckon_anew = rows.reckon_anew

    def fail(tx: Any, numbers: Any, **how: Any) -> Any:
        said = sa.select(tables.contribution.c.document).where(tables.contribution.c.resource_id.in_(numbers))
        documents = " ".join(map(str, tx.connection.execute(said).scalars()))
        if any(name in documents for name in names):
            raise error
        return reckon_anew(tx, numbers, **how)

    monkeypatch.setattr(rows, "reckon_anew", fail)


@pytest.mark.parametrize("error", [ZeroDivisionError(), NameTaken("User")], ids=["bug", "name"])
def test_one_person_who_cannot_be_let_go_of_keeps_nobody_else(
    employer: Employer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(leftovers, "AT_ONCE", 2)
    for number, name in enumerate(("ann", "bob", "cyd", "dan"), 1):
        employer.tell(person(str(number), name, active=True))
        employer.tell(person(str(number), name, active=False))
        employer.tell(person(f"x{number}", name, active=True), source="other")
    employer.configure("other", replaces=["hr"])
    fail_of(monkeypatch, error, "ann", "bob", "cyd")
    now = employer.bench.clock()
    for _ in range(9):
        leftovers.run_once(employer.bench.runtime, now)
    assert employer.company.active() == {"ann": False, "bob": False, "cyd": False, "dan": True}


def test_whom_one_tenant_cannot_let_go_of_keeps_no_other_tenant(
    employer: Employer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "AT_ONCE", 2)
    for number, name in enumerate(("ann", "bob", "cyd"), 1):
        employer.tell(person(str(number), name, active=True))
        employer.tell(person(str(number), name, active=False))
        employer.tell(person(f"x{number}", name, active=True), source="other")
    beta = Company(store=employer.bench.store, tenant="beta", owns={"hr": (), "other": ()})
    beta.tell(person("1", "zed", active=True))
    beta.tell(person("1", "zed", active=False))
    beta.source = "other"
    beta.tell(person("x", "zed", active=True))
    employer.configure("other", replaces=["hr"])
    runtime = employer.bench.runtime
    [acme] = runtime.settings.tenants
    neighbour = acme.model_copy(update={"id": "beta", "targets": []})
    runtime.settings = runtime.settings.model_copy(update={"tenants": [acme, neighbour]})
    fail_of(monkeypatch, ZeroDivisionError(), "ann", "bob", "cyd")
    assert leftovers.run_once(runtime, employer.bench.clock()) >= employer.bench.clock()
    assert beta.active() == {"zed": True}
