"""Whatever is sent: a SCIM error that helps, never a 500, never half a change."""

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from running.door import SCIM

from scim_bridge import logs
from scim_bridge.settings.models import Settings
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store, StoreUnavailable
from scim_bridge.web.app import create_app

ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def check(response: Any, status: int, scim_type: str | None = None) -> None:
    assert response.status_code == status, response.text
    assert response.content_type == SCIM
    assert response.json["schemas"] == [ERROR]
    assert response.json["status"] == str(status)
    assert response.json.get("scimType") == scim_type
    assert len(response.json["detail"]) > 10


@pytest.mark.parametrize(
    ("body", "scim_type"),
    [
        ("", "invalidSyntax"),
        ("{", "invalidSyntax"),
        ('{"userName": "ann"', "invalidSyntax"),
        ("[]", "invalidSyntax"),
        ('"text"', "invalidSyntax"),
        ("null", "invalidSyntax"),
        ('{"userName": NaN}', "invalidSyntax"),
        (b"\xff\xfe{}", "invalidSyntax"),
        (b'{"userName": "\xff"}', "invalidSyntax"),
        ('{"userName": "a\\u0000b"}', "invalidValue"),
        ('{"userName": "ann", "title": "a\\u0000b"}', "invalidValue"),
        ('{"userName": "\\ud800"}', "invalidSyntax"),
        ('{"userName": "ann", "x": ' + "[" * 100 + "]" * 100 + "}", "invalidSyntax"),
        ('{"userName": "ann", "x": ' + '{"a":' * 5000 + "1" + "}" * 5000 + "}", "invalidSyntax"),
        ("{}", "invalidValue"),
        ('{"userName": ""}', "invalidValue"),
        ('{"userName": "   "}', "invalidValue"),
        ('{"userName": null}', "invalidValue"),
        ('{"userName": {"a": 1}}', "invalidValue"),
        ('{"userName": ["a", "b"]}', "invalidValue"),
        ('{"userName": 7}', "invalidValue"),
        ('{"userName": "ann", "active": "perhaps"}', "invalidValue"),
        ('{"userName": "ann", "emails": 7}', "invalidValue"),
        ('{"userName": "ann", "emails": [7]}', "invalidValue"),
        ('{"userName": "ann", "name": "Ann"}', "invalidValue"),
        (
            '{"userName": "ann", "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}',
            "invalidValue",
        ),
        ('{"userName": "ann", "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"]}', "invalidSyntax"),
        ('{"userName": "ann", "schemas": 7}', "invalidValue"),
        (json.dumps({"userName": "a" * 5000}), "invalidValue"),
        (json.dumps({"userName": "ann", "externalId": "é" * 1500}), "invalidValue"),
        (json.dumps({"userName": "ann", "emails": [{"value": "a" * 5000}]}), "invalidValue"),
    ],
)
def test_a_bad_create_is_refused_and_leaves_nothing(sender: Any, body: str | bytes, scim_type: str) -> None:
    check(sender.post("/Users", body), 400, scim_type)
    assert sender.get("/Users").json["totalResults"] == 0


@pytest.mark.parametrize(
    ("operations", "scim_type"),
    [
        (None, "invalidValue"),
        ("x", "invalidValue"),
        ([7], "invalidValue"),
        ([{"op": "move", "path": "title", "value": "x"}], "invalidValue"),
        ([{"path": "title", "value": "x"}], "invalidValue"),
        ([{"op": "add", "path": "emails[", "value": "x"}], "invalidPath"),
        ([{"op": "add", "path": 7, "value": "x"}], "invalidValue"),
        ([{"op": "remove"}], "noTarget"),
        ([{"op": "replace", "path": "userName", "value": ""}], "invalidValue"),
        ([{"op": "replace", "path": "userName", "value": None}], "mutability"),
        ([{"op": "remove", "path": "userName"}], "mutability"),
        ([{"op": "replace", "path": "id", "value": "x"}], "mutability"),
        ([{"op": "replace", "path": "active", "value": "perhaps"}], "invalidValue"),
        ([{"op": "replace", "path": "emails", "value": [7]}], "invalidValue"),
        ([{"op": "replace", "path": "title", "value": {"a": {}}}], "invalidValue"),
        ([{"op": "replace", "path": 'emails[type sw "x"].value', "value": "y"}], "noTarget"),
        ([{"op": "add", "path": 'emails[value eq "\\u0000"].type', "value": "work"}], "invalidValue"),
        ([{"op": "add", "path": 'emails[value eq "\\ud800"].type', "value": "work"}], "invalidValue"),
        ([{"op": "add", "path": "title", "value": "fine"}, {"op": "remove", "path": "userName"}], "mutability"),
    ],
)
def test_a_bad_patch_is_refused_and_changes_nothing(sender: Any, operations: Any, scim_type: str) -> None:
    ann = sender.user("ann")
    message = {"schemas": [PATCH]} | ({} if operations is None else {"Operations": operations})
    check(sender.send("PATCH", f"/Users/{ann['id']}", message), 400, scim_type)
    assert sender.get(f"/Users/{ann['id']}").json == ann


