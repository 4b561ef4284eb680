"""A real bridge whose senders wait until the target has their change, or has refused it."""

import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from running.bridge import user

from scim_bridge.domain.resources import DELIVERY
from scim_bridge.sandbox.targets.trakstar import simulate_trakstar

TENANT = """
[[tenants]]
id = "acme"
ack = "confirm"
confirm_s = 30
[[tenants.targets]]
name = "learn"
kind = "trakstar"
base_url = "{learn}"
api_key = "env:LEARN_KEY"
"""


def test_a_sender_waits_for_the_target(make_bridge: Callable[..., Any]) -> None:
    with simulate_trakstar(api_key="learn-key") as learn:
        bridge = make_bridge(TENANT.format(learn=learn.base_url), LEARN_KEY="learn-key")
        token = bridge.token("acme")
        status, said, _ = create(bridge.url, token, user("ann"))
        assert (status, said) == (201, "confirmed")
        assert [account.email for account in learn.state.accounts] == ["ann@example.com"]
        status, said, error = create(bridge.url, token, {**user("bob"), "name": {}})
        assert (status, said, error["scimType"]) == (400, "accepted", "invalidValue")
        assert "learn has not taken this (missing_field)" in error["detail"]
        assert "bob" not in error["detail"]
        _, listed = bridge.request("GET", f"/Users?attributes=userName,{DELIVERY}:targets.state", token)
        told = {each["userName"]: each[DELIVERY]["targets"] for each in listed["Resources"]}
        assert told == {
            "ann@example.com": [{"target": "learn", "state": "delivered"}],
            "bob@example.com": [{"target": "learn", "state": "dead"}],
        }
        assert bridge.verify()["balanced"]


def create(url: str, token: str, document: dict[str, Any]) -> tuple[int, str | None, Any]:
    """Return the status, what the answer says of its acknowledgement, and its body."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    try:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/scim+json"}
        connection.request("POST", "/scim/v2/Users", body=json.dumps(document), headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["SCIM-Bridge-Acknowledged"], json.loads(answer.read())
    finally:
        connection.close()
