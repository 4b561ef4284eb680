"""The door for files of HR rows: who is let in, what is refused and why, and what is told of each row."""

import csv
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from flask.testing import FlaskClient
from running.door import Ticking
from werkzeug.test import TestResponse

from scim_bridge.domain.instants import Millis, to_datetime
from scim_bridge.intake.hr.imports.door import PATH
from scim_bridge.settings.models import Settings, TargetSettings, TenantSettings
from scim_bridge.settings.sources import SourceSettings
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store
from workers.relay import dates, imports
from workers.runtime import Runtime

MAPPING = {
    "externalId": "id",
    "userName": "email",
    "emails": "email",
    "name.familyName": "last",
    "active": "status",
    "endDate": "end",
}
ANN, BOB = "007;ann@x.com;Ann;active;;1990-01-01", "8;bob@x.com;Bob;active;;"
FILE = f"id;email;last;status;end;born\n{ANN}\n{BOB}\n"


@pytest.fixture
def tenant_settings(tenant_settings: TenantSettings) -> TenantSettings:
    """A tenant with two sources of files, one of which is paused, and an identity provider."""
    more: dict[str, Any] = {
        "kind": "csv",
        "mapping": MAPPING,
        "active_values": ["active"],
        "inactive_values": ["inactive"],
    }
    return TenantSettings(
        id=tenant_settings.id,
        sources=[
            SourceSettings(name="files", **more),
            SourceSettings(name="resting", paused=True, **more),
            SourceSettings(name="idp"),
        ],
        targets=[TargetSettings(name="everybody", kind="fake")],
    )


@dataclass(slots=True, kw_only=True)
class Integrator:
    """Sends files with a token."""

    client: FlaskClient
    token: str
    relay: Callable[[], None]

    def send(self, body: str | bytes, query: str = "", **headers: str) -> TestResponse:
        given = {"Authorization": f"Bearer {self.token}", "Content-Type": "text/csv"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"{PATH}{query}", data=body, headers=given)

    def get(self, path: str) -> TestResponse:
        return self.client.get(path, headers={"Authorization": f"Bearer {self.token}"})

    def done(self, answer: TestResponse) -> dict[str, Any]:
        """Return the summary of an import once the relay has worked it off."""
        assert answer.status_code == 202, answer.text
        self.relay()
        return dict(self.get(answer.headers["Location"]).json or {})

    def rows(self, summary: dict[str, Any]) -> list[str]:
        rows = self.get(summary["report"]["json"]).json or []
        return [f"{each['id']} {each['outcome']} {each['code'] or ''}".strip() for each in rows]


@pytest.fixture
def relay(shared_store: Store, tenant_settings: TenantSettings, dispatcher: RecordingDispatcher) -> Callable[[], None]:
    runtime = Runtime(
        settings=Settings(tenants=[tenant_settings]),
        store=shared_store,
        dispatcher=dispatcher,
        fingerprint_key=b"k",
        clock=shared_store.clock,
    )

    def work() -> None:
        now: Millis = 0
        while imports.run_once(runtime, now) == now:
            pass
        dates.run_once(runtime, now)

    return work


@pytest.fixture
def make_integrator(
    app: Flask, shared_store: Store, tenant_settings: TenantSettings, relay: Callable[[], None]
) -> Callable[..., Integrator]:
    def make(source: str = "files", scope: str = "hr") -> Integrator:
        with shared_store.begin(tenant_settings.id) as tx:
            issued = tokens.issue(tx, scopes=(scope,), source=source)
        return Integrator(client=app.test_client(), token=issued.value, relay=relay)

    return make


@pytest.fixture
def integrator(make_integrator: Callable[..., Integrator]) -> Integrator:
    return make_integrator()


def test_a_file_is_taken_and_told_of_row_by_row(integrator: Integrator, dispatcher: RecordingDispatcher) -> None:
    answer = integrator.send(FILE)
    assert answer.json["status"] == "waiting"
    summary = integrator.done(answer)
    assert (summary["status"], summary["rows"], summary["outcomes"]) == ("done", 2, {"created": 2})
    assert integrator.rows(summary) == ["007 created", "8 created"]
    assert {target for _, target, _ in dispatcher.wakes} == {"everybody"}
    sheet = list(csv.reader(io.StringIO(integrator.get(summary["report"]["csv"]).text)))
    assert [line[:3] for line in sheet[1:]] == [["1", "007", "created"], ["2", "8", "created"]]


