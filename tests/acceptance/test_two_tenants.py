"""Any configuration file with two tenants: what each pushes goes to the URLs configured for it, and nowhere else."""

from collections.abc import Callable
from typing import Any

from running.bridge import user

from scim_bridge.operators import inbound
from scim_bridge.sandbox.targets.mindtickle import simulate_mindtickle
from scim_bridge.sandbox.targets.trakstar import simulate_trakstar

TENANTS = """
[[tenants]]
id = "acme"
[[tenants.targets]]
name = "learn"
kind = "trakstar"
base_url = "{acme}"
api_key = "env:ACME_KEY"
[[tenants.targets]]
name = "tickle"
kind = "mindtickle"
scim_base_url = "{scim}"
rest_base_url = "{rest}"
api_key = "env:TICKLE_KEY"
company_id = "env:TICKLE_COMPANY"
[[tenants]]
id = "globex"
[[tenants.targets]]
name = "learn"
kind = "trakstar"
base_url = "{globex}"
api_key = "env:GLOBEX_KEY"
"""


def test_each_tenants_people_go_to_its_own_targets(make_bridge: Callable[..., Any]) -> None:
    with (
        simulate_trakstar(api_key="acme-key") as acme,
        simulate_trakstar(api_key="globex-key") as globex,
        simulate_mindtickle(api_key="tickle-key", company_id="c-1") as tickle,
    ):
        bridge = make_bridge(
            TENANTS.format(
                acme=acme.base_url,
                globex=globex.base_url,
                scim=tickle.urls["scim_base_url"],
                rest=tickle.urls["rest_base_url"],
            ),
            ACME_KEY="acme-key",
            GLOBEX_KEY="globex-key",
            TICKLE_KEY="tickle-key",
            TICKLE_COMPANY="c-1",
        )
        tokens = {tenant: bridge.token(tenant) for tenant in ("acme", "globex")}
        for name in ("ann", "bob"):
            status, _ = bridge.request("POST", "/Users", tokens["acme"], user(name))
            assert status == 201
        # The same login in another tenant is another person.
        status, created = bridge.request("POST", "/Users", tokens["globex"], user("ann"))
        assert status == 201
        assert bridge.request("GET", f"/Users/{created['id']}", tokens["acme"])[0] == 404
        bridge.wait_until_settled(within_s=40)
        assert {account.email for account in acme.state.accounts} == {"ann@example.com", "bob@example.com"}
        assert {account.email for account in globex.state.accounts} == {"ann@example.com"}
        assert {account.user_name for account in tickle.state.accounts} == {"ann@example.com", "bob@example.com"}
        bridge.request("DELETE", f"/Users/{created['id']}", tokens["globex"])
        bridge.wait_until_settled(within_s=40)
        assert [account.active for account in globex.state.accounts] == [False]
        assert all(account.active for account in (*acme.state.accounts, *tickle.state.accounts))
        assert bridge.stop() == 0
        # A process that ends still writes down what came last.
        store = bridge.store
        noted = {
            tenant: sorted((row["method"], row["status"]) for row in inbound.listed(store, tenant)["items"])
            for tenant in tokens
        }
        store.close()
    assert noted["acme"] == [("GET", 404), ("POST", 201), ("POST", 201)]
    assert noted["globex"] == [("DELETE", 204), ("POST", 201)]
