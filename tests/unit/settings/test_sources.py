"""Settings of a source: its kind's mapping, its own over it, and faults that are told at once."""

from pathlib import Path
from typing import get_args

import pytest

from scim_bridge.domain.rows import Person, Row
from scim_bridge.mapping.rows import RowMapping
from scim_bridge.settings import loading
from scim_bridge.settings.problems import SettingsRefused
from scim_bridge.settings.sources import SourceKind, SourceSettings

HEAD = '[[tenants]]\nid = "a"\n[[tenants.sources]]\nname = "hr"\nsecret = "env:KEY"\n'
KINDS = [kind for kind in get_args(SourceKind) if kind != "scim"]


def source(folder: Path, text: str, **beside: str) -> SourceSettings:
    """Write a configuration with one source, and files of kinds beside it, and load it."""
    file = folder / "bridge.toml"
    file.write_text(HEAD + text)
    for kind, content in beside.items():
        (folder / "sources").mkdir(exist_ok=True)
        (folder / "sources" / f"{kind}.toml").write_text(content)
    return loading.load(file, role="all", environ={"KEY": "s3cret"}).tenants[0].sources[0]


def problems(folder: Path, text: str, **beside: str) -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        source(folder, text, **beside)
    return [problem.rpartition("sources[0].")[2] for problem in map(str, refused.value.problems)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_mapping_that_needs_nothing_more(kind: str, tmp_path: Path) -> None:
    found = source(tmp_path, f'kind = "{kind}"')
    assert {"externalId", "userName", "active", "endDate", "manager"} <= found.mapping.keys()
    assert RowMapping(found).fields
    assert found.active_values
    assert found.inactive_values


SAMPLES = {
    "generic": {"id": "1", "email": "a@x.com", "firstName": "A", "lastName": "B", "active": False},
    "csv": {"id": "1", "email": "a@x.com", "first_name": "A", "last_name": "B", "status": "Terminated"},
    "bamboohr": {"id": 1, "workEmail": "a@x.com", "firstName": "A", "lastName": "B", "status": "Inactive"},
    "hibob": {"id": "1", "email": "a@x.com", "firstName": "A", "surname": "B", "internal": {"status": "Inactive"}},
    "merge": {
        "id": "1",
        "work_email": "a@x.com",
        "first_name": "A",
        "last_name": "B",
        "employment_status": "INACTIVE",
        "termination_date": "2021-10-11T00:00:00Z",
    },
    "finch": {
        "id": "1",
        "emails": [{"type": "personal", "data": "p@x.com"}, {"type": "work", "data": "a@x.com"}],
        "first_name": "A",
        "last_name": "B",
        "is_active": False,
    },
    "gusto": {"uuid": "1", "work_email": "a@x.com", "first_name": "A", "last_name": "B", "terminated": True},
    "personio": {"id": 1, "email": "a@x.com", "first_name": "A", "last_name": "B", "status": "inactive"},
    "paylocity": {
        "employeeId": "1",
        "workAddress": {"emailAddress": "a@x.com"},
        "firstName": "A",
        "lastName": "B",
        "status": {"employeeStatus": "T"},
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_leaver_of_every_kind_is_known_as_one(kind: str, tmp_path: Path) -> None:
    mapping = RowMapping(source(tmp_path, f'kind = "{kind}"'))
    fields = mapping.only({**SAMPLES[kind], "ssn": "1", "date_of_birth": "2"})
    assert {"ssn", "date_of_birth"}.isdisjoint(fields)
    person = mapping.person_of(Row(external_id=mapping.id_of(fields), fields=fields, position=1))
    assert isinstance(person, Person)
    assert (person.external_id, person.active, person.document["userName"]) == ("1", False, "a@x.com")
    assert person.document["name"] == {"givenName": "A", "familyName": "B"}


def test_the_sources_own_mapping_goes_over_its_kinds_field_by_field(tmp_path: Path) -> None:
    found = source(tmp_path, 'kind = "csv"\n[tenants.sources.mapping]\ntitle = "Titel"\ndivision = ""')
    assert found.mapping["title"] == "Titel"
    assert found.mapping["userName"]
    assert "division" not in found.mapping


def test_a_file_of_the_kind_beside_the_configuration_goes_over_the_shipped_one(tmp_path: Path) -> None:
    found = source(tmp_path, 'kind = "csv"', csv='date_format = "%d.%m.%Y"\nactive_values = ["A"]')
    assert (found.date_format, found.active_values) == ("%d.%m.%Y", ["A"])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('kind = "csv"\ndate_format = "DD.MM.YYYY"', "date_format: must say day, month and year, like %d.%m.%Y"),
        ('kind = "csv"\nencoding = "utf-9"', "encoding: is no encoding of text, like cp1252"),
        ('kind = "csv"\nencoding = "hex"', "encoding: is no encoding of text, like cp1252"),
        ('kind = "csv"\ntimezone = "Berlin"', "timezone: is no time zone like Europe/Berlin"),
        ('kind = "csv"\ndelimiter = ";;"', "delimiter: string should have at most 1 character"),
        ('kind = "csv"\npause = true', "pause: unknown key; did you mean paused?"),
        ('kind = "csv"\nowns = ["titel"]', "owns: titel is no attribute that can be owned; did you mean title?"),
        ('kind = "csv"\nreplaces = ["hr"]', "replaces: hr is still there; take its table out first"),
        ('kind = "csv"\nmapping = {titel = "x"}', "mapping.titel: is nothing that a row fills; did you mean title?"),
        ('kind = "csv"\nmapping = {title = "x.("}', "mapping.title: cannot be read from character 3 on"),
        (
            'kind = "csv"\nmapping = {title = "keys(@)[0]"}',
            "mapping.title: reads the whole row; name the fields that it needs",
        ),
        ('kind = "csv"\nmapping = {userName = ""}', "mapping.userName: is missing; a row needs it"),
        ('kind = "csv"\ninactive_values = ["ACTIVE"]', "inactive_values: active is in active_values too"),
    ],
)
def test_a_fault_is_told(tmp_path: Path, text: str, problem: str) -> None:
    assert problems(tmp_path, text) == [problem]


def test_faults_are_told_at_once(tmp_path: Path) -> None:
    text = 'kind = "cvs"\ntimezone = "Mars"\nowns = ["x"]\nsmallest_share = 2\nmapping = {title = "("}'
    assert [each.partition(":")[0] for each in problems(tmp_path, text)] == [
        "kind",
        "smallest_share",
        "timezone",
        "owns",
        "mapping.title",
    ]


def test_a_fault_of_a_kinds_file_is_told_with_that_file(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, 'kind = "csv"', csv="delimeter = ';'")
    assert found.endswith("sources/csv.toml: delimeter: unknown key; did you mean delimiter?")
