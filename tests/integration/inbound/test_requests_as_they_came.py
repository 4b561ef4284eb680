"""What is noted of real requests at the front door."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from running.door import Sender

from scim_bridge.operators import inbound as requests
from scim_bridge.settings.models import Settings, TenantSettings
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store
from scim_bridge.web import inbound, measures
from scim_bridge.web.inbound import InboundLog


@pytest.fixture
def log(app: Flask, shared_store: Store, tenant_settings: TenantSettings) -> InboundLog:
    measures.install(app)
    settings = Settings(tenants=[tenant_settings])
    made = InboundLog(shared_store, names=inbound.names_of(settings), clock=shared_store.clock)
    # Without its thread: a test writes itself.
    made._start = lambda: None  # type: ignore[method-assign]
    app.after_request(made.note)
    return made


@pytest.fixture
def noted(log: InboundLog, shared_store: Store, sender: Sender) -> Callable[..., list[dict[str, Any]]]:
    def read(tenant: str | None = None, **choice: Any) -> list[dict[str, Any]]:
        log.write()
        return list(requests.listed(shared_store, tenant or sender.tenant, **choice)["items"])

    return read


def test_a_create_then_a_read_are_noted(sender: Sender, noted: Callable[..., list[dict[str, Any]]]) -> None:
    ann = sender.user("ann")
    sender.get(f"/Users/{ann['id']}", X_Request_ID="the-second")
    read, made = noted()
    assert (made["method"], made["route"], made["status"]) == ("POST", "/scim/v2/Users", 201)
    assert (read["method"], read["route"], read["id"]) == ("GET", "/scim/v2/Users/{id}", ann["id"])
    assert read["correlation_id"] == "the-second"
    assert read["took_ms"] >= 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "why"),
    [
        ("GET", "/Users/ann.lee@example.com", None, 404, "There is no User with the id …"),
        ("GET", '/Users?filter=userName xx "ann.lee"', None, 400, "invalidFilter: "),
        ("GET", "/ann.lee", None, 404, ""),
        ("POST", "/Users", '{"userName": "ann.lee" "x"}', 400, "The body is not valid JSON: "),
        ("POST", "/Users", '{"schemas": [], "emails": [{"value": ["ann.lee"]}]}', 400, ""),
        ("PATCH", "/Users/ann.lee", '{"Operations": [{"op": "ann.lee"}]}', None, ""),
    ],
)
def test_a_refusal_is_noted_without_what_was_said(
    sender: Sender,
    noted: Callable[..., list[dict[str, Any]]],
    method: str,
    path: str,
    body: str | None,
    status: int | None,
    why: str,
) -> None:
    answer = sender.send(method, path, body)
    [row] = noted(refused=True)
    assert row["status"] == answer.status_code == (status or answer.status_code)
    assert row["why"].startswith(why)
    assert row["why"]
    assert "ann.lee" not in str(row).lower()


def test_the_same_name_again_says_so(sender: Sender, noted: Callable[..., list[dict[str, Any]]]) -> None:
    sender.user("ann")
    sender.post("/Users", {"userName": "ann@example.com"})
    [row] = noted(status=409)
    assert "ann" not in str(row)
    assert row["why"]


def test_an_ended_token_is_its_tenant_s(
    sender: Sender, shared_store: Store, noted: Callable[..., list[dict[str, Any]]]
) -> None:
    token_id = tokens.token_id_of(sender.token)
    assert token_id is not None
    with shared_store.begin(sender.tenant) as tx:
        tokens.revoke(tx, token_id)
    assert sender.get("/Users").status_code == 401
    [row] = noted()
    assert (row["token"], row["why"]) == (token_id, "This token is revoked. Ask for a new one.")
    assert sender.token not in str(row)


def test_a_token_that_is_unknown_is_nobody_s(
    app: Flask, shared_store: Store, noted: Callable[..., list[dict[str, Any]]]
) -> None:
    stranger = Sender(app.test_client(), f"scb_{'1' * 16}_{'2' * 64}", "")
    assert stranger.get("/Users").status_code == 401
    assert noted() == []
    [row, *_] = requests.listed(shared_store, None)["items"]
    assert (row["tenant"], row["token"], row["status"]) == (None, None, 401)
    assert "2222" not in str(row)


def test_a_token_for_something_else_is_told(
    make_sender: Callable[..., Sender], sender: Sender, noted: Callable[..., list[dict[str, Any]]]
) -> None:
    make_sender(sender.tenant, scopes=("hr",)).get("/Users")
    [row] = noted()
    assert (row["status"], row["why"]) == (403, "This token is for hr; this needs one for scim")


def test_one_tenant_never_sees_another_s(
    make_sender: Callable[..., Sender], noted: Callable[..., list[dict[str, Any]]]
) -> None:
    make_sender("somebody-else").get("/Users")
    assert noted() == []
    assert len(noted("somebody-else")) == 1
