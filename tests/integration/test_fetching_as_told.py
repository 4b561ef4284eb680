"""The examples of config/senders.md for looking people up, each tried with the mapping that is shipped for its kind."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scim_bridge.domain.rows import Row
from scim_bridge.recording import hr_events as recording
from scim_bridge.recording.hr_events import Event
from scim_bridge.recording.origins import Origin
from scim_bridge.sandbox.sources.vendors import simulate_hr
from scim_bridge.settings import loading
from scim_bridge.store import directory, hr_events, tables
from workers.relay import fetching

DOCUMENT = (Path(__file__).resolve().parents[2] / "config" / "senders.md").read_text("utf-8")
SOURCE = re.compile(r'```toml\n(\[\[tenants\.sources\]\]\n[^`]*?kind = "(\w+)"[^`]*)```')
FETCH = re.compile(r"```toml fetch\n([^`]*)```")
SECRET = "key-91c7"
PEOPLE: dict[str, dict[str, Any]] = {
    "bamboohr": {
        "workEmail": "ann@example.com",
        "firstName": "Ann",
        "lastName": "Lee",
        "jobTitle": "Cook",
        "status": "Active",
        "employmentHistoryStatus": "Full-Time",
        "department": "Kitchen",
        "hireDate": "2020-01-05",
        "terminationDate": "0000-00-00",
        "supervisorEId": "12",
        "lastChanged": "2026-01-05T08:00:00+00:00",
    },
    "hibob": {
        "email": "ann@example.com",
        "firstName": "Ann",
        "surname": "Lee",
        "work": {"title": "255", "department": "256", "startDate": "2020-01-05", "reportsTo": {"id": "12"}},
        "internal": {"status": "Active", "terminationDate": None},
    },
}


def examples() -> dict[str, str]:
    """Return the lines of each kind of source that can be asked, with its [fetch] table below."""
    sources = {kind: text for text, kind in SOURCE.findall(DOCUMENT)}
    sections = DOCUMENT.split("\n## ")
    kinds = [
        kind for kind in sources for section in sections if f'kind = "{kind}"' in section and FETCH.search(section)
    ]
    return {kind: sources[kind] + fetch for kind, fetch in zip(kinds, FETCH.findall(DOCUMENT), strict=True)}


def test_every_kind_that_can_be_asked_has_its_example() -> None:
    assert sorted(examples()) == ["bamboohr", "hibob"]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("kind", ["bamboohr", "hibob"])
def test_an_example_looks_people_up(make_bench: Callable[..., Any], kind: Any, tmp_path: Path) -> None:
    bench = make_bench()
    example = examples()[kind]
    user = (re.findall(r'user = "(.*)"', example) or ["none"])[0]
    with simulate_hr(kind, secret=SECRET, user=user) as system:
        system.vendor.put({"id": "1", **PEOPLE[kind]})
        system.vendor.lists.update({"255": "Cook", "256": "Kitchen"})
        text = re.sub(r'base_url = "[^"]*"', f'base_url = "{system.base_url}"', example)
        (tmp_path / "bridge.toml").write_text(f'[[tenants]]\nid = "acme"\n{text}')
        environ = dict.fromkeys(re.findall(r"env:(\w+)", text), SECRET)
        settings = loading.load(tmp_path / "bridge.toml", role="relay", environ=environ)
        [tenant] = settings.tenants
        bench.runtime.settings = settings.model_copy(
            update={"tenants": [tenant.model_copy(update={"targets": bench.settings.tenants[0].targets})]}
        )
        source = recording.sources_of(tenant)[kind]
        with bench.store.begin("acme") as tx:
            row = Row(external_id="1", fields={}, position=1, needs_fetch=True)
            origin = Origin(source=kind, correlation_id="c")
            recording.record(tx, [Event(row=row)], source=source, scopes={}, origin=origin)
        fetching.run_once(bench.runtime, bench.clock())
        fetching.finish(bench.runtime, patience_s=20)
    with bench.store.begin("acme", write=False) as tx:
        assert hr_events.counts(tx) == {}
        [found] = tx.connection.execute(tables.resource.select().where(tables.resource.c.kind == "User"))
        ann = directory.fetch(tx, "User", found.scim_id)
    assert ann is not None
    enterprise = ann.document["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]
    assert (ann.document["userName"], ann.document["title"], found.active) == ("ann@example.com", "Cook", 1)
    assert (ann.document["name"]["familyName"], enterprise["department"]) == ("Lee", "Kitchen")