@pytest.mark.parametrize(
    ("operation", "sentence"),
    [
        (
            {"op": "replace", "path": "active", "value": "maybe"},
            "Input should be a valid boolean, unable to interpret input: active",
        ),
        (
            {"op": "add", "path": "emails", "value": [{"value": "x", "primary": "maybe"}]},
            "Input should be a valid boolean, unable to interpret input: primary",
        ),
        ({"op": "replace", "path": "title", "value": {"a": {}}}, "Input should be a valid string: title"),
        (
            {"op": "replace", "path": "userName", "value": ""},
            "userName of a User and displayName of a Group must not be empty",
        ),
    ],
)
def test_a_patched_value_is_refused_in_one_sentence_alone_and_in_bulk(
    sender: Any, operation: dict[str, Any], sentence: str
) -> None:
    path = f"/Users/{sender.user('ann')['id']}"
    refused = sender.patch(path, operation)
    check(refused, 400, "invalidValue")
    assert refused.json["detail"] == sentence
    step = {"method": "PATCH", "path": path, "data": {"schemas": [PATCH], "Operations": [operation]}}
    message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": [step]}
    assert sender.post("/Bulk", message).json["Operations"][0]["response"] == refused.json


@pytest.mark.parametrize(
    ("operations", "scim_type"),
    [
        ([{"op": "add", "path": "members", "value": [{"display": "x"}]}], "invalidValue"),
        ([{"op": "add", "path": "members", "value": 7}], "invalidValue"),
        ([{"op": "remove", "path": 'members[display eq "x"]'}], "invalidFilter"),
        ([{"op": "replace", "path": "members.value", "value": "x"}], "mutability"),
        ([{"op": "replace", "path": "displayName", "value": " "}], "invalidValue"),
    ],
)
def test_a_bad_patch_of_a_group_is_refused(sender: Any, operations: Any, scim_type: str) -> None:
    ann = sender.user("ann")
    sales = sender.group("Sales", ann["id"])
    check(sender.patch(f"/Groups/{sales['id']}", *operations), 400, scim_type)
    assert sender.get(f"/Groups/{sales['id']}").json == sales


@pytest.mark.parametrize(
    ("query", "scim_type"),
    [
        ("filter=userName", "invalidFilter"),
        ("filter=userName xx %22a%22", "invalidFilter"),
        ("filter=nosuch eq %22a%22", "invalidFilter"),
        ("filter=active gt true", "invalidFilter"),
        ("filter=name eq %22a%22", "invalidFilter"),
        ("filter=meta.created gt %22yesterday%22", "invalidFilter"),
        ("filter=userName eq %22a%00b%22", "invalidValue"),
        ('filter=userName eq "\\u0000"', "invalidFilter"),
        ('filter=emails[value eq "\\ud800"]', "invalidFilter"),
        ("filter=" + "(" * 3000 + "title pr" + ")" * 3000, "invalidFilter"),
        ("filter=" + " or ".join(["title pr"] * 600), "invalidFilter"),
        ("filter=" + " or ".join(["title pr"] * 200), "invalidFilter"),
        ("count=many", "invalidValue"),
        ("startIndex=first", "invalidValue"),
        ("startIndex=99999999999999999999999999", None),
        ("sortBy=nosuch", "invalidPath"),
        ("sortOrder=sideways&sortBy=userName", "invalidValue"),
        ("cursor=%00", "invalidCursor"),
        ("cursor=&startIndex=1", "invalidValue"),
        ("attributes=userName&excludedAttributes=title", "invalidValue"),
    ],
)
def test_a_bad_query_is_refused(sender: Any, query: str, scim_type: str | None) -> None:
    sender.user("ann")
    response = sender.get(f"/Users?{query}")
    if scim_type is None:
        assert response.json["Resources"] == []
    else:
        check(response, 400, scim_type)


def test_an_id_that_no_database_could_hold_is_not_found(sender: Any) -> None:
    for path in ("/Users/%00", "/Users/" + "x" * 5000, "/Users/..%2f..%2fetc", "/Groups/%F0%9F%98%80"):
        check(sender.get(path), 404)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/Nothing", 404),
        ("GET", "/Nothing/at/all", 404),
        ("PUT", "/Users", 405),
        ("POST", "/Users/some-id", 405),
        ("DELETE", "/ServiceProviderConfig", 405),
        ("PATCH", "/Bulk", 405),
        ("PROPFIND", "/Users", 405),
    ],
)
def test_a_wrong_route_or_method_is_named(sender: Any, method: str, path: str, status: int) -> None:
    check(sender.send(method, path), status)


