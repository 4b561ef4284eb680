"""`scim-bridge hr import`: what it says of a file, and with which exit code it ends."""

import contextlib
import json
import sqlite3
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
emails = "email"
displayName = "name"
[[tenants.sources]]
name = "okta"
"""
FILE = "id;email;name\n007;ann@x.com;Ann\n8;bob@x.com;Bob\n"


@pytest.fixture
def imported(tmp_path: Path, run: Run, sqlite_template: Path) -> Any:
    config = tmp_path / "bridge.toml"
    config.write_text(CONFIG)
    (tmp_path / "bridge.db").write_bytes(sqlite_template.read_bytes())

    def attempt(content: str, *flags: str, source: str = "files") -> Any:
        file = tmp_path / "people.csv"
        file.write_text(content)
        return run("hr", "import", str(file), "--config", str(config), "--tenant", "acme", "--source", source, *flags)

    return attempt


def test_a_good_file_ends_with_0(imported: Any) -> None:
    found = imported(FILE)
    assert (found.exit_code, found.stdout.splitlines()[0]) == (0, "2 created")
    assert imported(FILE, "--snapshot").stdout.startswith("2 unchanged")


def test_a_row_that_is_refused_ends_with_1(imported: Any, tmp_path: Path) -> None:
    target = tmp_path / "report.csv"
    found = imported(f"{FILE}9;;Cyd\n", "--json", "--report", str(target))
    assert (found.exit_code, json.loads(found.stdout)["outcomes"]) == (1, {"created": 2, "refused": 1})
    assert target.read_text().splitlines()[3].startswith("3,9,refused,missing_field,userName,")


def test_refused_rows_are_told_with_their_reason(imported: Any) -> None:
    found = imported(f"{FILE}9;;Cyd\n")
    assert (found.exit_code, found.stdout.splitlines()[0]) == (1, "2 created, 1 refused")
    assert found.stdout.splitlines()[1].startswith("  row 3 (id 9) refused: missing_field userName. ")


def test_of_many_refused_rows_the_first_are_told(imported: Any) -> None:
    told = imported("id;email;name\n" + "".join(f"{number};;Cyd\n" for number in range(25))).stdout.splitlines()
    assert [line.split(" (")[0] for line in told[1:11]] == [f"  row {number}" for number in range(1, 11)]
    assert told[11] == "  and 15 more; --report FILE.csv writes what became of every row"


def test_a_file_that_is_cut_off_says_so_though_its_rows_are_good(imported: Any) -> None:
    found = imported(f'{FILE}9;"cyd')
    assert (found.exit_code, found.stdout.splitlines()[0]) == (1, "2 created")
    assert "cut off: line 4 ends within a quoted cell. What follows was not read: send the file again." in found.stdout


def test_a_snapshot_that_is_much_smaller_says_so(imported: Any) -> None:
    imported(FILE)
    found = imported("id;email;name\n", "--snapshot")
    assert found.exit_code == 1
    assert "names 0 of the 2 people" in found.stdout


def test_a_dry_run_says_what_would_be(imported: Any) -> None:
    assert imported(FILE, "--dry-run").stdout.startswith("would be: 2 created")
    assert imported(FILE).stdout.startswith("2 created")


@pytest.mark.parametrize(("flags", "noted"), [((), 1), (("--dry-run",), 0)])
def test_the_mapping_that_an_import_goes_by_is_recorded(
    imported: Any, tmp_path: Path, flags: tuple[str, ...], noted: int
) -> None:
    imported(FILE, *flags)
    imported(FILE, *flags)
    with contextlib.closing(sqlite3.connect(tmp_path / "bridge.db")) as database:
        who = database.execute("SELECT who FROM audit WHERE what = 'mapping of source files'").fetchall()
    assert who == [("hr import",)] * noted


WRONG = [
    # What is wrong, and the exit code: 1 for the file, 2 for the command.
    ({"content": ""}, 1, "The file is empty"),
    ({"content": "a;b\n1;2\n"}, 1, "none of the columns"),
    ({"content": FILE, "source": "okta"}, 2, "no source okta that sends rows (there: files)"),
    ({"content": FILE, "flags": ("--said-at", "today")}, 2, "--said-at takes a time"),
    ({"content": FILE, "flags": ("--report", "report.txt")}, 2, ".csv or .json"),
    ({"content": FILE, "flags": ("--report", "/nowhere/report.csv")}, 2, "cannot be written"),
]


@pytest.mark.parametrize(("asked", "exit_code", "sentence"), WRONG)
def test_what_is_wrong_is_said_in_a_sentence(imported: Any, asked: Any, exit_code: int, sentence: str) -> None:
    found = imported(asked["content"], *asked.get("flags", ()), source=asked.get("source", "files"))
    assert (found.exit_code, sentence in found.stderr) == (exit_code, True), found.output
