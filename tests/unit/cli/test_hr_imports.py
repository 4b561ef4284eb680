"""`scim-bridge hr imports`: which files came, and what became of each row."""

import json
from pathlib import Path
from typing import Any

import pytest
from unit.cli.conftest import Run

CONFIG = """
data_dir = "var"
[store]
url = "sqlite:///bridge.db"
[queue]
url = "redis://127.0.0.1:1/0"
[[tenants]]
id = "acme"
[[tenants.sources]]
name = "files"
kind = "csv"
[tenants.sources.mapping]
externalId = "id"
userName = "email"
[[tenants]]
id = "other"
"""
FILE = "id;email\n7;ann@x.com\n8;\n9;bob@x.com\n"


@pytest.fixture
def ask(tmp_path: Path, run: Run, sqlite_template: Path) -> Any:
    """Ask about imports, after two files came in: one tried, one taken."""
    config = tmp_path / "bridge.toml"
    config.write_text(CONFIG)
    (tmp_path / "bridge.db").write_bytes(sqlite_template.read_bytes())
    file = tmp_path / "people.csv"
    file.write_text(FILE)
    where = ("--config", str(config), "--tenant", "acme")
    for flags in (("--dry-run",), ()):
        run("hr", "import", str(file), *where, "--source", "files", *flags)
    return lambda *arguments: run("hr", "imports", *arguments, "--config", str(config))


def names(ask: Any) -> list[str]:
    return [each["id"] for each in json.loads(ask("--json").stdout)["items"]]


def test_the_newest_file_is_in_front(ask: Any) -> None:
    first, second = json.loads(ask("--json").stdout)["items"]
    assert (first["dry_run"], second["dry_run"], first["rows"]) == (False, True, 3)
    page = json.loads(ask("--limit", "1", "--json").stdout)
    assert page["items"] == [first]
    assert json.loads(ask("--after", str(page["next"]), "--json").stdout) == {"items": [second], "next": None}


def test_files_are_listed_for_people(ask: Any) -> None:
    lines = ask("--limit", "1").stdout.splitlines()
    assert "source files  mode delta  status done  rows 3" in lines[0]
    assert lines[-1].startswith("1 import; older ones: --after ")


def test_rows_are_told_one_by_one(ask: Any) -> None:
    name = names(ask)[0]
    page = json.loads(ask("rows", name, "--tenant", "acme", "--limit", "2", "--json").stdout)
    assert [(each["row"], each["outcome"]) for each in page["items"]] == [(1, "created"), (2, "refused")]
    assert page["next"] == 2
    refused = ask("rows", name, "--tenant", "acme", "--refused").stdout.splitlines()
    assert (refused[0].split()[:6], refused[-1]) == (["row", "2", "id", "8", "outcome", "refused"], "1 row")


def test_an_import_is_shown_with_its_outcomes(ask: Any) -> None:
    name = names(ask)[0]
    told = json.loads(ask("show", name, "--tenant", "acme", "--json").stdout)
    assert told["outcomes"] == {"created": 2, "refused": 1}
    assert "outcomes 2 created, 1 refused" in ask("show", name, "--tenant", "acme").stdout


def test_the_report_is_written_as_csv(ask: Any, tmp_path: Path) -> None:
    name = names(ask)[0]
    printed = ask("report", name, "--tenant", "acme").stdout
    assert printed.splitlines()[0] == "row,id,outcome,code,field,advice,change"
    assert ask("report", name, "--tenant", "acme", "--to", str(tmp_path / "report.csv")).exit_code == 0
    assert (tmp_path / "report.csv").read_text().splitlines() == printed.splitlines()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("show", "nope", "--tenant", "acme"), 1, "the tenant acme has no import of this name"),
        (("--tenant", "acmee"), 2, "there is no tenant acmee"),
        (("--source", "x"), 2, "there is no source x"),
        (("--json", "show", "nope", "--tenant", "acme"), 2, "give the options behind the command"),
        (("--limit", "0"), 2, "0 is not in the range"),
    ],
)
def test_bad_input_is_told_in_one_line(ask: Any, arguments: tuple[str, ...], code: int, told: str) -> None:
    result = ask(*arguments)
    assert result.exit_code == code, result.output
    assert told in result.stderr.splitlines()[-1]


def test_a_file_of_one_tenant_is_not_another_s(ask: Any) -> None:
    assert ask("show", names(ask)[0], "--tenant", "other").exit_code == 1
