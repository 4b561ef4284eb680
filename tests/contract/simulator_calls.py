"""Calls to the simulated targets, and the documents that they carry."""

import http.client
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from scim_bridge.sandbox.targets.mindtickle import MindTickleVendor
from scim_bridge.sandbox.targets.simulator import Simulator
from scim_bridge.sandbox.targets.trakstar import TrakstarVendor

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH_OP = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
BULK = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
SEARCH = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
KEY = {"x-mindflash-apikey": "key"}
BEARER = {"Authorization": "Bearer key", "X-Company-Id": "acme"}
TODAY = "2026-11-21"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(
    url: str, method: str, document: Any = None, headers: dict[str, str] | None = None, *, timeout_s: float = 10.0
) -> Answer:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    body = None if document is None else json.dumps(document).encode()
    try:
        connection.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def trakstar(sim: Simulator[TrakstarVendor], method: str, path: str, document: Any = None) -> Answer:
    return call(sim.base_url + path, method, document, KEY)


def scim(sim: Simulator[MindTickleVendor], method: str, path: str, document: Any = None) -> Answer:
    return call(sim.urls["scim_base_url"] + path, method, document, BEARER)


def rest(sim: Simulator[MindTickleVendor], method: str, path: str, document: Any = None) -> Answer:
    return call(sim.urls["rest_base_url"] + path, method, document, BEARER)


def learner(name: str, **changes: Any) -> dict[str, Any]:
    return {"firstName": name.title(), "lastName": "Example", "email": f"{name}@example.com", **changes}


def adding(*users: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"users": list(users), "clientDatestamp": TODAY, **changes}


def scim_user(name: str, /, **changes: Any) -> dict[str, Any]:
    address = f"{name}@example.com"
    return {"schemas": [USER], "userName": address, "emails": [{"value": address, "primary": True}], **changes}


def patching(*operations: dict[str, Any]) -> dict[str, Any]:
    return {"schemas": [PATCH_OP], "Operations": list(operations)}


def bulk(*operations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"schemas": [BULK], "Operations": list(operations), **changes}


def creating(name: str) -> dict[str, Any]:
    return {"method": "POST", "path": "/Users", "bulkId": name, "data": scim_user(name)}


def eventually(is_so: Callable[[], bool], *, within_s: float = 5.0) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if is_so():
            return True
        time.sleep(0.01)
    return False
