"""Which door a request came in by decides what is behind it."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scim_bridge.store import tokens
from scim_bridge.store.engine import Store
from scim_bridge.web import wsgi


@pytest.fixture
def accepted() -> Iterator[socket.socket]:
    """A socket as gunicorn hands it to the application."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def ask(app: wsgi.WsgiApp, path: str, **environ: Any) -> tuple[str, bytes]:
    """Return status and body of a request."""
    told: list[str] = []
    body = b"".join(app({"PATH_INFO": path, **environ}, lambda status, _headers: told.append(status)))
    return told[0], body


def application(_environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    start_response("200 OK", [])
    return [b"the application"]


def test_the_admin_port_has_the_metrics_and_nothing_else(accepted: socket.socket) -> None:
    app = wsgi.with_admin_door(application, admin_port=accepted.getsockname()[1])
    status, body = ask(app, "/metrics", **{"gunicorn.socket": accepted})
    assert status == "200 OK"
    assert b"scim_bridge_wakes_not_told_total" in body
    assert ask(app, "/scim/v2/Users", **{"gunicorn.socket": accepted})[0] == "404 Not Found"


def test_the_metrics_tell_how_long_tokens_will_be_good(
    accepted: socket.socket, sqlite_url: str, clock: Callable[[], int]
) -> None:
    store = Store.open(sqlite_url, clock=clock)
    with store.begin("acme") as tx:
        issued = tokens.issue(tx, scopes=["scim"], source="idp", name="Ann", expires_at=tx.now + 36 * 3_600_000)
        tokens.issue(tx, scopes=["scim"], source="idp")
    app = wsgi.with_admin_door(
        application, admin_port=accepted.getsockname()[1], days_left=lambda: wsgi.tokens_days_left(store)
    )
    _, body = ask(app, "/metrics", **{"gunicorn.socket": accepted})
    lines = [line for line in body.decode().splitlines() if line.startswith("scim_bridge_token_days_left")]
    assert lines == [f'scim_bridge_token_days_left{{tenant="acme",token_id="{issued.id}"}} 1.5']
    assert "Ann" not in body.decode()
    store.close()


def test_the_metrics_do_without_the_store_while_it_is_away(tmp_path: Path) -> None:
    (tmp_path / "bridge.db").touch()
    store = Store.open(f"sqlite:///{tmp_path}/bridge.db", clock=lambda: 0)
    assert wsgi.tokens_days_left(store) == []
    store.close()


def test_the_front_door_has_no_metrics_whatever_a_header_says(accepted: socket.socket) -> None:
    app = wsgi.with_admin_door(application, admin_port=9090)
    forged = {"gunicorn.socket": accepted, "HTTP_HOST": "127.0.0.1:9090", "SERVER_PORT": "9090"}
    assert ask(app, "/metrics", **forged) == ("200 OK", b"the application")
