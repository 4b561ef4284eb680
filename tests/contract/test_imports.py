"""Files of HR rows, from the bytes to the report, on both databases."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from fakes.hr import DAY_MS, Company
from fakes.stores import shared_url

from scim_bridge.errors import NotThere
from scim_bridge.intake.hr.imports import report
from scim_bridge.intake.hr.imports.reading import FileRefused
from scim_bridge.intake.hr.imports.receiving import STAGED_AT_ONCE, Arrival, Receiver
from scim_bridge.mapping.rows import RowMapping
from scim_bridge.operators import hr_imports
from scim_bridge.recording import imports as recording
from scim_bridge.recording.imports import Source
from scim_bridge.settings.models import TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import hr_tables, identities, imports
from scim_bridge.store.engine import Store
from scim_bridge.store.imports import Import
from scim_bridge.store.verify import verify_ledger

MAPPING = {
    "externalId": "Nr",
    "userName": "Mail",
    "emails": "Mail",
    "name.givenName": "Vorname",
    "name.familyName": "Name",
    "title": "Stelle",
    "manager": "Chef",
    "active": "Status",
    "endDate": "Austritt",
}
HEADING = "Nr;Mail;Vorname;Name;Stelle;Chef;Status;Austritt;Gehalt"
SETTINGS = SourceSettings(
    name="hr",
    kind="csv",
    timezone="Europe/Berlin",
    mapping=MAPPING,
    date_format="%d.%m.%Y",
    active_values=["aktiv"],
    inactive_values=["ausgeschieden"],
)


def row(number: str, name: str, *, title: str = "Fachkraft", status: str = "aktiv", **more: str) -> str:
    boss, end, pay = more.get("boss", ""), more.get("end", ""), more.get("pay", "1000")
    return f"{number};{name}@acme.example;{name.title()};Example;{title};{boss};{status};{end};{pay}"


def sheet(*rows: str) -> bytes:
    return ("\r\n".join([HEADING, *rows]) + "\r\n").encode()


@dataclass(slots=True, kw_only=True)
class Office:
    """A company whose HR system sends files."""

    company: Company
    settings: SourceSettings = SETTINGS

    def source(self) -> Source:
        tenant = TenantSettings(id=self.company.tenant, sources=[self.settings])
        return Source(tenant=tenant, settings=self.settings, scopes={})

    def receiver(self) -> Receiver:
        return Receiver(
            store=self.company.store, settings=self.settings, mapping=RowMapping(self.settings), secret=b"s" * 32
        )

    def receive(self, file: bytes, **more: Any) -> Import:
        arrival = Arrival(tenant=self.company.tenant, source="hr", correlation_id="file", **more)
        return self.receiver().receive(arrival, io.BytesIO(file))

    def now(self, found: Import) -> Import:
        with self.company.store.begin(self.company.tenant, write=False) as tx:
            again = imports.named(tx, found.name)
        assert again is not None
        return again

    def work(self, found: Import) -> Import:
        source = self.source()
        while (found := self.now(found)).is_open:
            recording.work(self.company.store, source, found)
        return found

    def take(self, file: bytes, **more: Any) -> list[str]:
        """Bring a file in, work it off, and return in a word each what became of its rows."""
        return self.told(self.work(self.receive(file, **more)))

    def snapshot(self, *rows: str, **more: Any) -> list[str]:
        return self.take(sheet(*rows), is_snapshot=True, **more)

    def told(self, found: Import) -> list[str]:
        rows = json.loads("".join(report.as_json(self.company.store, found)))
        return [f"{each['id']} {each['outcome']} {each['code'] or ''}".strip() for each in rows]

    def summary(self, found: Import) -> dict[str, Any]:
        return report.summary(self.company.store, self.now(found))


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with shared_url(request) as found:
        yield found


@pytest.fixture
def office(url: str, request: pytest.FixtureRequest, clock: Any) -> Iterator[Office]:
    opened = Store.open(url, clock=clock, use_database_clock=False)
    yield Office(company=Company(store=opened, tenant=request.node.originalname))
    opened.close()


def test_every_row_of_a_file_is_told_of(office: Office) -> None:
    file = sheet(row("1", "ann"), row("2", "bob", status="??"), row("", "cyd"), "4;dan@acme.example", row("5", "eve"))
    assert office.take(file) == [
        "1 created",
        "2 refused unknown_status",
        "refused row_without_id",
        "refused row_not_read",
        "5 created",
    ]
    assert sorted(office.company.people()) == ["ann", "eve"]
    report_of_books = verify_ledger(office.company.store)
    assert report_of_books["balanced"], report_of_books


def test_imports_come_page_by_page_the_newest_in_front(office: Office) -> None:
    found = [office.work(office.receive(sheet(row(number, f"p{number}")))) for number in ("1", "2", "3")]
    tenant, store = office.company.tenant, office.company.store
    first = hr_imports.listed(store, tenant, source="hr", limit=2)
    last = hr_imports.listed(store, tenant, after=first["next"], limit=2)
    assert [each["id"] for each in (*first["items"], *last["items"])] == [each.name for each in reversed(found)]
    assert last["next"] is None
    assert hr_imports.listed(store, tenant, source="idp") == hr_imports.listed(store, "nobody")
    with pytest.raises(NotThere):
        hr_imports.show(store, "nobody", found[0].name)


def test_refused_rows_come_page_by_page(office: Office) -> None:
    rows = [row(str(number), f"p{number}", status="??" if number % 2 else "aktiv") for number in range(1, 8)]
    name = office.work(office.receive(sheet(*rows))).name
    tenant, store = office.company.tenant, office.company.store
    first = hr_imports.rows(store, tenant, name, refused=True, limit=3)
    last = hr_imports.rows(store, tenant, name, refused=True, limit=3, after=first["next"])
    assert [each["row"] for each in (*first["items"], *last["items"])] == [1, 3, 5, 7]
    assert (first["next"], last["next"]) == (5, None)


def json_row(number: str, first_name: str) -> str:
    return f'{{"Nr":"{number}","Mail":"m{number}@acme.example","Vorname":"{first_name}","Name":"E","Status":"aktiv"}}'


def test_a_row_with_half_a_character_is_refused_alone(office: Office) -> None:
    rows = json_row("1", r"\ud800"), json_row("2", r"a\u0000b"), json_row("3\\ud800", "Cyd"), json_row("4", "Dan")
    file = f"[{','.join(rows)}]".encode()
    assert office.take(file) == [
        "1 refused invalid_value",
        "2 refused invalid_value",
        "refused row_without_id",
        "4 created",
    ]


@pytest.mark.parametrize("rows", [1, STAGED_AT_ONCE + 1])
def test_a_file_that_was_given_up_stays_given_up(office: Office, clock: Any, rows: int) -> None:
    store, tenant = office.company.store, office.company.tenant

    def give_up(_rows: int) -> None:
        clock.advance(ms=1_000)
        with store.begin(tenant) as tx:
            imports.give_up_broken_off(tx, before=clock())

    file = io.BytesIO(sheet(*(row(str(number), f"p{number}") for number in range(rows))))
    with pytest.raises(FileRefused, match="broke off"):
        office.receiver().receive(Arrival(tenant=tenant, source="hr", correlation_id="f"), file, progress=give_up)
    with store.begin(tenant, write=False) as tx:
        query = sa.select(hr_tables.import_.c.status).where(hr_tables.import_.c.tenant == tenant).distinct()
        assert tx.connection.execute(query).scalars().all() == [imports.REFUSED]


def test_the_same_file_again_changes_nothing(office: Office) -> None:
    rows = [row("1", "ann"), row("2", "bob")]
    office.snapshot(*rows)
    before = office.company.changes()
    assert office.snapshot(*rows) == ["1 unchanged", "2 unchanged"]
    assert office.company.changes() == before


def test_a_column_that_nothing_reads_changes_nobody(office: Office) -> None:
    office.snapshot(row("1", "ann", pay="1000"))
    found = office.receive(sheet(row("1", "ann", pay="2000")), is_snapshot=True)
    with office.company.store.begin(office.company.tenant, write=False) as tx:
        assert imports.pending(tx, found.id, limit=9) == []


def test_what_rows_said_is_forgotten_once_they_are_applied(office: Office) -> None:
    found = office.work(office.receive(sheet(row("1", "ann"), row("2", "ann"), row("3", "cyd", status="??"))))
    with office.company.store.begin(office.company.tenant, write=False) as tx:
        assert [each.fields for each in imports.rows_after(tx, found.id, 0, limit=9)] == [None, None, None]


def test_who_is_missing_in_a_snapshot_is_deactivated(office: Office) -> None:
    names = ("ann", "bob", "cyd", "dan", "eve")
    office.snapshot(*(row(str(number), name) for number, name in enumerate(names)))
    assert office.snapshot(*(row(str(number), name) for number, name in enumerate(names[:4]))) == [
        *(f"{number} unchanged" for number in range(4)),
        "4 deactivated not_in_snapshot",
    ]
    assert office.company.active() == {**dict.fromkeys(names[:4], True), "eve": False}
    assert office.snapshot(*(row(str(number), name) for number, name in enumerate(names[:4])))[4:] == []


def test_who_is_missing_in_a_delta_stays(office: Office) -> None:
    office.snapshot(row("1", "ann"), row("2", "bob"))
    assert office.take(sheet(row("1", "ann", title="Chefin"))) == ["1 updated"]
    assert office.company.active() == {"ann": True, "bob": True}


def test_a_snapshot_that_has_become_much_smaller_deactivates_nobody(office: Office) -> None:
    office.snapshot(*(row(str(number), f"p{number}") for number in range(10)))
    found = office.work(
        office.receive(sheet(*(row(str(number), f"p{number}") for number in range(7))), is_snapshot=True)
    )
    assert "names 7 of the 10 people" in office.summary(found)["nobody_missing_because"]
    assert all(office.company.active().values())


def test_an_empty_snapshot_deactivates_nobody(office: Office) -> None:
    office.snapshot(row("1", "ann"))
    found = office.work(office.receive(sheet(), is_snapshot=True))
    assert "names 0 of the 1 people" in office.summary(found)["nobody_missing_because"]
    with pytest.raises(FileRefused, match="empty"):
        office.receive(b"", is_snapshot=True)
    assert office.company.active() == {"ann": True}


CUT = [
    sheet(*(row(str(number), f"p{number}") for number in range(9)))[:-30],
    sheet(*(row(str(number), f"p{number}") for number in range(9)), '9;"p9@acme'),
    json.dumps([{"Nr": str(number), "Mail": f"p{number}@acme.example"} for number in range(9)])[:-1].encode(),
]


@pytest.mark.parametrize("file", CUT, ids=["in a row", "in a quoted cell", "in a list"])
def test_a_snapshot_that_is_cut_off_deactivates_nobody(office: Office, file: bytes) -> None:
    office.snapshot(*(row(str(number), f"p{number}") for number in range(10)))
    found = office.work(office.receive(file, is_snapshot=True))
    assert "cut off" in office.summary(found)["nobody_missing_because"]
    assert all(office.company.active().values())


def test_a_snapshot_made_before_somebody_came_does_not_end_them(office: Office, clock: Any) -> None:
    made_at = clock.now
    names = [f"p{number}" for number in range(9)]
    clock.advance(ms=1000)
    office.snapshot(*(row(name, name) for name in (*names, "new")))
    told = office.snapshot(*(row(name, name) for name in names), said_at=made_at)
    assert told[-1] == "new unchanged older_news"
    assert office.company.active()["new"]


def test_a_dry_run_tells_the_differences_only(office: Office) -> None:
    names = [f"p{number}" for number in range(6)]
    office.snapshot(*(row(name, name) for name in names))
    before, people = office.company.changes(), office.company.people()
    told = office.snapshot(
        *(row(name, name) for name in names[2:]), row("p1", "p1", title="Chefin"), row("x", "new"), is_dry_run=True
    )
    assert told[4:] == ["p1 updated", "x created", "p0 deactivated not_in_snapshot"]
    assert (office.company.changes(), office.company.people()) == (before, people)


def test_two_rows_for_one_person_are_told(office: Office) -> None:
    assert office.take(sheet(row("1", "ann"), row("1", "ann"), row("1", "ann", title="Chefin"))) == [
        "1 created",
        "1 unchanged",
        "1 refused row_repeated",
    ]


def test_names_may_change_hands_across_pieces(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "PIECE", 1)
    office.take(sheet(row("1", "ann"), row("2", "bob")))
    assert office.take(sheet(row("1", "bob"), row("2", "ann"))) == ["1 updated", "2 updated"]


def test_a_piece_that_another_process_did_is_not_done_twice(office: Office) -> None:
    found = office.receive(sheet(row("1", "ann")))
    source = office.source()
    assert recording.work(office.company.store, source, found) is not None
    assert recording.work(office.company.store, source, found) is None
    office.work(found)
    assert office.company.changes() == 1


def test_another_mapping_looks_at_everybody_again(office: Office) -> None:
    office.take(sheet(row("1", "ann")))
    office.settings = SETTINGS.model_copy(update={"mapping": {**MAPPING, "nickName": "Vorname"}})
    assert office.take(sheet(row("1", "ann"))) == ["1 updated"]


def test_a_last_day_that_is_called_off_is_called_off(office: Office, clock: Any) -> None:
    # Noon of 15 November; whoever's last day it is works until midnight in Berlin.
    clock.now = 1_700_046_000_000
    assert office.take(sheet(row("1", "ann", end="15.11.2023"))) == ["1 scheduled"]
    assert office.company.active() == {"ann": True}
    office.take(sheet(row("1", "ann")))
    clock.advance(ms=2 * DAY_MS)
    here = {office.company.tenant: [office.company.source]}
    with office.company.store.across_tenants("test") as tx:
        assert office.company.tenant not in {each.tenant for each in identities.due(tx, configured=here, limit=99)}


def test_formulas_are_text_and_stand_so_in_the_report(office: Office) -> None:
    found = office.work(office.receive(sheet(row("=1+1", "ann", title="=HYPERLINK(1)"))))
    assert office.company.people()["ann"]["title"] == "=HYPERLINK(1)"
    written = list(csv.reader(io.StringIO("".join(report.as_csv(office.company.store, found)))))
    assert written == [list(report.COLUMNS), ["1", "'=1+1", "created", "", "", "", written[1][6]]]


@pytest.mark.parametrize("opening", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_nothing_that_a_spreadsheet_reckons_with_opens_a_cell_of_the_report(office: Office, opening: str) -> None:
    file = json.dumps([{"Nr": f"{opening}1+1", "Mail": "ann@acme.example", "Name": "Ann", "Status": "aktiv"}]).encode()
    found = office.work(office.receive(file))
    written = list(csv.reader(io.StringIO("".join(report.as_csv(office.company.store, found)), newline="")))
    assert written[1][1] == f"'{opening}1+1"


def test_a_snapshot_with_a_stray_quotation_mark_takes_nobody_for_gone(office: Office) -> None:
    people = [row(str(number), f"p{number}") for number in range(1, 11)]
    office.snapshot(*people)
    found = office.receive(sheet(people[0].replace(";P1;", ';"P1;'), *people[1:9]), is_snapshot=True)
    told = office.told(office.work(found))
    assert told == ["refused row_not_read", *(f"{number} unchanged" for number in range(2, 10))]
    rows = json.loads("".join(report.as_json(office.company.store, found)))
    assert "Line 2 of the file has a quotation mark too many" in rows[0]["advice"]
    assert "Nobody is taken for gone" in office.summary(found)["nobody_missing_because"]


def test_old_imports_are_forgotten_a_slice_at_a_time(office: Office, clock: Any) -> None:
    found = office.work(office.receive(sheet(*(row(str(number), f"p{number}") for number in range(5)))))
    clock.advance(ms=DAY_MS)
    left = []
    with office.company.store.across_tenants("test", write=True) as tx:
        while imports.forget(tx, before=clock.now, at_a_time=2):
            count = sa.select(sa.func.count()).where(hr_tables.import_row.c.import_id == found.id)
            left.append(tx.connection.execute(count).scalar_one())
    # What other tests left in the database is older, and goes before.
    assert left[-4:] == [3, 1, 0, 0]
    with office.company.store.begin(office.company.tenant, write=False) as tx:
        assert imports.named(tx, found.name) is None


def test_an_import_without_columns_that_another_has_is_looked_at_again(office: Office) -> None:
    office.take(sheet(row("1", "ann")))
    assert office.take(b"Nr;Mail;Vorname;Name;Stelle;Status\n1;ann@acme.example;Ann;Example;Fachkraft;aktiv\n") == [
        "1 unchanged"
    ]


def test_an_import_that_is_empty_has_an_empty_report(office: Office) -> None:
    found = office.work(office.receive(sheet()))
    assert json.loads("".join(report.as_json(office.company.store, found))) == []


def test_a_snapshot_with_a_row_of_nobody_takes_nobody_for_gone(office: Office) -> None:
    people = [row(str(number), f"p{number}") for number in range(1, 11)]
    office.snapshot(*people)
    broken = [*people[:2], people[2].replace(";", ";;", 1) + ";", *people[3:]]
    found = office.receive(sheet(*broken), is_snapshot=True)
    told = office.told(office.work(found))
    assert "refused row_not_read" in told
    assert not [each for each in told if "deactivated" in each]
    assert "Nobody is taken for gone" in office.summary(found)["nobody_missing_because"]


def test_a_line_of_totals_spares_nobody(office: Office) -> None:
    people = [row(str(number), f"p{number}") for number in range(1, 11)]
    office.snapshot(*people)
    told = office.snapshot(*people[:9], row("", "total"))
    assert [each for each in told if "deactivated" in each] == ["10 deactivated not_in_snapshot"]


def test_a_file_that_undoes_one_that_still_waits_is_not_called_unchanged(office: Office) -> None:
    office.take(sheet(row("1", "ann", status="aktiv")))
    office.take(sheet(row("1", "ann", status="ausgeschieden")))
    first = office.receive(sheet(row("1", "ann", status="aktiv")))
    second = office.receive(sheet(row("1", "ann", status="ausgeschieden")))
    office.work(first)
    assert office.told(office.work(second)) == ["1 deactivated"]


def test_what_was_kept_of_a_file_that_broke_off_is_forgotten(office: Office, clock: Any) -> None:
    found = office.receive(sheet(row("1", "ann")))
    with office.company.store.begin(office.company.tenant) as tx:
        imports.note(tx, found.id, status=imports.RECEIVING)
    clock.advance(ms=DAY_MS)
    with office.company.store.across_tenants("test", write=True) as tx:
        assert imports.give_up_broken_off(tx, before=tx.now - 1) >= 1
    with office.company.store.begin(office.company.tenant, write=False) as tx:
        kept = tx.connection.execute(
            sa.select(hr_tables.import_row.c.fields).where(hr_tables.import_row.c.import_id == found.id)
        )
        assert [each.fields for each in kept] == [None]
