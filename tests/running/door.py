"""Who knocks at the front door in tests: a sender with a token, and a clock that ticks."""

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

SCIM = "application/scim+json"


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


@dataclass(frozen=True)
class FrontDoor:
    """Where the SCIM endpoints are, and a token of one tenant."""

    url: str
    token: str = field(repr=False)