def test_a_wrong_content_type_is_refused(sender: Any) -> None:
    check(sender.post("/Users", "userName=ann", Content_Type="application/x-www-form-urlencoded"), 415)
    check(sender.post("/Users", "<a/>", Content_Type="text/xml; charset=utf-8"), 415)


def test_a_body_past_the_limit_is_refused_and_one_within_is_not(sender: Any) -> None:
    check(sender.post("/Users", {"userName": "ann", "title": "x" * 100_000}), 413)
    assert sender.post("/Users", {"userName": "ann", "title": "x" * 90_000}).status_code == 201


def test_bulk_limits_are_kept(sender: Any) -> None:
    message = {
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": [{"method": "DELETE", "path": f"/Users/{number}"} for number in range(51)],
    }
    check(sender.post("/Bulk", message), 413)
    check(sender.post("/Bulk", json.dumps(message) + " " * 200_000), 413)
    check(sender.post("/Bulk", {"Operations": "x"}), 400, "invalidValue")


def test_one_bad_operation_of_a_bulk_request_leaves_the_others(sender: Any) -> None:
    operations = [
        {"method": "POST", "path": "/Users", "bulkId": "1", "data": {"userName": "ann"}},
        {"method": "POST", "path": "/Users", "bulkId": "2", "data": {"userName": ""}},
        {"method": "POST", "path": "/Users", "bulkId": "3", "data": "x"},
        {"method": "POST", "path": "/Nothing", "bulkId": "4", "data": {}},
        {
            "method": "POST",
            "path": "/Groups",
            "bulkId": "5",
            "data": {"displayName": "G", "members": [{"value": "no"}]},
        },
        {"method": "POST", "path": "/Users", "bulkId": "6", "data": {"userName": "bob"}},
    ]
    message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations}
    answer = sender.post("/Bulk", message).json
    assert [each["status"] for each in answer["Operations"]] == ["201", "400", "400", "404", "400", "201"]
    assert sender.get("/Users").json["totalResults"] == 2
    assert sender.get("/Groups").json["totalResults"] == 0


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "scb_0011223344556677_00",
        "Bearer nonsense",
        "Bearer scb_0011223344556677_00",
    ],
)
def test_no_or_a_wrong_token_is_401_with_a_challenge(sender: Any, authorization: str) -> None:
    response = sender.get("/Users", Authorization=authorization)
    check(response, 401)
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_schemes_case_does_not_count(sender: Any) -> None:
    for scheme in ("bearer", "BEARER", "Bearer"):
        assert sender.get("/Users", Authorization=f"{scheme} {sender.token}").status_code == 200


def test_a_token_for_something_else_is_403(make_sender: Callable[..., Any], tenant_settings: Any) -> None:
    check(make_sender(tenant_settings.id, scopes=("ops:viewer",)).get("/Users"), 403)


def test_a_revoked_or_expired_token_is_401(sender: Any, shared_store: Store) -> None:
    with shared_store.begin(sender.tenant) as tx:
        expired = tokens.issue(tx, scopes=["scim"], source="idp", expires_at=tx.now).value
        assert tokens.revoke(tx, tokens.token_id_of(sender.token) or "")
    check(sender.get("/Users"), 401)
    check(sender.get("/Users", Authorization=f"Bearer {expired}"), 401)


def test_guessing_is_slowed_down_and_the_right_token_is_not(sender: Any) -> None:
    wrong = sender.token[:-1] + ("0" if sender.token[-1] != "0" else "1")
    answers = [sender.get("/Users", Authorization=f"Bearer {wrong}").status_code for _ in range(25)]
    assert (answers[0], answers[-1]) == (401, 429)
    assert sender.last.headers["Retry-After"].isdigit()
    assert sender.get("/Users").status_code == 200


class FailingStore(Store):
    """A store that fails once the token was looked up, whichever way it is asked."""

    def __init__(self, store: Store, error: Exception) -> None:
        super().__init__(store.engine, clock=store.clock, trip_engine=self)  # type: ignore[arg-type]
        self._error = error

    def begin(self, *_: Any, **__: Any) -> Any:
        raise self._error

    def connect(self) -> Any:
        raise self._error


def test_a_store_that_is_gone_is_503_with_whole_seconds(sender: Any, shared_store: Store) -> None:
    broken = FailingStore(shared_store, StoreUnavailable("disk I/O error"))
    app = create_app(Settings(), broken, RecordingDispatcher(), clock=broken.clock, secret=b"s" * 32)
    sender.client = app.test_client()
    for response in (sender.get("/Users"), sender.post("/Users", {"userName": "ann"})):
        check(response, 503)
        assert response.headers["Retry-After"].isdigit()


