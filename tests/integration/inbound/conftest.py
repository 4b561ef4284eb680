"""A front door with a directory behind it, on both databases; each test is a tenant of its own."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from fakes.dispatcher import RecordingDispatcher
from fakes.stores import shared_url
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from scim_bridge.settings.models import GroupSettings, Settings, TargetSettings, TenantSettings, WebSettings
from scim_bridge.store import lanes, tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app

SCIM = "application/scim+json"
_tenants = itertools.count(1)


class Ticking:
    """A clock that moves on by a millisecond whenever it is asked."""

    def __init__(self) -> None:
        self._moments = itertools.count(1_700_000_000_000)
        self.ahead_ms = 0

    def __call__(self) -> int:
        return next(self._moments) + self.ahead_ms

    def advance(self, *, ms: int) -> None:
        self.ahead_ms += ms


@dataclass
class Sender:
    """Speaks to the front door as one token of one tenant."""

    client: FlaskClient
    token: str
    tenant: str
    user_agent: str = "test"
    last: TestResponse | None = None

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        data = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        given = {"Authorization": f"Bearer {self.token}", "User-Agent": self.user_agent}
        if data is not None:
            given["Content-Type"] = SCIM
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        self.last = self.client.open(f"/scim/v2{path}", method=method, data=data, headers=given)
        return self.last

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.send("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.send("POST", path, body, **headers)

    def put(self, path: str, body: Any, **headers: str) -> TestResponse:
        return self.send("PUT", path, body, **headers)

    def patch(self, path: str, *operations: dict[str, Any], **headers: str) -> TestResponse:
        message = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list(operations)}
        return self.send("PATCH", path, message, **headers)

    def delete(self, path: str, **headers: str) -> TestResponse:
        return self.send("DELETE", path, **headers)

    def user(self, login: str = "ann", /, **attributes: Any) -> dict[str, Any]:
        """Create a user and return them as answered."""
        response = self.post("/Users", {"userName": f"{login}@example.com", **attributes})
        assert response.status_code == 201, response.text
        return dict(response.json or {})

    def group(self, name: str = "Sales", *members: str) -> dict[str, Any]:
        response = self.post("/Groups", {"displayName": name, "members": [{"value": each} for each in members]})
        assert response.status_code == 201, response.text
        return dict(response.json or {})

    def member_ids(self, group_id: str) -> set[str]:
        return {each["value"] for each in self.get(f"/Groups/{group_id}").json["members"]}


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def shared_store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with shared_url(request, tmp_path_factory) as url:
        store = Store.open(url, clock=Ticking())
        yield store
        store.close()


@pytest.fixture
def dispatcher() -> RecordingDispatcher:
    return RecordingDispatcher()


@pytest.fixture
def tenant_settings() -> TenantSettings:
    """A tenant with three targets: one takes everybody, one a group, one only employees."""
    return TenantSettings(
        id=f"tenant-{next(_tenants)}",
        targets=[
            TargetSettings(name="everybody", kind="fake"),
            TargetSettings(name="sales", kind="fake", groups={"Sales": GroupSettings()}),
            TargetSettings(name="employees", kind="fake", scope='userType eq "Employee"'),
        ],
    )


@pytest.fixture
def web_settings() -> WebSettings:
    return WebSettings(max_body_bytes=100_000, bulk_max_operations=50, bulk_max_payload_bytes=200_000, max_results=50)


@pytest.fixture
def app(
    shared_store: Store, dispatcher: RecordingDispatcher, tenant_settings: TenantSettings, web_settings: WebSettings
) -> Flask:
    with shared_store.across_tenants("test", write=True) as tx:
        known = [(lane.tenant, lane.target) for lane in lanes.configured(tx)]
        lanes.sync(tx, [*known, *((tenant_settings.id, target.name) for target in tenant_settings.targets)])
    settings = Settings(web=web_settings, tenants=[tenant_settings])
    return create_app(settings, shared_store, dispatcher, clock=shared_store.clock, secret=b"s" * 32)


@pytest.fixture
def make_sender(app: Flask, shared_store: Store) -> Callable[..., Sender]:
    def make(tenant: str, *, scopes: tuple[str, ...] = ("scim",), user_agent: str = "test") -> Sender:
        with shared_store.begin(tenant) as tx:
            issued = tokens.issue(tx, scopes=scopes, source="idp")
        return Sender(app.test_client(), issued.value, tenant, user_agent)

    return make


@pytest.fixture
def sender(make_sender: Callable[..., Sender], tenant_settings: TenantSettings) -> Sender:
    return make_sender(tenant_settings.id)
