"""Every operation of the API, on two tenants with a little of everything: answers, roles, tenants that never meet."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa
from fakes.stores import copied, shared_url
from flask.testing import FlaskClient
from running.offices import SCOPES, TARGET, Office, Offices
from werkzeug.test import TestResponse

from scim_bridge.store import tables
from scim_bridge.store.schema import metadata
from scim_bridge.web.api.catalogue import OPERATIONS
from scim_bridge.web.api.operations import Operation, Role

FAR = 2**53 - 1
NOW = 1_700_000_000_000
NO_QUEUE = "unix:///dev/null/none"
WHY = {"reason": "checked with HR"}
BY_NAME = {each.name: each for each in OPERATIONS}


def asked_of(office: Office) -> dict[str, dict[str, Any]]:
    """Return what is asked of each operation about what an office has, in an order in which all succeed."""
    return {
        "status": {"query": {"target": TARGET}},
        "lane_status": {},
        "lane_calls": {},
        "lane_pause": {"path": {"target": TARGET}, "json": WHY},
        "lane_resume": {"path": {"target": TARGET}, "json": WHY},
        "user_show": {"query": {"who": office.name_of("cyd")}},
        "batch_show": {"path": {"batch": office.batch}},
        "failed_list": {"query": {"user": office.name_of("cyd"), "limit": "1"}},
        "failed_groups": {"query": {"since": "7d"}},
        "failed_export": {},
        "failed_note": {"json": {"operations": office.dead, "text": "Too long."}},
        "replay_plan": {"json": {"operations": office.dead[1:]}},
        "replay_list": {},
        "replay_status": {"path": {"replay": office.replay}},
        "replay_preview": {"path": {"replay": office.replay}},
        "replay_approve": {"path": {"replay": office.replay}},
        "replay_cancel": {"path": {"replay": office.replay}},
        "failed_discard": {"json": {"operations": office.dead, **WHY}},
        "hold_list": {"query": {"limit": "1"}},
        "hold_allow": {"json": {"target": TARGET, "count": 3, "for_s": 3600, **WHY}},
        "hold_release": {"json": {"user": office.held, **WHY}},
        "hold_reject": {"json": {"all": True, **WHY}},
        "reconcile": {"json": {"target": TARGET, "repair": True, "max_calls": 5}},
        "target_probe": {"json": {"target": TARGET}},
        "drift_list": {"query": {"kind": "reconcile", "target": TARGET}},
        "drift_show": {"path": {"errand": office.errand}},
        "drift_rows": {"path": {"errand": office.errand}, "query": {"drift": "missing", "limit": "1"}},
        "drift_export": {"path": {"errand": office.errand}},
        "hr_import_list": {"query": {"source": "hr"}},
        "hr_import_show": {"path": {"name": office.import_name}},
        "hr_import_rows": {"path": {"name": office.import_name}, "query": {"refused": "true"}},
        "hr_import_report": {"path": {"name": office.import_name}},
        "hr_event_list": {"query": {"state": "refused"}},
        "hr_event_retry": {"path": {"event": office.event}},
        "hr_event_retry_source": {"json": {"source": "hr"}},
        "hr_event_drop": {"path": {"event": office.event}, "json": WHY},
        "mapping_try": {"json": {"source": "hr", "sample": "id,email,lastName\n1,a@x.example,Lee\n"}},
        "token_list": {},
        "token_create": {"json": {"scopes": ["ops:viewer"], "name": "Ann", "good_for_s": 3600}},
        "token_rotate": {"path": {"token": office.token_ids["scim"]}, "json": {"overlap_s": 60}},
        "token_revoke": {"path": {"token": office.token_ids["ops:viewer"]}},
        "inbound_list": {"query": {"status": "409"}},
        "audit_list": {"query": {"what": "failed note"}},
        "audit_verify": {},
        "ledger_verify": {},
        "runbook_list": {},
        "runbook_show": {"path": {"code": "too_long"}},
        "queue_crashed": {},
        "queue_retry": {"path": {"job": "deliver-of-nobody"}},
        "queue_retry_all": {},
        "queue_rebuild": {},
    }


NAMES = tuple(asked_of(Office("nobody", token_ids=dict.fromkeys(SCOPES, "none"))))
WITHOUT_QUEUE = tuple(name for name in NAMES if not BY_NAME[name].path.startswith("/queue/"))
"""What is answered by the store alone."""


class Knocker:
    """Asks the API as one tenant about what another, or the same, has."""

    def __init__(self, offices: Offices, client: FlaskClient) -> None:
        self.offices = offices
        self.client = client

    def ask(
        self, operation: Operation, *, of: str = "acme", by: str = "acme", scope: str = "ops:admin"
    ) -> TestResponse:
        asked = asked_of(self.offices.by_tenant[of])[operation.name]
        path = f"/api/v1{operation.path.format(**asked.get('path', {}))}"
        return self.client.open(
            path,
            method=operation.method,
            query_string=asked.get("query"),
            json=asked.get("json"),
            headers=self.headers_of(by, scope),
        )

    def headers_of(self, tenant: str = "acme", scope: str = "ops:admin") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.offices.by_tenant[tenant].tokens[scope]}"}

    def books_of(self, tenant: str) -> dict[str, list[Any]]:
        """Return every row of a tenant."""
        with self.offices.store.across_tenants("test") as tx:
            return {
                table.name: list(tx.connection.execute(sa.select(table).where(table.c.tenant == tenant)))
                for table in metadata.tables.values()
                if "tenant" in table.c
            }


Filled = tuple[Path, Mapping[str, Office]]


@pytest.fixture(scope="module")
def filled(sqlite_template: Path) -> Iterator[Filled]:
    with copied(sqlite_template) as path:
        offices = Offices(f"sqlite:///{path}", lambda: NOW)
        offices.close()
        yield path, offices.by_tenant


@contextlib.contextmanager
def opened(filled: Filled) -> Iterator[Knocker]:
    template, by_tenant = filled
    with copied(template) as path:
        offices = Offices(f"sqlite:///{path}", lambda: NOW, filled=by_tenant)
        yield Knocker(offices, offices.app(queue_url=NO_QUEUE).test_client())
        offices.close()


@pytest.fixture
def knocker(filled: Filled) -> Iterator[Knocker]:
    with opened(filled) as knocker:
        yield knocker


@pytest.fixture(scope="module")
def refused(filled: Filled) -> Iterator[Knocker]:
    """One for all that changes nothing."""
    with opened(filled) as knocker:
        yield knocker


def test_there_is_an_example_for_every_operation() -> None:
    assert set(NAMES) == set(BY_NAME)


def test_without_a_queue_it_is_said_that_it_does_not_answer(knocker: Knocker) -> None:
    for name in set(NAMES) - set(WITHOUT_QUEUE):
        answer = knocker.ask(BY_NAME[name])
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2"), answer.text


def test_every_answer_is_as_it_is_described(knocker: Knocker) -> None:
    for name in WITHOUT_QUEUE:
        operation = BY_NAME[name]
        answer = knocker.ask(operation)
        assert answer.status_code == operation.status, (name, answer.text)
        assert answer.content_type == operation.media_type, name
        if operation.media_type == "application/json":
            checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
            jsonschema.validate(answer.json, operation.answer, format_checker=checker)
        if operation.status == 202:
            seen = knocker.client.get(answer.headers["Location"], headers=knocker.headers_of())
            assert seen.status_code == 200, (name, seen.text)


def check_that_tenants_do_not_meet(knocker: Knocker) -> None:
    before = knocker.books_of("acme")
    for name in WITHOUT_QUEUE:
        answer = knocker.ask(BY_NAME[name], of="acme", by="other")
        assert answer.status_code in (BY_NAME[name].status, 400, 404), (name, answer.text)
        assert "acme" not in answer.text.replace("a@x.example", ""), name
        assert knocker.books_of("acme") == before, name


def test_nobody_sees_or_changes_anything_of_another_tenant(knocker: Knocker) -> None:
    check_that_tenants_do_not_meet(knocker)


@pytest.fixture(scope="module", params=[pytest.param("postgresql", marks=pytest.mark.postgres)])
def on_postgresql(request: pytest.FixtureRequest) -> Iterator[Knocker]:
    with shared_url(request) as url:
        offices = Offices(url, lambda: NOW)
        yield Knocker(offices, offices.app(queue_url=NO_QUEUE).test_client())
        offices.close()


def test_tenants_do_not_meet_on_postgresql_either(on_postgresql: Knocker) -> None:
    check_that_tenants_do_not_meet(on_postgresql)


def far_away(office: Office) -> Iterator[tuple[str, str, Any]]:
    """Yield method, path and body of what is asked about numbers as large as any may be."""
    for name, asked in asked_of(office).items():
        operation = BY_NAME[name]
        path = asked.get("path", {})
        if any(each.name == "after" for each in operation.parameters):
            yield "GET", f"{operation.path.format(**path)}?after={FAR}", None
        if any(isinstance(value, int) for value in path.values()):
            yield operation.method, operation.path.format(**dict.fromkeys(path, FAR)), asked.get("json")


def test_numbers_beyond_all_there_are_are_no_fault(on_postgresql: Knocker) -> None:
    """PostgreSQL has columns for smaller ones, and does not take larger ones for them."""
    paths = list(far_away(on_postgresql.offices.by_tenant["acme"]))
    assert len(paths) > 15
    for method, path, body in paths:
        headers = on_postgresql.headers_of()
        answer = on_postgresql.client.open(f"/api/v1{path}", method=method, json=body, headers=headers)
        assert answer.status_code in (200, 404), (path, answer.text)


def test_what_another_tenant_has_is_not_there(knocker: Knocker) -> None:
    """By a number or a name that only they have."""
    asked = asked_of(knocker.offices.by_tenant["acme"])
    # Runbooks are everybody's. A plan tells of each operation that was named where it stands: these are not there.
    for name in set(WITHOUT_QUEUE) - {"runbook_show", "replay_plan"}:
        in_path = set(asked[name].get("path", {}).values()) - {TARGET}
        in_body = {"operations", "user"} & set(asked[name].get("json", {}))
        if in_path or in_body or name == "user_show":
            answer = knocker.ask(BY_NAME[name], of="acme", by="other")
            assert answer.status_code == 404, (name, answer.text)


def test_each_operation_needs_its_role(knocker: Knocker) -> None:
    before = knocker.books_of("acme")
    roles = list(Role)
    for name in NAMES:
        for scope in ("scim", *(role.value for role in roles[: roles.index(BY_NAME[name].role)])):
            answer = knocker.ask(BY_NAME[name], scope=scope)
            assert (answer.status_code, answer.content_type) == (403, "application/problem+json"), (name, scope)
    after = knocker.books_of("acme")
    # That a token was used is noted.
    assert {**after, "token": []} == {**before, "token": []}


def test_no_operation_is_open_to_nobody(knocker: Knocker) -> None:
    for name, asked in asked_of(knocker.offices.by_tenant["acme"]).items():
        path = BY_NAME[name].path.format(**asked.get("path", {}))
        answer = knocker.client.open(f"/api/v1{path}", method=BY_NAME[name].method)
        assert answer.status_code == 401, name
        assert answer.headers["WWW-Authenticate"].startswith("Bearer"), name


def test_pages_lead_through_all_there_is(knocker: Knocker) -> None:
    headers = knocker.headers_of()
    for path, key in (("/failed", "operation"), ("/inbound", "request"), ("/audit", "id")):
        whole = knocker.client.get(f"/api/v1{path}?limit=500", headers=headers).json
        found, after = [], ""
        while after is not None:
            page = knocker.client.get(f"/api/v1{path}?limit=1{after}", headers=headers).json
            assert len(page["items"]) == 1
            found += page["items"]
            after = None if page["next"] is None else f"&after={page['next']}"
        assert [each[key] for each in found] == [each[key] for each in whole["items"]], path
        assert len(found) > 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "told"),
    [
        ("POST", "/lanes/nope/pause", WHY, 404, "no target nope"),
        ("POST", "/lanes/lms/resume", {}, 409, "neither paused nor quarantined"),
        ("POST", "/lanes/lms/pause", {}, 400, "needs reason"),
        ("POST", "/lanes/lms/pause", {"reason": "a\nb"}, 400, "one line"),
        ("GET", "/users?who=nobody", None, 404, "Nobody"),
        ("GET", "/batches/999", None, 404, "no batch 999"),
        ("GET", "/batches/first", None, 404, "batch"),
        ("GET", "/failed?code=nope", None, 400, "no code nope"),
        ("GET", "/failed?limit=501", None, 400, "limit"),
        ("GET", "/failed?after=999", None, 404, "999"),
        ("POST", "/failed/discard", WHY, 400, "in one way"),
        ("POST", "/failed/discard", {**WHY, "all": True, "target": TARGET}, 400, "in one way"),
        ("POST", "/failed/discard", {**WHY, "since": "soon"}, 400, "since"),
        ("POST", "/failed/discard", {**WHY, "operations": [999]}, 404, "999"),
        ("POST", "/failed/notes", {"operations": [], "text": "x"}, 400, "operations"),
        ("POST", "/replays", {}, 400, "in one way"),
        ("POST", "/replays", {"all": True, "policy": "guess"}, 400, "policy"),
        ("POST", "/replays/999/approve", None, 404, "999"),
        ("POST", "/holds/release", WHY, 400, "whom you mean"),
        ("POST", "/holds/release", {**WHY, "all": True, "user": "x"}, 400, "whom you mean"),
        ("POST", "/holds/reject", {**WHY, "user": "ann@acme.example"}, 404, "Nobody"),
        ("POST", "/holds/allow", {**WHY, "target": "nope", "count": 1, "for_s": 60}, 400, "no target nope"),
        ("POST", "/drift", {"target": "nope"}, 404, "no target nope"),
        ("GET", "/drift/999.csv", None, 404, "999"),
        ("GET", "/hr/imports?source=nope", None, 400, "no source nope"),
        ("GET", "/hr/imports/nope/report.csv", None, 404, "no import"),
        ("POST", "/hr/events/999/drop", WHY, 404, "no event 999"),
        ("POST", "/mapping/try", {"source": "idp", "sample": "id\n1\n"}, 400, "no mapping"),
        ("POST", "/mapping/try", {"source": "hr", "sample": "[" * 100_000}, 400, "levels"),
        ("POST", "/mapping/try", {"source": "hr", "sample": f'id\n"{"x" * 200_000}'}, 400, "no CSV"),
        ("POST", "/tokens", {"scopes": ["root"]}, 400, "scopes"),
        ("POST", "/tokens", {"scopes": ["scim"], "source": "nope"}, 400, "no source nope"),
        ("POST", "/tokens", {"scopes": ["scim"], "networks": ["here"]}, 400, "networks"),
        ("POST", "/tokens/none/revoke", None, 404, "no token"),
        ("GET", "/inbound?status=409&refused=true", None, 400, "not both"),
        ("GET", "/audit?since=1h&until=2h", None, 400, "exchange"),
        ("GET", "/audit/verify?expect=what", None, 400, "NUMBER:LINK"),
        ("GET", "/runbooks/nope", None, 404, "no such page"),
        ("DELETE", "/holds", None, 405, "not allowed"),
        ("PUT", "/tokens", {}, 405, "not allowed"),
    ],
)
def test_what_cannot_be_done_is_a_problem_that_says_why(
    refused: Knocker, method: str, path: str, body: Any, status: int, told: str
) -> None:
    answer = refused.client.open(f"/api/v1{path}", method=method, json=body, headers=refused.headers_of())
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    assert told in answer.json["detail"]


def test_a_plan_of_yesterdays_world_is_refused_with_the_difference(knocker: Knocker) -> None:
    office = knocker.offices.by_tenant["acme"]
    knocker.ask(BY_NAME["failed_discard"])
    answer = knocker.ask(BY_NAME["replay_approve"])
    assert (answer.status_code, answer.content_type) == (409, "application/problem+json")
    [person] = answer.json["difference"]["people"]
    assert (person["operation"], person["why"]) == (office.dead[0], "discarded")
    again = knocker.ask(BY_NAME["replay_approve"])
    assert (again.status_code, "is stale" in again.json["detail"]) == (409, True)


def test_a_target_is_asked_once_at_a_time(knocker: Knocker) -> None:
    first, second = (knocker.ask(BY_NAME["reconcile"]) for _ in range(2))
    assert (first.json["is_new"], second.json["is_new"]) == (True, False)
    assert second.headers["Location"] == first.headers["Location"] == f"/api/v1/drift/{first.json['errand']}"
    assert knocker.offices.dispatcher.errands[-1] == ("acme", first.json["errand"])


def test_a_token_that_is_revoked_opens_nothing_any_more(knocker: Knocker) -> None:
    assert knocker.ask(BY_NAME["status"], scope="ops:viewer").status_code == 200
    assert knocker.ask(BY_NAME["token_revoke"]).json["state"] == "revoked"
    made = knocker.ask(BY_NAME["token_create"]).json["token"]
    by_the_new_one = knocker.client.get("/api/v1/status", headers={"Authorization": f"Bearer {made}"})
    assert by_the_new_one.status_code == 200


def test_all_that_changes_something_is_told_in_the_audit_by_the_tokens_name(knocker: Knocker) -> None:
    office = knocker.offices.by_tenant["acme"]
    for name in NAMES:
        knocker.ask(BY_NAME[name])
    with knocker.offices.store.across_tenants("test") as tx:
        query = sa.select(tables.audit.c.what, tables.audit.c.who).where(tables.audit.c.tenant == "acme")
        told = {(row.what, row.who) for row in tx.connection.execute(query)}
    who = f"ops:admin of acme (token {office.token_ids['ops:admin']})"
    changing = {each.command for each in OPERATIONS if each.method == "POST"} - {
        "mapping try",
        *(BY_NAME[name].command for name in set(NAMES) - set(WITHOUT_QUEUE)),
    }
    assert {what for what, by in told if by == who} == changing


def test_no_answer_has_a_token_in_it_but_the_one_that_makes_it(knocker: Knocker) -> None:
    secret_parts = [value.rpartition("_")[2] for value in knocker.offices.by_tenant["acme"].tokens.values()]
    for name in NAMES:
        text = knocker.ask(BY_NAME[name]).text
        assert not any(part in text for part in secret_parts), name
