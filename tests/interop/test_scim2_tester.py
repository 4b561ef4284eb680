"""scim2-tester, a strict client of the RFCs, reports no error against the running server."""

from typing import Any

import requests
from fakes.dispatcher import RecordingDispatcher
from fakes.server import served
from scim2_client.client import BaseSyncSCIMClient
from scim2_tester import Status, check_server

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
