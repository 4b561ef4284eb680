"""What a process notes of requests, and what it lets fall when too many come."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
from flask import Flask, Response, g

from scim_bridge import metrics
from scim_bridge.operators import inbound as requests
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store
from scim_bridge.store.tokens import Principal
from scim_bridge.web import inbound
from scim_bridge.web.inbound import MOST_AT_ONCE, MOST_UNKNOWN_AT_ONCE, InboundLog

PRINCIPAL = Principal(tenant="acme", token_id="ab" * 8, scopes=frozenset({"scim"}), source="okta")


@pytest.fixture
def store(sqlite_url: str, clock: Callable[[], int]) -> Iterator[Store]:
    opened = Store.open(sqlite_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def log(store: Store, clock: Callable[[], int]) -> InboundLog:
    """Its thread never writes before it is told to end: a test writes itself."""
    made = InboundLog(store, names={("acme", "lms")}, clock=clock)
    made._thread = threading.Thread()
    return made


@pytest.fixture
def app(log: InboundLog) -> Flask:
    app = Flask(__name__)

    @app.route("/scim/v2/<resource_endpoint>/<resource_id>", methods=["GET", "PATCH"])
    def one(resource_id: str, **_parts: str) -> Response:
        g.principal, g.correlation_id = PRINCIPAL, "c1"
        return Response(
            '{"detail": "There is no User with the id \'ann\'"}', status=404 if resource_id == "ann" else 200
        )

    @app.post("/webhooks/<tenant>/<target>")
    def hook(**_parts: str) -> tuple[dict[str, Any], int]:
        return {"detail": "The signature is wrong."}, 401

    @app.get("/healthz")
    def alive() -> str:
        return "alive"

    app.after_request(log.note)
    return app


def noted(store: Store) -> list[dict[str, Any]]:
    return list(requests.listed(store, None, limit=500)["items"])


def dropped() -> float:
    return float(metrics.INBOUND_DROPPED._value.get())


def test_a_request_is_noted_with_whose_it_is(app: Flask, log: InboundLog, store: Store) -> None:
    ours = "0123456789abcdef" * 2
    app.test_client().get(f"/scim/v2/Users/{ours}?filter=ann")
    assert log.write() == 1
    [row] = noted(store)
    told = {
        name: row[name] for name in ("tenant", "method", "route", "id", "status", "source", "correlation_id", "why")
    }
    assert told == {
        "tenant": "acme",
        "method": "GET",
        "route": "/scim/v2/Users/{id}",
        "id": ours,
        "status": 200,
        "source": "okta",
        "correlation_id": "c1",
        "why": "",
    }


def test_nothing_that_a_sender_put_there_is_noted(app: Flask, log: InboundLog, store: Store) -> None:
    client = app.test_client()
    client.get("/scim/v2/Users/ann")
    client.get("/scim/v2/ann/ann?ann=ann")
    client.get("/scim/v2/ann")
    client.get("/webhooks/ann")
    client.open("/scim/v2/Users/ann", method="ANN")
    client.post("/webhooks/ann/ann", data="ann", headers={"Authorization": "Bearer ann"})
    assert log.write() == 6
    assert "ann" not in str(noted(store)).lower()


def test_a_known_webhook_s_address_tells_whose_it_is(app: Flask, log: InboundLog, store: Store) -> None:
    app.test_client().post("/webhooks/acme/lms")
    log.write()
    [row] = noted(store)
    assert (row["tenant"], row["source"], row["route"]) == ("acme", "lms", "/webhooks/acme/lms")
    assert row["why"] == "The signature is wrong."


def test_a_token_of_another_tenant_is_not_noted_at_a_known_address(app: Flask, log: InboundLog, store: Store) -> None:
    issued = {}
    for tenant in ("acme", "other"):
        with store.begin(tenant) as tx:
            issued[tenant] = tokens.issue(tx, scopes=["scim"], source="idp").id
    for token_id in (*issued.values(), "ab" * 8):
        app.test_client().post("/webhooks/acme/lms", headers={"Authorization": f"Bearer scb_{token_id}_{'0' * 64}"})
    log.write()
    assert {(row["tenant"], row["token"]) for row in noted(store)} == {("acme", None), ("acme", issued["acme"])}


def test_a_flood_of_those_whom_nobody_knows_leaves_room_for_the_others(
    app: Flask, log: InboundLog, store: Store
) -> None:
    client, before = app.test_client(), dropped()
    for _ in range(MOST_AT_ONCE + 5):
        client.post("/webhooks/acme/lms")
    for _ in range(MOST_AT_ONCE):
        client.get("/scim/v2/Users/ann")
    assert dropped() - before == MOST_AT_ONCE + 5 - MOST_UNKNOWN_AT_ONCE
    assert log.write() == MOST_AT_ONCE
    assert {row["status"] for row in noted(store)} == {404}
    for _ in range(MOST_AT_ONCE):
        client.post("/webhooks/acme/lms")
    assert log.write() == MOST_UNKNOWN_AT_ONCE


def test_what_comes_to_no_sender_s_door_is_not_noted(app: Flask, log: InboundLog) -> None:
    app.test_client().get("/healthz")
    app.test_client().get("/nowhere")
    assert log.write() == 0


def test_of_too_many_those_that_were_refused_are_kept_first(app: Flask, log: InboundLog, store: Store) -> None:
    client, before = app.test_client(), dropped()
    for _ in range(MOST_AT_ONCE + 5):
        client.get("/scim/v2/Users/fine")
    for _ in range(10):
        client.get("/scim/v2/Users/ann")
    assert log.write() == MOST_AT_ONCE
    assert sorted({row["status"] for row in noted(store)}) == [200, 404]
    assert sum(row["status"] == 404 for row in noted(store)) == 10
    assert dropped() - before == 15


def test_while_the_store_is_down_requests_are_counted_and_lost(app: Flask, clock: Callable[[], int]) -> None:
    nowhere = Store.open("postgresql+psycopg://nobody@127.0.0.1:1/none", clock=clock)
    log = InboundLog(nowhere, names=(), clock=clock)
    log._thread = threading.Thread()
    app.after_request_funcs[None] = [log.note]
    before = dropped()
    for _ in range(2):
        app.test_client().get("/scim/v2/Users/fine")
        assert log.write() == 0
    assert dropped() - before == 2
    nowhere.close()


def test_nothing_is_written_when_nothing_came(log: InboundLog) -> None:
    log._store = None  # type: ignore[assignment] # whoever asks the store fails
    assert log.write() == 0


def test_the_thread_starts_with_the_first_request(store: Store, clock: Callable[[], int]) -> None:
    app = Flask(__name__)
    log = InboundLog(store, names=(), clock=clock)
    app.after_request(log.note)
    assert log._thread is None
    app.test_client().get("/scim/v2/Users")
    assert log._thread is not None
    log.close()
    assert not log._thread.is_alive()
    assert len(noted(store)) == 1


class Trap(frozenset[tuple[str, str]]):
    """Fails the first time that it is asked."""

    def __new__(cls) -> Self:
        made = super().__new__(cls)
        made.sprung = threading.Event()
        return made

    sprung: threading.Event

    def __contains__(self, _name: object) -> bool:
        if not self.sprung.is_set():
            self.sprung.set()
            raise ValueError("a fault")
        return False


def test_a_fault_of_one_write_does_not_end_the_thread(
    store: Store, clock: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbound, "EVERY_S", 0.01)
    log = InboundLog(store, names=(), clock=clock)
    log._names = trap = Trap()
    app = Flask(__name__)
    app.after_request(log.note)
    app.test_client().get("/scim/v2/Users")
    assert trap.sprung.wait(5)
    app.test_client().get("/scim/v2/Users")
    log.close()
    assert len(noted(store)) == 1