def test_a_short_file_needs_no_temporary_folder(
    integrator: Integrator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    assert integrator.rows(integrator.done(integrator.send(FILE))) == ["007 created", "8 created"]


def test_json_is_taken_as_csv_is(integrator: Integrator) -> None:
    rows = '[{"id": "007", "email": "ann@x.com", "last": "Ann", "status": "active"}, 7, {"id": ""}]'
    answer = integrator.send(rows, "?mode=snapshot", Content_Type="application/json")
    assert integrator.rows(integrator.done(answer)) == ["007 created", "refused row_not_read", "refused row_without_id"]


def test_a_dry_run_is_told_and_changes_nothing(integrator: Integrator) -> None:
    summary = integrator.done(integrator.send(FILE, "?dry_run=true"))
    assert (summary["dry_run"], summary["outcomes"]) == (True, {"created": 2})
    assert integrator.rows(integrator.done(integrator.send(FILE))) == ["007 created", "8 created"]


REFUSED = [
    # What is sent, how, the status, and what the sentence says.
    ("", "", {}, 422, "empty"),
    ("\n;;\n", "", {}, 422, "empty"),
    ("a;b\n1;2\n", "", {}, 422, "has none of the columns"),
    ("id;id;email\n1;2;3\n", "", {}, 422, "names a column twice"),
    ("[1", "", {"Content_Type": "application/json"}, 202, ""),
    ("hello", "", {"Content_Type": "application/json"}, 422, "no JSON"),
    (FILE, "?mode=full", {}, 400, "mode is delta"),
    (FILE, "?dry_run=perhaps", {}, 400, "dry_run is true or false"),
    (FILE, "?said_at=yesterday", {}, 400, "said_at"),
    (FILE, "?said_at=2026-01-01T00:00:00", {}, 400, "with a zone"),
    (FILE, "?tenant=other", {}, 400, "no parameter 'tenant'"),
    (FILE, "", {"Idempotency_Key": "ä".encode().decode("latin-1")}, 400, "printable ASCII"),
    (FILE, "", {"Content_Encoding": "gzip"}, 415, "Content-Encoding"),
    ("x" * 200_001, "", {}, 413, "200000 bytes"),
]


@pytest.mark.parametrize(("body", "query", "headers", "status", "sentence"), REFUSED)
def test_a_file_that_cannot_be_taken_is_refused_in_a_sentence(
    integrator: Integrator, body: str, query: str, headers: dict[str, str], status: int, sentence: str
) -> None:
    answer = integrator.send(body, query, **headers)
    assert answer.status_code == status, answer.text
    assert sentence in answer.text
    if status == 202:
        assert integrator.done(answer)["rows"] == 1


def test_only_a_token_for_hr_opens_the_door(make_integrator: Callable[..., Integrator]) -> None:
    assert make_integrator(scope="scim").send(FILE).status_code == 403
    integrator = make_integrator()
    integrator.token = "wrong"
    assert integrator.send(FILE).status_code == 401
    assert integrator.get(f"{PATH}/1234").status_code == 401


def test_a_source_without_rows_is_told_so(make_integrator: Callable[..., Integrator]) -> None:
    for source in ("idp", "nobody"):
        answer = make_integrator(source).send(FILE)
        assert (answer.status_code, "takes no rows" in answer.text) == (422, True)


def test_another_source_sees_no_import(make_integrator: Callable[..., Integrator]) -> None:
    taken = make_integrator("files").send(FILE)
    other = make_integrator("resting")
    for path in (taken.headers["Location"], taken.json["report"]["csv"], taken.json["report"]["json"]):
        assert other.get(path).status_code == 404
    assert other.get(f"{PATH}/'; DROP TABLE import").status_code == 404


def test_a_paused_source_keeps_what_came(make_integrator: Callable[..., Integrator]) -> None:
    integrator = make_integrator("resting")
    summary = integrator.done(integrator.send(FILE))
    assert (summary["status"], summary["outcomes"]) == ("waiting", {"waiting": 2})


def test_the_same_key_gives_the_first_answer(integrator: Integrator) -> None:
    first = integrator.send(FILE, Idempotency_Key="night-1")
    again = integrator.send(FILE, Idempotency_Key="night-1")
    assert (again.status_code, again.text, again.headers["Location"]) == (202, first.text, first.headers["Location"])
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert integrator.send(FILE, "?mode=snapshot", Idempotency_Key="night-1").status_code == 422
    assert integrator.send("", Idempotency_Key="night-2").status_code == 422
    assert integrator.send(FILE, Idempotency_Key="night-2").status_code == 202


def test_what_the_mapping_does_not_read_is_kept_nowhere(integrator: Integrator, shared_store: Store) -> None:
    summary = integrator.done(integrator.send(FILE))
    with shared_store.across_tenants("test") as tx:
        for table in ("resource", "contribution", "import_row", "import", "change"):
            for row in tx.connection.exec_driver_sql(f'SELECT * FROM "{table}"'):
                assert "1990-01-01" not in str(row)
    assert "1990" not in integrator.get(summary["report"]["json"]).text


def test_whoever_has_left_is_let_go_when_the_day_has_passed(
    integrator: Integrator, dispatcher: RecordingDispatcher, shared_store: Store
) -> None:
    last_day = to_datetime(shared_store.clock()).date().isoformat()
    summary = integrator.done(integrator.send(f"id;email;last;status;end\n1;ann@x.com;Ann;active;{last_day}\n"))
    assert integrator.rows(summary) == ["1 scheduled"]
    dispatcher.wakes.clear()
    integrator.relay()
    assert dispatcher.wakes == []
    assert isinstance(shared_store.clock, Ticking)
    shared_store.clock.advance(ms=86_400_000)
    integrator.relay()
    assert [(target, urgent) for _, target, urgent in dispatcher.wakes] == [("everybody", True)]
    integrator.relay()
    assert len(dispatcher.wakes) == 1
