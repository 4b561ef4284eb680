"""A target in trouble: everything comes through, nobody's attempts are burned, the other lane does not notice."""

import time
from collections.abc import Callable
from typing import Any

from running.bridge import user

from scim_bridge.sandbox.targets.faults import Fault
from scim_bridge.sandbox.targets.mindtickle import simulate_mindtickle
from scim_bridge.sandbox.targets.trakstar import simulate_trakstar

CONFIGURATION = """
[worker]
processes = 2
[[tenants]]
id = "acme"
[[tenants.targets]]
name = "trakstar"
kind = "trakstar"
base_url = "{trakstar}"
api_key = "env:TRAKSTAR_API_KEY"
timeout_s = 2
timeout_bulk_s = 2
[[tenants.targets.limits]]
requests = 10
per_s = 1
[[tenants.targets]]
name = "mindtickle"
kind = "mindtickle"
scim_base_url = "{scim}"
rest_base_url = "{rest}"
api_key = "env:MINDTICKLE_API_KEY"
company_id = "env:MINDTICKLE_COMPANY_ID"
"""

TROUBLE = (
    Fault(answer="reset", when="before"),
    Fault(answer="status", status=500, when="before"),
    Fault(answer="hang", when="after", hang_s=6),
    Fault(answer="status", status=429, headers={"Retry-After": "2"}),
    Fault(answer="html", when="after"),
    Fault(answer="reset", when="after"),
)


def test_a_target_that_fails_in_every_way_loses_nobody_and_holds_nobody_else_up(
    make_bridge: Callable[..., Any],
) -> None:
    with (
        simulate_trakstar(api_key="key-1", limits=()) as trakstar,
        simulate_mindtickle(api_key="key-2", company_id="c-1") as tickle,
    ):
        bridge = make_bridge(
            CONFIGURATION.format(
                trakstar=trakstar.base_url, scim=tickle.urls["scim_base_url"], rest=tickle.urls["rest_base_url"]
            ),
            TRAKSTAR_API_KEY="key-1",
            MINDTICKLE_API_KEY="key-2",
            MINDTICKLE_COMPANY_ID="c-1",
        )
        token = bridge.token("acme")
        for fault in TROUBLE:
            trakstar.faults.add(fault)
        trakstar.go_down_for(2.0)
        began = time.monotonic()
        for number in range(20):
            assert bridge.request("POST", "/Users", token, user(f"p{number}"))[0] == 201
        while len(tickle.state.accounts) < 20 and time.monotonic() < began + 30:
            time.sleep(0.1)
        assert len(tickle.state.accounts) == 20
        assert trakstar.faults.pending, "the other lane was done while this one was still in trouble"
        report = bridge.wait_until_settled(within_s=90)
        assert not trakstar.faults.pending
        assert report["tenants"][0]["operations"]["dead"] == 0
        assert {account.email for account in trakstar.state.accounts} == {f"p{n}@example.com" for n in range(20)}
        assert trakstar.state.duplicates() == ()
