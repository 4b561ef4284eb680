"""The API of the operators, through the application: who may, what is asked, what is answered."""

import secrets
from collections.abc import Callable

import pytest
from fakes.dispatcher import RecordingDispatcher
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from scim_bridge.settings.models import Settings, TargetSettings, TenantSettings
from scim_bridge.store import lanes, tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app


class Desk:
    """The API with a token of each role."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        target = TargetSettings(name="trakstar", kind="fake")
        settings = Settings(tenants=[TenantSettings(id="acme", targets=[target]), TenantSettings(id="other")])
        with store.across_tenants("make the lanes", write=True) as tx:
            lanes.sync(tx, [("acme", "trakstar"), ("other", "scim")])
        self.tokens = {}
        for role in ("ops:viewer", "ops:operator", "ops:admin", "scim"):
            with store.begin("acme") as tx:
                self.tokens[role] = tokens.issue(tx, scopes=[role], source="idp", name=role).value
        app = create_app(settings, store, RecordingDispatcher(), clock=clock, secret=secrets.token_bytes(32))
        self.client: FlaskClient = app.test_client()

    def ask(self, method: str, path: str, role: str = "ops:viewer", **more: object) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.tokens[role]}"}
        return self.client.open(f"/api/v1{path}", method=method, headers=headers, **more)  # type: ignore[arg-type]


@pytest.fixture
def desk(store: Store, clock: Callable[[], int]) -> Desk:
    return Desk(store, clock)


def test_a_viewer_sees_the_lanes_of_their_own_tenant_only(desk: Desk) -> None:
    answer = desk.ask("GET", "/status")
    assert answer.status_code == 200, answer.text
    assert [(lane["tenant"], lane["target"]) for lane in answer.json["lanes"]] == [("acme", "trakstar")]


def test_without_a_token_everything_but_the_description_is_refused_as_a_problem(desk: Desk) -> None:
    answer = desk.client.get("/api/v1/status")
    assert (answer.status_code, answer.content_type) == (401, "application/problem+json")
    assert desk.client.get("/api/v1/openapi.json").status_code == 200


def test_a_token_as_a_password_is_refused_for_a_browser_sends_it_along_to_whoever_asks(desk: Desk) -> None:
    answer = desk.client.get("/api/v1/status", auth=("", desk.tokens["ops:admin"]))
    assert (answer.status_code, "Bearer" in answer.json["detail"]) == (401, True)
    assert answer.headers.getlist("WWW-Authenticate") == ['Bearer realm="SCIM Bridge"']


def test_a_senders_token_opens_nothing_here(desk: Desk) -> None:
    assert desk.ask("GET", "/status", "scim").status_code == 403


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/status?targt=x", 400, "targt"),
        ("/status?target=a&target=b", 400, "2 times"),
        ("/status?target=", 400, "target"),
        ("/status?target=nope", 400, "no target nope"),
        ("/nothing", 404, "not found"),
    ],
)
def test_what_cannot_be_answered_is_a_problem_that_says_why(desk: Desk, path: str, status: int, word: str) -> None:
    answer = desk.ask("GET", path)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json")
    assert word in answer.json["detail"]


def test_a_body_where_none_belongs_is_refused(desk: Desk) -> None:
    assert desk.ask("GET", "/status", data=b"{}").status_code == 400
