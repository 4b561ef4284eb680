"""Two SCIM services behind a real bridge, one able to do all and one nothing: both hold what the directory says."""

from collections.abc import Callable
from typing import Any

import pytest
from running.bridge import user

from scim_bridge.sandbox.targets.limits import Window
from scim_bridge.sandbox.targets.scim import ScimOptions, simulate_scim

CONFIGURATION = """
[[tenants]]
id = "acme"
[[tenants.targets]]
name = "able"
kind = "scim"
base_url = "{able}"
token = "env:ABLE_TOKEN"
groups = {{"*" = {{group = "{{displayName}}"}}}}
[[tenants.targets]]
name = "bare"
kind = "scim"
base_url = "{bare}"
auth = "basic"
username = "env:BARE_NAME"
password = "env:BARE_PASSWORD"
groups = {{"*" = {{group = "{{displayName}}"}}}}
limits = [{{requests = 20, per_s = 1}}]
"""

BARE = ScimOptions(auth="basic", bulk=False, patch=False, filters="none", search=False, max_results=7)


@pytest.mark.timeout(120)
def test_twenty_people_with_a_leaver_reach_services_of_every_ability(make_bridge: Callable[..., Any]) -> None:
    with (
        simulate_scim(api_key="able-token", options=ScimOptions(shuffle=True)) as able,
        simulate_scim(api_key="bridge:secret", options=BARE, limits=(Window(requests=20, per_s=1.0),)) as bare,
    ):
        bridge = make_bridge(
            CONFIGURATION.format(able=able.base_url, bare=bare.base_url),
            ABLE_TOKEN="able-token",
            BARE_NAME="bridge",
            BARE_PASSWORD="secret",
        )
        token = bridge.token("acme")
        ids = []
        for number in range(20):
            status, made = bridge.request("POST", "/Users", token, user(f"p{number}"))
            assert status == 201
            ids.append(made["id"])
        members = [{"value": each} for each in ids[:3]]
        group = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "Sales", "members": members}
        assert bridge.request("POST", "/Groups", token, group)[0] == 201
        bridge.wait_until_settled(within_s=60)
        assert bridge.request("DELETE", f"/Users/{ids[7]}", token)[0] == 204
        report = bridge.wait_until_settled(within_s=60)
        assert report["tenants"][0]["operations"]["dead"] == 0
        for service in (able, bare):
            accounts = service.state.accounts
            assert {account.user_name for account in accounts} == {f"p{n}@example.com" for n in range(20)}
            assert [account.user_name for account in accounts if not account.active] == ["p7@example.com"]
            assert [(name, count) for _, name, count in service.state.groups] == [("Sales", 3)]
            assert service.log.count(status=429) == 0
        assert able.log.count("PUT") == 0
        assert bare.log.count("PATCH") == bare.log.count("POST", ".*/Bulk") == 0
        assert bridge.stop() == 0
