"""scim2-tester, a strict client of the RFCs, reports no error against the running server."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from fakes.dispatcher import RecordingDispatcher
from flask import Flask
from scim2_client.client import BaseSyncSCIMClient
from scim2_tester import Status, check_server
from werkzeug.serving import make_server

from scim_bridge.settings.models import Settings
from scim_bridge.store import tokens
from scim_bridge.store.engine import Store
from scim_bridge.web.app import create_app


class RequestsSCIMClient(BaseSyncSCIMClient):
    """scim2-client over HTTP with the library that the project has anyway."""

    def __init__(self, base_url: str, token: str, **options: Any) -> None:
        super().__init__(**options)
        self._base_url = base_url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        whole = url if url.startswith("http") else f"{self._base_url}{url}"
        return self._session.request(method, whole, timeout=30, allow_redirects=False, **options)

    def close(self) -> None:
        self._session.close()


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """Serve an application on a free port of the loopback interface and give its URL."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_scim2_tester_finds_no_error(store: Store) -> None:
    app = create_app(Settings(), store, RecordingDispatcher(), clock=store.clock, secret=b"s" * 32)
    with store.begin("acme") as tx:
        token = tokens.issue(tx, scopes=["scim"], source="idp").value
    with served(app) as url:
        client = RequestsSCIMClient(f"{url}/scim/v2", token)
        results = check_server(client)
        client.close()
    bad = [f"{each.title}: {each.reason}" for each in results if each.status not in (Status.SUCCESS, Status.SKIPPED)]
    assert not bad, "\n".join(bad)
    assert sum(each.status == Status.SUCCESS for each in results) > 100
