"""scim2-client over the HTTP library that the project has anyway. It validates every answer by the RFCs."""

from typing import Any

import requests
from scim2_client.client import BaseSyncSCIMClient


class RequestsSCIMClient(BaseSyncSCIMClient):
    """Speaks to one SCIM service with one token."""

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
