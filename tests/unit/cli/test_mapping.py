"""`scim-bridge mapping try`: what a mapping does with a sample, without a store."""

import json
from pathlib import Path
from typing import Any

import pytest
from unit.cli.conftest import Run

CONFIG = """
[[tenants]]
id = "acme"
[[tenants.sources]]
name = "files"
kind = "csv"
timezone = "Europe/Berlin"
date_format = "%d.%m.%Y"
[tenants.sources.mapping]
externalId = '"Personalnr."'
userName = '"E-Mail"'
emails = '"E-Mail"'
endDate = "Austritt"
[[tenants.sources]]
name = "bamboo"
kind = "bamboohr"
secret = "env:NOT_NEEDED_HERE"
[[tenants.sources]]
name = "okta"
[[tenants.targets]]
name = "lms"
kind = "mindtickle"
api_key = "env:NOT_NEEDED_HERE"
"""

CSV = (
    "Personalnr.;E-Mail;first_name;last_name;Austritt;Gehalt\r\n"
    "0007;änne@x.com;Änne;Groß;31.12.2026;90000\r\n"
    "0008;ben@x.com;Ben;Ox;31.02.2026;1\r\n"
    ";;;;;\r\n"
)


@pytest.fixture
def tried(tmp_path: Path, run: Run) -> Any:
    config = tmp_path / "bridge.toml"
    config.write_text(CONFIG)

    def attempt(source: str, content: bytes, *flags: str) -> Any:
        sample = tmp_path / "sample"
        sample.write_bytes(content)
        return run(
            *("mapping", "try", "--config", str(config), "--tenant", "acme"),
            *("--source", source, "--sample", str(sample), *flags),
        )

    return attempt


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_rows_of_a_file_become_users_with_what_each_rule_did(tried: Any, encoding: str) -> None:
    result = tried("files", CSV.encode(encoding), "--json")
    assert result.exit_code == 1
    good, bad = json.loads(result.stdout)["rows"]
    assert good["id"] == "0007"
    assert good["user"]["document"]["name"] == {"givenName": "Änne", "familyName": "Groß"}
    assert good["user"]["active_until"] == "2026-12-31T23:00:00.000Z"
    assert good["targets"]["lms"]["attributes"]["userName"] == "änne@x.com"
    assert good["dropped"] == ["Gehalt"]
    rule = next(each for each in good["rules"] if each["attribute"] == "endDate")
    assert (rule["found"], rule["stated"], rule["refused"]) == ("31.12.2026", True, None)
    assert bad["refused"]["code"] == "impossible_date"
    assert "90000" not in result.stdout


def test_a_webhook_is_read_as_its_sender_sends_it(tried: Any) -> None:
    fields = {"workEmail": {"value": "ann@x.com"}, "firstName": {"value": "Ann"}, "lastName": {"value": "Ox"}}
    body = {"employees": [{"id": "4", "action": "Updated", "changedFields": ["firstName"], "fields": fields}]}
    result = tried("bamboo", json.dumps(body).encode(), "--json")
    [row] = json.loads(result.stdout)["rows"]
    assert (row["id"], row["refused"]) == ("4", None)
    assert row["user"]["document"]["userName"] == "ann@x.com"


def test_a_json_row_is_read_as_it_is(tried: Any) -> None:
    result = tried("bamboo", b'[{"id": 4, "workEmail": "a@x.com", "lastName": "Ox"}]', "--json")
    assert json.loads(result.stdout)["rows"][0]["user"]["document"]["userName"] == "a@x.com"


def test_people_read_lines(tried: Any) -> None:
    result = tried("files", CSV.encode())
    assert 'endDate = Austritt: found "31.02.2026" -> refused (impossible_date)' in result.stdout
    assert "not read, dropped at the door" in result.stdout


@pytest.mark.parametrize(
    ("source", "content", "said"),
    [
        ("okta", b"{}", "sends SCIM"),
        ("nobody", b"{}", "has no source nobody (there: files, bamboo, okta)"),
        ("bamboo", b"[1]", "row 1 of the sample is no JSON object"),
        ("bamboo", b"{", "the sample is no JSON"),
    ],
)
def test_what_cannot_be_tried_is_told(tried: Any, source: str, content: bytes, said: str) -> None:
    result = tried(source, content)
    assert result.exit_code != 0
    assert said in str(result.exception) or said in result.output
