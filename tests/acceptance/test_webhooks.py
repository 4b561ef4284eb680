"""A change that somebody makes in MindTickle by hand, seen by the webhook of it, with all processes real."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from running.bridge import user

from scim_bridge.operators import timeline
from scim_bridge.sandbox.targets.mindtickle import MindTickleOptions, simulate_mindtickle

CONFIGURATION = """
[worker]
processes = 1
[[tenants]]
id = "acme"
[[tenants.targets]]
name = "mt"
kind = "mindtickle"
scim_base_url = "{scim}"
rest_base_url = "{rest}"
api_key = "env:MINDTICKLE_API_KEY"
company_id = "env:MINDTICKLE_COMPANY_ID"
webhook_secret = "env:MINDTICKLE_WEBHOOK_SECRET"
webhook_scheme = "B"
"""


def by_hand(url: str, account_id: str, *, active: bool) -> None:
    """Change an account's status in the target, as somebody there would."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    change = {"op": "replace", "path": "active", "value": active}
    document = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [change]}
    headers = {"Authorization": "Bearer key-2", "X-Company-Id": "c-1", "Content-Type": "application/scim+json"}
    connection.request("PATCH", f"{parts.path}/Users/{account_id}", json.dumps(document), headers)
    assert connection.getresponse().status == 200
    connection.close()


def eventually(is_so: Callable[[], bool], *, within_s: float = 20) -> bool:
    until = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True


def test_an_account_closed_by_hand_is_seen_as_drift_before_it_is_opened_again(make_bridge: Callable[..., Any]) -> None:
    with simulate_mindtickle(
        api_key="key-2", company_id="c-1", limits=(), options=MindTickleOptions(bulk="none")
    ) as tickle:
        addresses = {"scim": tickle.urls["scim_base_url"], "rest": tickle.urls["rest_base_url"]}
        bridge = make_bridge(
            CONFIGURATION.format(**addresses),
            MINDTICKLE_API_KEY="key-2",
            MINDTICKLE_COMPANY_ID="c-1",
            MINDTICKLE_WEBHOOK_SECRET="whsec-1",
        )
        url = f"{bridge.url}/webhooks/acme/mt"
        tickle.vendor.set_options({"webhook_url": url, "webhook_secret": "whsec-1", "webhook_scheme": "B"})
        token = bridge.token("acme")
        for name in ("ann", "bob"):
            assert bridge.request("POST", "/Users", token, user(name))[0] == 201
        bridge.wait_until_settled(within_s=30)
        assert eventually(lambda: len(tickle.vendor.webhooks.statuses) == 2), "the echoes of both creates"
        calls_before = len(tickle.log)

        ann = tickle.state.find("ann@example.com")
        assert ann is not None
        by_hand(addresses["scim"], ann.account_id, active=False)
        assert eventually(lambda: is_active(tickle, "ann@example.com")), "\n".join(bridge.lines[-40:])
        assert eventually(lambda: len(tickle.vendor.webhooks.statuses) == 4), "by hand, and the echo of the repair"
        bridge.wait_until_settled(within_s=30)

        assert set(tickle.vendor.webhooks.statuses) == {200}
        [person] = timeline.show(bridge.store, "ann@example.com", "acme")["people"]
        [drift] = [
            (change["kind"], change["source"], entry["detail"])
            for change in person["changes"]
            for operation in change["operations"]
            for entry in operation["entries"]
            if entry["code"] == "drift"
        ]
        assert drift == ("readback", "webhook", "status")
        assert len(tickle.log) - calls_before == 3, "by hand, the read-back, the repair; nothing for any echo"
        lines = [line for line in bridge.lines if "webhook" in line]
        assert lines
        assert not any("ann" in line or ann.account_id in line for line in lines)


def is_active(tickle: Any, email: str) -> bool:
    held = tickle.state.find(email)
    return held is not None and held.active