def test_a_defect_of_ours_is_a_scim_error_that_quotes_nobody(
    sender: Any, shared_store: Store, capfd: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("info", process="web")
    broken = FailingStore(shared_store, RuntimeError("ann@example.com is in this message"))
    app = create_app(Settings(), broken, RecordingDispatcher(), clock=broken.clock, secret=b"s" * 32)
    sender.client = app.test_client()
    try:
        response = sender.get("/Users", X_Request_ID="req-7")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    check(response, 500)
    assert "req-7" in response.json["detail"]
    logged = capfd.readouterr()
    assert "ann@example.com" not in response.text + logged.out + logged.err
    assert "RuntimeError" in logged.out + logged.err


def test_a_request_id_is_kept_when_sane_and_made_when_not(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/healthz", headers={"X-Request-ID": "req-7"}).headers["X-Request-ID"] == "req-7"
    assert client.get("/healthz", headers={"X-Request-ID": "a b<script>"}).headers["X-Request-ID"] != "a b<script>"
    assert len(client.get("/healthz").headers["X-Request-ID"]) > 10


def test_a_fault_of_ours_is_logged_without_what_it_says(
    sender: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("ann@example.com")

    monkeypatch.setattr(RecordingDispatcher, "wake", fail)
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("info", process="web")
    try:
        response = sender.post("/Users", {"userName": "ann@example.com"})
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.reset_defaults()
    check(response, 500)
    told = capfd.readouterr().err
    assert "request_failed" in told
    assert "ann@example.com" not in told + response.text


def test_health_is_told_without_a_token(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/healthz").json == {"status": "alive"}
    assert client.get("/readyz").status_code == 200
    assert client.get("/nowhere").json["status"] == 404


def test_a_store_that_is_not_migrated_is_not_ready(tmp_path: Any) -> None:
    empty = Store.open(f"sqlite:///{tmp_path}/empty.db", clock=lambda: 1)
    app = create_app(Settings(), empty, RecordingDispatcher(), clock=empty.clock, secret=b"s" * 32)
    response = app.test_client().get("/readyz")
    assert response.status_code == 503
    assert "migrate" in response.json["problem"]
    empty.close()


@pytest.mark.parametrize("how", ["patch", "whole patch", "put"])
def test_a_list_of_nothing_but_a_null_empties_no_group(sender: Any, how: str) -> None:
    ann = sender.user("ann")["id"]
    path = f"/Groups/{sender.group('Sales', ann)['id']}"
    answer = {
        "patch": lambda: sender.patch(path, {"op": "replace", "path": "members", "value": [None]}),
        "whole patch": lambda: sender.patch(path, {"op": "replace", "value": {"members": [None]}}),
        "put": lambda: sender.put(path, {"displayName": "Sales", "members": [None]}),
    }[how]()
    assert (answer.status_code, answer.json["scimType"]) == (400, "invalidValue")
    assert sender.get(path).json["members"][0]["value"] == ann


@pytest.mark.parametrize("path", ["active.value", "active.primary"])
def test_a_status_at_a_path_that_is_none_is_refused(sender: Any, path: str) -> None:
    """Unknown attributes are passed over, but nobody may believe that a leaver was heard."""
    ann = sender.user("ann")["id"]
    answer = sender.patch(f"/Users/{ann}", {"op": "replace", "path": path, "value": False})
    assert (answer.status_code, answer.json["scimType"]) == (400, "invalidPath")


def test_a_group_is_renamed_beside_more_members_than_a_patch_may_hold_otherwise(sender: Any) -> None:
    ann = sender.user("ann")["id"]
    path = f"/Groups/{sender.group('Sales')['id']}"
    joins = [{"op": "add", "path": "members", "value": [{"value": ann}]}] * 1001
    assert sender.patch(path, *joins, {"op": "replace", "value": {"displayName": "Sellers"}}).status_code == 204
    shown = sender.get(path).json
    assert (shown["displayName"], [each["value"] for each in shown["members"]]) == ("Sellers", [ann])


@pytest.mark.parametrize("schemas", [["urn:nonsense"], "x"])
def test_what_is_no_patch_is_refused_also_when_it_only_concerns_members(sender: Any, schemas: Any) -> None:
    ann = sender.user("ann")["id"]
    path = f"/Groups/{sender.group('Sales')['id']}"
    message = {"schemas": schemas, "Operations": [{"op": "add", "path": "members", "value": [{"value": ann}]}]}
    assert sender.send("PATCH", path, message).status_code == 400
