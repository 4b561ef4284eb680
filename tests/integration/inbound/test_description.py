"""The OpenAPI document: valid, complete, true of what is served, and the same for everybody."""

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from running.door import SCIM
from scim2_models import AuthenticationScheme

from scim_bridge.intake.scim.description import document
from scim_bridge.intake.scim.service import announced
from scim_bridge.settings.models import Settings, WebSettings
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app

PATH = "/scim/v2/openapi.json"


@pytest.fixture
def shared_store(sqlite_url: str) -> Any:
    """One database is enough: the document has nothing to do with it."""
    store = Store.open(sqlite_url, clock=lambda: 1_700_000_000_000)
    yield store
    store.close()


@pytest.fixture
def described(app: Flask) -> dict[str, Any]:
    response = app.test_client().get(PATH)
    assert response.status_code == 200
    assert response.content_type == "application/json"
    return dict(response.json or {})


def test_the_document_is_valid_openapi(app: Flask) -> None:
    schema = schemathesis.openapi.from_wsgi(PATH, app)
    schema.validate()
    operations = [each.ok() for each in schema.get_all_operations()]
    assert len(operations) == sum(len(methods) for methods in schema.raw_schema["paths"].values())


def test_the_document_names_every_route_that_is_served(app: Flask, described: dict[str, Any]) -> None:
    """Compared with what Flask routes, not with the list that the document is made from."""
    served = set()
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("scim.") and rule.endpoint != "scim.fallback":
            path = rule.rule.removeprefix("/scim/v2").replace("<resource_id>", "{id}")
            methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
            for endpoint in ("Users", "Groups"):
                served |= {(method, path.replace("<resource_endpoint>", endpoint)) for method in methods}
    told = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    assert told == served


def test_the_document_is_the_same_for_every_tenant_and_for_nobody(app: Flask, sender: Any) -> None:
    sender.user("ann")
    texts = {
        app.test_client().get(PATH).text,
        sender.client.get(PATH, headers={"Authorization": f"Bearer {sender.token}"}).text,
        sender.client.get(PATH, headers={"Authorization": "Bearer wrong"}).text,
    }
    assert len(texts) == 1
    assert sender.tenant not in texts.pop()


def test_the_name_of_the_document_is_no_resource_type(sender: Any) -> None:
    for method, path, status in (("POST", "/openapi.json", 404), ("GET", "/openapi.json/1", 404)):
        response = sender.send(method, path, {} if method == "POST" else None)
        assert (response.status_code, response.content_type) == (status, SCIM)


def test_the_documents_schemes_are_those_that_are_announced(sender: Any, described: dict[str, Any]) -> None:
    known = {"oauthbearertoken": "bearer", "httpbasic": "basic"}
    told = {each["type"] for each in sender.get("/ServiceProviderConfig").json["authenticationSchemes"]}
    assert set(described["components"]["securitySchemes"]) == {known[each] for each in told}
    assert described["security"] == [{name: []} for name in described["components"]["securitySchemes"]]


def test_basic_is_described_where_it_is_announced() -> None:
    config = announced(WebSettings())
    schemes = [
        AuthenticationScheme(type=kind, name=str(kind), description="-")
        for kind in (AuthenticationScheme.Type.oauthbearertoken, AuthenticationScheme.Type.httpbasic)
    ]
    told = document.describe(config.model_copy(update={"authentication_schemes": schemes}), root_url="/scim/v2")
    assert {name: each["scheme"] for name, each in told["components"]["securitySchemes"].items()} == {
        "bearer": "bearer",
        "basic": "basic",
    }


def test_the_documents_schemas_hold_every_attribute_of_the_published_ones(
    sender: Any, described: dict[str, Any]
) -> None:
    published = {each["id"]: each for each in sender.get("/Schemas").json["Resources"]}
    user = described["components"]["schemas"]["User"]["properties"]
    for urn, properties in (
        ("urn:ietf:params:scim:schemas:core:2.0:User", user),
        (enterprise := "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User", user[enterprise]["properties"]),
        (
            "urn:ietf:params:scim:schemas:core:2.0:Group",
            described["components"]["schemas"]["Group"]["properties"],
        ),
    ):
        names = {each["name"] for each in published[urn]["attributes"] if each["returned"] != "never"}
        assert names <= set(properties), urn


def test_what_only_the_server_sets_is_no_part_of_what_is_sent(described: dict[str, Any]) -> None:
    sent = described["components"]["schemas"]["UserRequest"]["properties"]
    assert {"id", "meta", "groups"}.isdisjoint(sent)
    assert "password" in sent
    assert "password" not in described["components"]["schemas"]["User"]["properties"]


def test_the_document_stands_at_the_public_address(shared_store: Store, tmp_path: Path) -> None:
    settings = Settings(web=WebSettings(public_url="https://scim.example.com/"), data_dir=str(tmp_path))
    app = create_app(settings, shared_store, RecordingDispatcher(), clock=shared_store.clock, secret=b"s" * 32)
    told = json.loads(app.test_client().get(PATH).text)
    assert told["servers"] == [{"url": "https://scim.example.com/scim/v2"}]
