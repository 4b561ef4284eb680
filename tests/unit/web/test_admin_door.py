"""Which door a request came in by decides what is behind it."""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

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


def test_the_front_door_has_no_metrics_whatever_a_header_says(accepted: socket.socket) -> None:
    app = wsgi.with_admin_door(application, admin_port=9090)
    forged = {"gunicorn.socket": accepted, "HTTP_HOST": "127.0.0.1:9090", "SERVER_PORT": "9090"}
    assert ask(app, "/metrics", **forged) == ("200 OK", b"the application")
